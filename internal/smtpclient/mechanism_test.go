package smtpclient

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtptest"
)

// TestLogin_NextMechanism: another mechanism is tried where the server has said nothing
// about the password, and a password that was refused is not given again.
func TestLogin_NextMechanism(t *testing.T) {
	const plain = "C: AUTH PLAIN AGFubgBzZWNyZXQ=\n"
	for _, c := range []struct {
		name   string
		shown  bool // a certificate of ours
		offers string
		script string
		used   string // the last mechanism
		code   int    // 0: logged in
	}{
		{"best first", false, "NTLM LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", "C: AUTH SCRAM-SHA-256 ...\nS: 535 5.7.8 no such user\nC: AUTH SCRAM-SHA-1 ...\nS: 504 5.5.4 not known\n" + plain + "S: 235 ok\n", "PLAIN", 0},
		{"two kinds of binding", false, "PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS", "C: AUTH SCRAM-SHA-256-PLUS ...\nS: 535 5.7.8 binding not supported\nC: AUTH SCRAM-SHA-256-PLUS ...\nS: 535 5.7.8 binding not supported\n" + plain + "S: 235 ok\n", "PLAIN", 0},
		{"refused after the proof", false, "PLAIN LOGIN CRAM-MD5", plain + "S: 535 5.7.8 wrong\n", "PLAIN", 535},
		{"not understood", false, "PLAIN LOGIN", plain + "S: 501 5.5.2 cannot decode\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 ok\n", "LOGIN", 0},
		{"LOGIN refused at once", false, "LOGIN CRAM-MD5", "C: AUTH LOGIN\nS: 534 5.7.9 too weak\nC: AUTH CRAM-MD5\nS: 334 PDE+\nC: YW5uI...\nS: 235 ok\n", "CRAM-MD5", 0},
		{"LOGIN refused after the password", false, "LOGIN CRAM-MD5", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 535 wrong\n", "LOGIN", 535},
		{"temporary", false, "PLAIN LOGIN", plain + "S: 454 4.7.0 later\n", "PLAIN", 454},
		{"rubbish for a challenge", false, "PLAIN SCRAM-SHA-256", "C: AUTH SCRAM-SHA-256 ...\nS: 334 ????\nC: *\nS: 501 5.7.0 cancelled\n" + plain + "S: 235 ok\n", "PLAIN", 0},
		{"another one's nonce", false, "PLAIN SCRAM-SHA-256", "C: AUTH SCRAM-SHA-256 ...\nS: 334 cj14LHM9QUFBQSxpPTQwOTY=\nC: *\nS: 501 5.7.0 cancelled\n" + plain + "S: 235 ok\n", "PLAIN", 0},
		{"the refusal that tells most", false, "PLAIN LOGIN", plain + "S: 504 5.5.4 not known\nC: AUTH LOGIN\nS: 504 5.5.4 not known\n", "LOGIN", 504},
		{"certificate first", true, "PLAIN EXTERNAL", "C: AUTH EXTERNAL YW5u\nS: 535 5.7.8 no certificate\n" + plain + "S: 235 ok\n", "PLAIN", 0},
		{"NTLM as Exchange does it", false, "NTLM", "C: AUTH NTLM\nS: 334 ntlm supported\nC: TlRMTVNTUAAB...\nS: 535 5.7.3 no\n", "NTLM", 535},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, loggingIn("", ""), "T:\n"+greeting+"C: EHLO post.test\nS: 250-mx.test\nS: 250 AUTH "+c.offers+"\n"+c.script+"C: QUIT\nS: 221 bye\n")
			if err := client.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			client.certified = c.shown
			err := client.Login(t.Context(), Credentials{User: "ann", Password: "secret"})
			client.Close()
			if c.code == 0 && err != nil || c.code != 0 && (err == nil || err.Reply.Code != c.code) {
				t.Errorf("got %v, want %d", err, c.code)
			}
			if client.Mechanism() != c.used {
				t.Errorf("used %s, want %s", client.Mechanism(), c.used)
			}
			for _, l := range client.Record(err).Lines {
				if strings.Contains(l.Text, "AGFubgBzZWNyZXQ") || strings.Contains(l.Text, "c2VjcmV0") {
					t.Errorf("the record has %q", l.Text)
				}
			}
		})
	}
}

// TestLogin_ServerThatProvesNothing: whoever accepts SCRAM without knowing the password
// is not the server, and is told no more.
func TestLogin_ServerThatProvesNothing(t *testing.T) {
	client := dial(t, loggingIn("ann", "secret"), "T:\n"+greeting+"C: EHLO post.test\nS: 250-mx.test\nS: 250 AUTH PLAIN SCRAM-SHA-256\nC: AUTH SCRAM-SHA-256 ...\nS: 235 2.7.0 welcome\n")
	if err := client.Open(t.Context()); err == nil || !errors.Is(err, errNotProved) || err.Scope != evidence.ScopeHost {
		t.Errorf("got %v", err)
	}
	if client.Alive() {
		t.Error("the connection is still open")
	}
}

// TestMechanisms_InTheClear: there, what sends the password comes last.
func TestMechanisms_InTheClear(t *testing.T) {
	c := New(Options{})
	got := names(c.mechanisms(Credentials{User: "ann", Password: "secret"}))
	if want := []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "NTLM", "PLAIN", "LOGIN"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, m := range Mechanisms {
		cred := Credentials{User: "ann", Password: "secret", Mechanism: m}
		if strings.Contains(m, "AUTH") {
			cred.Token = "token"
		}
		if got := names(c.mechanisms(cred)); !strings.HasSuffix(m, "-PLUS") && m != "EXTERNAL" && !slices.Equal(got, []string{m}) {
			t.Errorf("%s alone: %v", m, got)
		}
	}
}

// TestNTLM_Version1 is MS-NLMP §4.2.2.2: a server without target information.
func TestNTLM_Version1(t *testing.T) {
	nonce, _ := hex.DecodeString("0123456789abcdef")
	if got := hex.EncodeToString(ntlmv1Response("Password", nonce)); got != "67c43011f30298a2ad35ece64f16331c44bdbed927841f94" {
		t.Errorf("response %s", got)
	}
	challenge := append([]byte("NTLMSSP\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x82\x00\x00"), nonce...)
	challenge = append(challenge, make([]byte, 8)...)
	for verified, want := range map[bool]error{true: nil, false: errNTLMv1} {
		n := &ntlm{user: `Domain\User`, password: "Password", verified: verified}
		if _, err := n.Next(nil); err != nil {
			t.Fatal(err)
		}
		got, err := n.Next(challenge)
		if !errors.Is(err, want) || want == nil && (!bytes.Contains(got, utf16le("User")) || !bytes.Contains(got, utf16le("Domain"))) {
			t.Errorf("verified %t: %x, %v", verified, got, err)
		}
	}
}

func TestIterations(t *testing.T) {
	m := &scramMechanism{}
	if _, err := m.Next([]byte("r=x,s=AAAA,i=100000000")); err == nil || !strings.Contains(err.Error(), "iterations") {
		t.Errorf("a server may ask for any work: %v", err)
	}
}

// TestHandshake_CertificateOfOurs: it counts as shown when the server has asked for it.
func TestHandshake_CertificateOfOurs(t *testing.T) {
	server, client := smtptest.TLS(t, "mx.test")
	ours := server.Certificates[0]
	for _, x := range []struct {
		name string
		ask  tls.ClientAuthType
		have func(*tls.Config)
		want bool
	}{
		{"asked and shown", tls.RequestClientCert, func(c *tls.Config) { c.Certificates = []tls.Certificate{ours} }, true},
		{"not asked", tls.NoClientCert, func(c *tls.Config) { c.Certificates = []tls.Certificate{ours} }, false},
		{"asked, and none there", tls.RequestClientCert, func(*tls.Config) {}, false},
		{"asked, and none given", tls.RequestClientCert, func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
		}, false},
		{"asked and given", tls.RequestClientCert, func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &ours, nil }
		}, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			asking := server.Clone()
			asking.ClientAuth = x.ask
			s := tls.Server(far, asking)
			done := make(chan error, 1) // one result
			go func() { done <- s.Handshake() }()
			base := client.Clone()
			x.have(base)
			c := New(Options{Host: "mx.test", TLSConfig: base})
			c.raw, c.conn = near, near
			if err := c.handshake(t.Context(), TLSVerified); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if c.certified != x.want {
				t.Errorf("shown: %t, want %t", c.certified, x.want)
			}
		})
	}
}
