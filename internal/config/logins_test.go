package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/certificate"
)

// realCA returns a certificate in PEM form.
func realCA(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := certificate.Private(dir, "post.example.org"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const withLogins = `
hostname = "post.example.org"
data = "data"
sandbox = true

[[listener]]
kind = "submission"
address = ":587"
mechanisms = ["plain", "LOGIN", "SCRAM-SHA-256", "NTLM", "CRAM-MD5", "EXTERNAL", "XOAUTH2", "OAUTHBEARER"]
client_ca = "ca.pem"

[[listener]]
kind = "submissions"
address = ":465"

[auth.ldap]
url = "ldaps://ldap.example.org"
ca = "ca.pem"
bind_dn = "cn=post,dc=example,dc=org"
bind_password_file = "ldap.secret"
base = "ou=people,dc=example,dc=org"
filter = "(uid={user})"
group_base = "ou=groups,dc=example,dc=org"
group_filter = "(&(cn=mail)(member={dn}))"
addresses = ["mail", "mailAlternateAddress"]
timeout = "5s"

[auth.oidc]
issuer = "https://login.example.org"
audience = ["wellsent"]
scopes = ["smtp.send"]
account_claim = "preferred_username"

[auth.upstream]
server = "smtps://smtp.example.org:465"
domains = ["Example.org"]
remember = "10m"
remember_when_away = "24h"
refusals = 2
`

func TestLogins(t *testing.T) {
	dir := dirWith(t, map[string]string{"ca.pem": realCA(t), "ldap.secret": "hidden-word\n"})
	c, err := loadText(dir, withLogins, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "CRAM-MD5", "NTLM"}
	if diff := cmp.Diff(want, c.Listeners[0].Mechanisms); diff != "" {
		t.Error(diff)
	}
	if c.Listeners[0].ClientCA == nil || c.Listeners[1].ClientCA != nil || c.Listeners[1].Mechanisms != nil {
		t.Error("certificates of clients, or mechanisms, of the wrong listener")
	}
	if got := c.Kept(); got != (auth.Kept{SCRAM: true, CRAMMD5: true, NTLM: true}) {
		t.Errorf("kept %+v", got)
	}
	l, o, u := c.Auth.LDAP, c.Auth.OIDC, c.Auth.Upstream
	if l.URL != "ldaps://ldap.example.org" || l.Filter != "(uid={user})" || len(l.Addresses) != 2 || l.Timeout != 5*time.Second || l.Roots == nil || l.GroupFilter == "" {
		t.Errorf("%+v", l)
	}
	if word, err := l.Password(); word != "hidden-word" || err != nil {
		t.Errorf("the service account's password is %q, %v", word, err)
	}
	if o.Issuer != "https://login.example.org" || o.Audiences[0] != "wellsent" || o.Scopes[0] != "smtp.send" || o.Claim != "preferred_username" {
		t.Errorf("%+v", o)
	}
	if u.Host != "smtp.example.org" || u.Port != 465 || !u.Implicit || u.Domains[0] != "example.org" || u.Remember != 10*time.Minute || u.RememberAway != 24*time.Hour || u.Refusals != 2 {
		t.Errorf("%+v", u)
	}
	shown := map[string]string{}
	for _, v := range c.Effective() {
		shown[v.Key] = v.Value
		if strings.Contains(v.Value, "hidden-word") {
			t.Errorf("%s shows a secret", v.Key)
		}
	}
	if shown["auth.upstream.refusals"] != "2" || shown["auth.oidc.issuer"] != `"https://login.example.org"` || shown["listener.0.mechanisms"] == "" {
		t.Errorf("shown: %v", shown)
	}
	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, w.Key)
	}
	if n := strings.Count(strings.Join(warnings, " "), "listener.mechanisms"); n != 5 { // two need digests; three know no account elsewhere
		t.Errorf("%d warnings: %v", n, c.Warnings)
	}
}

func TestLogins_Mistakes(t *testing.T) {
	dir := dirWith(t, map[string]string{"ca.pem": realCA(t), "empty": ""})
	for _, x := range []struct{ listener, tables, want string }{
		{`mechanisms = []`, "", "listener.mechanisms: is empty"},
		{`mechanisms = ["SCRAM-SHA-265"]`, "", `"SCRAM-SHA-256"`},
		{`mechanisms = ["EXTERNAL"]`, "", "listener.client_ca: is missing"},
		{`client_ca = "ca.pem"`, "", "listener.mechanisms: is missing"},
		{"mechanisms = [\"EXTERNAL\"]\nclient_ca = \"empty\"", "", "holds no certificate"},
		{`mechanisms = ["XOAUTH2"]`, "", "add [auth.oidc]"},
		{"", "[auth]\nldpa = 1", `ldap`},
		{"", "[auth.ldap]\nurl = \"ldap://ldap.example.org\"\nbase = \"dc=x\"", "clear text"},
		{"", "[auth.ldap]\nurl = \"ldaps://ldap.example.org\"\nbase = \"dc=x\"\nfilter = \"(uid=x)\"", "{user}"},
		{"", "[auth.ldap]\nurl = \"ldaps://ldap.example.org\"\nbase = \"dc=x\"\nbind_dn = \"cn=a\"", "auth.ldap.bind_password_file: is missing"},
		{"", "[auth.ldap]\nurl = \"ldaps://ldap.example.org\"\nbase = \"dc=x\"\nbind_dn = \"cn=a\"\nbind_password_file = \"empty\"", "is empty"},
		{"", "[auth.oidc]\nissuer = \"https://login.example.org\"", "audience is missing"},
		{"", "[auth.oidc]\nissuer = \"http://login.example.org\"\naudience = [\"x\"]", "not an https URL"},
		{"", "[auth.upstream]\ndomains = [\"x\"]", "auth.upstream.server: is missing"},
		{"", "[auth.upstream]\nserver = \"mx\"", "not a server"},
		{"", "[auth.upstream]\nserver = \"smtp://a.example:587\"\nremember = \"2h\"\nremember_when_away = \"1h\"", "shorter than remember"},
	} {
		text := "hostname = \"post.example.org\"\ndata = \"data\"\nsandbox = true\n[[listener]]\nkind = \"submission\"\naddress = \":587\"\n" + x.listener + "\n" + x.tables + "\n"
		_, err := loadText(dir, text, nil)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %s\ngot  %v\nwant %s", x.listener, x.tables, err, x.want)
		}
	}
}

// TestKept: what no listener needs is not kept.
func TestKept(t *testing.T) {
	dir := dirWith(t, nil)
	for mechanisms, want := range map[string]auth.Kept{
		"":                                    {SCRAM: true},
		`mechanisms = ["PLAIN", "LOGIN"]`:     {},
		`mechanisms = ["PLAIN", "NTLM"]`:      {NTLM: true},
		`mechanisms = ["SCRAM-SHA-256-PLUS"]`: {SCRAM: true},
	} {
		c, err := loadText(dir, "hostname = \"post.example.org\"\ndata = \"data\"\nsandbox = true\n[[listener]]\nkind = \"submission\"\naddress = \":587\"\n"+mechanisms, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Kept(); got != want {
			t.Errorf("%s: got %+v, want %+v", mechanisms, got, want)
		}
	}
}
