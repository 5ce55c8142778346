package deliver

import (
	"errors"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/spool"
)

// explain names a failure: it sets err.Cause and returns the finding. At a smart
// host we are a client of our own outgoing server, and its name, port and TLS are
// settings of ours; at a mail exchanger we are a server that delivers.
func (c *conversation) explain(err *evidence.Error, r *spool.Recipient, m *spool.Message) explain.Finding {
	f := facts(err, r, m)
	f.Sender = string(rewriting(c.route, m).ReversePath(m.Envelope.From)) // as the server was told it
	f.FromServer = c.route.IsMX()
	f.User = c.route.User
	if f.Host == "" && !f.FromServer {
		f.Host = c.route.Via[0].Host
		if f.Host == "" {
			f.Host = c.host.name // the usual host of an interface
		}
	}
	if f.Host == c.host.name {
		f.Port = c.host.port
	} else if ofToken(err) {
		f.Port = 443 // of the identity provider, which is who was asked
	} else if !f.FromServer {
		f.Port = c.route.Via[0].Port
	}
	x := name(err, f)
	switch {
	case err.Scope != evidence.ScopeRoute || c.route.Token == nil:
	case ofToken(err), x.Cause == "auth.oauth-token-rejected":
		x.Actor, x.Do = cause.ActorSenderAdmin, tokenRemedies(err, c.route.Name)
	case x.Cause == "auth.oauth-scope":
		x.Do = append(tokenRemedies(err, c.route.Name), x.Do...)
	}
	return x
}

// tokenRemedies are the steps of whoever runs the route. Those of the catalogue are
// for people with a mail program.
func tokenRemedies(err *evidence.Error, route string) []string {
	do := []string{}
	if of := (*oauth.Error)(nil); errors.As(err, &of) && of.Do != "" {
		do = append(do, strings.ToUpper(of.Do[:1])+of.Do[1:])
	}
	return append(do, "See which step fails, and what mends it: wellsent doctor --route "+route)
}

// explainLocal names a failure that no server was part of.
func explainLocal(err *evidence.Error, r *spool.Recipient, m *spool.Message) explain.Finding {
	return name(err, facts(err, r, m))
}

func facts(err *evidence.Error, r *spool.Recipient, m *spool.Message) explain.Facts {
	f := explain.Facts{Stage: err.Stage, Origin: err.Origin, Host: err.Host, Sender: string(m.Envelope.From)}
	if r != nil {
		f.Recipient = string(r.Path)
	}
	return f
}

// name asks explain and keeps its answer in err.
func name(err *evidence.Error, f explain.Facts) explain.Finding {
	x := explain.Error(err, f)
	if err.Cause == "" {
		err.Cause = x.Cause
	}
	return x
}
