package route

import (
	"crypto/tls"
	"net/netip"
	"slices"
)

// Family says which kind of IP address a route connects to.
type Family string

// The families. The words are those of address_family.
const (
	FamilyAuto Family = "auto"        // as the addresses come; "" is the same
	PreferIPv4 Family = "prefer-ipv4" // IPv4 first
	PreferIPv6 Family = "prefer-ipv6" // IPv6 first
	OnlyIPv4   Family = "ipv4"        // nothing else
	OnlyIPv6   Family = "ipv6"        // nothing else
)

// Families returns all families, the default first.
func Families() []Family {
	return []Family{FamilyAuto, PreferIPv4, PreferIPv6, OnlyIPv4, OnlyIPv6}
}

// Addresses returns those of a host's addresses that the route may connect to, in
// the order in which they are tried: of the family of its source address where it
// has one, and as its Family says. found is left as it is.
func (r *Route) Addresses(found []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range found {
		four := a.Unmap().Is4()
		switch {
		case r.Source.IsValid() && r.Source.Unmap().Is4() != four:
		case r.Family == OnlyIPv4 && !four, r.Family == OnlyIPv6 && four:
		default:
			out = append(out, a)
		}
	}
	first := func(a netip.Addr) int {
		if a.Unmap().Is4() == (r.Family == PreferIPv4) {
			return 0
		}
		return 1
	}
	if r.Family == PreferIPv4 || r.Family == PreferIPv6 {
		slices.SortStableFunc(out, func(a, b netip.Addr) int { return first(a) - first(b) })
	}
	return out
}

// ClientCertificate is a certificate that a route shows to servers that ask for one.
type ClientCertificate struct {
	File string                           // where it comes from
	Load func() (*tls.Certificate, error) // the present one; called for each handshake that asks
}
