package peers_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

// servers are both peers by name.
func servers(tree *peers.Tree) map[string]func(context.Context, peers.ServerOptions) (*peers.Server, error) {
	return map[string]func(context.Context, peers.ServerOptions) (*peers.Server, error){
		"postfix": tree.StartPostfix,
		"exim":    tree.StartExim,
	}
}

func TestServer_RelaysWhatItIsGiven(t *testing.T) {
	for name, start := range servers(peers.Need(t)) {
		t.Run(name, func(t *testing.T) {
			sink := openSink(t)
			s := peers.Start(t, start, peers.ServerOptions{Relay: sink.Addr()})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// Time is counted in ticks of 10 ms, and 20 messages may take less: in as many
			// rounds as it needs until some is seen.
			for sent, used := 20, time.Duration(0); used == 0; sent += 20 {
				if _, err := (traffic.Load{Address: s.Address, Name: fmt.Sprintf("%s-%d", name, sent), Connections: 3, Messages: 20, Size: 2000}).Run(ctx); err != nil {
					t.Fatal(err)
				}
				if err := sink.WaitCount(ctx, sent); err != nil {
					t.Fatalf("%d of %d arrived: %v", sink.Count(), sent, err)
				}
				var err error
				if used, err = peers.CPU(s.PID()); err != nil {
					t.Fatalf("processor time: %v", err)
				}
			}
		})
	}
}

func TestServer_OffersWhatItIsToldTo(t *testing.T) {
	certificate, err := peers.NewCertificate(t.TempDir(), "peer.test")
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range servers(peers.Need(t)) {
		t.Run(name, func(t *testing.T) {
			s := peers.Start(t, start, peers.ServerOptions{Relay: "127.0.0.1:9", NoPipelining: true, No8BitMIME: true})
			for _, keyword := range []string{"PIPELINING", "8BITMIME", "STARTTLS", "AUTH"} {
				if got := ehlo(t, s.Address); strings.Contains(got, keyword) {
					t.Errorf("offers %s:\n%s", keyword, got)
				}
			}
			s = peers.Start(t, start, peers.ServerOptions{Relay: "127.0.0.1:9", Certificate: certificate.Chain, Key: certificate.Key})
			for _, keyword := range []string{"PIPELINING", "8BITMIME", "STARTTLS"} {
				if got := ehlo(t, s.Address); !strings.Contains(got, keyword) {
					t.Errorf("does not offer %s:\n%s", keyword, got)
				}
			}
		})
	}
}

func TestServer_TakesMailAfterLoginOnly(t *testing.T) {
	directory := t.TempDir()
	certificate, err := peers.NewCertificate(directory, "peer.test")
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range servers(peers.Need(t)) {
		t.Run(name, func(t *testing.T) {
			sink := openSink(t)
			s := peers.Start(t, start, peers.ServerOptions{Relay: sink.Addr(), Certificate: certificate.Chain, Key: certificate.Key, User: "ann", Password: "secret"})
			args := []string{"--server", s.Address, "--from", "ann@sender.test", "--to", "bob@recipient.test", "-tls"}
			for _, c := range []struct {
				args []string
				want bool
			}{
				{nil, false},
				{[]string{"-a", "PLAIN", "-au", "ann", "-ap", "wrong"}, false},
				{[]string{"-a", "PLAIN", "-au", "ann", "-ap", "secret"}, true},
				{[]string{"-a", "LOGIN", "-au", "ann", "-ap", "secret"}, true},
			} {
				out, err := peers.NeedProgram(t, "swaks", append(args, c.args...)...).CombinedOutput()
				if (err == nil) != c.want {
					t.Errorf("swaks %v: %v, want success %v:\n%s", c.args, err, c.want, out)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := sink.WaitCount(ctx, 2); err != nil {
				t.Errorf("%d of 2 arrived: %v", sink.Count(), err)
			}
		})
	}
}

// TestServer_LeavesNothingBehind: a peer that was stopped leaves neither processes
// nor files.
func TestServer_LeavesNothingBehind(t *testing.T) {
	for name, start := range servers(peers.Need(t)) {
		t.Run(name, func(t *testing.T) {
			temporary, err := os.MkdirTemp("", "peers-test-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(temporary)
			if err := os.Chmod(temporary, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", temporary)
			s, err := start(t.Context(), peers.ServerOptions{Relay: "127.0.0.1:9"})
			if err != nil {
				t.Fatal(err)
			}
			pid := s.PID()
			s.Stop()
			if left, _ := os.ReadDir(temporary); len(left) != 0 {
				t.Errorf("left %v", left)
			}
			if left := peers.Group(pid); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}
		})
	}
}

func openSink(t *testing.T) *traffic.Sink {
	t.Helper()
	s, err := traffic.NewSink(traffic.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ehlo returns the lines of a server's answer to EHLO.
func ehlo(t *testing.T, address string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := textproto.NewReader(bufio.NewReader(c))
	if _, _, err := r.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "EHLO test.test\r\n")
	_, text, err := r.ReadResponse(250)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "QUIT\r\n")
	return text
}
