package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/route"
)

// The proxy's password is shown nowhere, and one of a file is read at each use.
func TestLoad_OutboundWays(t *testing.T) {
	dir := dirWith(t, map[string]string{"proxy.secret": "f1le-s3cret\n"})
	c, err := loadText(dir, "hostname = \"post.example.org\"\n[[route]]\nname = \"one\"\nrecipients = [\"example.net\"]\nvia = [\"mx\"]\nproxy = \"http://ann:url-s3cret@proxy.example:3128\"\nsource = \"127.0.0.2\"\naddress_family = \"prefer-ipv4\"\n"+
		"[[route]]\nname = \"two\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\nproxy = \"socks5h://bob@[::1]\"\nproxy_password_file = \"proxy.secret\"\nsource = \"240.0.0.1\"\naddress_family = \"ipv4\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := c.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	one, two := table.Routes[0], table.Routes[1]
	if one.Proxy.String() != "http://ann:***@proxy.example:3128" || one.Source.String() != "127.0.0.2" || one.Family != route.PreferIPv4 {
		t.Errorf("the first route is %s from %s, %s", one.Proxy, one.Source, one.Family)
	}
	if two.Proxy.String() != "socks5h://bob:***@[::1]:1080" || two.Family != route.OnlyIPv4 {
		t.Errorf("the second route is %s, %s", two.Proxy, two.Family)
	}
	shown, warned := "", ""
	for _, v := range c.Effective() {
		shown += v.Key + " = " + v.Value + " (" + v.Origin + ")\n"
	}
	for _, w := range c.Warnings {
		warned += w.String() + "\n"
	}
	if strings.Contains(shown+warned, "s3cret") {
		t.Errorf("a password is shown:\n%s%s", shown, warned)
	}
	for _, want := range []string{`route.0.proxy = "http://ann:***@proxy.example:3128" (wellsent.toml:6)`, `route.0.source = "127.0.0.2" (wellsent.toml:7)`,
		`route.0.address_family = "prefer-ipv4" (wellsent.toml:8)`, `route.1.proxy = "socks5h://bob@[::1]:1080"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is missing in\n%s", want, shown)
		}
	}
	for _, want := range []string{"the password of the proxy stands in this file", "crosses the network in clear text", "240.0.0.1 is no address of this machine", "has no effect with this proxy"} {
		if !strings.Contains(warned, want) {
			t.Errorf("no warning %q in\n%s", want, warned)
		}
	}
}

func TestLoad_BelievedPeers(t *testing.T) {
	c, err := loadText(dirWith(t, nil), "hostname = \"post.example.org\"\nsandbox = true\n[[listener]]\nkind = \"submission\"\naddress = \":587\"\nproxy_protocol = [\"10.0.0.2\", \"10.0.1.9/24\"]\nxclient = [\"2001:db8::/64\"]\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	if got := fmt.Sprint(l.ProxyProtocol, l.XClient); got != "[10.0.0.2/32 10.0.1.0/24] [2001:db8::/64]" {
		t.Errorf("believed are %s", got)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "is taken as the network 10.0.1.0/24") {
		t.Errorf("warnings: %v", c.Warnings)
	}
}
