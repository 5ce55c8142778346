package smtpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The beginnings of a conversation, from the server's side.
const (
	greeting = "S: 220 mx.test ESMTP\n"
	offers   = "C: EHLO post.test\nS: 250-mx.test\nS: 250-PIPELINING\nS: 250-ENHANCEDSTATUSCODES\nS: 250-AUTH PLAIN LOGIN\n"
	upgrade  = greeting + offers + "S: 250 STARTTLS\nC: STARTTLS\nS: 220 2.0.0 go ahead\nT:\n"
	last     = "S: 250 HELP\n"
)

// ways are the ways to a conversation: each transcript is played over all of
// them.
var ways = []struct {
	name   string
	begin  string
	change func(*Options)
}{
	{"plain", greeting + offers + last, func(o *Options) { o.Policy, o.PlaintextAuth = TLSNone, true }},
	{"STARTTLS", upgrade + offers + last, func(*Options) {}},
	{"implicit TLS", "T:\n" + greeting + offers + last, func(o *Options) { o.Implicit = true }},
}

// dial serves the scripts, one for each connection in turn, and returns a client
// of them. All connections are to be made, and each script played to its end.
func dial(t *testing.T, change func(*Options), scripts ...string) *Client {
	t.Helper()
	server, client := smtptest.TLS(t, "mx.test")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, text := range scripts {
			s, err := smtptest.Parse(text)
			if err != nil {
				t.Error(err)
				return
			}
			conn, err := l.Accept()
			if err != nil {
				t.Error("a script was not played:", err)
				return
			}
			s.PlayServer(t, conn, server)
			conn.Close()
		}
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	o := Options{Hostname: "post.test", Host: "mx.test", Port: int(at.Port()), Addresses: []netip.Addr{at.Addr()}, TLSConfig: client}
	if change != nil {
		change(&o)
	}
	c := New(o)
	t.Cleanup(func() {
		c.abort()
		l.Close()
		<-done
	})
	return c
}

// letter is the message of the transcripts.
func letter() *Mail {
	return &Mail{From: "ann@example.org", Recipients: []smtp.Recipient{{Path: "bob@example.net"}, {Path: "eve@example.net"}},
		Head: []byte("Subject: hello\r\n\r\n"), Body: strings.NewReader(".a line with a dot\r\n")}
}

// told is what an Answer says, in short.
type told struct {
	bob, eve  int // codes of their refusals; 0: not refused
	stage     evidence.Stage
	code      int // of what kept it from the others
	scope     evidence.Scope
	uncertain bool
	alive     bool // the connection afterwards
}

func tell(c *Client, a *Answer) told {
	code := func(e *evidence.Error) int {
		if e == nil {
			return 0
		}
		return e.Reply.Code
	}
	x := told{bob: code(a.Refused[0]), eve: code(a.Refused[1]), uncertain: a.Uncertain(), alive: c.Alive()}
	if a.Err != nil {
		x.stage, x.code, x.scope = a.Err.Stage, a.Err.Reply.Code, a.Err.Scope
	}
	return x
}

// TestSend_Transcripts plays the corners of a mail transaction.
func TestSend_Transcripts(t *testing.T) {
	want := map[string]told{
		"delivered.txt":           {eve: 550, alive: true},
		"all-refused-354.txt":     {bob: 550, eve: 550, alive: true},
		"all-refused.txt":         {bob: 550, eve: 450, alive: true},
		"mail-refused-354.txt":    {stage: evidence.StageMail, code: 553, scope: evidence.ScopeMessage, alive: true},
		"fewer-replies.txt":       {bob: 550, stage: evidence.StageRcpt, scope: evidence.ScopeConnection},
		"leaving-in-pipeline.txt": {eve: 421, stage: evidence.StageData, code: 421, scope: evidence.ScopeHost},
		"dot-lost.txt":            {stage: evidence.StagePostData, scope: evidence.ScopeConnection, uncertain: true},
		"dot-garbage.txt":         {stage: evidence.StagePostData, scope: evidence.ScopeConnection, uncertain: true},
		"dot-refused.txt":         {stage: evidence.StagePostData, code: 554, scope: evidence.ScopeMessage, alive: true},
		"data-refused.txt":        {stage: evidence.StageData, code: 451, scope: evidence.ScopeMessage, alive: true},
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d transcripts, %d expectations, %v", len(files), len(want), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ways {
			t.Run(filepath.Base(f)+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				c := dial(t, w.change, w.begin+string(text))
				if err := c.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				a := c.Send(t.Context(), letter())
				if got := tell(c, a); got != want[filepath.Base(f)] {
					t.Errorf("got  %+v\nwant %+v\n(%v)", got, want[filepath.Base(f)], a.Err)
				}
				c.Close()
			})
		}
	}
}

func TestSend_WithoutPipeliningOneByOne(t *testing.T) {
	c := dial(t, ways[0].change, greeting+"C: EHLO post.test\nS: 250-mx.test\nS: 250 8BITMIME\n"+`C: MAIL FROM:<ann@example.org>
S: 250 ok
C: RCPT TO:<bob@example.net>
S: 550 no such user
C: RCPT TO:<eve@example.net>
S: 550 no such user
C: RSET
S: 250 ok
C: MAIL FROM:<ann@example.org>
S: 250 ok
C: RCPT TO:<bob@example.net>
S: 250 ok
C: RCPT TO:<eve@example.net>
S: 250 ok
C: DATA
S: 354 go ahead
C: Subject: hello
C: 
C: ..a line with a dot
C: .
S: 250 taken
C: QUIT
S: 221 bye
`)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	// No DATA is sent when nobody was accepted, so RSET ends that transaction.
	if got := tell(c, c.Send(t.Context(), letter())); got != (told{bob: 550, eve: 550, alive: true}) {
		t.Errorf("first: %+v", got)
	}
	if got := tell(c, c.Send(t.Context(), letter())); got != (told{alive: true}) {
		t.Errorf("second: %+v", got)
	}
	c.Close()
}

func TestOpen_HELOWhereEHLOIsUnknown(t *testing.T) {
	c := dial(t, ways[0].change, greeting+"C: EHLO post.test\nS: 500 what?\nC: HELO post.test\nS: 250 mx.test\nC: QUIT\nS: 221 bye\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Extensions().Pipelining || len(c.Extensions().Lines) != 0 {
		t.Errorf("%+v", c.Extensions())
	}
	c.Close()
}

// TestOpen_Failures: where it fails, who says so and what that condemns.
func TestOpen_Failures(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		script string
		stage  evidence.Stage
		origin evidence.Origin
		scope  evidence.Scope
		code   int
		is     error
	}{
		{"554 greeting", nil, "S: 554 no service for you\nC: QUIT\n", evidence.StageGreeting, evidence.OriginRemote, evidence.ScopeHost, 554, nil},
		{"no greeting", nil, "X:\n", evidence.StageGreeting, evidence.OriginNetwork, evidence.ScopeHost, 0, ErrClosed},
		{"IMAP", nil, "S: * OK IMAP4rev1 ready\n", evidence.StageGreeting, evidence.OriginNetwork, evidence.ScopeHost, 0, nil},
		{"EHLO and HELO refused", nil, greeting + "C: EHLO post.test\nS: 550 who?\nC: HELO post.test\nS: 550 who?\nC: QUIT\n", evidence.StageEHLO, evidence.OriginRemote, evidence.ScopeHost, 550, nil},
		{"EHLO refused, and hung up", nil, greeting + "C: EHLO post.test\nS: 554 go away\nX:\n", evidence.StageEHLO, evidence.OriginRemote, evidence.ScopeHost, 554, nil},
		{"STARTTLS not offered", nil, greeting + offers + last + "C: QUIT\n", evidence.StageStartTLS, evidence.OriginLocal, evidence.ScopeHost, 0, ErrNoStartTLS},
		{"STARTTLS not now", nil, greeting + offers + "S: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now\nC: QUIT\n", evidence.StageStartTLS, evidence.OriginRemote, evidence.ScopeHost, 454, nil},
		{"something behind STARTTLS", nil, greeting + offers + "S: 250 STARTTLS\nC: STARTTLS\nS: 220 go ahead\nS: 250 AUTH PLAIN\n", evidence.StageStartTLS, evidence.OriginNetwork, evidence.ScopeHost, 0, ErrInjection},
		{"plain where TLS is expected", func(o *Options) { o.Implicit = true }, greeting, evidence.StageTLS, evidence.OriginNetwork, evidence.ScopeHost, 0, nil},
		{"no login offered", loggingIn("ann", "secret"), "T:\n" + greeting + "C: EHLO post.test\nS: 250 mx.test\nC: QUIT\n", evidence.StageAuth, evidence.OriginLocal, evidence.ScopeRoute, 0, ErrAuthNotOffered},
		{"no login in the clear", func(o *Options) { o.Policy, o.User, o.Password = TLSNone, "ann", "secret" }, greeting + offers + last + "C: QUIT\n", evidence.StageAuth, evidence.OriginLocal, evidence.ScopeRoute, 0, ErrAuthClearText},
		{"no mechanism in common", loggingIn("ann", "secret"), "T:\n" + greeting + "C: EHLO post.test\nS: 250-mx.test\nS: 250 AUTH GSSAPI NEGOTIATE\nC: QUIT\n", evidence.StageAuth, evidence.OriginLocal, evidence.ScopeRoute, 0, nil},
		{"wrong password", loggingIn("ann", "secret"), "T:\n" + greeting + offers + last + "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 535 5.7.8 no\nC: QUIT\n", evidence.StageAuth, evidence.OriginRemote, evidence.ScopeRoute, 535, nil},
		{"login service fails", loggingIn("ann", "secret"), "T:\n" + greeting + offers + last + "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 454 4.7.0 later\nC: QUIT\n", evidence.StageAuth, evidence.OriginRemote, evidence.ScopeHost, 454, nil},
		{"line dies in the login", loggingIn("ann", "secret"), "T:\n" + greeting + offers + last + "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nX:\n", evidence.StageAuth, evidence.OriginNetwork, evidence.ScopeConnection, 0, ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, c.change, c.script)
			err := client.Open(t.Context())
			if err == nil {
				t.Fatal("it opened")
			}
			if err.Stage != c.stage || err.Origin != c.origin || err.Scope != c.scope || err.Reply.Code != c.code || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %s %s %s %d: %v", err.Stage, err.Origin, err.Scope, err.Reply.Code, err)
			}
			if client.Alive() {
				t.Error("the connection is still open")
			}
			if r := client.Record(err); r.Failure == nil || r.Failure.Stage != c.stage {
				t.Errorf("the record says %+v", r.Failure)
			}
		})
	}
}

// loggingIn has a client log in over TLS at once.
func loggingIn(user, password string) func(*Options) {
	return func(o *Options) { o.Implicit, o.User, o.Password = true, user, password }
}

// TestOpen_CertificateForAnotherName: nothing is said to a server that is not the
// one asked for.
func TestOpen_CertificateForAnotherName(t *testing.T) {
	server, client := smtptest.TLS(t, "mx.test")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			read <- err.Error()
			return
		}
		defer conn.Close()
		c := tls.Server(conn, server)
		b := make([]byte, 100)
		n, _ := c.Read(b) // the handshake fails, and so nothing comes
		read <- string(b[:n])
	}()
	client = client.Clone()
	client.ServerName = ""
	at := l.Addr().(*net.TCPAddr).AddrPort()
	c := New(Options{Hostname: "post.test", Host: "other.test", Port: int(at.Port()), Implicit: true, TLSConfig: client, Addresses: []netip.Addr{at.Addr()}})
	failure := c.Open(t.Context())
	var name x509.HostnameError
	if failure == nil || failure.Stage != evidence.StageTLS || !errors.As(failure, &name) {
		t.Errorf("%v", failure)
	}
	if r := c.Record(failure); r.TLS == nil || r.TLS.Verified || len(r.TLS.Chain) == 0 {
		t.Errorf("the record does not show the certificate: %+v", r.TLS)
	}
	if s := <-read; s != "" {
		t.Errorf("it said %q", s)
	}
}

// TestOpen_OpportunisticGoesOnInTheClear: a handshake that fails is followed by a
// new connection without STARTTLS, where clear text was allowed anyway.
func TestOpen_OpportunisticGoesOnInTheClear(t *testing.T) {
	c := dial(t, func(o *Options) { o.Policy = TLSOpportunistic },
		greeting+offers+"S: 250 STARTTLS\nC: STARTTLS\nS: 220 go ahead\nX:\n",
		greeting+offers+"S: 250 STARTTLS\nC: QUIT\nS: 221 bye\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Secure() {
		t.Error("it says that TLS is on")
	}
	c.Close()
}

func TestOpen_LOGINWherePLAINTurnsOutUnknown(t *testing.T) {
	c := dial(t, loggingIn("ann", "secret"), "T:\n"+greeting+offers+last+
		"C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 504 5.5.4 not implemented\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 welcome\nC: QUIT\nS: 221 bye\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestRecord_NeverHoldsACredential looks for the password and its encodings in all
// that is recorded, also where the server repeats them.
func TestRecord_NeverHoldsACredential(t *testing.T) {
	c := dial(t, loggingIn("ann", "correct horse"), "T:\n"+greeting+offers+last+
		"C: AUTH PLAIN AGFubgBjb3JyZWN0IGhvcnNl\nS: 535 5.7.8 AGFubgBjb3JyZWN0IGhvcnNl means correct horse, and that is wrong\nC: QUIT\n")
	err := c.Open(t.Context())
	if err == nil {
		t.Fatal("it opened")
	}
	text := err.Error()
	r := c.Record(err)
	for _, l := range r.Lines {
		text += "\n" + l.From + ": " + l.Text
	}
	text += strings.Join(r.Failure.Reply.Lines, "\n")
	if strings.Contains(text, "correct horse") || strings.Contains(text, "AGFubgBj") || !strings.Contains(text, "AUTH PLAIN ***") {
		t.Error(text)
	}
}

// TestSend_GivenUpBeforeTheDotOnly: the end of the context ends a transaction in
// which the dot is not out, and waits for the reply where it is.
func TestSend_GivenUpBeforeTheDotOnly(t *testing.T) {
	c := dial(t, ways[0].change, ways[0].begin+"C: MAIL FROM:<ann@example.org>\nC: RCPT TO:<bob@example.net>\nC: RCPT TO:<eve@example.net>\nC: DATA\nE:\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	a := c.Send(ctx, letter())
	if a.Err == nil || !errors.Is(a.Err, ErrGivenUp) || a.Uncertain() || c.Alive() {
		t.Errorf("%+v, alive %v", a.Err, c.Alive())
	}
}

func TestSend_RefusesHereWhatTheServerCannotTake(t *testing.T) {
	c := dial(t, ways[0].change, greeting+"C: EHLO post.test\nS: 250-mx.test\nS: 250 SIZE 1000\nC: QUIT\nS: 221 bye\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		m        Mail
		code     int
		enhanced string
	}{
		{Mail{From: "ann@example.org", Recipients: []smtp.Recipient{{Path: "bob@example.net"}}, Size: 1001}, 552, "5.3.4"},
		{Mail{From: "änn@example.org", Recipients: []smtp.Recipient{{Path: "bob@example.net"}}}, 550, "5.6.7"},
		{Mail{From: "ann@example.org", Recipients: []smtp.Recipient{{Path: "bob@example.net\r\nDATA"}}}, 501, "5.1.3"},
		{Mail{From: "ann@example.org\r\nRSET", Recipients: []smtp.Recipient{{Path: "bob@example.net"}}}, 501, "5.1.7"},
	} {
		a := c.Send(t.Context(), &x.m)
		if a.Err == nil || a.Err.Origin != evidence.OriginLocal || a.Err.Reply.Code != x.code || a.Err.Reply.Enhanced.String() != x.enhanced {
			t.Errorf("%+v: %v", x.m, a.Err)
		}
	}
	c.Close()
}

// TestOpen_TriesEachAddress: the second address answers where the first refuses.
func TestOpen_TriesEachAddress(t *testing.T) {
	c := dial(t, func(o *Options) {
		ways[0].change(o)
		o.Addresses = append([]netip.Addr{netip.MustParseAddr("127.0.0.2")}, o.Addresses...)
		dial := (&net.Dialer{}).DialContext
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "127.0.0.2:") {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, network, address)
		}
	}, ways[0].begin+"C: QUIT\nS: 221 bye\n")
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := c.Record(nil); len(r.Dials) != 2 || r.Dials[0].Error == "" || r.Dials[1].Error != "" {
		t.Errorf("%+v", r.Dials)
	}
	c.Close()
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("220 mx.test ESMTP\r\n250-mx.test\r\n250 PIPELINING\r\n"))
	f.Add([]byte("220-\r\n220 \r\n999 x\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		client, server := net.Pipe()
		server.SetDeadline(time.Now().Add(time.Second))
		go func() {
			server.Write(in)
			server.Close()
		}()
		go io.Copy(io.Discard, server)
		c := New(Options{Hostname: "post.test", Host: "mx.test", Port: 25, Policy: TLSNone, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
			TLSConfig: &tls.Config{}, Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }})
		if err := c.Open(t.Context()); err == nil {
			c.Send(t.Context(), letter())
		}
		c.abort()
		c.Record(nil)
	})
}
