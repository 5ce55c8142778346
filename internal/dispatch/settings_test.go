package dispatch

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
)

// What was proven one way is not proven another; a password is in no record.
func TestSettings_TellTheWayToTheHost(t *testing.T) {
	way := func(s string) *proxy.Proxy {
		p, err := proxy.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	via := []route.Via{{Scheme: route.SchemeSMTP, Host: "smtp.example.org", Port: 587}}
	seen := map[string]bool{}
	for _, r := range []*route.Route{
		{User: "ann", Via: via},
		{User: "ann", Via: via, Proxy: way("socks5://127.0.0.1")},
		{User: "ann", Via: via, Proxy: way("socks5://bob:s3cret@127.0.0.1")},
		{User: "ann", Via: via, Source: netip.MustParseAddr("192.0.2.7")},
		{User: "ann", Via: via, Certificate: &route.ClientCertificate{File: "/etc/post.pem"}},
	} {
		s := settings(r)
		if seen[s] || strings.Contains(s, "s3cret") {
			t.Errorf("settings %q", s)
		}
		seen[s] = true
	}
	if !seen["ann smtp://smtp.example.org:587"] {
		t.Error("a route that has nothing of this has other settings than those in the records of earlier versions")
	}
}
