package route

import "github.com/wellsent/wellsent/internal/smtp"

// Rewrite says what of a message becomes the route's mailbox, [Route.From], for a
// smart host that lets a login send as itself only.
type Rewrite string

// The ways to rewrite.
const (
	RewriteKeep     Rewrite = "keep"     // nothing
	RewriteEnvelope Rewrite = "envelope" // the reverse-path
	RewriteFrom     Rewrite = "from"     // the From field, and Sender
	RewriteBoth     Rewrite = "both"     // all of these
)

// Exceptions are where the rewriting of routes is another one for some messages.
// Immutable.
type Exceptions struct {
	Devices   map[string]Rewrite // by name
	Listeners map[string]Rewrite // by address as configured
}

// RewriteFor returns what becomes the route's mailbox in a message: what its
// device says, else its listener, else the route. Without a mailbox it is nothing.
func (r *Route) RewriteFor(q Question) Rewrite {
	switch e := r.Exceptions; {
	case r.From == smtp.NullPath:
		return RewriteKeep
	case e != nil && q.Device != "" && e.Devices[q.Device] != "":
		return e.Devices[q.Device]
	case e != nil && q.Listener != "" && e.Listeners[q.Listener] != "":
		return e.Listeners[q.Listener]
	case r.Rewrite != "":
		return r.Rewrite
	}
	return RewriteBoth
}
