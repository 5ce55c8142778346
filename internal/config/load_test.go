package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

const hash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHApl8ArZWb2GRPPc"

// dirWith makes a directory with these files.
func dirWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadText loads a configuration that stands in dir, with these variables.
func loadText(dir, text string, env map[string]string) (*Config, error) {
	return load(filepath.Join(dir, "wellsent.toml"), []byte(text), func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
}

// full is the example of the manual, without what is not available yet.
const full = `
hostname = "post.example.org"
data = "data"
sandbox = false

[[listener]]
kind = "submission"
address = ":587"

[[listener]]
kind = "device"
address = "10.0.0.5:25"
allow = ["::ffff:10.0.0.0/120", "192.0.2.7", "2001:db8::/32"]
senders = ["*@example.org"]
legacy_tls = true
plaintext_auth = false
bare_newlines = true

[[user]]
name = "ann@example.org"
password = "` + hash + `"
addresses = ["ann@example.org", "*@lists.example.org"]

[[user]]
name = "bob@example.org"
password = "` + hash + `"

[[route]]
name = "partner"
recipients = ["example.net", "*.example.com"]
via = ["mx"]

[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://smtp.office365.com:587", "smtps://backup.example.net", "smtp://[2001:db8::1]:25"]
user = "relay@example.org"
password_file = "relay.secret"
tls = "verified"
from = ""
pace = { connections = 3, per_minute = 30, recipients_per_day = 10_000 }
ca = ""
proxy = ""

[bounces]
postmaster = "postmaster@example.org"
route = "m365"

[aliases]
default = "postmaster@example.org"
root = "ann@example.org"
Daemon = "bob@example.org"

[queue]
retry = ["1m", "1h30m"]
warn_after = "4h"
expire_after = "120h"

[limits]
message_size = "35MiB"
recipients = 500
connections_per_address = 200

[spool]
engine = "embedded"

[console]
address = "127.0.0.1:8025"

[resolver]
servers = ["192.0.2.53", "[2001:db8::53]:5353"]
`

func TestLoad_EveryKey(t *testing.T) {
	dir := dirWith(t, map[string]string{"relay.secret": "s3cret\n"})
	c, err := loadText(dir, full, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Path:     filepath.Join(dir, "wellsent.toml"),
		Hostname: "post.example.org",
		Data:     filepath.Join(dir, "data"),
		Listeners: []Listener{
			{Kind: smtp.KindSubmission, Address: ":587"},
			{Kind: smtp.KindDevice, Address: "10.0.0.5:25", Senders: []string{"*@example.org"}, LegacyTLS: true, BareNewlines: true,
				Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")}},
		},
		Users: []auth.Account{
			{Name: "ann@example.org", Hash: hash, Addresses: []string{"ann@example.org", "*@lists.example.org"}},
			{Name: "bob@example.org", Hash: hash, Addresses: []string{"bob@example.org"}},
		},
		Routes: []Route{
			{Name: "partner", Recipients: []string{"example.net", "*.example.com"}, Via: []route.Via{{Scheme: route.SchemeMX, Port: 25}}, TLS: route.TLSOpportunistic},
			{Name: "m365", Recipients: []string{"*"}, TLS: route.TLSVerified, User: "relay@example.org", PasswordFile: filepath.Join(dir, "relay.secret"),
				Via: []route.Via{
					{Scheme: route.SchemeSMTP, Host: "smtp.office365.com", Port: 587},
					{Scheme: route.SchemeSMTPS, Host: "backup.example.net", Port: 465},
					{Scheme: route.SchemeSMTP, Host: "2001:db8::1", Port: 25},
				},
				Pace: route.Pace{Connections: 3, PerMinute: 30, Recipients: 1000, RecipientsPerDay: 10000}, PaceOwn: route.Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000}, PaceHost: "smtp.office365.com"},
		},
		Bounces:  Bounces{Postmaster: "postmaster@example.org", Route: "m365"},
		Aliases:  Aliases{Default: "postmaster@example.org", Names: map[string]smtp.Path{"root": "ann@example.org", "daemon": "bob@example.org"}},
		Queue:    Queue{Retry: []time.Duration{time.Minute, 90 * time.Minute}, WarnAfter: 4 * time.Hour, ExpireAfter: 120 * time.Hour},
		Limits:   Limits{MessageSize: 35 << 20, Recipients: 500, ConnectionsPerAddress: 200},
		Resolver: Resolver{Servers: []string{"192.0.2.53:53", "[2001:db8::53]:5353"}},
	}
	got := *c
	got.Warnings, got.values = nil, nil
	if d := cmp.Diff(want, &got, cmp.AllowUnexported(Config{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Key != "console" {
		t.Errorf("warnings: %v", c.Warnings)
	}
	table, err := c.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Routes) != 2 || table.Routes[0].Password != nil {
		t.Errorf("routes: %+v", table.Routes)
	}
	if p, err := table.Routes[1].Password(); p != "s3cret" || err != nil {
		t.Errorf("password %q, %v", p, err)
	}
}

// good is a configuration to which a case adds one mistake.
const good = "[[route]]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\n"

func TestLoad_Mistakes(t *testing.T) {
	listener := func(s string) string { return good + "[[listener]]\n" + s + "\n" }            // from line 6
	smartHost := func(s string) string { return good[:strings.Index(good, "via")] + s + "\n" } // from line 4
	user := func(s string) string { return good + "[[user]]\n" + s + "\n" }
	for _, c := range []struct {
		name, text string
		want       []string // line:column: key: part of message
	}{
		{"misspelt key", "hostnam = \"x.example\"\n" + good, []string{`1:1: hostnam: there is no such key (did you mean hostname?)`}},
		{"misspelt table", good + "[limit]\nrecipients = 5\n", []string{`5:2: limit: there is no such key (did you mean limits?)`}},
		{"misspelt list of tables", "[[listner]]\n" + good, []string{`1:3: listner: there is no such key (did you mean listener?)`}},
		{"unknown key far from any", good + "[queue]\ncolour = \"x\"\n", []string{`6:1: queue.colour: there is no such key; the keys here are expire_after, retry, warn_after`}},
		{"one table instead of a list", "[route]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\n", []string{`1:2: route: may be there more than once, and is written in double brackets (did you mean [[route]]?)`}},
		{"list instead of one table", good + "[[limits]]\nrecipients = 5\n", []string{`5:3: limits: is there once only (did you mean [limits]?)`}},
		{"text for a number", good + "[limits]\nrecipients = \"5\"\n", []string{`6:14: limits.recipients: must be a whole number, without quotes`}},
		{"number for a text", "hostname = 5\n" + good, []string{`1:12: hostname: must be a text in quotes, not a whole number`}},
		{"text for a list", "[[route]]\nname = \"r\"\nrecipients = \"*\"\nvia = [\"mx\"]\n", []string{
			`3:14: route.recipients: must be a list in brackets, not a text in quotes (did you mean ["*"]?)`,
			`3:1: route.recipients: must say whose mail`}},
		{"number in a list", good + "[queue]\nretry = [5]\n", []string{"queue.retry: each entry must be a text"}},
		{"not TOML", "hostname = \n" + good, []string{`1:12: not TOML: `}},
		{"key given twice", "hostname = \"a.example\"\nhostname = \"b.example\"\n" + good, []string{`2:1: hostname: not TOML: `}},
		{"host name", "hostname = \"a b\"\n" + good, []string{`1:12: hostname: "a b" is not a host name`}},

		{"listeners without route", "[[listener]]\nkind = \"submission\"\naddress = \":587\"\n", []string{`1:3: route: mail would be accepted and have nowhere to go: add a [[route]], or sandbox = true`}},
		{"kind misspelt", listener("kind = \"submision\"\naddress = \":587\""), []string{`6:8: listener.kind: "submision" is not known: it must be one of "submission", "submissions", "relay", "device", "unix" (did you mean "submission"?)`}},
		{"kind missing", listener("address = \":587\""), []string{`5:3: listener.kind: is missing`}},
		{"kind to come", listener("kind = \"unix\"\naddress = \"x\""), []string{`6:8: listener.kind: "unix" is not available in this version: leave it out`}},
		{"address missing", listener("kind = \"submissions\""), []string{`5:3: listener.address: is missing: it is address and port, such as ":465"`}},
		{"port alone", listener("kind = \"submission\"\naddress = \"587\""), []string{`(did you mean ":587"?)`}},
		{"address alone", listener("kind = \"submission\"\naddress = \"127.0.0.1\""), []string{`(did you mean "127.0.0.1:587"?)`}},
		{"port too large", listener("kind = \"submission\"\naddress = \":58700000\""), []string{`port "58700000" is not a number from 0 to 65535`}},
		{"port by name", listener("kind = \"submission\"\naddress = \":smtp\""), []string{`port "smtp" is not a number`}},
		{"relay without allow", listener("kind = \"relay\"\naddress = \":25\""), []string{`5:3: listener.allow: is missing: a relay listener asks for no login`}},
		{"device with empty allow", listener("kind = \"device\"\naddress = \":25\"\nallow = []"), []string{`8:1: listener.allow: is empty, so nobody could use this listener`}},
		{"open relay", listener("kind = \"relay\"\naddress = \":25\"\nallow = [\"0.0.0.0/0\", \"::/0\", \"10.0.0.0/8\"]"), []string{
			`8:10: listener.allow: 0.0.0.0/0 takes in a good part of the Internet`, `8:23: listener.allow: ::/0 takes in`}},
		{"no network", listener("kind = \"relay\"\naddress = \":25\"\nallow = [\"10.0.0.0/33\", \"lan\"]"), []string{
			`8:10: listener.allow: "10.0.0.0/33" is neither a network`, `8:25: listener.allow: "lan" is neither`}},
		{"allow on submission", listener("kind = \"submission\"\naddress = \":587\"\nallow = [\"10.0.0.0/8\"]"), []string{`8:1: listener.allow: is for relay and device listeners`}},
		{"senders on submission", listener("kind = \"submission\"\naddress = \":587\"\nsenders = [\"a@x.example\"]"), []string{`8:1: listener.senders: is for relay and device listeners`}},
		{"bad sender", listener("kind = \"relay\"\naddress = \":25\"\nallow = [\"10.0.0.0/8\"]\nsenders = [\"ann\"]"), []string{`9:12: listener.senders: "ann" is not an address`}},
		{"same address twice", listener("kind = \"submission\"\naddress = \":587\"\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:587\""), []string{`10:11: listener.address: 127.0.0.1:587 and :587 are the same port`}},

		{"certificate without key", good + "[tls]\ncertificate = \"c.pem\"\n", []string{`5:2: tls.key: is missing`}},
		{"key without certificate", good + "[tls]\nkey = \"k.pem\"\n", []string{`5:2: tls.certificate: is missing`}},
		{"certificate without a name", good + "[tls]\ncertificate = \"\"\nkey = \"k.pem\"\n", []string{`6:15: tls.certificate: is empty`}},
		{"key without a name", good + "[tls]\ncertificate = \"c.pem\"\nkey = \"\"\n", []string{`7:7: tls.key: is empty`}},
		{"data without a name", "data = \"\"\n" + good, []string{`1:8: data: is empty: name a directory`}},
		{"empty tls", good + "[tls]\n", []string{`5:2: tls: needs certificate and key`}},
		{"certificate file missing", good + "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n", []string{`6:15: tls: DIR/c.pem does not exist: check the path`}},

		{"user without password", user("name = \"ann@example.org\""), []string{`5:3: user.password: is missing: have the account made by "wellsent user add"`}},
		{"user without name", user("password = \"" + hash + "\""), []string{`5:3: user.name: is missing`}},
		{"password in clear", user("name = \"ann@example.org\"\npassword = \"secret\""), []string{`7:12: user.password: not an argon2id hash`}},
		{"user twice", user("name = \"a@x.example\"\npassword = \"" + hash + "\"\n[[user]]\nname = \"A@x.example\"\npassword = \"" + hash + "\""), []string{`9:8: user.name: A@x.example is there twice`}},
		{"user without address", user("name = \"ann\"\npassword = \"" + hash + "\""), []string{`5:3: user.addresses: is missing, and the name "ann" is not an address`}},
		{"bad address of a user", user("name = \"ann\"\npassword = \"" + hash + "\"\naddresses = [\"example.org\"]"), []string{`8:14: user.addresses: "example.org" is not an address`}},
		{"user that is kept in the data directory", "data = \"kept\"\n" + user("name = \"KEPT@example.org\"\npassword = \""+hash+"\""), []string{`7:8: user.name: KEPT@example.org is in DIR/kept/accounts.toml too: remove one, for example with: wellsent user remove kept@example.org`}},

		{"route without name", "[[route]]\nrecipients = [\"*\"]\nvia = [\"mx\"]\n", []string{`1:3: route.name: is missing`}},
		{"route name with a slash", "[[route]]\nname = \"a/b\"\nrecipients = [\"*\"]\nvia = [\"mx\"]\n", []string{`2:8: route.name: "a/b": use letters`}},
		{"route name twice", good + good, []string{`6:8: route.name: "r" is there twice`}},
		{"proxy_protocol from everybody", good + "[[listener]]\nkind = \"submission\"\naddress = \":587\"\nproxy_protocol = [\"0.0.0.0/0\"]\n", []string{`8:19: listener.proxy_protocol: 0.0.0.0/0 takes in a good part of the Internet`}},
		{"proxy_protocol no network", good + "[[listener]]\nkind = \"submission\"\naddress = \":587\"\nproxy_protocol = [\"haproxy\"]\n", []string{`8:19: listener.proxy_protocol: "haproxy" is neither a network`}},
		{"xclient no list", good + "[[listener]]\nkind = \"submission\"\naddress = \":587\"\nxclient = \"10.0.0.2\"\n", []string{`8:11: listener.xclient: must be a list in brackets`}},
		{"recipients", "[[route]]\nname = \"r\"\nrecipients = [\"exam*.org\"]\nvia = [\"mx\"]\n", []string{`3:15: route.recipients: "exam*.org": write "*"`}},
		{"no via", smartHost(""), []string{`route.via: must say where the mail goes`}},
		{"via without scheme", smartHost(`via = ["smtp.example.org:587"]`), []string{`4:8: route.via: "smtp.example.org:587" is neither mx nor smtp://HOST:PORT nor smtps://HOST:PORT (did you mean "smtp://smtp.example.org:587"?)`}},
		{"via without scheme, port 465", smartHost(`via = ["smtp.example.org:465"]`), []string{`(did you mean "smtps://smtp.example.org:465"?)`}},
		{"via scheme misspelt", smartHost(`via = ["smpt://x.example"]`), []string{`4:8: route.via: "smpt://x.example": smpt:// is not known; use smtp:// or smtps://, or graph:// or gmail:// (did you mean "smtp://x.example"?)`}},
		{"via with a password", smartHost(`via = ["smtp://ann:s3cret@x.example"]`), []string{`4:8: route.via: a host and a port, and nothing else, belong here`}},
		{"via with a password and no scheme", smartHost(`via = ["ann:s3cret@x.example"]`), []string{`4:8: route.via: a host and a port, and nothing else, belong here`}},
		{"via with port 0", smartHost(`via = ["smtp://x.example:0"]`), []string{`port "0" is not a number from 1 to 65535`}},
		{"via graph", smartHost(`via = ["graph"]`), []string{`4:8: route.via: "graph" is neither mx nor`, `(did you mean "graph://"?)`}},
		{"via gmail misspelt", smartHost(`via = ["gmial://"]`), []string{`4:8: route.via: "gmial://": gmial:// is not known`, `(did you mean "gmail://"?)`}},
		{"via graph without a token", smartHost(`via = ["graph://"]`), []string{`4:8: route.via: Microsoft Graph takes no password: say how the route comes by an access token, with oauth or token_command`, `4:8: route.user: is missing: say from which mailbox Microsoft Graph is to send`}},
		{"via gmail with a password alone", smartHost("via = [\"smtp://x.example\", \"gmail://\"]\nuser = \"u\"\npassword_file = \"relay.secret\""), []string{`4:28: route.via: the Gmail API takes no password`}},
		{"via graph in clear text", smartHost("via = [\"graph://\"]\nuser = \"u@x.example\"\ntoken_command = \"x\"\ntls = \"none\""), []string{`route.tls: a token is sent over verified TLS only`}},
		{"mx and smart host", smartHost(`via = ["mx", "smtp://x.example"]`), []string{`4:8: route.via: "mx" stands alone`}},
		{"user without password file", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\""), []string{`5:8: route.password_file: is missing`}},
		{"password file without user", smartHost("via = [\"smtp://x.example\"]\npassword_file = \"relay.secret\""), []string{`5:17: route.user: is missing`}},
		{"password file missing", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\npassword_file = \"nope\""), []string{`6:17: route.password_file: DIR/nope cannot be read: no such file or directory`}},
		{"password file empty", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\npassword_file = \"empty\""), []string{`6:17: route.password_file: DIR/empty is empty`}},
		{"login at MX", smartHost("via = [\"mx\"]\nuser = \"u\"\npassword_file = \"relay.secret\""), []string{`4:1: route.user: other people's servers know no login`}},
		{"tls misspelt", smartHost("via = [\"mx\"]\ntls = \"oportunistic\""), []string{`5:7: route.tls: "oportunistic" is not known`, `(did you mean "opportunistic"?)`}},
		{"dane", smartHost("via = [\"mx\"]\ntls = \"dane\""), []string{`5:7: route.tls: "dane" is not available in this version`}},
		{"proxy without scheme", smartHost("via = [\"mx\"]\nproxy = \"x:1\""), []string{`5:9: route.proxy: a proxy is given as socks5://HOST:PORT or http://HOST:PORT`}},
		{"proxy with a path", smartHost("via = [\"mx\"]\nproxy = \"http://ann:s3cret@x/y\""), []string{`5:9: route.proxy: a proxy has a host and a port, and nothing after them`}},
		{"proxy of another kind", smartHost("via = [\"mx\"]\nproxy = \"socks4://x:1\""), []string{`5:9: route.proxy: a proxy is socks5://, socks5h://, http:// or https://, not socks4://`}},
		{"proxy with two passwords", smartHost("via = [\"mx\"]\nproxy = \"http://ann:s3cret@x:1\"\nproxy_password_file = \"relay.secret\""), []string{`6:23: route.proxy_password_file: the URL of the proxy has a password already`}},
		{"proxy password of nobody", smartHost("via = [\"mx\"]\nproxy = \"http://x:1\"\nproxy_password_file = \"relay.secret\""), []string{`6:23: route.proxy: names no user for the password: write http://USER@x:1`}},
		{"proxy password without proxy", smartHost("via = [\"mx\"]\nproxy_password_file = \"relay.secret\""), []string{`5:23: route.proxy: is missing`}},
		{"proxy password file missing", smartHost("via = [\"mx\"]\nproxy = \"http://ann@x:1\"\nproxy_password_file = \"nope\""), []string{`6:23: route.proxy_password_file: DIR/nope cannot be read: no such file or directory`}},
		{"proxy password file empty", smartHost("via = [\"mx\"]\nproxy = \"http://ann@x:1\"\nproxy_password_file = \"empty\""), []string{`6:23: route.proxy_password_file: DIR/empty is empty`}},
		{"source no address", smartHost("via = [\"mx\"]\nsource = \"eth0\""), []string{`5:10: route.source: "eth0" is not an IP address of this machine`}},
		{"source everything", smartHost("via = [\"mx\"]\nsource = \"0.0.0.0\""), []string{`5:10: route.source: 0.0.0.0 is every address`}},
		{"source of the other family", smartHost("via = [\"mx\"]\nsource = \"127.0.0.1\"\naddress_family = \"ipv6\""), []string{`5:10: route.source: no connection from 127.0.0.1 can be to an address of ipv6`}},
		{"family misspelt", smartHost("via = [\"mx\"]\naddress_family = \"prefer-ipv5\""), []string{`5:18: route.address_family: "prefer-ipv5" is not known`}},
		{"client certificate without key", smartHost("via = [\"mx\"]\nclient_certificate = \"c.pem\""), []string{`5:22: route.client_key: is missing`}},
		{"client key without certificate", smartHost("via = [\"mx\"]\nclient_key = \"c.pem\""), []string{`5:14: route.client_certificate: is missing`}},
		{"client certificate missing", smartHost("via = [\"mx\"]\nclient_certificate = \"c.pem\"\nclient_key = \"k.pem\""), []string{`5:22: route.client_certificate: DIR/c.pem does not exist`}},
		{"oauth without client", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"microsoft\", tenant = \"t\" }"), []string{`6:1: route.oauth.client_id: is missing: register a program`}},
		{"oauth without user", smartHost("via = [\"smtp://x.example\"]\noauth = { provider = \"google\", client_id = \"c\" }"), []string{`route.user: is missing: say as which mailbox`}},
		{"oauth key misspelt", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"google\", clientid = \"c\" }"), []string{`there is no such key (did you mean client_id?)`}},
		{"oauth provider misspelt", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"mircosoft\", client_id = \"c\" }"), []string{`6:22: route.oauth.provider: "mircosoft" is not known`, `(did you mean "microsoft"?)`}},
		{"oauth custom without issuer", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { client_id = \"c\" }"), []string{`6:1: route.oauth.issuer: is missing: give the provider's issuer`}},
		{"oauth issuer in clear", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { client_id = \"c\", issuer = \"http://id.example\", scopes = [\"smtp\"] }"), []string{`6:37: route.oauth.issuer: "http://id.example" is not https`}},
		{"oauth secret missing", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"microsoft\", tenant = \"t\", client_id = \"c\", client_secret_file = \"nope\" }"), []string{`route.oauth.client_secret_file: open DIR/nope: no such file`}},
		{"oauth program of everybody's tenant", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"microsoft\", tenant = \"common\", client_id = \"c\", client_secret_file = \"relay.secret\" }"), []string{`6:44: route.oauth.tenant: "common" will not do`}},
		{"oauth without verified tls", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\ntls = \"opportunistic\"\noauth = { provider = \"google\", client_id = \"c\" }"), []string{`6:1: route.tls: a token is sent over verified TLS only`}},
		{"oauth and password", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\npassword_file = \"relay.secret\"\noauth = { provider = \"google\", client_id = \"c\" }"), []string{`7:1: route.oauth: a route logs in by password or by token`}},
		{"oauth at MX", smartHost("via = [\"mx\"]\nuser = \"u\"\noauth = { provider = \"google\", client_id = \"c\" }"), []string{`6:1: route.oauth: other people's servers know no login`, `4:1: route.user: other people's`}},
		{"oauth bad day", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\noauth = { provider = \"google\", client_id = \"c\", client_secret_expires = 31 }"), []string{`client_secret_expires: must be a number or date, not a whole number`}},
		{"token_command without user", smartHost("via = [\"smtp://x.example\"]\ntoken_command = \"x\""), []string{`route.user: is missing`}},
		{"token_command and oauth", smartHost("via = [\"smtp://x.example\"]\nuser = \"u\"\ntoken_command = \"x\"\noauth = { provider = \"google\", client_id = \"c\" }"), []string{`7:1: route.oauth: token_command stands alone`}},
		{"ca missing", smartHost("via = [\"mx\"]\nca = \"nope.pem\""), []string{`5:6: route.ca: `, `no such file`}},
		{"ca without certificate", smartHost("via = [\"mx\"]\nca = \"relay.secret\""), []string{`5:6: route.ca: DIR/relay.secret holds no certificate`}},
		{"pace", smartHost("via = [\"mx\"]\npace = { connections = 0, per_min = 3 }"), []string{`5:24: route.pace.connections: 0 is outside 1 to`, `5:27: route.pace.per_min: there is no such key (did you mean per_minute?)`}},
		{"from", smartHost("via = [\"mx\"]\nfrom = \"relay\""), []string{`5:8: route.from: "relay" is not an address with a domain`}},

		{"bounces route", good + "[bounces]\nroute = \"rr\"\n", []string{`6:9: bounces.route: there is no route "rr" (did you mean "r"?)`}},
		{"postmaster", good + "[bounces]\npostmaster = \"me\"\n", []string{`6:14: bounces.postmaster: "me" is not an address`}},
		{"alias with domain", good + "[aliases]\n\"root@x.example\" = \"a@x.example\"\n", []string{`6:1: aliases.root@x.example: a local name has no domain`}},
		{"alias to a name", good + "[aliases]\nroot = \"ann\"\n", []string{`6:8: aliases.root: "ann" is not an address`}},
		{"alias twice", good + "[aliases]\nroot = \"a@x.example\"\nRoot = \"a@x.example\"\n", []string{`7:1: aliases.Root: is there twice`}},
		{"duration in days", good + "[queue]\nexpire_after = \"5d\"\n", []string{`6:16: queue.expire_after: "5d" is not a duration`, `(did you mean "120h"?)`}},
		{"duration without unit", good + "[queue]\nretry = [\"60\"]\n", []string{`(did you mean "60s"?)`}},
		{"no retries", good + "[queue]\nretry = []\n", []string{`6:1: queue.retry: needs at least one duration`}},
		{"negative duration", good + "[queue]\nwarn_after = \"-4h\"\n", []string{`"-4h" must be more than nothing`}},
		{"size", good + "[limits]\nmessage_size = \"35MX\"\n", []string{`6:16: limits.message_size: "35MX" is not a size`}},
		{"size too small", good + "[limits]\nmessage_size = 35\n", []string{`6:16: limits.message_size: 35 is outside 64KiB to 2GiB`}},
		{"cluster", good + "[spool]\nengine = \"cluster\"\n", []string{`6:10: spool.engine: "cluster" is not available in this version`}},
		{"resolver", good + "[resolver]\nservers = [\"dns.example\"]\n", []string{`6:12: resolver.servers: "dns.example" is not an IP address`}},
		{"data is a file", "data = \"relay.secret\"\n" + good, []string{`1:8: data: DIR/relay.secret is a file: name a directory`}},

		{"variable missing", "hostname = \"${NOPE}\"\n" + good, []string{`1:12: hostname: the environment variable NOPE is not set`}},
		{"variable without brace", "hostname = \"${NOPE\"\n" + good, []string{`1:12: hostname: ${ without }`}},
		{"variable without name", "hostname = \"${}\"\n" + good, []string{`1:12: hostname: ${} is no name`}},
		{"variable that is no number", good + "[limits]\nrecipients = \"${WORD}\"\n", []string{`6:14: limits.recipients: abc is outside 1 to`}},

		{"several at once, in order", "hostnam = \"x\"\nsandbox = \"yes\"\n[queue]\nretry = [\"x\"]\n" + good, []string{`1:1: hostnam`, `2:11: sandbox: must be true or false, without quotes`, `4:10: queue.retry`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dirWith(t, map[string]string{"relay.secret": "s3cret\n", "empty": "\n"})
			if err := os.Mkdir(filepath.Join(dir, "kept"), 0o700); err != nil {
				t.Fatal(err)
			}
			kept := "[[user]]\nname = \"kept@example.org\"\npassword = \"" + hash + "\"\n"
			if err := os.WriteFile(filepath.Join(dir, "kept", auth.FileName), []byte(kept), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := loadText(dir, c.text, map[string]string{"WORD": "abc"})
			mistakes, ok := err.(Errors)
			if !ok {
				t.Fatalf("got %v", err)
			}
			text := strings.ReplaceAll(mistakes.Error(), filepath.Join(dir, "wellsent.toml")+":", "")
			text = strings.ReplaceAll(text, dir, "DIR")
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("got:\n%s\nlacks:\n%s", text, w)
				}
			}
			places := 0
			for _, w := range c.want {
				if w[0] >= '0' && w[0] <= '9' {
					places++
				}
			}
			if places > 0 && len(mistakes) != places {
				t.Errorf("%d mistakes, want %d:\n%s", len(mistakes), places, text)
			}
			for i := 1; i < len(mistakes); i++ {
				if mistakes[i].Line < mistakes[i-1].Line {
					t.Errorf("not in the order of lines:\n%s", text)
				}
			}
			if strings.Contains(text, "s3cret") {
				t.Errorf("a password is shown:\n%s", text)
			}
		})
	}
}

func TestLoad_Warnings(t *testing.T) {
	dir := dirWith(t, map[string]string{"relay.secret": "s3cret\n"})
	if err := os.Chmod(filepath.Join(dir, "relay.secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"host name without domain", "hostname = \"post\"\n" + good, `1:12: hostname: "post" has no domain`},
		{"password file for everybody", "hostname = \"a.b\"\n[[route]]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\"smtp://x.example\"]\nuser = \"u\"\npassword_file = \"relay.secret\"\n",
			`7:17: route.password_file: DIR/relay.secret may be read by everybody on this machine: chmod o= DIR/relay.secret`},
		{"password in clear text", "hostname = \"a.b\"\n[[route]]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\"smtp://x.example\"]\nuser = \"u\"\npassword_file = \"relay.secret\"\ntls = \"none\"\n",
			`6:8: route.tls: the password of u is sent in clear text`},
		{"login in clear text", "hostname = \"a.b\"\n" + good + "[[listener]]\nkind = \"submission\"\naddress = \":587\"\nplaintext_auth = true\n", `9:1: listener.plaintext_auth: passwords cross the network`},
		{"route that is never used", "hostname = \"a.b\"\n" + good + strings.ReplaceAll(good, `"r"`, `"s"`), `6:3: route: s is never used, as r before it takes everything`},
		{"host bits", "hostname = \"a.b\"\n" + good + "[[listener]]\nkind = \"relay\"\naddress = \":25\"\nallow = [\"10.0.0.5/24\"]\n", `9:10: listener.allow: 10.0.0.5/24 is taken as the network 10.0.0.0/24`},
		{"console", "hostname = \"a.b\"\n" + good + "[console]\naddress = \"x\"\n", `6:2: console: the web console is not available in this version; this table is ignored`},
		{"warning after the end", "hostname = \"a.b\"\n" + good + "[queue]\nwarn_after = \"200h\"\n", `7:14: queue.warn_after: is not before expire_after`},
	} {
		conf, err := loadText(dir, c.text, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		text := strings.ReplaceAll(Errors(conf.Warnings).Error(), filepath.Join(dir, "wellsent.toml")+":", "")
		if text = strings.ReplaceAll(text, dir, "DIR"); !strings.Contains(text, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, text, c.want)
		}
	}
}

func TestLoad_Environment(t *testing.T) {
	dir := dirWith(t, map[string]string{"relay.secret": "x"})
	text := "hostname = \"${HOST}.example.org\"\ndata = \"$${literal}\"\n" +
		"[[route]]\nname = \"r\"\nrecipients = [\"${DOMAIN}\"]\nvia = [\"smtp://${HOST}.example.net:${PORT}\"]\n[limits]\nrecipients = \"${N}\"\n"
	c, err := loadText(dir, text, map[string]string{"HOST": "post", "DOMAIN": "example.com", "PORT": "2525", "N": "7"})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Hostname, " ", c.Data, " ", c.Routes[0].Recipients, " ", c.Routes[0].Via[0].Host, " ", c.Routes[0].Via[0].Port, " ", c.Limits.Recipients)
	if want := "post.example.org " + filepath.Join(dir, "${literal}") + " [example.com] post.example.net 2525 7"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	origins := map[string]string{}
	for _, v := range c.Effective() {
		origins[v.Key] = v.Origin
	}
	for key, want := range map[string]string{
		"hostname":          "wellsent.toml:1, $HOST",
		"route.0.via":       "wellsent.toml:6, $HOST, $PORT",
		"limits.recipients": "wellsent.toml:8, $N",
		"queue.warn_after":  "default",
	} {
		if origins[key] != want {
			t.Errorf("origin of %s: %q, want %q", key, origins[key], want)
		}
	}
}

func TestEffective_HidesSecretsAndShowsDefaults(t *testing.T) {
	dir := dirWith(t, map[string]string{"relay.secret": "s3cret\n"})
	c, err := loadText(dir, full, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, v := range c.Effective() {
		if strings.Contains(v.Value, "argon2id") || strings.Contains(v.Value, "s3cret") {
			t.Errorf("a secret is shown: %+v", v)
		}
		shown[v.Key] = v.Value + " " + v.Origin
	}
	for key, want := range map[string]string{
		"user.0.password":         "(hidden) wellsent.toml:21",
		"user.1.addresses":        `["bob@example.org"] default`,
		"listener.1.legacy_tls":   "true wellsent.toml:15",
		"listener.0.legacy_tls":   "false default",
		"route.0.tls":             `"opportunistic" default`,
		"route.1.pace.per_minute": "30 wellsent.toml:41",
		"queue.retry":             `["1m", "1h30m"] wellsent.toml:55`,
		"aliases.root":            `"ann@example.org" wellsent.toml:51`,
		"limits.message_size":     `"35MiB" wellsent.toml:60`,
		"sandbox":                 "false wellsent.toml:4",
	} {
		if shown[key] != want {
			t.Errorf("%s: %q, want %q", key, shown[key], want)
		}
	}
}

func TestLoad_FilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "nope.toml"): "cannot be read: no such file or directory",
		dir:                             "is not a configuration file",
	} {
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLoad_SandboxNeedsNoRoute(t *testing.T) {
	c, err := loadText(t.TempDir(), "sandbox = true\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := c.RouteTable()
	if err != nil {
		t.Fatal(err)
	}
	r := table.For(route.Question{Recipient: "anybody@example.net"})
	if r == nil || r.Via[0].Scheme != route.SchemeSandbox {
		t.Errorf("got %+v", r)
	}
}

// FuzzLoad: no panic; what is taken is complete, and each mistake names its file.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(good))
	f.Add([]byte("[[route]]\n[route]\n"))
	f.Add([]byte("a.b.c = 1\n[a.b]\nd = 2\n"))
	f.Add([]byte("listener = [1, {kind = \"relay\"}]\nroute = [[]]\naliases = 5\n"))
	f.Add([]byte("hostname = \"${A}$${B}${\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := load("/nonexistent/wellsent.toml", data, func(string) (string, bool) { return "x", true })
		if err == nil {
			if c.Hostname == "" || c.Data == "" || len(c.Queue.Retry) == 0 {
				t.Fatalf("incomplete: %+v", c)
			}
			if _, err := c.RouteTable(); err != nil {
				t.Fatal(err)
			}
			return
		}
		mistakes, ok := err.(Errors)
		if !ok || len(mistakes) == 0 {
			t.Fatalf("got %#v", err)
		}
		for _, m := range mistakes {
			if m.File == "" || m.Message == "" || m.Line > 0 && m.Column < 1 {
				t.Fatalf("%+v", m)
			}
		}
	})
}
