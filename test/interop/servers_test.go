package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

type start = func(context.Context, peers.ServerOptions) (*peers.Server, error)

func servers(tree *peers.Tree) map[string]start {
	return map[string]start{"postfix": tree.StartPostfix, "exim": tree.StartExim}
}

// meeting is a server and the way mail takes to it.
type meeting struct {
	name      string
	starttls  bool // the server offers it
	login     bool // and asks for it
	lacks     string
	tls       string // of the route
	protocol  string // that the server's Received must name, RFC 3848
	converted bool   // 8-bit content cannot stay as it is
}

var meetings = []meeting{
	{name: "plain", tls: "none", protocol: "ESMTP"},
	{name: "starttls ignored", starttls: true, tls: "none", protocol: "ESMTP"},
	{name: "starttls", starttls: true, tls: "verified", protocol: "ESMTPS"},
	{name: "starttls opportunistic", starttls: true, tls: "opportunistic", protocol: "ESMTPS"},
	{name: "no starttls opportunistic", tls: "opportunistic", protocol: "ESMTP"},
	{name: "starttls and login", starttls: true, login: true, tls: "verified", protocol: "ESMTPSA"},
	{name: "no pipelining", lacks: "PIPELINING", tls: "none", protocol: "ESMTP"},
	{name: "no 8bitmime", lacks: "8BITMIME", tls: "none", protocol: "ESMTP", converted: true},
}

func TestServers_ReceiveWhatWasSent(t *testing.T) {
	for name, start := range servers(peers.Need(t)) {
		for _, m := range meetings {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				meet(t, start, m)
			})
		}
	}
}

func meet(t *testing.T, start start, m meeting) {
	sink := keepingSink(t)
	office, _ := connect(t, start, sink, m, password)
	texts := map[string]string{
		"short":     message("short", textHeader, fragile...),
		"unicode":   message("unicode", utf8Header, append([]string{"Grüße, 你好", "."}, fragile...)...),
		"multipart": message("multipart", `Content-Type: multipart/mixed; boundary="b"`, multipartLines...),
		"large":     message("large", textHeader, strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 6000)),
	}
	for _, text := range texts {
		parameters := ""
		if !sevenBit(text) {
			parameters = " BODY=8BITMIME"
		}
		submit(t, office.Address("relay"), parameters, text, "bob@recipient.test", "carol@recipient.test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	// A server may give its next hop each recipient alone.
	recipients := func(s *traffic.Sink) (n int) {
		for _, m := range s.Messages() {
			n += len(m.To)
		}
		return n
	}
	if err := sink.Wait(ctx, func(s *traffic.Sink) bool { return recipients(s) >= 2*len(texts) }); err != nil {
		t.Fatalf("%d of %d recipients arrived: %v; queue %+v", recipients(sink), 2*len(texts), err, office.MustQueue(t))
	}
	for _, got := range sink.Messages() {
		compare(t, m, got, texts)
	}
	if n := recipients(sink); n != 2*len(texts) {
		t.Errorf("%d recipients arrived, want %d", n, 2*len(texts))
	}
	emptyQueue(t, office)
}

// compare compares what arrived with what was sent.
func compare(t *testing.T, m meeting, got traffic.Message, texts map[string]string) {
	t.Helper()
	parsed, err := mail.ReadMessage(bytes.NewReader(got.Data))
	if err != nil {
		t.Errorf("what arrived is no message: %v\n%q", err, got.Data)
		return
	}
	subject := parsed.Header.Get("Subject")
	want, ok := texts[subject]
	if !ok {
		t.Errorf("what arrived has the subject %q", subject)
		return
	}
	// The peer's own Received is the first.
	received := strings.ToUpper(parsed.Header["Received"][0])
	if fields := strings.Fields(strings.ReplaceAll(received, ";", " ")); !contains(fields, "WITH", m.protocol) {
		t.Errorf("%s: the server was given it by %q; want with %s", subject, received, m.protocol)
	}
	if !m.converted || sevenBit(want) {
		if !bytes.HasSuffix(got.Data, []byte(want)) {
			t.Errorf("%s has changed:\n%q\nwant at its end\n%q", subject, got.Data, want)
		}
		return
	}
	original, err := mail.ReadMessage(strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if !sevenBit(string(got.Data)) {
		t.Errorf("%s went as 8-bit to a server that does not offer 8BITMIME", subject)
	}
	if g, w := content(t, parsed), content(t, original); g != w {
		t.Errorf("%s says\n%q\nwant\n%q", subject, g, w)
	}
}

// contains reports whether word is followed by next.
func contains(fields []string, word, next string) bool {
	for i := range len(fields) - 1 {
		if fields[i] == word && fields[i+1] == next {
			return true
		}
	}
	return false
}

var multipartLines = []string{
	"a preamble", "--b", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "",
	"Grüße = und so weiter ", ".", "--b", "Content-Type: text/plain", "", "plain", "--b--", "an epilogue",
}

// content returns the decoded content of a message, part by part.
func content(t *testing.T, m *mail.Message) string {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return decode(t, m.Header.Get("Content-Transfer-Encoding"), m.Body)
	}
	var b strings.Builder
	for r := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "[part] %s\n", decode(t, p.Header.Get("Content-Transfer-Encoding"), p))
	}
}

func decode(t *testing.T, encoding string, r io.Reader) string {
	t.Helper()
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sevenBit(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

// connect starts a peer that relays to sink and an office that relays to it.
func connect(t *testing.T, start start, sink *traffic.Sink, m meeting, secret string) (*binary.Office, *peers.Server) {
	t.Helper()
	certificate, err := peers.NewCertificate(t.TempDir(), "peer.test")
	if err != nil {
		t.Fatal(err)
	}
	o := peers.ServerOptions{Relay: sink.Addr(), NoPipelining: m.lacks == "PIPELINING", No8BitMIME: m.lacks == "8BITMIME"}
	if m.starttls {
		o.Certificate, o.Key = certificate.Chain, certificate.Key
	}
	if m.login {
		o.User, o.Password = account, password
	}
	peer := peers.Start(t, start, o)
	route := fmt.Sprintf("[[route]]\nname = \"peer\"\nrecipients = [\"*\"]\nvia = [%q]\ntls = %q\nca = %q\n", "smtp://"+peer.Address, m.tls, certificate.CA)
	office := func() *binary.Office {
		if !m.login {
			return relayOffice(t, route)
		}
		file := filepath.Join(t.TempDir(), "peer.secret")
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return relayOffice(t, route+fmt.Sprintf("user = %q\npassword_file = %q\n", account, file))
	}()
	return office, peer
}

// relayOffice starts a server that takes mail without login and sends it by route.
func relayOffice(t *testing.T, route string) *binary.Office {
	t.Helper()
	o := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.0/8"]`}},
		Tables:    route,
	})
	o.MustStart(t)
	return o
}

func keepingSink(t *testing.T) *traffic.Sink {
	t.Helper()
	s, err := traffic.NewSink(traffic.SinkOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// emptyQueue fails the test unless the queue is empty soon: an answer that has
// arrived may not have been written down yet.
func emptyQueue(t *testing.T, o *binary.Office) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if len(o.MustQueue(t)) == 0 {
			return
		}
		<-tick.C
	}
	t.Errorf("the queue still has %+v", o.MustQueue(t))
}

// TestServers_OperatorsFaultKeepsMail: what the server's operator must mend leaves
// mail in the queue with its cause, and sends nothing in a weaker way.
func TestServers_OperatorsFaultKeepsMail(t *testing.T) {
	for name, start := range servers(peers.Need(t)) {
		for _, c := range []struct {
			meeting
			secret string
			cause  string // what the cause begins with
		}{
			{meeting{name: "no starttls", tls: "verified"}, "", "tls."},
			{meeting{name: "wrong password", starttls: true, login: true, tls: "verified"}, "wrong", "auth."},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				sink := keepingSink(t)
				office, _ := connect(t, start, sink, c.meeting, c.secret)
				submit(t, office.Address("relay"), "", message("kept", textHeader, "kept"), "bob@recipient.test")
				e := awaitCause(t, office)
				if !strings.HasPrefix(e.Cause, c.cause) {
					t.Errorf("cause %q, reply %q; want %s…", e.Cause, e.Reply, c.cause)
				}
				if e.State != "queued" && e.State != "held" {
					t.Errorf("state %q, want it kept", e.State)
				}
				if sink.Count() != 0 {
					t.Errorf("%d messages were sent nevertheless", sink.Count())
				}
			})
		}
	}
}

// awaitCause returns the only recipient of the queue when it has a cause.
func awaitCause(t *testing.T, o *binary.Office) binary.Entry {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 300 {
		if q := o.MustQueue(t); len(q) == 1 && q[0].Cause != "" {
			return q[0]
		}
		<-tick.C
	}
	t.Fatalf("no cause; queue %+v", o.MustQueue(t))
	return binary.Entry{}
}
