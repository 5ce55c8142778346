package deliver

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// TestSend_RouteMailbox is what a smart host that knows one sender is told.
func TestSend_RouteMailbox(t *testing.T) {
	const from = "From: Scanner 2 <scanner@lan>\r\n"
	const rewritten = "C: From: \"Scanner 2 (scanner@lan)\" <relay@example.org>\nC: Reply-To: Scanner 2 <scanner@lan>\n"
	for _, c := range []struct {
		name             string
		route            route.Route
		envelope         spool.Envelope
		wantFrom, wantIn string
	}{
		{"both", route.Route{From: "relay@example.org"}, spool.Envelope{From: "scanner@lan"}, "relay@example.org", rewritten},
		{"keep", route.Route{From: "relay@example.org", Rewrite: route.RewriteKeep}, spool.Envelope{From: "scanner@lan"}, "scanner@lan", "C: From: Scanner 2 <scanner@lan>\n"},
		{"envelope", route.Route{From: "relay@example.org", Rewrite: route.RewriteEnvelope}, spool.Envelope{From: "scanner@lan"}, "relay@example.org", "C: From: Scanner 2 <scanner@lan>\n"},
		{"from", route.Route{From: "relay@example.org", Rewrite: route.RewriteFrom}, spool.Envelope{From: "scanner@lan"}, "scanner@lan", rewritten},
		{"alias", route.Route{From: "relay@example.org", Aliases: []string{"scanner@lan"}}, spool.Envelope{From: "scanner@lan"}, "scanner@lan", "C: From: Scanner 2 <scanner@lan>\n"},
		{"listener keeps", route.Route{From: "relay@example.org", Exceptions: &route.Exceptions{Listeners: map[string]route.Rewrite{":25": route.RewriteKeep}}},
			spool.Envelope{From: "scanner@lan", Listener: ":25"}, "scanner@lan", "C: From: Scanner 2 <scanner@lan>\n"},
		{"device keeps From", route.Route{From: "relay@example.org", Exceptions: &route.Exceptions{Devices: map[string]route.Rewrite{"scanner": route.RewriteEnvelope}}},
			spool.Envelope{From: "scanner@lan", Device: "scanner"}, "relay@example.org", "C: From: Scanner 2 <scanner@lan>\n"},
		{"notification", route.Route{From: "relay@example.org"}, spool.Envelope{}, "relay@example.org", strings.Split(rewritten, "C: Reply-To")[0]},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, map[string][]string{"127.0.0.2:25": {open + "C: MAIL FROM:<" + c.wantFrom + ">\nS: 250 ok\n" + bob +
				"C: DATA\nS: 354 go ahead\nC: Received: by post.test\n" + c.wantIn + "C: Subject: scan\nC: \nC: text\nC: .\nS: 250 taken\n" + quit}})
			d := New(Options{Hostname: "post.test", Dial: w.dial, Resolver: names{addresses: map[string][]string{"smart.test": {"127.0.0.2"}}}})
			r := c.route
			r.Name, r.Via, r.TLS = "smart", []route.Via{{Scheme: route.SchemeSMTP, Host: "smart.test", Port: 25}}, route.TLSNone
			conv := d.Open(&r, "smart")
			defer conv.Close()
			const body = from + "Subject: scan\r\n\r\ntext\r\n"
			m := &spool.Message{ID: "1", Envelope: c.envelope, Header: []byte("Received: by post.test\r\n"), BodySize: int64(len(body)),
				Recipients: []spool.Recipient{{Path: smtp.Path("bob@example.net")}}}
			res := conv.Send(context.Background(), &Request{Message: m, Body: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }})
			if res.Outcomes[0].Status != Delivered {
				t.Errorf("%+v", res.Outcomes[0])
			}
		})
	}
}

// TestSend_SizeIsThatOfTheRewrittenMessage: a message grows by its mailbox and by
// conversion to 7 bits, and the server is told of what it is sent. RFC 1870 §6.1.
func TestSend_SizeIsThatOfTheRewrittenMessage(t *testing.T) {
	const head = "Received: by post.test\r\n"
	const mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
	const rewritten = head + "From: \"Scanner 2 (scanner@lan)\" <relay@example.org>\r\nReply-To: Scanner 2 <scanner@lan>\r\n" + mime
	for _, c := range []struct {
		name, offers, want string
		most               int // octets that the server takes
		status             Status
	}{
		{"8 bits", "S: 250-8BITMIME\n", rewritten + "8bit\r\n\r\nGrüße\r\n", 1000, Delivered},
		{"7 bits", "", rewritten + "quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n", 1000, Delivered},
		{"too large by that alone", "S: 250-8BITMIME\n", "", 200, Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			dialogue := fmt.Sprintf("S: 220 mx.test ESMTP\nC: EHLO post.test\nS: 250-mx.test\n%sS: 250 SIZE %d\n", c.offers, c.most)
			if c.status == Delivered {
				body8 := ""
				if c.offers != "" {
					body8 = " BODY=8BITMIME"
				}
				dialogue += fmt.Sprintf("C: MAIL FROM:<relay@example.org> SIZE=%d%s\nS: 250 ok\n", len(c.want), body8) + bob + "C: DATA\nS: 354 go\n"
				for line := range strings.Lines(c.want) {
					dialogue += "C: " + strings.TrimRight(line, "\r\n") + "\n"
				}
				dialogue += "C: .\nS: 250 taken\n"
			}
			w := newWorld(t, map[string][]string{"127.0.0.2:25": {dialogue + quit}})
			d := New(Options{Hostname: "post.test", Dial: w.dial, Resolver: names{addresses: map[string][]string{"smart.test": {"127.0.0.2"}}}})
			conv := d.Open(&route.Route{Name: "smart", From: "relay@example.org", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "smart.test", Port: 25}}, TLS: route.TLSNone}, "")
			defer conv.Close()
			const body = "From: Scanner 2 <scanner@lan>\r\n" + mime + "8bit\r\n\r\nGrüße\r\n"
			m := &spool.Message{ID: "1", Envelope: spool.Envelope{From: "scanner@lan", Params: smtp.MailParams{Body: smtp.Body8BitMIME}}, Header: []byte(head), BodySize: int64(len(body)),
				Recipients: []spool.Recipient{{Path: smtp.Path("bob@example.net")}}}
			if int(m.BodySize)+len(head) > 200 {
				t.Fatal("it is too large as it came")
			}
			res := conv.Send(t.Context(), &Request{Message: m, Body: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }})
			if o := res.Outcomes[0]; o.Status != c.status || c.status == Failed && o.Finding.Cause != "message.too-large" {
				t.Errorf("%+v", o)
			}
		})
	}
}
