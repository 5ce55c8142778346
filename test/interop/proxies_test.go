package interop

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

// secretFile writes a file with a secret.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	writeSecret(t, path, secret)
	return path
}

func writeSecret(t *testing.T, path, secret string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// arrives waits for n messages.
func arrives(t *testing.T, sink *traffic.Sink, office *binary.Office, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := sink.WaitCount(ctx, n); err != nil {
		t.Fatalf("%d messages arrived, want %d: %v; queue %+v", sink.Count(), n, err, office.MustQueue(t))
	}
}

// TestProxies_CarryMail: tinyproxy and Dante carry what a route sends, with a login
// from a file. With a wrong password nothing is lost and nothing goes past the
// proxy; the right one, written into the file, and resume send what waited.
func TestProxies_CarryMail(t *testing.T) {
	services := peers.NeedServices(t)
	for _, p := range []struct {
		name, scheme, password string
		start                  func(context.Context, peers.ProxyOptions) (*peers.Server, error)
		o                      peers.ProxyOptions
		root                   bool
	}{
		{"tinyproxy", "http", "", services.StartTinyproxyWith, peers.ProxyOptions{}, false},
		{"tinyproxy with login", "http", peers.TinyproxyPassword, services.StartTinyproxyWith, peers.ProxyOptions{Login: true}, false},
		{"dante", "socks5", "", services.StartDanteWith, peers.ProxyOptions{}, false},
		{"dante, which looks names up", "socks5h", "", services.StartDanteWith, peers.ProxyOptions{}, false},
		{"dante with login", "socks5", peers.ProxyPassword, services.StartDanteWith, peers.ProxyOptions{Login: true}, true},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if p.root && os.Geteuid() != 0 {
				t.Skip("a login at Dante needs root, who may read the hash")
			}
			s, err := p.start(t.Context(), p.o)
			s = peers.Run(t, s, err)
			sink := keepingSink(t)
			_, port, _ := net.SplitHostPort(sink.Addr())
			login, more, file := "", "", ""
			if p.password != "" {
				file = secretFile(t, "wrong")
				login, more = peers.ProxyUser+"@", fmt.Sprintf("proxy_password_file = %q\n", file)
			}
			office := relayOffice(t, fmt.Sprintf("[[route]]\nname = \"peer\"\nrecipients = [\"*\"]\nvia = [\"smtp://localhost:%s\"]\ntls = \"none\"\nproxy = \"%s://%s%s\"\n%s",
				port, p.scheme, login, s.Address, more))
			submit(t, office.Address("relay"), "", message("one", textHeader, fragile...), "bob@recipient.test")
			if p.password != "" {
				e := awaitCause(t, office)
				if e.Cause != "net.proxy-refused" || sink.Connections() != 0 {
					t.Errorf("cause %q, reply %q, %d connections past the proxy", e.Cause, e.Reply, sink.Connections())
				}
				writeSecret(t, file, p.password)
				if ran, err := office.Run(t.Context(), "", "queue", "resume", "--lane", "peer"); err != nil || ran.Code != 0 {
					t.Fatalf("resume: %v, %+v", err, ran)
				}
			}
			arrives(t, sink, office, 1)
			if strings.Contains(office.Output(), peers.ProxyPassword) || strings.Contains(office.Output(), peers.TinyproxyPassword) {
				t.Errorf("the log tells the proxy's password:\n%s", office.Output())
			}
			emptyQueue(t, office)
		})
	}
}

// TestProxies_OneThatRefusesThePort: the cause is told, and mail waits.
func TestProxies_OneThatRefusesThePort(t *testing.T) {
	t.Parallel()
	s, err := peers.NeedServices(t).StartTinyproxyWith(t.Context(), peers.ProxyOptions{Only: []string{"443"}})
	s = peers.Run(t, s, err)
	sink := keepingSink(t)
	office := relayOffice(t, fmt.Sprintf("[[route]]\nname = \"peer\"\nrecipients = [\"*\"]\nvia = [\"smtp://%s\"]\ntls = \"none\"\nproxy = \"http://%s\"\n", sink.Addr(), s.Address))
	submit(t, office.Address("relay"), "", message("kept", textHeader, "kept"), "bob@recipient.test")
	if e := awaitCause(t, office); e.Cause != "net.proxy-refused" || sink.Connections() != 0 {
		t.Errorf("cause %q, reply %q, %d connections past the proxy", e.Cause, e.Reply, sink.Connections())
	}
}

// TestClientCertificate_IsShown: servers that demand a certificate, under TLS 1.2
// and 1.3, take mail from a route that has one, and from one that has none they do
// not; the cause says why.
func TestClientCertificate_IsShown(t *testing.T) {
	own, err := peers.NewCertificate(t.TempDir(), "post.test")
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range []string{"tls.client-certificate-required", "tls.client-certificate-required/tls13"} {
		for name, more := range map[string]string{"with": fmt.Sprintf("client_certificate = %q\nclient_key = %q\n", own.Chain, own.Key), "without": ""} {
			t.Run(scenario+"/"+name, func(t *testing.T) {
				t.Parallel()
				s, err := lab.Start(t.Context(), lab.Options{Cause: scenario})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				set := s.Settings()
				ca := secretFile(t, set.CA)
				_, port, _ := net.SplitHostPort(s.Addr())
				office := relayOffice(t, fmt.Sprintf("[[route]]\nname = \"peer\"\nrecipients = [\"*\"]\nvia = [\"smtp://localhost:%s\"]\nca = %q\nuser = %q\npassword_file = %q\n%s",
					port, ca, set.User, secretFile(t, set.Password), more))
				submit(t, office.Address("relay"), "", message("one", textHeader, "one"), "bob@recipient.test")
				if name == "with" {
					emptyQueue(t, office)
					if !strings.Contains(s.Transcript(), "Subject: one") && !strings.Contains(s.Transcript(), "DATA") {
						t.Errorf("the server has not taken it:\n%s", s.Transcript())
					}
					return
				}
				if e := awaitCause(t, office); e.Cause != "tls.client-certificate-required" {
					t.Errorf("cause %q, reply %q", e.Cause, e.Reply)
				}
			})
		}
	}
}

// TestPeers_SayWhoTheClientIs: swaks as a balancer and as a proxy. What a named one
// says decides who may send and stands in Received; others are refused.
func TestPeers_SayWhoTheClientIs(t *testing.T) {
	const balancer, proxy, inside, outside = "127.0.0.5", "127.0.0.6", "10.9.8.7", "10.9.8.8"
	sink := keepingSink(t)
	office := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "relay", More: fmt.Sprintf("allow = [%q, \"127.0.0.1\"]\nproxy_protocol = [%q]\nxclient = [%q]", inside, balancer, proxy)}},
		Tables:    fmt.Sprintf("[[route]]\nname = \"peer\"\nrecipients = [\"*\"]\nvia = [\"smtp://%s\"]\ntls = \"none\"\n", sink.Addr()),
	})
	office.MustStart(t)
	v1 := func(client string) []string {
		return []string{"--proxy-version", "1", "--proxy-family", "TCP4", "--proxy-source", client, "--proxy-source-port", "40000", "--proxy-dest", "10.9.8.1", "--proxy-dest-port", "25"}
	}
	v2 := func(client string) []string {
		return append(v1(client), "--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM", "--proxy-command", "PROXY")
	}
	xclient := func(client string) []string { return []string{"--xclient-addr", client} }
	n := 0
	for _, c := range []struct {
		name, from string
		more       []string
		taken      bool
	}{
		{"v1", balancer, v1(inside), true},
		{"v2", balancer, v2(inside), true},
		{"v1, not allowed", balancer, v1(outside), false},
		{"v2, not allowed", balancer, v2(outside), false},
		{"no header", balancer, nil, false},
		{"v1 from another", "127.0.0.1", v1(inside), false},
		{"v2 from another", "127.0.0.1", v2(inside), false},
		{"XCLIENT", proxy, xclient(inside), true},
		{"XCLIENT, not allowed", proxy, xclient(outside), false},
		{"XCLIENT missing", proxy, nil, false},
		{"XCLIENT from another", "127.0.0.1", xclient(inside), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"--server", office.Address("relay"), "--local-interface", c.from, "--from", "ann@example.org", "--to", "bob@recipient.test",
				"--header", "Subject: " + c.name, "--timeout", "20"}, c.more...)
			out, err := peers.NeedProgram(t, "swaks", args...).CombinedOutput()
			if taken := err == nil; taken != c.taken {
				t.Fatalf("taken %v, want %v:\n%s", taken, c.taken, out)
			}
			if !c.taken {
				return
			}
			n++
			arrives(t, sink, office, n)
			if m := sink.Messages()[n-1]; !bytes.Contains(m.Data, []byte("["+inside+"]")) {
				t.Errorf("Received does not name %s:\n%s", inside, m.Data)
			}
		})
	}
	if sink.Count() != n {
		t.Errorf("%d messages arrived, want %d", sink.Count(), n)
	}
}
