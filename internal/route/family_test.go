package route

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddresses_ByFamilyAndSource(t *testing.T) {
	const all = "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"
	for _, c := range []struct {
		family Family
		source string
		want   string
	}{
		{"", "", all},
		{FamilyAuto, "", all},
		{PreferIPv4, "", "192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2"},
		{PreferIPv6, "", "2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2"},
		{OnlyIPv4, "", "192.0.2.1 192.0.2.2"},
		{OnlyIPv6, "", "2001:db8::1 2001:db8::2"},
		{FamilyAuto, "198.51.100.1", "192.0.2.1 192.0.2.2"},
		{PreferIPv4, "2001:db8::9", "2001:db8::1 2001:db8::2"},
		{OnlyIPv6, "198.51.100.1", ""},
	} {
		r := &Route{Family: c.family}
		if c.source != "" {
			r.Source = netip.MustParseAddr(c.source)
		}
		var found []netip.Addr
		for _, s := range strings.Fields(all) {
			found = append(found, netip.MustParseAddr(s))
		}
		var got []string
		for _, a := range r.Addresses(found) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q from %q: %q, want %q", c.family, c.source, got, c.want)
		}
	}
}
