package ldapauth

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestPlain(t *testing.T) {
	for _, user := range []string{"ann", "Ann@Example.org", " ann ", "ann lee", "jürgen", "李", "star*"} {
		if !plain(user) {
			t.Errorf("%q is refused", user)
		}
	}
	for _, user := range []string{"\uff41nn", "an\u00adn", "ann\u200b", "ann\u2060", "a\x00nn", "ann  lee", "a\u0301nn", "ann\u2028", "ann\ufe0f", "ﬁn"} {
		if plain(user) {
			t.Errorf("%q is taken", user)
		}
	}
}

// TestFill: a name is a value in a filter, whatever it is made of.
func TestFill(t *testing.T) {
	for _, c := range []struct{ user, dn, want string }{
		{"ann", "uid=ann,o=x", "(|(mail=ann)(m=uid=ann,o=x))"},
		{"*)(uid=*", `cn=a\,b`, `(|(mail=\2a\29\28uid=\2a)(m=cn=a\5c,b))`},
		{"{dn}", "{user}", "(|(mail={dn})(m={user}))"},
		{"a\x00\\", "", `(|(mail=a\00\5c)(m=))`},
	} {
		if got := fill("(|(mail={user})(m={dn}))", c.user, c.dn); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.user, c.dn, got, c.want)
		}
	}
}

// TestAccount: what an entry says it may send as is addresses, never patterns.
func TestAccount(t *testing.T) {
	b := &Backend{o: Options{Addresses: []string{"mail", "proxyAddresses"}}}
	for _, c := range []struct {
		user string
		mail []string
		want string
	}{
		{"ann", []string{"ann@example.org", "SMTP:a@example.org", "*@example.org", "@example.org", "ann@", "x400:c=us", "*", "Ann <b@example.org>"}, "ann@example.org a@example.org"},
		{"ann", nil, ""},
		{"ann@example.org", nil, "ann@example.org"},
		{"*@example.org", nil, ""},
		{"*", nil, ""},
		{"*@example.org", []string{"*@example.org"}, ""},
	} {
		got := b.account(c.user, ldap.NewEntry("uid=x", map[string][]string{"mail": c.mail}))
		if strings.Join(got.Addresses, " ") != c.want {
			t.Errorf("%s with %q may send as %q, want %q", c.user, c.mail, got.Addresses, c.want)
		}
	}
}

func TestNew_Mistakes(t *testing.T) {
	for text, o := range map[string]Options{
		"clear text": {URL: "ldap://ldap.example.org", UserDN: "uid={user},o=x"},
		"{user}":     {URL: "ldaps://ldap.example.org", Base: "o=x", Filter: "(uid=ann)"},
		"filter":     {URL: "ldaps://ldap.example.org", Base: "o=x", Filter: "(uid={user}"},
		"everybody":  {URL: "ldaps://ldap.example.org", UserDN: "uid={user},o=x", Base: "o=x", GroupFilter: "(cn=mail)"},
		"not a DN":   {URL: "ldaps://ldap.example.org", UserDN: "{user}"},
		"not both":   {URL: "ldaps://ldap.example.org", UserDN: "uid={user},o=x", Filter: "(uid={user})"},
		"alone":      {URL: "ldaps://u:p@ldap.example.org", UserDN: "uid={user},o=x"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want %s", o, err, text)
		}
	}
}
