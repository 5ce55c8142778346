package deliver

import (
	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// successor returns the host that its provider has put in the place of a withdrawn
// name, and how it is spoken to. It is asked over verified TLS alone: who answers
// to a name that nobody watches any more may be anybody, and so may whoever sends us
// elsewhere.
func successor(v route.Via, p smtpclient.Policy) (route.Via, bool) {
	r, ok := provider.ByRetired(v.Host)
	if !ok || r.Protocol != "smtp" || r.Successor == "" || p != smtpclient.TLSVerified {
		return route.Via{}, false
	}
	s := route.Via{Scheme: v.Scheme, Host: r.Successor, Port: v.Port}
	var first *provider.Server
	for _, u := range provider.ByHost(r.Successor) {
		for i := range u.Servers {
			x := &u.Servers[i]
			if x.Port == v.Port && schemeOf(x) == v.Scheme {
				return s, true // as it is set up
			}
			if first == nil && schemeOf(x) != "" {
				first = x
			}
		}
	}
	if first != nil {
		s.Scheme, s.Port = schemeOf(first), first.Port
	}
	return s, true
}

// schemeOf returns how a server of the provider data is spoken to; "" for one that
// is not to be used.
func schemeOf(s *provider.Server) route.Scheme {
	switch s.Security {
	case provider.StartTLS:
		return route.SchemeSMTP
	case provider.TLS:
		return route.SchemeSMTPS
	}
	return ""
}
