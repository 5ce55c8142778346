package smtptest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// recorded is a testing.TB that keeps what would fail the test.
type recorded struct {
	testing.TB
	mu     sync.Mutex
	errors []string // guarded by mu
}

func (r *recorded) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorded) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.errors, "\n")
}

// play plays one script against another and returns the differences each found.
func play(t *testing.T, clientText, serverText string) (client, server string) {
	t.Helper()
	cs, err := Parse(clientText)
	if err != nil {
		t.Fatal(err)
	}
	ss, err := Parse(serverText)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cr, sr := &recorded{TB: t}, &recorded{TB: t}
	serverTLS, clientTLS := TLS(t, "post.example.org")
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			sr.Errorf("accept: %v", err)
			return
		}
		defer conn.Close()
		ss.PlayServer(sr, conn, serverTLS)
	})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cs.PlayClient(cr, conn, clientTLS)
	conn.Close()
	wg.Wait()
	return cr.all(), sr.all()
}

const dialogue = `
# Two recipients, pipelined; one message.
S: 220 post.example.org ESMTP
C: EHLO client.example
S: 250-post.example.org
S: 250 PIPELINING
C: MAIL FROM:<ann@example.org>
C: RCPT TO:<bob@example.net>
S: 250 2.1.0 Ok
S: 250 2.1.5 Ok
C: DATA
S: 354 go on
C: Subject: x
C:
C: ...
C: ..
C: .
S: 250 2.0.0 Ok
C: QUIT
S: 221 2.0.0 Bye
`

func TestPlay_BothSidesOfOneScriptAgree(t *testing.T) {
	if c, s := play(t, dialogue+"E:\n", dialogue+"X:\n"); c != "" || s != "" {
		t.Errorf("client: %s\nserver: %s", c, s)
	}
}

func TestPlay_StartTLS(t *testing.T) {
	const text = "C: STARTTLS\nS: 220 2.0.0 go\nT:\nC: EHLO client.example\nS: 250 post.example.org\n"
	if c, s := play(t, text+"E:\n", text+"X:\n"); c != "" || s != "" {
		t.Errorf("client: %s\nserver: %s", c, s)
	}
	if c, _ := play(t, "T:", "S: 220 in clear text"); !strings.Contains(c, "TLS handshake") {
		t.Errorf("clear text passes for TLS: %q", c)
	}
}

func TestPlay_AnyRestMatches(t *testing.T) {
	want := "S: 220 ...\nC: QUIT\nS: 221 2.0.0...\nE:\n"
	for _, bye := range []string{"221 2.0.0", "221 2.0.0 Bye", "221 2.0.0, and good bye"} {
		if c, s := play(t, want, "S: 220 post ESMTP\nC: QU...\nS: "+bye+"\nX:\n"); c != "" || s != "" {
			t.Errorf("%s: client: %s\nserver: %s", bye, c, s)
		}
	}
}

func TestPlay_ThreeDotsAloneAreContent(t *testing.T) {
	if _, s := play(t, "C: QUIT", "C: ..."); !strings.Contains(s, "want \"...") {
		t.Errorf("three dots match QUIT: %q", s)
	}
}

func TestPlay_Differences(t *testing.T) {
	for _, c := range []struct{ name, client, server, want string }{
		{"other text", "S: 220 a", "S: 220 b", "got"},
		{"other line end", "S: 220 a", `S> "220 a\n"`, "got"},
		{"other octets", `S> "220 a\n"`, "S: 220 a", "got"},
		{"end instead of a line", "S: 220 a", "X:", "the connection ended"},
		{"line instead of the end", "E:", "S: 220 a", "should be closed"},
		{"more than is expected", "S: 220 a", "S: 220 a\nS: 220 b", "after the end came"},
		{"words before the handshake", "S: 220 a\nT:", "S: 220 a\nS: 220 b", "before the TLS handshake"},
	} {
		got, _ := play(t, c.client, c.server)
		if !strings.Contains(got, c.want) || !strings.HasPrefix(got, "script") {
			t.Errorf("%s: %q does not say %q", c.name, got, c.want)
		}
	}
}

func TestPlay_RawOctets(t *testing.T) {
	if c, s := play(t, `C> "a\n.\r\x00"`, `C> "a\n.\r\x00"`); c != "" || s != "" {
		t.Errorf("client: %s\nserver: %s", c, s)
	}
}

func TestParse_NamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"C: a\nD: b":   "line 2",
		"C":            "line 1",
		"\n\nT: now":   "line 3",
		`C> unquoted`:  "quotation marks",
		`S> ""`:        "quotation marks",
		"X: if needed": "no step",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
