package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/auth/ldapauth"
	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
)

const (
	people = "ou=people," + peers.LDAPSuffix
	groups = "ou=groups," + peers.LDAPSuffix
)

// directory starts OpenLDAP with three people, of whom ann and bob may send.
func directory(t *testing.T) (s *peers.Server, ca string) {
	t.Helper()
	tree := peers.NeedLogins(t)
	certificate, err := peers.NewCertificate(t.TempDir(), "ldap.test")
	if err != nil {
		t.Fatal(err)
	}
	started, err := tree.StartLDAP(t.Context(), peers.ServerOptions{Certificate: certificate.Chain, Key: certificate.Key})
	s = peers.Run(t, started, err)
	c, err := ldap.DialURL("ldap://" + s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(peers.LDAPRoot, "root"); err != nil {
		t.Fatal(err)
	}
	add := func(dn string, attributes ...ldap.Attribute) {
		t.Helper()
		if err := c.Add(&ldap.AddRequest{DN: dn, Attributes: attributes}); err != nil {
			t.Fatalf("%s: %v", dn, err)
		}
	}
	is := func(name string, values ...string) ldap.Attribute { return ldap.Attribute{Type: name, Vals: values} }
	add(peers.LDAPSuffix, is("objectClass", "dcObject", "organization"), is("o", "example"), is("dc", "example"))
	for _, ou := range []string{people, groups} {
		add(ou, is("objectClass", "organizationalUnit"))
	}
	person := func(uid, word string, mail ...string) {
		add("uid="+uid+","+people, is("objectClass", "inetOrgPerson"), is("cn", uid), is("sn", uid), is("userPassword", word), is("mail", mail...))
	}
	person("ann", "pw-ann", account, "office@example.org")
	person("bob", "pw-bob", "bob@example.org")
	person("eve", "pw-eve", "eve@example.org", "shared@example.org")
	person("zoe", "pw-zoe", "zoe@example.org", "shared@example.org")
	person("star*", "pw-star", "star@example.org")
	add("cn=post,"+peers.LDAPSuffix, is("objectClass", "organizationalRole", "simpleSecurityObject"), is("userPassword", "pw-post"))
	add("cn=mail,"+groups, is("objectClass", "groupOfNames"), is("member", "uid=ann,"+people, "uid=bob,"+people))
	return s, certificate.CA
}

// TestLDAP asks a real directory in each of the two ways.
func TestLDAP(t *testing.T) {
	s, ca := directory(t)
	base := ldapauth.Options{URL: "ldap://" + s.Address, StartTLS: true, Roots: trust(t, ca), Addresses: []string{"mail"}}
	search, inGroup, direct := base, base, base
	search.BindDN, search.Password, search.Base, search.Filter = "cn=post,"+peers.LDAPSuffix, func() (string, error) { return "pw-post", nil }, people, "(|(uid={user})(mail={user}))"
	inGroup.BindDN, inGroup.Password, inGroup.Base, inGroup.Filter = search.BindDN, search.Password, people, "(uid={user})"
	inGroup.GroupBase, inGroup.GroupFilter = groups, "(&(cn=mail)(member={dn}))"
	direct.UserDN = "uid={user}," + people
	for _, x := range []struct {
		how            string
		o              ldapauth.Options
		user, password string
		want           string // addresses; "-": refused; "!": an error that is no verdict
	}{
		{"search", search, "ann", "pw-ann", account + " office@example.org"},
		{"search", search, account, "pw-ann", account + " office@example.org"},
		{"search", search, "ann", "pw-bob", "-"},
		{"search", search, "ann", "", "-"},
		{"search", search, "nobody", "pw-ann", "-"},
		{"search", search, "*", "pw-ann", "-"},
		{"search", search, "star*", "pw-star", "star@example.org"},
		{"search", search, "ann)(uid=bob", "pw-bob", "-"},
		{"search", search, "shared@example.org", "pw-eve", "!"}, // two have it
		// To a directory these are ann too (RFC 4518 §2); to our rules by account, and to the
		// slow-down, each would be somebody of his own.
		{"search", search, "\uff41nn", "pw-ann", "-"},
		{"search", search, "an\u00adn", "pw-ann", "-"},
		{"search", search, "ann\u200b", "pw-ann", "-"},
		{"search", search, "a\u200bnn@example.org", "pw-ann", "-"},
		{"direct", direct, "\uff41nn", "pw-ann", "-"},
		{"direct", direct, "ann\u2060", "pw-ann", "-"},
		{"direct", direct, " ann ", "pw-ann", account + " office@example.org"},
		{"group", inGroup, "bob", "pw-bob", "bob@example.org"},
		{"group", inGroup, "eve", "pw-eve", "-"},
		{"direct", direct, "ann", "pw-ann", account + " office@example.org"},
		{"direct", direct, "ann", "pw-bob", "-"},
		{"direct", direct, "nobody", "x", "-"},
		{"direct", direct, "ann,ou=people", "pw-ann", "-"},
		{"direct", direct, "star*", "pw-star", "star@example.org"},
	} {
		b, err := ldapauth.New(x.o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Check(t.Context(), x.user, x.password)
		said := "!"
		switch {
		case err == nil:
			said = strings.Join(got.Addresses, " ")
		case errors.Is(err, auth.ErrInvalid):
			said = "-"
		}
		if said != x.want {
			t.Errorf("%s, %s %s: got %s (%v), want %s", x.how, x.user, x.password, said, err, x.want)
		}
	}
	// None of these is a verdict on a password.
	wrong := search
	wrong.Password = func() (string, error) { return "stale", nil }
	stranger := search
	stranger.Roots = nil
	away := search
	away.URL = "ldap://127.0.0.1:1"
	for name, o := range map[string]ldapauth.Options{"service account refused": wrong, "certificate of a stranger": stranger, "away": away} {
		b, err := ldapauth.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Check(t.Context(), "ann", "pw-ann"); err == nil || errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLDAP_ThatHangs: a directory that takes connections and says nothing costs the
// client no more than the time that is allowed.
func TestLDAP_ThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := ldapauth.New(ldapauth.Options{URL: "ldap://" + l.Addr().String(), UserDN: "uid={user}," + people, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := b.Check(t.Context(), "ann", "pw-ann"); err == nil || errors.Is(err, auth.ErrInvalid) || time.Since(began) > 20*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Check(ctx, "ann", "pw-ann"); err == nil || errors.Is(err, auth.ErrInvalid) {
		t.Errorf("given up: %v", err)
	}
}

// TestLoginsIn_LDAP: who is in the directory logs in and sends as the addresses there.
func TestLoginsIn_LDAP(t *testing.T) {
	s, ca := directory(t)
	secret := filepath.Join(t.TempDir(), "ldap.secret")
	if err := os.WriteFile(secret, []byte("pw-post\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := binary.Need(t, binary.Options{Top: "sandbox = true", Listeners: []binary.Listener{{Kind: "submission", More: "plaintext_auth = true"}},
		Tables: fmt.Sprintf("[auth.ldap]\nurl = \"ldap://%s\"\nstarttls = true\nca = %q\nbind_dn = \"cn=post,%s\"\nbind_password_file = %q\nbase = %q\nfilter = \"(uid={user})\"\n",
			s.Address, ca, peers.LDAPSuffix, secret, people)})
	o.MustAddUser(t, "scanner@example.org", password)
	o.MustStart(t)
	own := filepath.Join(o.Data, "ca.pem")
	for _, x := range []struct {
		user, word string
		code       int // 0: logged in
	}{{"ann", "pw-ann", 0}, {"ann", "wrong", 535}, {"scanner@example.org", password, 0}, {"nobody", "x", 535}} {
		_, err := logIn(t, o.Address("submission"), own, smtpclient.Credentials{User: x.user, Password: x.word}, nil)
		if x.code == 0 && err != nil || x.code != 0 && (err == nil || err.Reply.Code != x.code) {
			t.Errorf("%s %s: %v, want %d", x.user, x.word, err, x.code)
		}
	}
	d := dial(t, o.Address("submission"))
	d.want(235, "AUTH PLAIN %s", "AGFubgBwdy1hbm4=") // ann, pw-ann
	d.want(250, "MAIL FROM:<office@example.org>")
	d.want(250, "RSET")
	if code, text := d.say("MAIL FROM:<bob@example.org>"); code != 550 && code != 553 {
		t.Errorf("ann sends as bob: %d %s", code, text)
	}
	s.Stop()
	if _, err := logIn(t, o.Address("submission"), own, smtpclient.Credentials{User: "bob", Password: "pw-bob"}, nil); err == nil || err.Reply.Code != 454 {
		t.Errorf("while the directory is away: %v, want 454", err)
	}
}
