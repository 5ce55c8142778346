package lab

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatience is how long a client of these tests waits for a server that will not
// answer; a good answer comes sooner on the slowest machine, or comes too late to
// be told from none.
const impatience = 3 * time.Second

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if s, ok := Find(o.Cause); ok && s.Port != 0 && o.Listen == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0") // the ports below 1024 are not everybody's
		if err != nil {
			t.Fatal(err)
		}
		o.Listen = l.Addr().String()
		l.Close()
	}
	if o.Slow == 0 {
		o.Slow = 20 * time.Millisecond
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// client returns a client that does as it was told.
func client(s *Server, wait time.Duration) *smtpclient.Client {
	set := s.Settings()
	at := netip.MustParseAddrPort(s.Addr())
	o := smtpclient.Options{
		Hostname: "client.example.org", Host: set.Host, Port: set.Port, Addresses: []netip.Addr{at.Addr()},
		Implicit: set.Security == "tls", Roots: s.Roots(), User: set.User, Password: set.Password,
		Timeouts: smtpclient.Timeouts{Connect: wait, TLS: wait, Greeting: wait, Command: wait, Mail: wait, Rcpt: wait, DataInit: wait, DataBlock: wait, DataDot: wait},
	}
	if set.Security == "none" {
		o.Policy, o.PlaintextAuth = smtpclient.TLSNone, true
	}
	return smtpclient.New(o)
}

// send sends one message as told and returns what failed, or nil.
func send(t *testing.T, s *Server, wait time.Duration) *evidence.Error {
	t.Helper()
	c := client(s, wait)
	defer c.Close()
	if err := c.Open(t.Context()); err != nil {
		return err
	}
	set := s.Settings()
	lines := 20
	if s.Scenario().Stage == evidence.StageData {
		lines = 200_000 // more than the sockets' buffers take
	}
	body := "From: " + set.From + "\r\nTo: " + set.To + "\r\nSubject: lab\r\n\r\n" + strings.Repeat("A line of some length, to make a message.\r\n", lines)
	a := c.Send(t.Context(), &smtpclient.Mail{From: smtp.Path(set.From), Recipients: []smtp.Recipient{{Path: smtp.Path(set.To)}}, Head: []byte(body), Size: int64(len(body))})
	if a.Err != nil {
		return a.Err
	}
	return a.Refused[0]
}

func facts(s *Server) explain.Facts {
	set := s.Settings()
	return explain.Facts{Host: set.Host, Port: set.Port, Security: set.Security, User: set.User, Sender: set.From, Recipient: set.To}
}

// TestScenarios_AClientMeetsTheCause has a client do as it is told by each
// scenario. What it meets is the cause, as far as words alone can say.
func TestScenarios_AClientMeetsTheCause(t *testing.T) {
	for _, sc := range Scenarios() {
		t.Run(sc.ID, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Cause: sc.ID})
			if s.Settings().Auth != "" {
				checkToken(t, s)
				return
			}
			if sc.ID == "ok/imap" || sc.ID == "ok/pop3" {
				checkMailbox(t, s)
				return
			}
			err := send(t, s, impatience)
			if sc.Cause == "" || sc.Harmless {
				if err != nil {
					t.Fatalf("%v\n%s", err, s.Transcript())
				}
				return
			}
			if err == nil {
				t.Fatalf("the message was accepted\n%s", s.Transcript())
			}
			f := explain.Error(err, facts(s))
			if f.Cause != sc.Cause && !slices.Contains(sc.Words, f.Cause) {
				t.Errorf("%v is taken for %s, want %s or one of %s\n%s", err, f.Cause, sc.Cause, sc.Words, s.Transcript())
			}
			if err.Stage != sc.Stage {
				t.Errorf("it shows at %s, want %s: %v", err.Stage, sc.Stage, err)
			}
		})
	}
}

// raw opens a conversation of lines, over TLS where told, without checking the
// certificate.
func raw(t *testing.T, s *Server, secure bool) (say func(string) string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	br := bufio.NewReader(conn)
	return func(line string) string {
		if line == "STARTTLS!" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			br = bufio.NewReader(conn)
			return ""
		}
		if line != "" {
			if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		var all []string
		for {
			l, err := br.ReadString('\n')
			if err != nil {
				t.Fatalf("after %q: %v", line, err)
			}
			l = strings.TrimRight(l, "\r\n")
			all = append(all, l)
			if len(l) < 4 || l[3] != '-' {
				return strings.Join(all, "\n")
			}
		}
	}
}

// checkToken logs in with the token that the scenario tells.
func checkToken(t *testing.T, s *Server) {
	set := s.Settings()
	say := raw(t, s, false)
	say("")
	say("EHLO client.example.org")
	say("STARTTLS")
	say("STARTTLS!")
	say("EHLO client.example.org")
	text := say("AUTH XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user="+set.User+"\x01auth=Bearer "+set.Password+"\x01\x01")))
	if strings.HasPrefix(text, "334 ") {
		text += "\n" + say("=")
	}
	say("QUIT")
	want := s.Scenario()
	if want.Cause == "" {
		if !strings.HasPrefix(text, "235") {
			t.Errorf("the token is refused: %s", text)
		}
		return
	}
	got := explain.Text(text, explain.Facts{Stage: "auth"})[0].Cause
	if got != want.Cause && !slices.Contains(want.Words, got) {
		t.Errorf("%q is taken for %s, want %s or one of %s", text, got, want.Cause, want.Words)
	}
	if strings.Contains(s.Transcript(), base64.StdEncoding.EncodeToString([]byte("user="))[:6]) {
		t.Error("the token is in the transcript")
	}
}

// checkMailbox logs in at a server for incoming mail.
func checkMailbox(t *testing.T, s *Server) {
	set := s.Settings()
	say := raw(t, s, true)
	greeting := say("")
	var refused, accepted string
	if s.Scenario().ID == "ok/imap" {
		refused = say("a LOGIN " + set.User + " no")
		accepted = say(`b LOGIN "` + set.User + `" "` + set.Password + `"`)
	} else {
		say("USER " + set.User)
		refused = say("PASS no")
		say("USER " + set.User)
		accepted = say("PASS " + set.Password)
	}
	if !strings.Contains(refused, "AUTH") || !strings.Contains(accepted, "OK") {
		t.Errorf("%s: wrong password %q, right password %q", greeting, refused, accepted)
	}
	if strings.Contains(s.Transcript(), set.Password) {
		t.Error("the password is in the transcript")
	}
}

// Causes that no server can show by itself, and why.
var beyond = map[cause.ID]string{
	"dns.": "names", "client.": "the client", "delivery.": "between servers", "net.offline": "the network", "net.captive-portal": "the network",
	"net.ipv6-broken": "the network", "net.mtu-black-hole": "the network", "net.host-down": "the network", "net.port-blocked": "the network",
	"net.unreachable": "the network", "net.proxy-refused": "a proxy", "service.wrong-port": "two ports", "tls.clock-wrong": "the client's clock",
	"tls.delivery-policy": "between servers", "auth.oauth-refresh-failed": "the identity provider", "auth.ntlm-failed": "the client's mechanism",
}

func TestScenarios_CoverWhatAServerCanShow(t *testing.T) {
	have := map[cause.ID]bool{}
	for _, s := range Scenarios() {
		have[s.Cause] = true
		if _, ok := cause.Lookup(s.Cause); !ok && s.Cause != "" {
			t.Errorf("%s has the unknown cause %s", s.ID, s.Cause)
		}
		if s.Cause != "" && s.ID != string(s.Cause) && !strings.HasPrefix(s.ID, string(s.Cause)+"/") {
			t.Errorf("%s is no variant of %s", s.ID, s.Cause)
		}
		if s.Title == "" || s.Shows == "" || s.Stage == "" || strings.HasSuffix(s.Title, ".") {
			t.Errorf("%s lacks a text", s.ID)
		}
		if _, ok := findPersona(s.Persona); !ok {
			t.Errorf("%s has the unknown persona %s", s.ID, s.Persona)
		}
		for _, w := range s.Words {
			if _, ok := cause.Lookup(w); !ok {
				t.Errorf("%s: unknown cause %s", s.ID, w)
			}
		}
	}
	for _, c := range cause.All() {
		if !have[c.ID] && beyond[c.ID] == "" && beyond[cause.ID(c.ID.Family()+".")] == "" {
			t.Errorf("%s has no scenario", c.ID)
		}
	}
}

func TestPersonas_AcceptMail(t *testing.T) {
	for _, p := range Personas() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Cause: "ok", Persona: p.Name})
			err := send(t, s, impatience)
			if p.Name == "printer-era" {
				// Its TLS 1.0 is refused by a client of today: that is what it is for.
				if err == nil || explain.Error(err, facts(s)).Cause != "tls.protocol-version" {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Errorf("%v\n%s", err, s.Transcript())
			}
		})
	}
}

func TestPersona_PrinterEraServesOldClients(t *testing.T) {
	s := start(t, Options{Cause: "ok", Persona: "printer-era"})
	set := s.Settings()
	c := smtpclient.New(smtpclient.Options{Hostname: "scanner", Host: set.Host, Port: set.Port, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Policy: smtpclient.TLSOpportunistic, Roots: s.Roots(), User: set.User, Password: set.Password})
	defer c.Close()
	if err := c.Open(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.Transcript())
	}
	if got := c.Record(nil).TLS.Version; got != "TLS 1.0" {
		t.Errorf("%s was agreed on", got)
	}
}

func TestStart_UnknownNames(t *testing.T) {
	for _, o := range []Options{{Cause: "tls.certificate-expird"}, {Cause: ""}, {Cause: "ok", Persona: "exim"}} {
		if s, err := Start(t.Context(), o); err == nil {
			s.Close()
			t.Errorf("%+v starts", o)
		}
	}
}

// TestServer_EndsWithItsContext: conversations are cut off and the port is free.
func TestServer_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Options{Cause: "service.wrong-protocol-other/silence"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection stays open: %v", err)
	}
}

// TestServer_Transcript: what a client did is told, its password and its message
// are not.
func TestServer_Transcript(t *testing.T) {
	lines := make(chan Line, 100)
	s := start(t, Options{Cause: "ok", Log: func(l Line) { lines <- l }})
	if err := send(t, s, impatience); err != nil {
		t.Fatal(err)
	}
	s.Close()
	close(lines)
	logged := 0
	for range lines {
		logged++
	}
	all := s.Conversations()
	if len(all) != 1 {
		t.Fatalf("%d conversations", len(all))
	}
	c := all[0]
	if !c.Ended || !c.SignedIn || c.Accepted != 1 || c.User != rightUser || c.HELO != "client.example.org" || c.TLS != "TLS 1.3" {
		t.Errorf("%+v", c)
	}
	if logged != len(c.Lines) {
		t.Errorf("%d lines were logged, %d are kept", logged, len(c.Lines))
	}
	text := s.Transcript()
	for _, secret := range []string{rightPassword, base64.StdEncoding.EncodeToString([]byte(rightPassword)), "A line of some length",
		base64.StdEncoding.EncodeToString([]byte("\x00" + rightUser + "\x00" + rightPassword))} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the transcript:\n%s", secret, text)
		}
	}
	for _, want := range []string{"C: EHLO client.example.org", "S: 220 localhost ESMTP Postfix", "C: AUTH PLAIN ***", "C: MAIL FROM:<ann@example.org>", "S: 250 2.0.0 Ok: queued as"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the transcript:\n%s", want, text)
		}
	}
}

// TestServer_IssuerCanBeFetched: the certificate that the chain lacks is where the
// leaf says.
func TestServer_IssuerCanBeFetched(t *testing.T) {
	s := start(t, Options{Cause: "tls.certificate-chain-incomplete"})
	if len(s.tls.Certificates[0].Leaf.IssuingCertificateURL) != 1 {
		t.Fatal("the leaf does not say where its issuer is")
	}
	url := s.tls.Certificates[0].Leaf.IssuingCertificateURL[0]
	at, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n", path, at)
	b, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(b), "200 OK") || !strings.Contains(string(b), "application/pkix-cert") {
		t.Errorf("%v: %.200q", err, b)
	}
}
