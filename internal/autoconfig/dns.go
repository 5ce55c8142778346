package autoconfig

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/resolver"
)

// mxAnswer is the MX hosts of the domain, looked up once.
type mxAnswer struct {
	once  sync.Once
	hosts []resolver.MX // empty where the domain has none but itself
	err   error
}

// exchangers returns the MX hosts of the domain, the preferred first.
func (f *finder) exchangers(ctx context.Context) ([]resolver.MX, error) {
	f.mx.once.Do(func() {
		f.mx.hosts, f.mx.err = f.Resolver.MX(ctx, f.domain)
		f.mx.hosts = slices.DeleteFunc(f.mx.hosts, func(mx resolver.MX) bool { return mx.Host == f.domain })
	})
	return f.mx.hosts, f.mx.err
}

// absent reports whether the domain is known not to exist. Then nothing below it
// does. RFC 8020.
func (f *finder) absent() bool { return resolver.KindOf(f.mx.err) == resolver.KindNoName }

// trustDNS is the trust in a DNS answer.
func trustDNS(authenticated bool) Trust {
	if authenticated {
		return TrustDNSSEC
	}
	return TrustPlain
}

// byMX asks provider data for the domain's MX hosts. Whoever forges the MX can
// only name another known provider, so the settings are not foreign.
func (f *finder) byMX(ctx context.Context) answer {
	start := time.Now()
	hosts, err := f.exchangers(ctx)
	where := "MX of " + f.domain
	var names []string
	for _, mx := range hosts {
		names = append(names, mx.Host)
	}
	p, ok := provider.ByMX(names...)
	if err == nil && !ok {
		err = errNothing
	}
	tried := []Tried{took(FromProviderMX, where, start, err)}
	if err != nil {
		return answer{tried: tried}
	}
	s := ofProvider(p, f.address)
	s.Source, s.Trust = FromProviderMX, trustDNS(hosts[0].Authenticated)
	if len(s.Outgoing) == 0 {
		s.Outgoing = ofCustomer(p, names, f.address)
	}
	return answer{settings: []Settings{s}, provider: p, tried: tried}
}

// ofCustomer returns the servers of a provider that gives each customer one of
// their own, which is the MX host at the same time.
func ofCustomer(p *provider.Provider, names []string, address string) []Outgoing {
	var servers []Outgoing
	for _, name := range names {
		for _, use := range provider.ByHost(name) {
			if use.Provider != p || use.Role != provider.RoleOutgoing {
				continue
			}
			for _, server := range use.Servers {
				servers = append(servers, Outgoing{Server: server, User: p.User.Fill(address), Logins: p.Logins})
			}
		}
	}
	return servers
}

// byMXFile asks for the files of the MX host's domains: the host without its first
// label, which tells one service of a company from another, and the registered
// domain. As the domain came by DNS, HTTPS makes the answer no more trustworthy
// than that.
func (f *finder) byMXFile(ctx context.Context) answer {
	hosts, err := f.exchangers(ctx)
	if err != nil || len(hosts) == 0 || f.Client == nil {
		return answer{}
	}
	mx := hosts[0]
	base := registered(mx.Host)
	if base == registered(f.domain) {
		return answer{}
	}
	domains := []string{base}
	if _, next, ok := strings.Cut(mx.Host, "."); ok && next != base && strings.HasSuffix(next, "."+base) {
		domains = []string{next, base}
	}
	var all answer
	for _, domain := range domains {
		targets := []string{"https://autoconfig." + domain + "/mail/config-v1.1.xml"}
		if f.Database != "" {
			targets = append(targets, f.databaseURL(domain))
		}
		for _, target := range targets {
			a := f.file(ctx, FromAutoconfigMX, TrustHTTPS, target)
			all.tried = append(all.tried, a.tried...)
			if len(a.settings) > 0 {
				if !mx.Authenticated {
					a.settings[0].Trust = TrustPlain
				}
				// The MX host's own domain is no stranger: the question is whether
				// the MX is true, and trust says that.
				a.settings[0].Foreign = foreign(base, a.settings[0].Outgoing)
				all.settings = a.settings
				return all
			}
		}
	}
	return all
}

// The services of mail, each with its port's security. RFC 6186 §3, 8314 §5.1.
var (
	outgoingServices = []struct {
		name     string
		security provider.Security
	}{{"_submissions._tcp", provider.TLS}, {"_submission._tcp", provider.StartTLS}}
	incomingServices = []struct {
		name     string
		protocol string
		security provider.Security
	}{{"_imaps._tcp", "imap", provider.TLS}, {"_imap._tcp", "imap", provider.StartTLS}, {"_pop3s._tcp", "pop3", provider.TLS}}
)

// bySRV asks for the SRV records of the domain. The incoming ones are asked for
// when there are outgoing ones.
func (f *finder) bySRV(ctx context.Context) answer {
	var all answer
	s := Settings{Source: FromSRV, Where: "SRV of " + f.domain, Trust: TrustDNSSEC}
	for i, found := range f.services(ctx, &all, outgoingServices[0].name, outgoingServices[1].name) {
		for _, srv := range found { // those of implicit TLS come first. RFC 8314 §3.3
			security := outgoingServices[i].security
			if srv.Port == 465 {
				security = provider.TLS // published under the other name by mistake
			}
			s.Outgoing = append(s.Outgoing, Outgoing{
				Server: provider.Server{Host: srv.Target, Port: int(srv.Port), Security: security},
				User:   f.address, // tried first. RFC 6186 §4
			})
			if !srv.Authenticated {
				s.Trust = TrustPlain
			}
		}
	}
	if len(s.Outgoing) == 0 {
		return all
	}
	for i, found := range f.services(ctx, &all, incomingServices[0].name, incomingServices[1].name, incomingServices[2].name) {
		for _, srv := range found {
			s.Incoming = append(s.Incoming, provider.Incoming{
				Protocol: incomingServices[i].protocol,
				Server:   provider.Server{Host: srv.Target, Port: int(srv.Port), Security: incomingServices[i].security},
			})
		}
	}
	s.Foreign = foreign(f.domain, s.Outgoing)
	all.settings = []Settings{s}
	return all
}

// services asks for the servers of several services at once, and records in a
// that they were asked for.
func (f *finder) services(ctx context.Context, a *answer, names ...string) [][]resolver.SRV {
	found := make([][]resolver.SRV, len(names))
	tried := make([]Tried, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			start := time.Now()
			servers, err := f.Resolver.SRV(ctx, name+"."+f.domain)
			tried[i] = took(FromSRV, name+"."+f.domain, start, err)
			found[i] = slices.DeleteFunc(servers, func(s resolver.SRV) bool {
				_, ok := hostName(s.Target)
				return !ok
			})
		})
	}
	wait.Wait()
	for i, t := range tried {
		if resolver.KindOf(t.Err) == resolver.KindNotOffered {
			a.notOffered = append(a.notOffered, names[i])
		}
	}
	a.tried = append(a.tried, tried...)
	return found
}
