package smtpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtptest"
)

// office is a Handler with one account and a rule or two.
type office struct {
	mu      sync.Mutex    // guards the field below
	waiting chan struct{} // not nil: Data waits for it to be closed
}

func (o *office) Authenticate(_ context.Context, _ *smtp.Client, user, password string) (string, *smtp.Reply) {
	if user == "ann" && password == "secret" {
		return user, nil
	}
	r := smtp.NewReply(535, 7, 8, "wrong")
	return "", &r
}

func (o *office) Mail(context.Context, *smtp.Transaction) *smtp.Reply { return nil }

func (o *office) Rcpt(_ context.Context, _ *smtp.Transaction, r smtp.Recipient) *smtp.Reply {
	if r.Path.Local() == "panic" {
		panic("as asked")
	}
	if r.Path.Local() == "nobody" {
		no := smtp.NewReply(550, 1, 1, "no such user")
		return &no
	}
	return nil
}

func (o *office) Data(_ context.Context, t *smtp.Transaction, body io.Reader) smtp.Reply {
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return smtp.NewReply(451, 3, 0, "not read")
	}
	o.mu.Lock()
	wait := o.waiting
	o.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return smtp.NewReply(250, 0, 0, fmt.Sprintf("taken: %d octets for %d", n, len(t.Recipients)))
}

// start serves one listener until the test ends.
func start(t *testing.T, spec Listener, change func(*Config)) (s *Server, addr string, client *tls.Config, o *office) {
	t.Helper()
	server, client := smtptest.TLS(t, "post.example.org")
	client.ServerName = "post.example.org"
	o = &office{}
	c := Config{Hostname: "post.example.org", TLS: server, Handler: o, MaxMessageSize: 1000, MaxRecipients: 3,
		Timeouts: Timeouts{Slow: time.Microsecond}}
	if change != nil {
		change(&c)
	}
	s = New(c)
	return s, more(t, s, spec), client, o
}

// more opens one more listener of s.
func more(t *testing.T, s *Server, spec Listener) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, l, spec)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func play(t *testing.T, addr string, tc *tls.Config, text string) {
	t.Helper()
	s, err := smtptest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s.PlayClient(t, dial(t, addr), tc)
}

const (
	hello = `C: EHLO client.example
S: 250-post.example.org
S: 250-PIPELINING
S: 250-SIZE 1000
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-ENHANCEDSTATUSCODES
S: 250-DSN
`
	authOffered = "S: 250-AUTH PLAIN LOGIN\nS: 250 HELP\n"
	loggedIn    = "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 235 2.7.0 ...\n"
	greeted     = "S: 220 post.example.org ESMTP ...\n"
	upgraded    = greeted + hello + "S: 250-STARTTLS\nS: 250 HELP\nC: STARTTLS\nS: 220 2.0.0 ...\nT:\n"
)

// ways are the ways to a login: each transcript is played over all of them.
var ways = []struct {
	name    string
	spec    Listener
	connect string // up to stateConnected, in which mail may be sent
	begin   string // up to stateGreeted
}{
	{"plain", Listener{Kind: smtp.KindSubmission, PlaintextAuth: true}, greeted, greeted + hello + "S: 250-STARTTLS\n" + authOffered},
	{"STARTTLS", Listener{Kind: smtp.KindSubmission}, upgraded, upgraded + hello + authOffered},
	{"implicit TLS", Listener{Kind: smtp.KindSubmissions}, "T:\n" + greeted, "T:\n" + greeted + hello + authOffered},
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, w := range ways {
		for _, f := range files {
			t.Run(w.name+"/"+filepath.Base(f), func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				_, addr, tc, _ := start(t, w.spec, nil)
				play(t, addr, tc, w.begin+loggedIn+string(text))
			})
		}
	}
}

func TestAuth_Dialogues(t *testing.T) {
	for _, w := range ways {
		for name, text := range map[string]string{
			"second AUTH":        loggedIn + "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 503 5.5.1 ...\n",
			"PLAIN asked":        "C: AUTH PLAIN\nS: 334 \nC: AGFubgBzZWNyZXQ=\nS: 235 2.7.0 ...\n",
			"PLAIN empty":        "C: AUTH PLAIN =\nS: 501 5.5.2 ...\n",
			"cancelled":          "C: AUTH PLAIN\nS: 334 \nC: *\nS: 501 5.7.0 ...\n",
			"LOGIN":              "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 ...\n",
			"LOGIN with initial": "C: AUTH LOGIN YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 ...\n",
			"not base64":         "C: AUTH PLAIN !!\nS: 501 5.5.2 ...\n",
			"another identity":   "C: AUTH PLAIN ZXZlAGFubgBzZWNyZXQ=\nS: 535 5.7.8 ...\n",
			"unknown mechanism":  "C: AUTH GSSAPI\nS: 504 5.5.4 ...\n",
			"no argument":        "C: AUTH\nS: 501 5.5.4 ...\n",
			"line too long":      "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + strings.Repeat("A", 13000) + "\nS: 500 5.5.6 ...\n",
			"mail before login":  "C: MAIL FROM:<ann@example.org>\nS: 530 5.7.0 ...\n",
			"five wrong ones":    strings.Repeat("C: AUTH PLAIN AGFubgB3cm9uZw==\nS: 535 5.7.8 wrong\n", 5) + "S: 421 4.7.0 ...\nE:\n",
		} {
			t.Run(w.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, addr, tc, _ := start(t, w.spec, nil)
				play(t, addr, tc, w.begin+text)
			})
		}
	}
}

// TestRcpt_FarTooManyAreTakenInParts names far more recipients than one message
// may have: those that were taken get it. RFC 5321 §4.5.3.1.10.
func TestRcpt_FarTooManyAreTakenInParts(t *testing.T) {
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission, PlaintextAuth: true}, nil)
	play(t, addr, tc, ways[0].begin+loggedIn+"C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 Ok\n"+
		strings.Repeat("C: RCPT TO:<bob@example.net>\nS: 250 2.1.5 Ok\n", 3)+
		strings.Repeat("C: RCPT TO:<bob@example.net>\nS: 452 4.5.3 ...\n", 3*maxErrors)+
		"C: DATA\nS: 354 ...\nC: hello\nC: .\nS: 250 2.0.0 ...\n")
}

// TestTLSHello_WithoutALineEnd sends a TLS hello that has no LF in it, as most
// have not, and waits for the answer.
func TestTLSHello_WithoutALineEnd(t *testing.T) {
	failed := make(chan FailedSession, 1) // the one
	_, addr, _, _ := start(t, Listener{Kind: smtp.KindSubmission}, func(c *Config) { c.Failed = func(f FailedSession) { failed <- f } })
	if _, err := dial(t, addr).Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")); err != nil {
		t.Fatal(err)
	}
	select {
	case f := <-failed:
		if f.Cause != "tls.implicit-on-starttls-port" {
			t.Errorf("%+v", f)
		}
	case <-time.After(10 * time.Second):
		t.Error("the session waits for a line end")
	}
}

func TestBeforeTLS(t *testing.T) {
	plain := greeted + hello + "S: 250-STARTTLS\nS: 250 HELP\n"
	for name, text := range map[string]string{
		"login":              plain + "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 538 5.7.11 ...\n",
		"mail":               plain + "C: MAIL FROM:<ann@example.org>\nS: 530 5.7.0 Must issue a STARTTLS command first\n",
		"mail before EHLO":   greeted + "C: MAIL FROM:<ann@example.org>\nS: 503 5.5.1 ...\n",
		"STARTTLS injection": plain + "C: STARTTLS\nC: MAIL FROM:<eve@example.org>\nS: 554 5.5.0 ...\nE:\n",
		"STARTTLS twice":     plain + "C: STARTTLS\nS: 220 2.0.0 ...\nT:\nC: STARTTLS\nS: 503 5.5.1 ...\n",
		"EHLO again after":   plain + "C: STARTTLS\nS: 220 2.0.0 ...\nT:\nC: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 503 5.5.1 ...\n",
		"HTTP":               greeted + "C: GET / HTTP/1.1\nS: 421 4.7.0 ...\nE:\n",
		"HELO without name":  greeted + "C: HELO\nS: 501 5.5.4 ...\n",
		"too many errors":    greeted + strings.Repeat("C: XYZZY\nS: 500 5.5.1 ...\n", maxErrors) + "S: 421 4.7.0 ...\nE:\n",
		"line too long":      greeted + "C: NOOP " + strings.Repeat("x", 40000) + "\nS: 500 5.5.2 ...\nC: NOOP\nS: 250 2.0.0 Ok\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission}, nil)
			play(t, addr, tc, text)
		})
	}
}

func TestTLSHello_OnAPlainPortEndsTheSession(t *testing.T) {
	failed := make(chan FailedSession, 1)
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission}, func(c *Config) { c.Failed = func(f FailedSession) { failed <- f } })
	if err := tls.Client(dial(t, addr), tc).Handshake(); err == nil {
		t.Fatal("a handshake on a plain port")
	}
	if f := <-failed; f.Cause != "tls.implicit-on-starttls-port" {
		t.Errorf("%+v", f)
	}
}

func TestLegacyTLS_IsRefusedAndExplained(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		failed := make(chan FailedSession, 1)
		_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmissions, LegacyTLS: legacy}, func(c *Config) { c.Failed = func(f FailedSession) { failed <- f } })
		tc = tc.Clone()
		tc.MinVersion, tc.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		err := tls.Client(dial(t, addr), tc).Handshake()
		if legacy != (err == nil) {
			t.Errorf("legacy_tls %v: %v", legacy, err)
		}
		if !legacy {
			if f := <-failed; f.Cause != "tls.protocol-version" || !strings.Contains(f.Text, "TLS 1.1") {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestRelay_OnlyForAllowedPeers(t *testing.T) {
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindRelay, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, nil)
	play(t, addr, tc, "S: 554 5.7.1 ...\nE:\n")
	_, addr, tc, _ = start(t, Listener{Kind: smtp.KindRelay, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	play(t, addr, tc, greeted+"C: HELO client\nS: 250 post.example.org\nC: AUTH PLAIN\nS: 503 5.5.1 ...\nC: MAIL FROM:<a@b>\nS: 250 2.1.0 Ok\n")
}

func TestDevice_BareNewlinesAreTaken(t *testing.T) {
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindDevice, BareNewlines: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	play(t, addr, tc, greeted+`C> "HELO scanner\n"
S: 250 post.example.org
C> "MAIL FROM: <scan@example.org>\nRCPT TO: <bob@example.net>\nDATA\n"
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
S: 354 ...
C> "page\none\n.\n"
S: 250 2.0.0 taken: 11 octets for 1
`)
}

func TestRoom_FullIs452(t *testing.T) {
	_, addr, tc, _ := start(t, ways[0].spec, func(c *Config) { c.Room = func(int64) error { return io.ErrShortWrite } })
	play(t, addr, tc, ways[0].begin+loggedIn+"C: MAIL FROM:<ann@example.org>\nS: 452 4.3.1 ...\n")
}

func TestPanic_EndsThatSessionOnly(t *testing.T) {
	_, addr, tc, _ := start(t, ways[0].spec, nil)
	text := ways[0].begin + loggedIn + "C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 Ok\nC: RCPT TO:<panic@example.net>\nS: 421 4.3.0 ...\nE:\n"
	play(t, addr, tc, text)
	play(t, addr, tc, text)
}

func TestConnections_TotalIsBounded(t *testing.T) {
	_, addr, tc, _ := start(t, ways[0].spec, func(c *Config) { c.MaxConnections = 1 })
	first := dial(t, addr)
	buf := make([]byte, 3)
	if _, err := io.ReadFull(first, buf); err != nil || string(buf) != "220" {
		t.Fatal(string(buf), err)
	}
	play(t, addr, tc, "S: 421 4.3.2 ...\nE:\n")
}

func TestIdle_Is421(t *testing.T) {
	_, addr, tc, _ := start(t, ways[0].spec, func(c *Config) { c.Timeouts.Command = 50 * time.Millisecond })
	play(t, addr, tc, greeted+"S: 421 4.4.2 ...\nE:\n")
}

func TestShutdown_FinishesTheTransactionInHand(t *testing.T) {
	s, addr, tc, o := start(t, ways[0].spec, nil)
	release := make(chan struct{})
	o.mu.Lock()
	o.waiting = release
	o.mu.Unlock()
	script := func(text string) *smtptest.Script {
		p, err := smtptest.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	idle, busy := dial(t, addr), dial(t, addr)
	script(ways[0].begin).PlayClient(t, idle, tc)
	script(ways[0].begin+loggedIn+"C: MAIL FROM:<ann@example.org>\nC: RCPT TO:<bob@example.net>\nC: DATA\nS: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\nS: 354 ...\n").PlayClient(t, busy, tc)
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), smtptest.Patience)
		defer cancel()
		ended <- s.Shutdown(ctx)
	}()
	script("S: 421 4.3.2 ...\nE:\n").PlayClient(t, idle, tc)
	close(release)
	script("C: hello\nC: .\nS: 250 2.0.0 taken: 7 octets for 1\nS: 421 4.3.2 ...\nE:\n").PlayClient(t, busy, tc)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// panics is a log in which a session's panic, which ends that session only, is a
// failure of the test.
type panics struct{ t *testing.T }

func (panics) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (p panics) WithAttrs([]slog.Attr) slog.Handler         { return p }
func (p panics) WithGroup(string) slog.Handler              { return p }
func (p panics) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { p.t.Error(r.Message, a); return true })
	return nil
}

// from is a connection from an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

// FuzzSession plays a client to a submission listener, and to one of devices where
// everything is overlooked and the peer is both a balancer and a proxy.
func FuzzSession(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("EHLO x\r\nAUTH PLAIN =\r\n*\r\n\x16\x03\x01"))
	f.Add([]byte("PROXY TCP4 127.0.0.1 192.0.2.2 40000 25\r\nMAIL FROM:a@b\nRCPT TO: c@d>\nDATA\nx\n.\nMAIL FROM:\r\nRSET\n"))
	f.Add([]byte(balancerOwn + "XCLIENT ADDR=127.0.0.1\nHELO\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nMAIL FROM <a@b\r\nRCPT TO:<c@d>\nDATA\r\nx\n.\r.\r\n.\r\nQUIT"))
	d := device.Device{Name: "x", Addresses: loopback, Account: "ann", Leniency: device.Leniency{LegacyTLS: true, PlaintextAuth: true, BareNewlines: true, MissingBrackets: true, AnyHello: true}}
	set := device.NewSet([]device.Device{d})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := New(Config{Hostname: "post.example.org", Handler: &office{}, MaxMessageSize: 1000, Timeouts: Timeouts{Slow: time.Microsecond},
			Log: slog.New(panics{t}), Devices: func() *device.Set { return set }})
		for _, spec := range []Listener{{Kind: smtp.KindSubmission, PlaintextAuth: true}, {Kind: smtp.KindDevice, ProxyProtocol: loopback, XClient: loopback}} {
			client, server := net.Pipe()
			go func() {
				client.SetDeadline(time.Now().Add(5 * time.Second))
				client.Write(bytes.ReplaceAll(in, []byte("panic"), []byte("calm"))) // office does as asked
				client.Close()
			}()
			go io.Copy(io.Discard, client)
			s.serveConn(context.Background(), from{server, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}}, spec)
		}
	})
}
