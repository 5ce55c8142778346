package interop

import (
	"crypto/x509"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

// trust returns the certificates of a file.
func trust(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("%s holds no certificate", file)
	}
	return pool
}

// open opens a conversation of our client with a server, under verified TLS, and does
// not log in.
func open(t *testing.T, address, ca string, change func(*smtpclient.Options)) *smtpclient.Client {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	o := smtpclient.Options{Hostname: "client.test", Host: at.Addr().String(), Port: int(at.Port()), Addresses: []netip.Addr{at.Addr()}, Roots: trust(t, ca)}
	if change != nil {
		change(&o)
	}
	c := smtpclient.New(o)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// logIn logs in on a connection of its own and returns the mechanism that was used.
func logIn(t *testing.T, address, ca string, cred smtpclient.Credentials, change func(*smtpclient.Options)) (string, *evidence.Error) {
	t.Helper()
	c := open(t, address, ca, change)
	err := c.Login(t.Context(), cred)
	return c.Mechanism(), err
}

// checkLogins logs in by each mechanism: the right password is taken, a wrong one is
// refused. With none named the client takes best.
func checkLogins(t *testing.T, address, ca, user, password, best string, mechanisms ...string) {
	t.Helper()
	for _, m := range append([]string{""}, mechanisms...) {
		used, err := logIn(t, address, ca, smtpclient.Credentials{User: user, Password: password, Mechanism: m}, nil)
		if err != nil || m != "" && used != m || m == "" && used != best {
			t.Errorf("login by %q: used %s, %v", m, used, err)
		}
		if _, err := logIn(t, address, ca, smtpclient.Credentials{User: user, Password: "wrong", Mechanism: m}, nil); err == nil || err.Reply.Code != 535 {
			t.Errorf("wrong password by %q: %v, want 535", m, err)
		}
	}
}

// TestLoginsOut_Exim: Exim's own drivers take our client. Its spa knows NTLMv1 only.
func TestLoginsOut_Exim(t *testing.T) {
	tree := peers.NeedLogins(t)
	sink, err := traffic.NewSink(traffic.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	certificate, err := peers.NewCertificate(t.TempDir(), "exim.test")
	if err != nil {
		t.Fatal(err)
	}
	s := peers.Start(t, tree.StartExim, peers.ServerOptions{Relay: sink.Addr(), Certificate: certificate.Chain, Key: certificate.Key, User: "ann", Password: password,
		Authenticators: `
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{ann}{` + password + `}fail}
  server_set_id = $auth1
ntlm:
  driver = spa
  public_name = NTLM
  server_password = ${if eq{$auth1}{ann}{` + password + `}fail}
  server_set_id = $auth1
`})
	if offered := open(t, s.Address, certificate.CA, nil).Extensions().Auth; !slices.Contains(offered, "NTLM") || !slices.Contains(offered, "CRAM-MD5") {
		t.Fatalf("Exim offers %v", offered)
	}
	checkLogins(t, s.Address, certificate.CA, "ann", password, "PLAIN", "PLAIN", "LOGIN", "CRAM-MD5", "NTLM")
}

// TestLoginsOut_Dovecot: Dovecot's submission server takes our client by all that both
// know, SCRAM-SHA-256 first.
func TestLoginsOut_Dovecot(t *testing.T) {
	tree := peers.NeedLogins(t)
	sink, err := traffic.NewSink(traffic.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	certificate, err := peers.NewCertificate(t.TempDir(), "dovecot.test")
	if err != nil {
		t.Fatal(err)
	}
	started, err := tree.StartSubmission(t.Context(), peers.ServerOptions{Relay: sink.Addr(), Certificate: certificate.Chain, Key: certificate.Key, User: account, Password: password,
		Settings: []string{"auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256", "auth_failure_delay = 0"}})
	s := peers.Run(t, started, err)
	checkLogins(t, s.Address, certificate.CA, account, password, "SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
}
