package interop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
)

// authority is an authority that issues certificates to clients, as a file, and one
// that it issued.
func authority(t *testing.T, dir, address string) (file string, issued tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "clients.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, EmailAddresses: []string{address},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, ca, own.Public(), key); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own}
}

// loginOffice starts a server that offers every mechanism, with an account and a
// provider of tokens.
func loginOffice(t *testing.T, more string) (o *binary.Office, provider *mockoidc.MockOIDC, certificate tls.Certificate) {
	t.Helper()
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Shutdown() })
	file, certificate := authority(t, t.TempDir(), account)
	all := fmt.Sprintf("mechanisms = [\"PLAIN\", \"LOGIN\", \"SCRAM-SHA-256\", \"CRAM-MD5\", \"NTLM\", \"EXTERNAL\", \"XOAUTH2\", \"OAUTHBEARER\"]\nclient_ca = %q\n%s", file, more)
	o = binary.Need(t, binary.Options{Top: "sandbox = true", Listeners: []binary.Listener{{Kind: "submission", More: all}, {Kind: "submissions", More: all}},
		Tables: fmt.Sprintf("[auth.oidc]\nissuer = %q\naudience = [\"wellsent\"]\nscopes = [\"smtp.send\"]\n", provider.Issuer())})
	o.MustAddUser(t, account, password)
	o.MustStart(t)
	return o, provider, certificate
}

// token returns a token of the provider for the account.
func token(t *testing.T, m *mockoidc.MockOIDC, scope string) string {
	t.Helper()
	s, err := m.Keypair.SignJWT(jwt.MapClaims{"iss": m.Issuer(), "aud": "wellsent", "sub": "1", "email": account, "scope": scope, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLoginsIn_OurClient: our own client logs in by everything that our server has.
func TestLoginsIn_OurClient(t *testing.T) {
	o, provider, certificate := loginOffice(t, "")
	ca := filepath.Join(o.Data, "ca.pem")
	implicit := func(c *smtpclient.Options) { c.Implicit = true }
	checkLogins(t, o.Address("submission"), ca, account, password, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
	for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "NTLM", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
		if used, err := logIn(t, o.Address("submissions"), ca, smtpclient.Credentials{User: account, Password: password, Mechanism: m}, implicit); err != nil || used != m {
			t.Errorf("%s: %s, %v", m, used, err)
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		old := func(c *smtpclient.Options) { c.TLSConfig = &tls.Config{MaxVersion: version} }
		if used, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: account, Password: password}, old); err != nil || used != "SCRAM-SHA-256-PLUS" {
			t.Errorf("%s: %s, %v", tls.VersionName(version), used, err)
		}
	}
	with := func(c *smtpclient.Options) { c.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}} }
	if used, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: account}, with); err != nil || used != "EXTERNAL" {
		t.Errorf("with a certificate: %s, %v", used, err)
	}
	if _, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: "eve@example.org", Mechanism: "EXTERNAL"}, with); err == nil {
		t.Error("with ann's certificate eve got in")
	}
	for _, m := range []string{"XOAUTH2", "OAUTHBEARER"} {
		if used, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: account, Token: token(t, provider, "smtp.send"), Mechanism: m}, nil); err != nil || used != m {
			t.Errorf("%s: %s, %v", m, used, err)
		}
		_, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: account, Token: token(t, provider, "openid"), Mechanism: m}, nil)
		var said *smtpclient.ChallengeError
		if err == nil || !errors.As(err, &said) || !strings.Contains(said.Text, `"status":"insufficient_scope"`) {
			t.Errorf("%s without the scope: %v", m, err)
		}
	}
}

// TestLoginsIn_OtherClients: other people's clients log in.
func TestLoginsIn_OtherClients(t *testing.T) {
	tree := peers.NeedLogins(t)
	o, provider, _ := loginOffice(t, "")
	bearer := token(t, provider, "smtp.send")
	all := map[string]func(s submission) []string{}
	for _, m := range []string{"NTLM", "CRAM-MD5", "PLAIN"} {
		all["curl/"+m] = func(s submission) []string { s.mechanism = m; return clients["curl"](t, s) }
	}
	all["curl --ntlm"] = func(s submission) []string {
		s.mechanism = "NTLM"
		return append(clients["curl"](t, s), "--ntlm")
	}
	for _, m := range []string{"XOAUTH2", "OAUTHBEARER"} {
		all["curl/"+m] = func(s submission) []string {
			s.mechanism = m
			args := clients["curl"](t, s)
			for i := range args {
				if args[i] == account+":"+s.password {
					args[i] = account
				}
			}
			return append(args, "--oauth2-bearer", bearer)
		}
	}
	for _, m := range []string{"CRAM-MD5", "NTLM"} {
		all["swaks/"+m] = func(s submission) []string { s.mechanism = m; return clients["swaks"](t, s) }
	}
	for _, m := range []string{"SCRAM-SHA-256", "CRAM-MD5", "NTLM"} {
		all["msmtp/"+m] = func(s submission) []string { s.mechanism = m; return clients["msmtp"](t, s) }
	}
	for name, args := range all {
		t.Run(name, func(t *testing.T) {
			subject := strings.NewReplacer("/", " ", "-", " ").Replace(name)
			text := message(subject, textHeader, "hello")
			s := submission{password: password}.prepare(t, o, text)
			c := loginProgram(t, tree, args(s))
			if strings.HasPrefix(name, "msmtp") {
				f, err := os.Open(s.message)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				c.Stdin = f
			}
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			arrived(t, o, subject, text)
		})
	}
	for _, m := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "NTLM", "PLAIN", "LOGIN"} {
		for _, word := range []string{password, "wrong"} {
			t.Run("gsasl/"+m+"/"+word, func(t *testing.T) {
				c := loginProgram(t, tree, []string{"gsasl", "--client", "--smtp", "--verbose", "--no-client-first", "--mechanism=" + m, "--authentication-id=" + account, "--password=" + word,
					"--x509-ca-file=" + filepath.Join(o.Data, "ca.pem"), "--connect=" + o.Address("submission"), "--service=smtp", "--hostname=127.0.0.1"})
				if m == "SCRAM-SHA-256" {
					c.Args = append(c.Args, "--no-cb") // else it says that we offer no binding, which we know better
				}
				out, err := c.CombinedOutput()
				if (err == nil) != (word == password) {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// loginProgram returns a command that runs a client of the tree, or of the machine.
func loginProgram(t *testing.T, tree *peers.Tree, args []string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c, err := tree.Program(ctx, args[0], args[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLoginsIn_AnyOrder plays what mail programs say that try one mechanism after
// another, as Thunderbird does.
func TestLoginsIn_AnyOrder(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	plain := func(word string) string { return b64("\x00" + account + "\x00" + word) }
	negotiate := b64("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2" + strings.Repeat("\x00", 24))
	cram := func(challenge, word string) string {
		c, err := base64.StdEncoding.DecodeString(challenge)
		if err != nil {
			t.Fatal(err)
		}
		h := hmac.New(md5.New, []byte(word))
		h.Write(c)
		return b64(account + " " + hex.EncodeToString(h.Sum(nil)))
	}
	for name, say := range map[string]func(d *dialogue){
		"a password that is wrong, then LOGIN": func(d *dialogue) {
			d.want(535, "AUTH PLAIN %s", plain("mistyped"))
			d.want(334, "AUTH LOGIN")
			d.want(334, "%s", b64(account))
			d.want(235, "%s", b64(password))
		},
		"LOGIN with the name at once": func(d *dialogue) {
			d.want(334, "AUTH LOGIN %s", b64(account))
			d.want(235, "%s", b64(password))
		},
		"PLAIN after it is asked": func(d *dialogue) {
			d.want(334, "AUTH PLAIN")
			d.want(235, "%s", plain(password))
		},
		"encrypted password": func(d *dialogue) {
			challenge := d.want(334, "AUTH CRAM-MD5")
			d.want(235, "%s", cram(challenge, password))
		},
		"encrypted password given up": func(d *dialogue) {
			d.want(334, "AUTH CRAM-MD5")
			d.want(501, "*")
			d.want(235, "AUTH PLAIN %s", plain(password))
		},
		"encrypted password that is wrong, then PLAIN": func(d *dialogue) {
			challenge := d.want(334, "AUTH CRAM-MD5")
			d.want(535, "%s", cram(challenge, "mistyped"))
			d.want(235, "AUTH PLAIN %s", plain(password))
		},
		"NTLM given up": func(d *dialogue) {
			if text := d.want(334, "AUTH NTLM %s", negotiate); !strings.HasPrefix(text, "TlRMTVNTUAAC") {
				t.Errorf("no challenge: %s", text)
			}
			d.want(501, "*")
			d.want(334, "AUTH NTLM")
			d.want(334, "%s", negotiate)
			d.want(501, "*")
			d.want(235, "AUTH PLAIN %s", plain(password))
		},
		"a token that is stale, then PLAIN": func(d *dialogue) {
			challenge := d.want(334, "AUTH XOAUTH2 %s", b64("user="+account+"\x01auth=Bearer ya29.stale\x01\x01"))
			if b, err := base64.StdEncoding.DecodeString(challenge); err != nil || !strings.Contains(string(b), `"status":"invalid_token"`) {
				t.Errorf("challenge %s, %v", b, err)
			}
			d.want(535, "")
			d.want(235, "AUTH PLAIN %s", plain(password))
		},
		"a token of the usual size": func(d *dialogue) {
			d.want(334, "AUTH XOAUTH2 %s", b64("user="+account+"\x01auth=Bearer "+strings.Repeat("x", 6000)+"\x01\x01"))
			d.want(535, "")
		},
		"mechanisms that are not there": func(d *dialogue) {
			d.want(504, "AUTH GSSAPI")
			d.want(504, "AUTH DIGEST-MD5")
			d.want(504, "AUTH EXTERNAL =") // no certificate was shown
			d.want(504, "AUTH SCRAM-SHA-1")
			d.want(235, "AUTH PLAIN %s", plain(password))
		},
		"small letters": func(d *dialogue) { d.want(235, "auth plain %s", plain(password)) },
	} {
		t.Run(name, func(t *testing.T) {
			// A server for each: those that begin with a wrong login would together meet
			// its slow-down.
			o, _, _ := loginOffice(t, "plaintext_auth = true")
			roots := trust(t, filepath.Join(o.Data, "ca.pem"))
			c, err := tls.Dial("tcp", o.Address("submissions"), &tls.Config{RootCAs: roots})
			if err != nil {
				t.Fatal(err)
			}
			d := converse(t, c)
			say(d)
			d.want(221, "QUIT")
			if strings.HasPrefix(name, "a token") {
				return // never in the clear
			}
			d = dial(t, o.Address("submission"))
			say(d)
			d.want(221, "QUIT")
		})
	}
	o, _, _ := loginOffice(t, "plaintext_auth = true")
	dial(t, o.Address("submission")).want(538, "AUTH XOAUTH2 %s", b64("user="+account+"\x01auth=Bearer ya29.stale\x01\x01"))
}

// TestLoginsIn_Upstream: another server decides, and its users get in while it is
// away.
func TestLoginsIn_Upstream(t *testing.T) {
	above := binary.Need(t, binary.Options{Top: "sandbox = true", Listeners: []binary.Listener{{Kind: "submission"}}})
	above.MustAddUser(t, account, password)
	above.MustStart(t)
	o := binary.Need(t, binary.Options{Top: "sandbox = true", Listeners: []binary.Listener{{Kind: "submission"}},
		Tables: fmt.Sprintf("[auth.upstream]\nserver = \"smtp://%s\"\nca = %q\ndomains = [\"example.org\"]\n", above.Address("submission"), filepath.Join(above.Data, "ca.pem"))})
	o.MustStart(t)
	ca := filepath.Join(o.Data, "ca.pem")
	right, wrong := smtpclient.Credentials{User: account, Password: password}, smtpclient.Credentials{User: account, Password: "wrong"}
	if used, err := logIn(t, o.Address("submission"), ca, right, nil); err != nil || used != "PLAIN" {
		t.Errorf("%s, %v; SCRAM cannot be offered", used, err)
	}
	if _, err := logIn(t, o.Address("submission"), ca, wrong, nil); err == nil || err.Reply.Code != 535 {
		t.Errorf("wrong password: %v", err)
	}
	text := message("by upstream", textHeader, "hello")
	s := submission{mechanism: "PLAIN", password: password}.prepare(t, o, text)
	if out, err := run(t, s, "curl"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	arrived(t, o, "by upstream", text)
	above.Kill()
	if _, err := logIn(t, o.Address("submission"), ca, right, nil); err != nil {
		t.Errorf("while upstream is away: %v", err)
	}
	if _, err := logIn(t, o.Address("submission"), ca, smtpclient.Credentials{User: "eve@example.org", Password: "x"}, nil); err == nil || err.Reply.Code != 454 {
		t.Errorf("somebody unknown while upstream is away: %v, want 454", err)
	}
}
