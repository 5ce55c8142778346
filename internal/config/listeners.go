package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/smtp"
)

// listeners reads all [[listener]] tables.
func (r *reader) listeners(t *table, c *Config) {
	for i, s := range r.tablesOf(t, "listener") {
		l, address := r.listener(s, "listener."+strconv.Itoa(i), c)
		if l.Address == "" {
			continue
		}
		for _, other := range c.Listeners {
			if overlap(l.Address, other.Address) {
				r.wrong(address.at, "listener.address", "%s and %s are the same port: give each listener its own", l.Address, other.Address)
			}
		}
		c.Listeners = append(c.Listeners, l)
	}
}

// kinds are the kinds of listener, and the port each usually has.
var kinds = []struct {
	kind smtp.ListenerKind
	port int
}{
	{smtp.KindSubmission, 587},
	{smtp.KindSubmissions, 465},
	{smtp.KindRelay, 25},
	{smtp.KindDevice, 25},
	{smtp.KindUnix, 0},
}

func (r *reader) listener(s *table, prefix string, c *Config) (l Listener, address got) {
	defer func() { r.rest(s, "listener") }()
	kind := r.text(s, prefix, "kind", "")
	l.Kind = smtp.ListenerKind(kind.text)
	port := -1
	var words []string
	for _, k := range kinds {
		words = append(words, string(k.kind))
		if k.kind == l.Kind {
			port = k.port
		}
	}
	switch {
	case s.find("kind") == nil:
		r.wrong(s.at, "listener.kind", "is missing: it is one of %s", strings.Join(words, ", "))
	case l.Kind == smtp.KindUnix:
		r.later(kind.at, "listener.kind", `"unix"`)
	case port < 0 && kind.origin != "":
		r.unknownWord(kind.at, "listener.kind", kind.text, words)
	}
	address = r.text(s, prefix, "address", "")
	if s.find("address") == nil {
		r.wrong(s.at, "listener.address", "is missing: it is address and port, such as %q", ":"+strconv.Itoa(max(port, 25)))
	} else if l.Kind != smtp.KindUnix && address.origin != "" {
		if err := checkListen(address.text); err != nil {
			m := r.wrong(address.at, "listener.address", "%v", err)
			m.Suggestion = likelyListen(address.text, port)
		} else {
			l.Address = address.text
		}
	}
	r.peers(s, prefix, &l, c)
	l.ProxyProtocol = r.believed(s, prefix, "proxy_protocol")
	l.XClient = r.believed(s, prefix, "xclient")
	r.mechanisms(s, prefix, &l)
	l.LegacyTLS = r.flag(s, prefix, "legacy_tls", false)
	l.PlaintextAuth = r.flag(s, prefix, "plaintext_auth", false)
	l.BareNewlines = r.flag(s, prefix, "bare_newlines", false)
	l.Rewrite = r.rewrite(s, prefix)
	if e := s.find("plaintext_auth"); l.PlaintextAuth && !loopback(l.Address) {
		r.warn(e.at, "listener.plaintext_auth", "passwords cross the network in clear text on %s", l.Address)
	}
	return l, address
}

// peers reads who may send without login and as whom.
func (r *reader) peers(s *table, prefix string, l *Listener, c *Config) {
	byAddress := l.Kind == smtp.KindRelay || l.Kind == smtp.KindDevice
	allow, at := r.list(s, prefix, "allow")
	l.Allow = r.networks(allow, "listener.allow", riskRelay)
	senders, sendersAt := r.list(s, prefix, "senders")
	for _, g := range senders {
		if err := policy.CheckPattern(g.text); err != nil {
			r.wrong(g.at, "listener.senders", "%v", err)
			continue
		}
		l.Senders = append(l.Senders, g.text)
	}
	switch {
	case byAddress && len(allow) == 0 && s.find("allow") == nil && deviceAt(c, l.Address):
	case byAddress && len(allow) == 0 && s.find("allow") == nil:
		r.wrong(s.at, "listener.allow", "is missing: a %s listener asks for no login, so it must say which hosts may use it, such as [\"10.0.0.0/24\"]", l.Kind)
	case byAddress && len(allow) == 0:
		r.wrong(at, "listener.allow", "is empty, so nobody could use this listener: name the hosts, such as [\"10.0.0.0/24\"]")
	case !byAddress && knownKind(l.Kind) && s.find("allow") != nil:
		r.wrong(at, "listener.allow", "is for relay and device listeners; a %s listener asks everybody for a login: leave it out", l.Kind)
	}
	if !byAddress && knownKind(l.Kind) && s.find("senders") != nil {
		r.wrong(sendersAt, "listener.senders", "is for relay and device listeners; on a %s listener the account's addresses decide: leave it out", l.Kind)
	}
	l.AllowGateway = r.flag(s, prefix, "allow_gateway", false)
	switch e := s.find("allow_gateway"); {
	case e == nil || !l.AllowGateway:
	case !byAddress && knownKind(l.Kind):
		r.wrong(e.at, "listener.allow_gateway", "is for relay and device listeners; a %s listener asks everybody for a login: leave it out", l.Kind)
	default:
		r.warn(e.at, "listener.allow_gateway", "whoever reaches a forwarded port of this machine may send mail to anybody, where the gateway's address is allowed")
	}
}

// networks returns networks of one's own; those that are not are mistakes. risk says
// what came of a network that takes in strangers.
func (r *reader) networks(items []got, key, risk string) (all []netip.Prefix) {
	for _, g := range items {
		p, err := parsePrefix(g.text)
		switch {
		case err != nil:
			r.wrong(g.at, key, "%v", err)
			continue
		case p.Bits() == 0 || p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16:
			r.wrong(g.at, key, "%s takes in a good part of the Internet, %s", g.text, risk)
			continue
		case p != p.Masked():
			r.warn(g.at, key, "%s is taken as the network %s", g.text, p.Masked())
		}
		all = append(all, p.Masked())
	}
	return all
}

// The risks of networks that are too large.
const (
	riskRelay = "whose spam would be relayed: name the networks of your own hosts"
	riskPeer  = "and everybody there could pass for anybody: name the addresses of your own proxies"
)

// believed reads the networks of peers that may say who their client is.
func (r *reader) believed(s *table, prefix, name string) []netip.Prefix {
	items, _ := r.list(s, prefix, name)
	return r.networks(items, "listener."+name, riskPeer)
}

func knownKind(k smtp.ListenerKind) bool {
	for _, known := range kinds {
		if known.kind == k {
			return true
		}
	}
	return false
}

// checkListen reports what is wrong with an address to listen on, or nil. Port 0
// is any free port.
func checkListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not address and port: write it as in \":587\", \"10.0.0.5:25\" or \"[::1]:587\"", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return nil
	}
	if err := checkHost(host); err != nil {
		return err
	}
	return nil
}

// likelyListen returns what an address without colon was probably meant to be: a
// port alone, or a host alone.
func likelyListen(s string, port int) string {
	if strings.Contains(s, ":") {
		return ""
	}
	if checkListen(":"+s) == nil {
		return strconv.Quote(":" + s)
	}
	if full := s + ":" + strconv.Itoa(port); port > 0 && checkListen(full) == nil {
		return strconv.Quote(full)
	}
	return ""
}

// overlap reports whether two addresses to listen on cannot both be had.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a) // checked before
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || portA == "0" {
		return false
	}
	return strings.EqualFold(hostA, hostB) || everything(hostA) || everything(hostB)
}

func everything(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

func loopback(listen string) bool {
	host, _, _ := net.SplitHostPort(listen)
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// parsePrefix reads a network, or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 { // ::ffff:10.0.0.0/104, which would hold no address as it stands
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p, nil
	}
	return netip.Prefix{}, fmt.Errorf("%q is neither a network such as 10.0.0.0/24 nor an address", s)
}
