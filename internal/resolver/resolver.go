package resolver

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// Where the system keeps its configuration.
const (
	resolvConf = "/etc/resolv.conf"
	hostsFile  = "/etc/hosts"
)

// defaultTimeout is the wait for one answer of one server; resolv.conf(5).
const defaultTimeout = 5 * time.Second

// maxCNAME bounds a chain of CNAMEs that is followed by asking again. Real chains
// have one or two.
const maxCNAME = 8

// maxMX bounds the exchangers of one domain. More fit into no UDP answer, and
// nobody has them for good.
const maxMX = 100

// Options say how names are looked up.
type Options struct {
	Servers    []string      // addresses with port, in order; empty: those of resolv.conf
	Timeout    time.Duration // for one answer of one server; 0: 5 s or that of resolv.conf
	ResolvConf string        // "": /etc/resolv.conf
	Hosts      string        // "": /etc/hosts
}

// Resolver looks names up. It is used by many goroutines at once.
type Resolver struct {
	servers []string // configured; empty: the system's
	timeout time.Duration
	conf    watched[*dns.ClientConfig]
	hosts   watched[hosts]
}

// New returns a Resolver. It reads no file and asks no server yet.
func New(o Options) *Resolver {
	r := &Resolver{servers: slices.Clone(o.Servers), timeout: o.Timeout}
	r.conf = watched[*dns.ClientConfig]{path: or(o.ResolvConf, resolvConf), read: readConf}
	r.hosts = watched[hosts]{path: or(o.Hosts, hostsFile), read: readHosts}
	return r
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// MX is one mail exchanger of a domain.
type MX struct {
	Host       string // absolute name in lower case, without its final dot
	Preference uint16 // the lowest is asked first

	Authenticated bool // by DNSSEC, as a name server on this machine says
}

// MX returns the mail exchangers of domain, the most preferred first and equals
// in random order. A domain that has none and exists is its own exchanger with
// preference 0: whether that host has an address is not checked. The error is an
// *Error: KindNullMX for a domain that takes no mail, KindNoName for one that does
// not exist. RFC 5321 §5.1, 7505 §3.
func (r *Resolver) MX(ctx context.Context, domain string) ([]MX, error) {
	name, err := absolute(domain, "MX")
	if err != nil {
		return nil, err
	}
	own := []MX{{Host: host(name)}}
	if isLocalhost(name) {
		return own, nil
	}
	rrs, secure, failure := r.askSecure(ctx, name, dns.TypeMX)
	switch {
	case failure != nil && failure.Kind == KindNoData:
		return own, nil
	case failure != nil && failure.Kind == KindNoName && r.local(name) != nil:
		return own, nil // a name that only the hosts file knows
	case failure != nil:
		failure.Name, failure.Type = domain, "MX"
		return nil, failure
	}
	var found []MX
	null := false
	for _, rr := range rrs {
		mx, ok := rr.(*dns.MX)
		switch {
		case !ok || len(found) == maxMX:
		case mx.Mx == ".":
			null = true
		default:
			found = append(found, MX{Host: host(mx.Mx), Preference: mx.Preference, Authenticated: secure})
		}
	}
	if len(found) == 0 && null {
		return nil, &Error{Name: domain, Type: "MX", Kind: KindNullMX}
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	slices.SortStableFunc(found, func(a, b MX) int { return int(a.Preference) - int(b.Preference) })
	return found, nil
}

// Addresses returns the addresses of a host, IPv6 first, each once. An IP address
// is its own answer. Names of the hosts file and localhost are not asked for. A
// name without a final dot is searched as resolv.conf says, unless servers are
// configured. The error is an *Error; where there is an address of one kind, a
// failure to look up the other is not one.
func (r *Resolver) Addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	full, err := absolute(name, "A/AAAA")
	if err != nil {
		return nil, err
	}
	if a := r.local(full); a != nil {
		return a, nil
	}
	candidates := []string{full}
	if !dns.IsFqdn(name) && len(r.servers) == 0 {
		candidates = r.config().NameList(strings.TrimSuffix(full, "."))
	}
	var failure *Error
	for _, c := range candidates {
		found, e := r.both(ctx, c)
		if e == nil {
			return found, nil
		}
		// The first failure counts: later candidates are guesses. But one that has no
		// definite answer ends the search, for the next one might be another's host.
		if failure == nil || !e.Kind.Definite() {
			failure = e
		}
		if !e.Kind.Definite() {
			break
		}
	}
	failure.Name, failure.Type = name, "A/AAAA"
	return nil, failure
}

// both asks for AAAA and A at once.
func (r *Resolver) both(ctx context.Context, name string) ([]netip.Addr, *Error) {
	type answer struct {
		rrs []dns.RR
		err *Error
	}
	six := make(chan answer, 1)
	go func() {
		rrs, err := r.ask(ctx, name, dns.TypeAAAA)
		six <- answer{rrs, err}
	}()
	rrs, err := r.ask(ctx, name, dns.TypeA)
	a := <-six
	var found []netip.Addr
	for _, rr := range append(a.rrs, rrs...) {
		if ip, ok := address(rr); ok && !slices.Contains(found, ip) {
			found = append(found, ip)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case err == nil: // cannot be: an answer has at least one record of its type
		err = a.err
	case a.err != nil && a.err.telling() > err.telling():
		err = a.err
	}
	return nil, err
}

func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A.To4())
		return a, ok
	case *dns.AAAA:
		a, ok := netip.AddrFromSlice(rr.AAAA)
		return a, ok
	}
	return netip.Addr{}, false
}

// absolute returns name in its ASCII form, in lower case, with a final dot.
func absolute(name, kind string) (string, error) {
	ascii, err := ToASCII(name)
	if err != nil {
		return "", &Error{Name: name, Type: kind, Kind: KindBadName, Err: err}
	}
	return dns.Fqdn(ascii), nil
}

var errBadName = errors.New("empty, too long, or with an empty label")

// profile converts to A-labels. Names with underscores exist, so it is not strict.
var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))

// ToASCII returns a domain name in lower case and with A-labels in place of
// U-labels. RFC 5891 §5.
func ToASCII(name string) (string, error) {
	ascii := true
	for i := 0; i < len(name); i++ {
		if name[i] >= 0x80 {
			ascii = false
		}
		if name[i] <= ' ' || name[i] == '\\' {
			return "", errBadName
		}
	}
	if !ascii {
		var err error
		if name, err = profile.ToASCII(name); err != nil {
			return "", err
		}
	}
	if _, ok := dns.IsDomainName(name); !ok || name == "" || name == "." || len(name) > 254 {
		return "", errBadName
	}
	return strings.ToLower(name), nil
}

// host returns an absolute name in lower case without its final dot.
func host(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
