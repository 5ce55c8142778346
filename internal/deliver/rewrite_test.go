package deliver

import (
	"context"
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
