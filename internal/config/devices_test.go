package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/route"
)

const site = `
[[listener]]
kind = "device"
address = "10.0.0.5:25"
rewrite = "envelope"
allow_gateway = true

[[listener]]
kind = "submission"
address = ":587"

[[device]]
name = "scanner 2"
address = "10.0.0.12"
senders = ["scan@lan.example"]
legacy_tls = true
plaintext_auth = true
bare_newlines = true
missing_brackets = true
any_hello = true
expect = "24h"
route = "m365"
rewrite = "keep"
listeners = ["10.0.0.5:25"]

[[device]]
name = "nas"
address = ["10.0.0.20", "10.0.1.0/24"]
account = "nas@example.org"

[[route]]
name = "shop"
recipients = ["*"]
senders = ["*@shop.example", "<>"]
accounts = ["shop"]
listeners = [":587"]
devices = ["nas", "*"]
via = ["smtp://shop.example"]

[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://smtp.example.net"]
from = "relay@example.org"
aliases = ["scan@example.org", "*@alias.example"]
rewrite = "from"
`

func TestLoad_Devices(t *testing.T) {
	c, err := loadText(t.TempDir(), site, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Device: device.Device{Name: "scanner 2", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.12/32")}, Senders: []string{"scan@lan.example"},
			Listeners: []string{"10.0.0.5:25"}, Expect: 24 * time.Hour,
			Leniency: device.Leniency{LegacyTLS: true, PlaintextAuth: true, BareNewlines: true, MissingBrackets: true, AnyHello: true}},
			Route: "m365", Rewrite: route.RewriteKeep},
		{Device: device.Device{Name: "nas", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.20/32"), netip.MustParsePrefix("10.0.1.0/24")}, Account: "nas@example.org"}},
	}
	if d := cmp.Diff(want, c.Devices, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Error(d)
	}
	if !c.Listeners[0].AllowGateway || c.Listeners[0].Rewrite != route.RewriteEnvelope || len(c.Listeners[0].Allow) != 0 {
		t.Errorf("%+v", c.Listeners[0])
	}
	table, err := c.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		q    route.Question
		want string
		mode route.Rewrite
	}{
		{route.Question{Recipient: "bob@example.net", Sender: "a@shop.example", Account: "SHOP", Listener: ":587", Device: "nas"}, "shop", route.RewriteKeep},
		{route.Question{Recipient: "bob@example.net", Sender: "a@shop.example", Account: "SHOP", Listener: ":587"}, "m365", route.RewriteFrom},
		{route.Question{Recipient: "bob@example.net", Sender: "a@shop.example", Device: "scanner 2"}, "m365", route.RewriteKeep},
		{route.Question{Recipient: "bob@example.net", Listener: "10.0.0.5:25"}, "m365", route.RewriteEnvelope},
	} {
		r := table.For(q.q)
		if r == nil || r.Name != q.want || r.RewriteFor(q.q) != q.mode {
			t.Errorf("%+v: %+v", q.q, r)
		}
	}
	if r := table.Routes[1]; strings.Join(r.Aliases, " ") != "scan@example.org *@alias.example" {
		t.Errorf("%+v", r)
	}
	shown := map[string]bool{}
	for _, v := range c.Effective() {
		shown[v.Key+" = "+v.Value] = true
	}
	for _, want := range []string{`device.0.address = "10.0.0.12"`, `device.0.legacy_tls = true`, `device.0.expect = "24h"`, `device.1.bare_newlines = false`,
		`route.0.senders = ["*@shop.example", "<>"]`, `route.1.rewrite = "from"`, `listener.0.allow_gateway = true`, `device.0.route = "m365"`} {
		if !shown[want] {
			t.Errorf("config show lacks %s", want)
		}
	}
	if text := Errors(c.Warnings).Error(); !strings.Contains(text, "allow_gateway") || !strings.Contains(text, "scanner 2 crosses the network in clear text") {
		t.Errorf("warnings:\n%s", text)
	}
}

func TestLoad_DeviceMistakes(t *testing.T) {
	dev := func(s string) string {
		return good + "[[listener]]\nkind = \"device\"\naddress = \":25\"\n[[device]]\n" + s + "\n"
	} // from line 9
	for _, c := range []struct{ name, text, want string }{
		{"no name", dev(`address = "10.0.0.1"`), `8:3: device.name: is missing`},
		{"bad name", dev("name = \"a/b\"\naddress = \"10.0.0.1\""), `9:8: device.name: "a/b": use letters`},
		{"name twice", dev("name = \"a\"\naddress = \"10.0.0.1\"\n[[device]]\nname = \"A\"\naddress = \"10.0.0.2\""), `12:8: device.name: "A" is there twice`},
		{"nowhere", dev(`name = "a"`), `8:3: device.address: is missing`},
		{"no address", dev("name = \"a\"\naddress = \"scanner.lan\""), `10:11: device.address: "scanner.lan" is neither`},
		{"the Internet in another form", dev("name = \"a\"\naddress = [\"::ffff:0.0.0.0/96\"]"), `device.address: ::ffff:0.0.0.0/96 takes in a good part`},
		{"the Internet", dev("name = \"a\"\naddress = [\"0.0.0.0/0\"]"), `device.address: 0.0.0.0/0 takes in a good part`},
		{"one address twice", dev("name = \"a\"\naddress = \"10.0.0.1\"\n[[device]]\nname = \"b\"\naddress = \"10.0.0.1\""), `13:11: device.address: 10.0.0.1/32 is that of a already`},
		{"one account twice", dev("name = \"a\"\naccount = \"x\"\n[[device]]\nname = \"b\"\naccount = \"X\""), `13:11: device.account: X is that of a already`},
		{"lenient without address", dev("name = \"a\"\naccount = \"x\"\nlegacy_tls = true"), `11:1: device.legacy_tls: needs the device's address`},
		{"no such listener", dev("name = \"a\"\naddress = \"10.0.0.1\"\nlisteners = [\":26\"]"), `11:14: device.listeners: no listener has the address ":26" (did you mean ":25"?)`},
		{"no such route", dev("name = \"a\"\naddress = \"10.0.0.1\"\nroute = \"rr\""), `11:9: device.route: there is no route "rr" (did you mean "r"?)`},
		{"bad sender", dev("name = \"a\"\naddress = \"10.0.0.1\"\nsenders = [\"scan\"]"), `11:12: device.senders: "scan" is not an address`},
		{"expect", dev("name = \"a\"\naddress = \"10.0.0.1\"\nexpect = \"1d\""), `11:10: device.expect: "1d" is not a duration`},
		{"rewrite", dev("name = \"a\"\naddress = \"10.0.0.1\"\nrewrite = \"kep\""), `11:11: device.0.rewrite: "kep" is not known`},
		{"misspelt leniency", dev("name = \"a\"\naddress = \"10.0.0.1\"\nlegacytls = true"), `11:1: device.legacytls: there is no such key (did you mean legacy_tls?)`},
		{"nobody may use a listener", good + "[[listener]]\nkind = \"device\"\naddress = \":25\"\n[[device]]\nname = \"a\"\naccount = \"x\"\n", `5:3: listener.allow: is missing`},
		{"gateway on submission", good + "[[listener]]\nkind = \"submission\"\naddress = \":587\"\nallow_gateway = true\n", `8:1: listener.allow_gateway: is for relay and device`},
		{"route of no device", good + "[[route]]\nname = \"x\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\ndevices = [\"a\"]\n", `9:12: route.devices: there is no device "a"`},
		{"route of no listener", good + "[[route]]\nname = \"x\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\nlisteners = [\":25\"]\n", `9:14: route.listeners: no listener has the address ":25"`},
		{"senders empty", good + "[[route]]\nname = \"x\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\nsenders = []\n", `9:1: route.senders: is empty`},
		{"senders bad", good + "[[route]]\nname = \"x\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\nsenders = [\"a b\"]\n", `9:12: route.senders: "a b": write`},
		{"rewriting without a mailbox", good + "[[route]]\nname = \"x\"\nrecipients = [\"x.example\"]\nvia = [\"mx\"]\nrewrite = \"both\"\n", `9:1: route.from: is missing`},
		{"aliases without a mailbox", good + "[[route]]\nname = \"x\"\nrecipients = [\"x.example\"]\nvia = [\"mx\"]\naliases = [\"a@x.example\"]\n", `9:1: route.from: is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(t.TempDir(), c.text, nil)
			if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want, "device.0.", "device.")) {
				t.Errorf("got:\n%v\nlacks:\n%s", err, c.want)
			}
		})
	}
}

func TestLoad_ShadowedRoutes(t *testing.T) {
	one := func(name, more string) string {
		return "[[route]]\nname = \"" + name + "\"\nvia = [\"mx\"]\n" + more + "\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"everything before", one("a", `recipients = ["*"]`) + one("b", `recipients = ["example.org"]`), "b is never used, as a before it takes everything"},
		{"a part before", one("a", `recipients = ["example.org"]`) + one("b", `recipients = ["ann@example.org"]`), "b is never used, as a before it takes all of its mail"},
		{"everything of one sender", one("a", "recipients = [\"*\"]\nsenders = [\"shop.example\"]") + one("b", `recipients = ["*"]`), ""},
		{"one sender after everything", one("a", `recipients = ["*"]`) + one("b", "recipients = [\"*\"]\nsenders = [\"shop.example\"]"), "b is never used"},
		{"two senders", one("a", "recipients = [\"*\"]\nsenders = [\"a.example\"]") + one("b", "recipients = [\"*\"]\nsenders = [\"b.example\"]"), ""},
		{"a device's own", one("a", `recipients = ["*"]`) + one("b", `recipients = ["*"]`) + "[[device]]\nname = \"d\"\naccount = \"d\"\nroute = \"b\"\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, err := loadText(t.TempDir(), "hostname = \"post.example.org\"\n"+c.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			text := Errors(conf.Warnings).Error()
			if c.want == "" && len(conf.Warnings) > 0 || c.want != "" && !strings.Contains(text, c.want) {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}
