package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/deliver/gmail"
	"github.com/wellsent/wellsent/internal/deliver/graph"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Bounds of one attempt. A domain with more has answered or will tomorrow; a
// message must not hold its lane for hours meanwhile.
const (
	maxHosts     = 8  // mail exchangers
	maxAddresses = 16 // of one host
)

// host is one host to ask, and how.
type host struct {
	name     string // as its certificate must have it
	lookUp   string // as it is looked up: absolute for a mail exchanger
	port     int
	implicit bool // TLS at once
	smart    bool // a smart host: ours by configuration
	scheme   route.Scheme
	login    login
	maxBytes int64  // of a message; 0: it says so itself
	rank     int    // among the route's, from 0: the preferred one
	written  string // as the configuration has it, or would have it
	succeeds string // the withdrawn name in whose place this one is
	after    string // the host that must have failed before this one is asked; "": none
}

// isAPI reports a host that takes mail over HTTPS.
func (h host) isAPI() bool { return h.scheme == route.SchemeGraph || h.scheme == route.SchemeGmail }

// login is what a host is shown to let us in. Two hosts with the same one would
// answer it the same way.
type login string

// The logins.
const (
	loginNone     login = ""
	loginPassword login = "password"
	loginToken    login = "token" // with the scheme after a dash: each has its own audience
)

// loginOf returns what r shows to hosts of a scheme.
func loginOf(r *route.Route, s route.Scheme) login {
	switch {
	case s == route.SchemeGraph, s == route.SchemeGmail:
		return loginToken + "-" + login(s)
	case r.Token != nil && r.Password == nil:
		return loginToken + "-smtp"
	case r.User != "":
		return loginPassword
	}
	return loginNone
}

// smartHosts returns the hosts of a route's vias in order, each withdrawn name
// followed by its successor.
func smartHosts(r *route.Route) []host {
	var hosts []host
	add := func(h host) {
		h.smart, h.rank, h.login = true, len(hosts), loginOf(r, h.scheme)
		hosts = append(hosts, h)
	}
	for _, v := range r.Via {
		h := host{name: v.Host, lookUp: v.Host, port: v.Port, scheme: v.Scheme, written: v.String()}
		switch v.Scheme {
		case route.SchemeSMTP, route.SchemeSMTPS:
			h.implicit = v.Scheme == route.SchemeSMTPS
			add(h)
			if s, ok := successor(v, policy(r)); ok {
				add(host{name: s.Host, lookUp: s.Host, port: s.Port, scheme: s.Scheme, implicit: s.Scheme == route.SchemeSMTPS, succeeds: v.Host, after: v.Host, written: s.String()})
			}
		case route.SchemeGraph:
			h.maxBytes = graph.MaxSize
			add(h.orAt(graph.Host, graph.Port))
		case route.SchemeGmail:
			h.maxBytes = gmail.MaxSize
			add(h.orAt(gmail.Host, gmail.Port))
		}
	}
	return hosts
}

// orAt returns h with the usual host and port where the via names none.
func (h host) orAt(name string, port int) host {
	if h.name == "" {
		h.name, h.lookUp = name, name
	}
	if h.port == 0 {
		h.port = port
	}
	return h
}

// exchangers returns the hosts of a domain: its mail exchangers by preference, or
// itself. RFC 5321 §5.1.
func (c *conversation) exchangers(ctx context.Context) ([]host, *evidence.Error) {
	port := c.route.Via[0].Port
	if c.d.o.MXPort != 0 {
		port = c.d.o.MXPort
	}
	if strings.HasPrefix(c.domain, "[") { // an address literal is its own host; RFC 5321 §4.1.3
		a, ok := literal(c.domain)
		if !ok {
			return nil, noExchanger(c.domain, smtp.NewReply(550, 1, 2, "the address literal is not an IP address"), nil)
		}
		if c.d.isOwn(a, port) {
			return nil, noExchanger(c.domain, loop, nil)
		}
		return []host{{name: a.String(), lookUp: a.String(), port: port}}, nil
	}
	found, err := c.d.o.Resolver.MX(ctx, c.domain)
	if err != nil {
		return nil, lookUpFailed(c.domain, err)
	}
	hosts := make([]host, 0, len(found))
	for _, mx := range c.d.withoutOwn(found) {
		if len(hosts) < maxHosts {
			hosts = append(hosts, host{name: mx.Host, lookUp: mx.Host + ".", port: port})
		}
	}
	if len(hosts) == 0 {
		return nil, noExchanger(c.domain, loop, nil)
	}
	return hosts, nil
}

// literal returns the address of "[192.0.2.1]" or "[IPv6:2001:db8::1]".
func literal(domain string) (netip.Addr, bool) {
	in := strings.TrimSuffix(strings.TrimPrefix(domain, "["), "]")
	if len(in) > 5 && strings.EqualFold(in[:5], "IPv6:") {
		in = in[5:]
	}
	a, err := netip.ParseAddr(in)
	return a, err == nil
}

// loop is our answer where every exchanger is this server. RFC 5321 §5.1, 7505;
// 5.4.6: routing loop detected.
var loop = smtp.NewReply(554, 4, 6, "mail for this domain would come back to this server: its MX points here and no route takes it")

// withoutOwn returns the exchangers that are to be asked by this server: where it
// is one of them itself, only those preferred to it, lest mail goes round. RFC
// 5321 §5.1.
func (d *Deliverer) withoutOwn(found []resolver.MX) []resolver.MX {
	for i, mx := range found {
		if !strings.EqualFold(mx.Host, strings.TrimSuffix(d.o.Hostname, ".")) {
			continue
		}
		end := i
		for end > 0 && found[end-1].Preference == mx.Preference {
			end--
		}
		return found[:end]
	}
	return found
}

// isOwn reports whether a:port is one of our own listeners.
func (d *Deliverer) isOwn(a netip.Addr, port int) bool {
	if d.o.Listening == nil {
		return false
	}
	for _, l := range d.o.Listening() {
		if int(l.Port()) != port {
			continue
		}
		if l.Addr().Unmap() == a.Unmap() || l.Addr().IsUnspecified() && isLocal(a) {
			return true
		}
	}
	return false
}

// isLocal reports whether a is an address of this machine.
func isLocal(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, o := range own {
		if p, err := netip.ParsePrefix(o.String()); err == nil && p.Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}

// errOwn is a host whose every address is one of our listeners.
var errOwn = errors.New("the host is this server itself")

// addresses returns the addresses of a host that are not our own.
func (c *conversation) addresses(ctx context.Context, h host) ([]netip.Addr, *evidence.Error) {
	if c.byName() {
		if c.d.isOwnName(h.name, h.port) {
			return nil, comesBack(h)
		}
		return nil, nil // the proxy looks it up
	}
	found, err := c.d.o.Resolver.Addresses(ctx, h.lookUp)
	if err != nil {
		return nil, &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageResolve, Scope: evidence.ScopeHost, Host: h.name, Err: err}
	}
	if len(found) > 0 && len(c.route.Addresses(found)) == 0 {
		return nil, noneOfFamily(c.route, h, found)
	}
	var others []netip.Addr
	for _, a := range c.route.Addresses(found) {
		if !c.d.isOwn(a, h.port) && len(others) < maxAddresses {
			others = append(others, a)
		}
	}
	if len(others) == 0 {
		return nil, comesBack(h)
	}
	return others, nil
}

// comesBack is a host to which mail is not given, as it would come back.
func comesBack(h host) *evidence.Error {
	return &evidence.Error{Reply: loop, Origin: evidence.OriginLocal, Stage: evidence.StageResolve, Scope: evidence.ScopeHost, Host: h.name, Err: errOwn}
}

// isOwnName reports whether a host is one of our own listeners, as far as its name
// tells where a proxy looks it up: it is this server's, or one of its addresses.
// Loopback is the proxy's own there.
func (d *Deliverer) isOwnName(name string, port int) bool {
	if a, err := netip.ParseAddr(name); err == nil {
		return !a.IsLoopback() && d.isOwn(a, port)
	}
	if d.o.Listening == nil || !strings.EqualFold(strings.TrimSuffix(name, "."), strings.TrimSuffix(d.o.Hostname, ".")) {
		return false
	}
	return slices.ContainsFunc(d.o.Listening(), func(l netip.AddrPort) bool { return int(l.Port()) == port })
}

// lookUpFailed returns what a failed look-up of a domain's exchangers means for
// mail to it. A definite answer is one about the recipients; others pass.
func lookUpFailed(domain string, err error) *evidence.Error {
	switch resolver.KindOf(err) {
	case resolver.KindNullMX:
		return noExchanger(domain, smtp.NewReply(556, 1, 10, fmt.Sprintf("%s takes no mail: it says so in the DNS (null MX)", domain)), err) // RFC 7504 §4, 7505 §4.2
	case resolver.KindNoName, resolver.KindBadName:
		return noExchanger(domain, smtp.NewReply(550, 1, 2, fmt.Sprintf("the domain %s does not exist", domain)), err)
	case resolver.KindNoData:
		return noExchanger(domain, smtp.NewReply(550, 4, 4, fmt.Sprintf("the domain %s has no mail server", domain)), err)
	}
	return &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageResolve, Scope: evidence.ScopeHost, Err: err}
}

// noExchanger is a failure that is definite for every recipient of the domain.
func noExchanger(domain string, r smtp.Reply, err error) *evidence.Error {
	return &evidence.Error{Reply: r, Origin: evidence.OriginLocal, Stage: evidence.StageResolve, Scope: evidence.ScopeRecipient, Host: domain, Err: err}
}
