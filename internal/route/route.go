package route

import (
	"context"
	"crypto/x509"
	"net/netip"
	"strings"

	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Scheme says how a [Via] is reached.
type Scheme string

// The schemes of a via.
const (
	SchemeSMTP    Scheme = "smtp"    // a smart host, STARTTLS
	SchemeSMTPS   Scheme = "smtps"   // a smart host, TLS at once
	SchemeMX      Scheme = "mx"      // the mail exchangers of the recipient's domain
	SchemeGraph   Scheme = "graph"   // Microsoft Graph sendMail
	SchemeGmail   Scheme = "gmail"   // the Gmail API
	SchemeSandbox Scheme = "sandbox" // a maildir on this machine; nothing leaves
)

// Via is one way to the next hop.
type Via struct {
	Scheme Scheme
	Host   string // "" for mx and sandbox, and for the usual host of graph and gmail
	Port   int    // 0 for sandbox; 25 for mx unless the route says otherwise
}

// TLSPolicy is what a route demands of the connection's security.
type TLSPolicy string

// The TLS policies. DANE comes with a later version.
const (
	TLSVerified      TLSPolicy = "verified"      // TLS with a certificate for the host's name, or nothing is sent
	TLSOpportunistic TLSPolicy = "opportunistic" // TLS where offered, any certificate; else clear text
	TLSNone          TLSPolicy = "none"          // clear text
)

// Token returns an OAuth access token for vias of scheme s: the audience of Graph
// is another than that of SMTP. refused is the token that a server has just not
// taken, "" at first; Token then returns another or an error. It may ask the
// identity provider over the network. Its error says what to do and holds no secret.
type Token func(ctx context.Context, s Scheme, refused string) (string, error)

// Route is where mail for some recipients goes and how. Immutable once in a Table.
type Route struct {
	Name       string
	Recipients []string // patterns: "*", "*@example.org", "example.org", "*.example.org", "ann@example.org"; "" matches nobody
	Via        []Via    // in order of preference
	User       string   // "" for no login
	Password   func() (string, error)
	Token      Token // an OAuth access token instead of a password; nil: none
	TLS        TLSPolicy
	Roots      *x509.CertPool // nil: the system's
	From       smtp.Path      // the mailbox of the route, as which mail is sent; "": as it comes
	Pace       Pace           // what holds: the operator's bounds, and the provider's where those say nothing
	PaceOwn    Pace           // of these, the operator's
	PaceHost   string         // the host whose provider's data gave the others; "" for none
	Match      Match          // what else of a message must fit; zero: nothing
	Rewrite    Rewrite        // what becomes From; "": RewriteBoth where there is a From
	Aliases    []string       // what the mailbox may send as beside itself: "ann@example.org", "*@example.org", "*"
	Exceptions *Exceptions

	Proxy       *proxy.Proxy       // for every connection of the route; nil: none
	Source      netip.Addr         // our end of the connection; zero: the system's choice
	Family      Family             // "": FamilyAuto
	Certificate *ClientCertificate // nil: none
}

// IsMX reports whether the recipient's domain decides the next hop.
func (r *Route) IsMX() bool { return len(r.Via) > 0 && r.Via[0].Scheme == SchemeMX }

// Lane returns the name of the lane and destination of mail for rcpt by this
// route: the route's name, with the domain after a slash where the next hop
// depends on it.
func (r *Route) Lane(rcpt smtp.Path) string {
	if r.IsMX() {
		return r.Name + "/" + canonical(rcpt.Domain())
	}
	return r.Name
}

// Table is an ordered list of routes; the first that matches a recipient wins.
// Immutable once made.
type Table struct {
	Routes  []*Route
	Devices map[string]*Route // by name: of devices that have a route of their own
}

// For returns the route of one recipient of a message, or nil when none matches.
// A device with a route of its own has no other.
func (t *Table) For(q Question) *Route {
	if r := t.Devices[q.Device]; r != nil && q.Device != "" {
		return r
	}
	for _, r := range t.Routes {
		if matchesAny(r.Recipients, q.Recipient) && r.Match.fits(q) {
			return r
		}
	}
	return nil
}

// ForAnySender returns the first route that takes mail for rcpt from somebody, nil
// when there is none: the last resort of a notification, which must arrive.
func (t *Table) ForAnySender(rcpt smtp.Path) *Route {
	for _, r := range t.Routes {
		if matchesAny(r.Recipients, rcpt) {
			return r
		}
	}
	return nil
}

// ByLane returns the route and the domain that a lane's name stands for; the
// route is nil when the present table has none of that name.
func (t *Table) ByLane(lane string) (r *Route, domain string) {
	name, domain, _ := strings.Cut(lane, "/")
	for _, r := range t.Routes {
		if r.Name == name {
			return r, domain
		}
	}
	return nil, domain
}
