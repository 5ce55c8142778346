package deliver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/internal/smtptest"
	"github.com/wellsent/wellsent/internal/spool"
)

// relay is the mailbox of the routes in these tests.
const relay = "relay@example.org"

// login is a dialogue up to the login of relay with the password hunter2.
var loginBegin = "S: 220 one.test ESMTP\nC: EHLO post.test\nS: 250-one.test\nS: 250-8BITMIME\nS: 250 AUTH PLAIN\nC: AUTH PLAIN " +
	base64.StdEncoding.EncodeToString([]byte("\x00"+relay+"\x00hunter2")) + "\n"

const (
	switchedOffReply = "S: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled\nC: QUIT\n"
	refusedReply     = "S: 535 5.7.8 Username and password not accepted\nC: QUIT\n"
	loggedIn         = "S: 235 2.7.0 ok\n"
)

// place is a deliverer in a world with SMTP servers by script and one Graph and one
// Gmail by HTTPS.
type place struct {
	w     *world
	graph *apitest.Graph
	gmail *apitest.Gmail
	d     *Deliverer
	log   *bytes.Buffer
	route *route.Route
}

// newPlace has a route with these vias: "one" and "two" are smart hosts.
func newPlace(t *testing.T, at map[string][]string, vias ...string) *place {
	t.Helper()
	p := &place{w: newWorld(t, at), graph: apitest.NewGraph(t, relay), gmail: apitest.NewGmail(t, relay), log: &bytes.Buffer{}}
	p.graph.Allow("for-graph")
	p.gmail.Allow("for-gmail")
	p.route = &route.Route{Name: "m365", User: relay, Password: func() (string, error) { return "hunter2", nil }, TLS: route.TLSNone, Roots: p.graph.Roots,
		Token: func(_ context.Context, s route.Scheme, refused string) (string, error) {
			if refused != "" {
				return "", oauth.ErrFresh
			}
			return "for-" + string(s), nil
		}}
	for _, v := range vias {
		switch v {
		case "one", "two":
			p.route.Via = append(p.route.Via, route.Via{Scheme: route.SchemeSMTP, Host: v + ".test", Port: 587})
		case "graph":
			p.route.Via = append(p.route.Via, route.Via{Scheme: route.SchemeGraph, Host: "127.0.0.1", Port: p.graph.Port})
		case "gmail":
			p.route.Roots = p.gmail.Roots
			p.route.Via = append(p.route.Via, route.Via{Scheme: route.SchemeGmail, Host: "127.0.0.1", Port: p.gmail.Port})
		}
	}
	p.d = New(Options{Hostname: "post.test", Log: slog.New(slog.NewTextHandler(p.log, nil)),
		Resolver: names{addresses: map[string][]string{"one.test": {"192.0.2.1"}, "two.test": {"192.0.2.2"}, "127.0.0.1": {"127.0.0.1"}}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "127.0.0.1:") {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
			return p.w.dial(ctx, network, address)
		}})
	return p
}

func (p *place) standsIn() *standIn { return p.d.standIns.of[keyOf(p.route)] }

// due has the preferred host's time come.
func (p *place) due() { p.standsIn().until = time.Now().Add(-time.Second) }

// TestFallOver: which server takes the mail, by what the others answer.
func TestFallOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		vias   string
		at     map[string][]string
		graph  func(w http.ResponseWriter, r *http.Request, body []byte) bool
		status Status
		cause  cause.ID
		by     string // who has it: smtp, graph, gmail
		asked  string // connections by SMTP
		notice bool
	}{
		{name: "SMTP AUTH is switched off", vias: "one graph", at: map[string][]string{"192.0.2.1:587": {loginBegin + switchedOffReply}},
			status: Delivered, by: "graph", asked: "192.0.2.1:587", notice: true},
		{name: "the password is refused", vias: "one two graph", at: map[string][]string{"192.0.2.1:587": {loginBegin + refusedReply}},
			status: Delivered, by: "graph", asked: "192.0.2.1:587", notice: true},
		{name: "the port is blocked", vias: "one two graph", status: Delivered, by: "graph", asked: "192.0.2.1:587 192.0.2.2:587", notice: true},
		{name: "the next port first", vias: "one two graph", at: map[string][]string{"192.0.2.2:587": {loginBegin + loggedIn + begin + bob + data + quit}},
			status: Delivered, by: "smtp", asked: "192.0.2.1:587 192.0.2.2:587", notice: true},
		{name: "to Gmail", vias: "one gmail", status: Delivered, by: "gmail", asked: "192.0.2.1:587", notice: true},
		{name: "a refused recipient gets no second opinion", vias: "one graph", at: map[string][]string{"192.0.2.1:587": {loginBegin + loggedIn + begin + "C: RCPT TO:<bob@example.net>\nS: 550 5.1.1 no such user\n" + quit}},
			status: Failed, cause: "recipient.unknown", asked: "192.0.2.1:587"},
		{name: "the line dies after the dot", vias: "one graph", at: map[string][]string{"192.0.2.1:587": {loginBegin + loggedIn + begin + bob + "C: DATA\nS: 354 go\nC: Subject: hello\nC: \nC: text\nC: .\nX:\n"}},
			status: Uncertain, cause: "net.connection-lost", asked: "192.0.2.1:587"},
		{name: "Graph's throttle is obeyed", vias: "graph one", graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Header().Set("Retry-After", "17")
			return apitest.GraphError(w, 429, "TooManyRequests", "Please retry again later.")
		}, status: Deferred, cause: "limit.rate"},
		{name: "Graph is not there", vias: "graph one", at: map[string][]string{"192.0.2.1:587": {loginBegin + loggedIn + begin + bob + data + quit}}, graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			return apitest.GraphError(w, 503, "serviceNotAvailable", "The service is unavailable.")
		}, status: Delivered, by: "smtp", asked: "192.0.2.1:587", notice: true},
		{name: "Graph takes no such token", vias: "graph one", at: map[string][]string{"192.0.2.1:587": {loginBegin + loggedIn + begin + bob + data + quit}}, graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			return apitest.GraphError(w, 403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		}, status: Delivered, by: "smtp", asked: "192.0.2.1:587", notice: true},
		{name: "Graph says that the sender may not", vias: "graph one", graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			return apitest.GraphError(w, 403, "ErrorSendAsDenied", "…")
		}, status: Failed, cause: "sender.send-as-denied"},
		{name: "Graph may have it", vias: "graph one", graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { return apitest.Die(w) },
			status: Uncertain, cause: "net.connection-lost"},
		{name: "no way is left", vias: "one graph", at: map[string][]string{"192.0.2.1:587": {loginBegin + refusedReply}}, graph: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			return apitest.GraphError(w, 503, "serviceNotAvailable", "The service is unavailable.")
		}, status: Deferred, cause: "auth.credentials-rejected", asked: "192.0.2.1:587"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, c.at, strings.Fields(c.vias)...)
			p.graph.Before = c.graph
			conv := p.d.Open(p.route, "")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			o := res.Outcomes[0]
			by := ""
			switch {
			case len(p.graph.Sent()) == 1:
				by = "graph"
			case len(p.gmail.Sent()) == 1:
				by = "gmail"
			case o.Status == Delivered:
				by = "smtp"
			}
			if o.Status != c.status || o.Finding.Cause != c.cause || by != c.by || strings.Join(p.w.dialed, " ") != c.asked || (len(res.Notices) > 0) != c.notice {
				t.Errorf("got  %s %q by %q, asked %v, notices %q\nwant %s %q by %q, asked %s\n(%v)", o.Status, o.Finding.Cause, by, p.w.dialed, res.Notices, c.status, c.cause, c.by, c.asked, o.Err)
			}
			if c.notice != strings.Contains(p.log.String(), "mail goes by a stand-in") {
				t.Errorf("the log: %s", p.log)
			}
			if c.name == "Graph's throttle is obeyed" && (res.RetryAfter != 17*time.Second || res.Trouble == nil) {
				t.Errorf("after %v: %v", res.RetryAfter, res.Trouble)
			}
			if o.Status != Delivered && !strings.Contains(o.Host, ".test") && !strings.Contains(o.Host, "127.0.0.1") {
				t.Errorf("host %q", o.Host)
			}
		})
	}
}

// TestStandIn_IsRemembered: the preferred host is not knocked at for each message,
// is asked again after a while, by one conversation, and serves again.
func TestStandIn_IsRemembered(t *testing.T) {
	whole := loginBegin + loggedIn + begin + bob + data + quit
	p := newPlace(t, map[string][]string{"192.0.2.1:587": {loginBegin + switchedOffReply, loginBegin + switchedOffReply, whole}}, "one", "graph")
	send := func(conv Conversation, want Status) *Result {
		t.Helper()
		res := conv.Send(t.Context(), to("bob@example.net"))
		if res.Outcomes[0].Status != want {
			t.Fatalf("%s: %v", res.Outcomes[0].Status, res.Outcomes[0].Err)
		}
		return res
	}
	first, second := p.d.Open(p.route, ""), p.d.Open(p.route, "")
	defer first.Close()
	defer second.Close()
	send(first, Delivered)
	send(first, Delivered)
	res := send(second, Delivered)
	if n := len(p.w.dialed); n != 1 || len(res.Notices) != 1 || !strings.Contains(res.Notices[0], "smtp://one.test:587 does not serve") || !strings.Contains(res.Notices[0], "auth.smtp-auth-disabled") {
		t.Errorf("asked %d times, %q", n, res.Notices)
	}
	p.due()
	send(first, Delivered) // asks, is refused again, and goes by Graph
	send(second, Delivered)
	if n := len(p.w.dialed); n != 2 || p.standsIn().wait != 2*firstStandIn {
		t.Errorf("asked %d times, waits %v", n, p.standsIn().wait)
	}
	p.due()
	res = send(second, Delivered)
	if n := len(p.w.dialed); n != 3 || len(res.Notices) != 0 || p.standsIn() != nil || len(p.graph.Sent()) != 5 {
		t.Errorf("asked %d times, %q, %d by Graph", n, res.Notices, len(p.graph.Sent()))
	}
	if log := p.log.String(); strings.Count(log, "mail goes by a stand-in") != 1 || strings.Count(log, "the preferred host serves again") != 1 || strings.Contains(log, "hunter2") {
		t.Errorf("%s", log)
	}
}

// TestStandIn_KnownRefusalIsNotRepeated: where the stand-in fails, a login that was
// refused is not tried again for that.
func TestStandIn_KnownRefusalIsNotRepeated(t *testing.T) {
	p := newPlace(t, map[string][]string{"192.0.2.1:587": {loginBegin + refusedReply}}, "one", "graph")
	down := false
	p.graph.Before = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		return down && apitest.GraphError(w, 503, "serviceNotAvailable", "The service is unavailable.")
	}
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	conv.Send(t.Context(), to("bob@example.net"))
	down = true
	res := conv.Send(t.Context(), to("bob@example.net"))
	if o := res.Outcomes[0]; o.Status != Deferred || o.Finding.Cause != "server.temporary-failure" || len(p.w.dialed) != 1 {
		t.Errorf("%s %q, asked %v", o.Status, o.Finding.Cause, p.w.dialed)
	}
}

// TestStandIn_IsForgottenByAReload: whoever has mended the preferred host need not
// wait for hours.
func TestStandIn_IsForgottenByAReload(t *testing.T) {
	p := newPlace(t, map[string][]string{"192.0.2.1:587": {loginBegin + switchedOffReply, loginBegin + loggedIn + begin + bob + data + quit}}, "one", "graph")
	send := func(r *route.Route) {
		t.Helper()
		conv := p.d.Open(r, "")
		defer conv.Close()
		if res := conv.Send(t.Context(), to("bob@example.net")); res.Outcomes[0].Status != Delivered {
			t.Fatalf("%s: %v", res.Outcomes[0].Status, res.Outcomes[0].Err)
		}
	}
	send(p.route)
	send(p.route)
	reloaded := *p.route
	send(&reloaded)
	if len(p.w.dialed) != 2 || len(p.graph.Sent()) != 2 || p.standsIn() != nil {
		t.Errorf("asked %v, %d by Graph", p.w.dialed, len(p.graph.Sent()))
	}
}

// TestTooLarge: a message that one host does not take goes by the next, and the
// next message by the first again.
func TestTooLarge(t *testing.T) {
	sized := strings.Replace(loginBegin, "250-8BITMIME", "250-8BITMIME\nS: 250-SIZE 1000", 1) + loggedIn
	small := strings.Replace(begin, "<ann@example.org>", "<ann@example.org> SIZE=24", 1) + bob + data
	p := newPlace(t, map[string][]string{"192.0.2.1:587": {sized + small + quit, sized + small + quit}}, "one", "graph")
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	var by []string
	for _, n := range []int{0, 2000, 0} {
		r := to("bob@example.net")
		if n > 0 {
			text := "\r\n" + strings.Repeat("x", n) + "\r\n"
			r.Message.BodySize = int64(len(text))
			r.Body = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
		}
		before := len(p.graph.Sent())
		res := conv.Send(t.Context(), r)
		if res.Outcomes[0].Status != Delivered {
			t.Fatalf("%d octets: %v", n, res.Outcomes[0].Err)
		}
		by = append(by, fmt.Sprint(len(p.graph.Sent())-before))
	}
	if strings.Join(by, " ") != "0 1 0" || p.standsIn() != nil {
		t.Errorf("by Graph: %v", by)
	}
}

// TestInterface_BigOnesWait: for room in memory, and no longer than they must.
func TestInterface_BigOnesWait(t *testing.T) {
	p := newPlace(t, nil, "graph")
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	for range bigAtOnce {
		p.d.big <- struct{}{}
	}
	big := to("bob@example.net")
	big.Message.BodySize = bigMessage
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := conv.Send(ctx, big); !errors.Is(res.Outcomes[0].Err, smtpclient.ErrGivenUp) || len(p.graph.Requests()) != 0 {
		t.Errorf("%v", res.Outcomes[0].Err)
	}
	if res := conv.Send(t.Context(), to("bob@example.net")); res.Outcomes[0].Status != Delivered {
		t.Errorf("a small one waited: %v", res.Outcomes[0].Err)
	}
	<-p.d.big
	if res := conv.Send(t.Context(), big); res.Outcomes[0].Status != Delivered || len(p.d.big) != bigAtOnce-1 {
		t.Errorf("%v, %d in memory", res.Outcomes[0].Err, len(p.d.big))
	}
}

// TestInterface_EachRecipientHasItsOwnOutcome: one address that cannot be does not
// keep the others from their mail.
func TestInterface_EachRecipientHasItsOwnOutcome(t *testing.T) {
	p := newPlace(t, nil, "graph")
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	res := conv.Send(t.Context(), to("bob@example.net", "eve@nowhere.invalid", "cleo@example.net"))
	var got []string
	for _, o := range res.Outcomes {
		got = append(got, string(o.Status))
	}
	if strings.Join(got, " ") != "delivered failed delivered" || len(p.graph.Sent()) != 2 || res.Trouble != nil {
		t.Errorf("%v, %d sent, %v", got, len(p.graph.Sent()), res.Trouble)
	}
	if !res.Outcomes[0].Relayed {
		t.Error("an interface reports no delivery: it is relayed")
	}
}

// TestInterface_PaceIsAskedForEachRequest: splitting a message makes more of it.
func TestInterface_PaceIsAskedForEachRequest(t *testing.T) {
	p := newPlace(t, nil, "graph")
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	r := to("eve@nowhere.invalid", "bob@example.net")
	r.Again = func(int) bool { return false }
	res := conv.Send(t.Context(), r)
	if !errors.Is(res.Outcomes[1].Err, ErrHeldBack) || res.Transactions != 1 || len(p.graph.Sent()) != 0 {
		t.Errorf("%+v", res.Outcomes)
	}
}

// TestInterface_MailboxIsFrom: what the route rewrites for smart hosts it rewrites
// for interfaces.
func TestInterface_MailboxIsFrom(t *testing.T) {
	p := newPlace(t, nil, "graph")
	p.route.From = relay
	conv := p.d.Open(p.route, "")
	defer conv.Close()
	const text = "From: Scanner <scanner@lan>\r\nTo: bob@example.net\r\n\r\ntext\r\n"
	m := &spool.Message{ID: "1", Envelope: spool.Envelope{From: "scanner@lan"}, Header: []byte("Received: by post.test\r\n"), BodySize: int64(len(text)),
		Recipients: []spool.Recipient{{Path: smtp.Path("bob@example.net")}}}
	res := conv.Send(t.Context(), &Request{Message: m, Body: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	if res.Outcomes[0].Status != Delivered {
		t.Fatal(res.Outcomes[0].Err)
	}
	if raw := string(p.graph.Sent()[0].MIME); !strings.Contains(raw, "From: \"Scanner (scanner@lan)\" <relay@example.org>\r\n") || !strings.Contains(raw, "Received: by post.test") {
		t.Errorf("%s", raw)
	}
}

// TestRetired: a withdrawn name that does not answer is followed by its successor,
// over verified TLS and no other way.
func TestRetired(t *testing.T) {
	via := []route.Via{{Scheme: route.SchemeSMTP, Host: "smtp.live.com", Port: 587}}
	ehlo := "C: EHLO post.test\nS: 250-x\nS: 250-8BITMIME\nS: 250 STARTTLS\n"
	secured := "S: 220 x\n" + ehlo + "C: STARTTLS\nS: 220 go\nT:\nC: EHLO post.test\nS: 250-x\nS: 250 8BITMIME\n" + begin + bob + data + quit
	for _, c := range []struct {
		name   string
		tls    route.TLSPolicy
		at     map[string][]string
		status Status
		asked  string
	}{
		{"the old name is gone", route.TLSVerified, map[string][]string{"192.0.2.8:587": {secured}}, Delivered, "192.0.2.8:587"},
		{"never without verified TLS", route.TLSOpportunistic, nil, Deferred, ""},
		{"nor in clear text", route.TLSNone, nil, Deferred, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.at)
			server, client := smtptest.TLS(t, "smtp-mail.outlook.com")
			w.tls = server
			var log bytes.Buffer
			d := New(Options{Hostname: "post.test", Dial: w.dial, Log: slog.New(slog.NewTextHandler(&log, nil)),
				Resolver: names{addresses: map[string][]string{"smtp-mail.outlook.com": {"192.0.2.8"}}, kind: map[string]resolver.Kind{"smtp.live.com": resolver.KindNoName}}})
			conv := d.Open(&route.Route{Name: "outlook", Via: slices.Clone(via), TLS: c.tls, Roots: client.RootCAs}, "")
			defer conv.Close()
			res := conv.Send(t.Context(), to("bob@example.net"))
			o := res.Outcomes[0]
			if o.Status != c.status || strings.Join(w.dialed, " ") != c.asked {
				t.Fatalf("%s, asked %v: %v", o.Status, w.dialed, o.Err)
			}
			if c.status != Delivered {
				if o.Finding.Cause != "dns.retired-endpoint" {
					t.Errorf("%q", o.Finding.Cause)
				}
				return
			}
			want := `smtp.live.com was withdrawn by its provider, and mail goes to its successor: write via = ["smtp://smtp-mail.outlook.com:587"] in the route`
			if len(res.Notices) != 1 || res.Notices[0] != want || !strings.Contains(log.String(), "smtp.live.com was withdrawn") {
				t.Errorf("%q\n%s", res.Notices, log.String())
			}
		})
	}
}

// TestRetired_OnlyWhenItFails: while the old name answers it is used.
func TestRetired_OnlyWhenItFails(t *testing.T) {
	w := newWorld(t, map[string][]string{"192.0.2.7:587": {"S: 220 x\nC: EHLO post.test\nS: 250-x\nS: 250 8BITMIME\nC: QUIT\n"}})
	d := New(Options{Hostname: "post.test", Dial: w.dial,
		Resolver: names{addresses: map[string][]string{"smtp-mail.outlook.com": {"192.0.2.8"}, "smtp.live.com": {"192.0.2.7"}}}})
	conv := d.Open(&route.Route{Name: "outlook", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "smtp.live.com", Port: 587}}, TLS: route.TLSVerified}, "")
	defer conv.Close()
	if res := conv.Send(t.Context(), to("bob@example.net")); res.Outcomes[0].Finding.Cause != "tls.starttls-not-offered" || len(w.dialed) != 1 {
		t.Errorf("%q, asked %v", res.Outcomes[0].Finding.Cause, w.dialed)
	}
}
