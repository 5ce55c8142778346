package deliver

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtptest"
	"github.com/wellsent/wellsent/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a resolver that knows what it was told.
type names struct {
	mx        map[string][]resolver.MX
	addresses map[string][]string
	kind      map[string]resolver.Kind // how a look-up fails
}

// MX implements Resolver. As the real one it falls back to the domain itself.
func (n names) MX(_ context.Context, domain string) ([]resolver.MX, error) {
	if k, ok := n.kind[domain]; ok {
		return nil, &resolver.Error{Type: "MX", Name: domain, Kind: k}
	}
	if mx, ok := n.mx[domain]; ok {
		return mx, nil
	}
	return []resolver.MX{{Host: domain}}, nil
}

// Addresses implements Resolver.
func (n names) Addresses(_ context.Context, host string) ([]netip.Addr, error) {
	host = strings.TrimSuffix(host, ".")
	if k, ok := n.kind[host]; ok {
		return nil, &resolver.Error{Type: "A", Name: host, Kind: k}
	}
	var out []netip.Addr
	for _, a := range n.addresses[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// world is the servers there are, by the address they are dialled at. What is
// dialled and not there refuses the connection.
type world struct {
	t      *testing.T
	mu     sync.Mutex // guards the fields below
	at     map[string][]*smtptest.Script
	dialed []string
	tls    *tls.Config
	done   sync.WaitGroup
}

// dial plays the next script of the address.
func (w *world) dial(_ context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialed = append(w.dialed, address)
	scripts := w.at[address]
	if len(scripts) == 0 {
		return nil, syscall.ECONNREFUSED
	}
	w.at[address] = scripts[1:]
	client, server := net.Pipe()
	w.done.Go(func() {
		defer server.Close()
		scripts[0].PlayServer(w.t, server, w.tls)
	})
	return client, nil
}

func newWorld(t *testing.T, at map[string][]string) *world {
	t.Helper()
	w := &world{t: t, at: map[string][]*smtptest.Script{}}
	w.tls, _ = smtptest.TLS(t, "mx.test")
	for address, texts := range at {
		for _, text := range texts {
			s, err := smtptest.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			w.at[address] = append(w.at[address], s)
		}
	}
	t.Cleanup(func() {
		w.done.Wait()
		for address, left := range w.at {
			if len(left) > 0 {
				t.Errorf("%s was not asked %d times", address, len(left))
			}
		}
	})
	return w
}

// Parts of dialogues with servers that do no pipelining.
const (
	open  = "S: 220 mx.test ESMTP\nC: EHLO post.test\nS: 250-mx.test\nS: 250 8BITMIME\n"
	begin = "C: MAIL FROM:<ann@example.org>\nS: 250 ok\n"
	bob   = "C: RCPT TO:<bob@example.net>\nS: 250 ok\n"
	data  = "C: DATA\nS: 354 go ahead\nC: Subject: hello\nC: \nC: text\nC: .\nS: 250 taken\n"
	quit  = "C: QUIT\nS: 221 bye\n"
	taken = open + begin + bob + data + quit
)

// to returns a request for recipients.
func to(paths ...smtp.Path) *Request {
	m := &spool.Message{ID: "1", Envelope: spool.Envelope{From: "ann@example.org"}, Header: []byte("Subject: hello\r\n"), BodySize: 8}
	for i, p := range paths {
		m.Recipients = append(m.Recipients, spool.Recipient{Index: i, Path: p})
	}
	return &Request{Message: m, Body: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("\r\ntext\r\n")), nil }}
}

var mxRoute = &route.Route{Name: "mx", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeMX, Port: 25}}, TLS: route.TLSOpportunistic}

// TestMX_WhomToAsk: which hosts are asked, in what order, and what it means when
// none takes the mail. RFC 5321 §5.1.
func TestMX_WhomToAsk(t *testing.T) {
	two := names{
		mx:        map[string][]resolver.MX{"example.net": {{Preference: 10, Host: "mx1.example.net"}, {Preference: 20, Host: "mx2.example.net"}}},
		addresses: map[string][]string{"mx1.example.net": {"192.0.2.1", "192.0.2.2"}, "mx2.example.net": {"192.0.2.3"}, "example.net": {"192.0.2.9"}},
	}
	with := func(domain string, k resolver.Kind) names {
		return names{mx: two.mx, addresses: two.addresses, kind: map[string]resolver.Kind{domain: k}}
	}
	for _, c := range []struct {
		name   string
		dns    names
		at     map[string][]string
		dialed string
		status Status
		cause  cause.ID
		code   int
	}{
		{"the first", two, map[string][]string{"192.0.2.1:25": {taken}}, "192.0.2.1:25", Delivered, "", 250},
		{"its second address", two, map[string][]string{"192.0.2.2:25": {taken}}, "192.0.2.1:25 192.0.2.2:25", Delivered, "", 250},
		{"the second where the first is down", two, map[string][]string{"192.0.2.3:25": {taken}}, "192.0.2.1:25 192.0.2.2:25 192.0.2.3:25", Delivered, "", 250},
		{"the second where the first has no service", two, map[string][]string{"192.0.2.1:25": {"S: 554 no service\nC: QUIT\n"}, "192.0.2.2:25": {"S: 421 busy\nC: QUIT\n"}, "192.0.2.3:25": {taken}},
			"192.0.2.1:25 192.0.2.2:25 192.0.2.3:25", Delivered, "", 250},
		{"the second where the first closes in the envelope", two, map[string][]string{"192.0.2.1:25": {open + begin + "C: RCPT TO:<bob@example.net>\nX:\n"}, "192.0.2.3:25": {taken}},
			"192.0.2.1:25 192.0.2.3:25", Delivered, "", 250},
		{"a refusal is definite", two, map[string][]string{"192.0.2.1:25": {open + begin + "C: RCPT TO:<bob@example.net>\nS: 550 5.1.1 no such user\n" + quit}},
			"192.0.2.1:25", Failed, "recipient.unknown", 550},
		{"a deferral too", two, map[string][]string{"192.0.2.1:25": {open + begin + "C: RCPT TO:<bob@example.net>\nS: 450 4.2.0 greylisted, try again later\n" + quit}},
			"192.0.2.1:25", Deferred, "greylist.deferred", 450},
		{"nobody answers", two, nil, "192.0.2.1:25 192.0.2.2:25 192.0.2.3:25", Deferred, "delivery.host-unreachable", 0},
		{"the line dies after the dot", two, map[string][]string{"192.0.2.1:25": {open + begin + bob + "C: DATA\nS: 354 go ahead\nC: Subject: hello\nC: \nC: text\nC: .\nX:\n"}},
			"192.0.2.1:25", Uncertain, "delivery.host-unreachable", 0},
		{"no MX: the domain itself", names{addresses: two.addresses}, map[string][]string{"192.0.2.9:25": {taken}}, "192.0.2.9:25", Delivered, "", 250},
		{"null MX", with("example.net", resolver.KindNullMX), nil, "", Failed, "recipient.null-mx", 556},
		{"no such domain", with("example.net", resolver.KindNoName), nil, "", Failed, "recipient.domain-not-found", 550},
		{"the name server fails", with("example.net", resolver.KindServerFailure), nil, "", Deferred, "delivery.dns-failed", 0},
		{"an exchanger without an address", with("mx1.example.net", resolver.KindNoName), map[string][]string{"192.0.2.3:25": {taken}}, "192.0.2.3:25", Delivered, "", 250},
		{"the exchanger is this server", names{mx: map[string][]resolver.MX{"example.net": {{Preference: 10, Host: "post.test"}, {Preference: 20, Host: "mx2.example.net"}}}, addresses: two.addresses},
			nil, "", Failed, "routing.loop", 554},
		{"only those preferred to this server", names{mx: map[string][]resolver.MX{"example.net": {{Preference: 5, Host: "mx2.example.net"}, {Preference: 10, Host: "POST.test"}, {Preference: 20, Host: "mx1.example.net"}}}, addresses: two.addresses},
			nil, "192.0.2.3:25", Deferred, "delivery.host-unreachable", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.at)
			d := New(Options{Hostname: "post.test", Resolver: c.dns, Dial: w.dial})
			conv := d.Open(mxRoute, "example.net")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			o := res.Outcomes[0]
			if o.Status != c.status || o.Finding.Cause != c.cause || o.Reply.Code != c.code || strings.Join(w.dialed, " ") != c.dialed {
				t.Errorf("got  %s %q %d, asked %v\nwant %s %q %d, asked %s\n(%v)", o.Status, o.Finding.Cause, o.Reply.Code, w.dialed, c.status, c.cause, c.code, c.dialed, o.Err)
			}
			if o.Status != Delivered && (o.Finding.Why == "" || len(o.Finding.Do) == 0) {
				t.Errorf("it is not explained: %+v", o.Finding)
			}
		})
	}
}

// TestSmartHost_ViasInOrder: the next via where the first fails without a word on
// the message, and never after credentials were refused.
func TestSmartHost_ViasInOrder(t *testing.T) {
	vias := []route.Via{{Scheme: route.SchemeSMTP, Host: "one.test", Port: 587}, {Scheme: route.SchemeSMTP, Host: "two.test", Port: 2525}}
	dns := names{addresses: map[string][]string{"one.test": {"192.0.2.1"}, "two.test": {"192.0.2.2"}}}
	for _, c := range []struct {
		name   string
		tls    route.TLSPolicy
		at     map[string][]string
		dialed string
		status Status
		cause  cause.ID
	}{
		{"blocked port", route.TLSNone, map[string][]string{"192.0.2.2:2525": {taken}}, "192.0.2.1:587 192.0.2.2:2525", Delivered, ""},
		{"no STARTTLS: never in the clear", route.TLSVerified, map[string][]string{"192.0.2.1:587": {open + "C: QUIT\n"}, "192.0.2.2:2525": {open + "C: QUIT\n"}}, "192.0.2.1:587 192.0.2.2:2525", Deferred, "tls.starttls-not-offered"},
		{"a refused recipient is not asked for elsewhere", route.TLSNone, map[string][]string{"192.0.2.1:587": {open + begin + "C: RCPT TO:<bob@example.net>\nS: 554 5.7.1 relay access denied\n" + quit}}, "192.0.2.1:587", Failed, "relay.denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.at)
			d := New(Options{Hostname: "post.test", Resolver: dns, Dial: w.dial})
			conv := d.Open(&route.Route{Name: "host", Via: vias, TLS: c.tls}, "")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			o := res.Outcomes[0]
			if o.Status != c.status || o.Finding.Cause != c.cause || strings.Join(w.dialed, " ") != c.dialed {
				t.Errorf("got %s %q, asked %v; want %s %q, asked %s (%v)", o.Status, o.Finding.Cause, w.dialed, c.status, c.cause, c.dialed, o.Err)
			}
		})
	}
}

// TestReuse: message after message on one connection, with RSET where the last one
// was left undone; a connection that was closed meanwhile is no attempt.
func TestReuse(t *testing.T) {
	one := begin + bob + data
	w := newWorld(t, map[string][]string{"192.0.2.1:25": {
		open + one + begin + "C: RCPT TO:<bob@example.net>\nS: 450 4.2.1 busy\n" + "C: RSET\nS: 250 ok\n" + one + "X:\n",
		open + one + "C: MAIL FROM:<ann@example.org>\nS: 421 4.4.2 timeout\n",
		open + one + quit,
	}})
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"example.net": {"192.0.2.1"}}}, Dial: w.dial})
	conv := d.Open(mxRoute, "example.net")
	var got []string
	for range 5 {
		res := conv.Send(t.Context(), to("bob@example.net"))
		got = append(got, string(res.Outcomes[0].Status))
	}
	conv.Close()
	if s := strings.Join(got, " "); s != "delivered deferred delivered delivered delivered" || len(w.dialed) != 3 {
		t.Errorf("%s over %d connections", s, len(w.dialed))
	}
}

// TestRecipients_EachHasItsOwnOutcome: some refused, too many for one transaction.
func TestRecipients_EachHasItsOwnOutcome(t *testing.T) {
	w := newWorld(t, map[string][]string{"192.0.2.1:25": {open + begin + bob +
		"C: RCPT TO:<eve@example.net>\nS: 550 5.1.1 no such user\nC: RCPT TO:<cleo@example.net>\nS: 452 4.5.3 too many recipients\n" + data +
		begin + "C: RCPT TO:<cleo@example.net>\nS: 250 ok\n" + data + quit}})
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"example.net": {"192.0.2.1"}}}, Dial: w.dial})
	conv := d.Open(mxRoute, "example.net")
	res := conv.Send(t.Context(), to("bob@example.net", "eve@example.net", "cleo@example.net"))
	conv.Close()
	for i, want := range []Status{Delivered, Failed, Delivered} {
		if o := res.Outcomes[i]; o.Status != want || o.Index != i {
			t.Errorf("%d: %s, want %s (%v)", i, o.Status, want, o.Err)
		}
	}
	if res.Trouble != nil || !res.Attempted {
		t.Errorf("%+v", res)
	}
}

// TestLoop_OwnListenerIsNotASmartHost: mail would come straight back.
func TestLoop_OwnListenerIsNotASmartHost(t *testing.T) {
	w := newWorld(t, nil)
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"localhost": {"127.0.0.1"}}}, Dial: w.dial,
		Listening: func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:2587")} }})
	conv := d.Open(&route.Route{Name: "self", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "localhost", Port: 2587}}, TLS: route.TLSNone}, "")
	res := conv.Send(t.Context(), to("bob@example.net"))
	conv.Close()
	if o := res.Outcomes[0]; o.Finding.Cause != "routing.loop" || o.Status == Delivered || len(w.dialed) != 0 {
		t.Errorf("%s %q, dialled %v", o.Status, o.Finding.Cause, w.dialed)
	}
}

// TestLoop_OwnNameBehindAProxyIsNotASmartHost: the proxy looks names up, and would
// bring mail straight back.
func TestLoop_OwnNameBehindAProxyIsNotASmartHost(t *testing.T) {
	through, err := proxy.Parse("http://127.0.0.1:3128")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"Post.test": true, "192.0.2.7": true, "other.test": false, "127.0.0.1": false} {
		w := newWorld(t, nil)
		d := New(Options{Hostname: "post.test", Resolver: names{}, Dial: w.dial,
			Listening: func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:2587")} }})
		conv := d.Open(&route.Route{Name: "self", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: name, Port: 2587}}, TLS: route.TLSNone, Proxy: through}, "")
		res := conv.Send(t.Context(), to("bob@example.net"))
		conv.Close()
		if o := res.Outcomes[0]; (o.Finding.Cause == "routing.loop") != want || want != (len(w.dialed) == 0) {
			t.Errorf("%s: %s %q, dialled %v", name, o.Status, o.Finding.Cause, w.dialed)
		}
	}
}

// TestSandbox_KeepsAMaildir: one file a message, whole, under new/.
func TestSandbox_KeepsAMaildir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sandbox")
	d := New(Options{Hostname: "post.test", SandboxDir: dir})
	conv := d.Open(&route.Route{Name: "sandbox", Via: []route.Via{{Scheme: route.SchemeSandbox}}}, "")
	defer conv.Close()
	for _, id := range []spool.QueueID{"1", "2", "2"} { // the last one as after a crash
		r := to("bob@example.net", "eve@example.net")
		r.Message.ID = id
		if res := conv.Send(t.Context(), r); res.Outcomes[1].Status != Delivered {
			t.Fatalf("%+v", res.Outcomes)
		}
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(filepath.Dir(files[0]), "new") {
		t.Fatalf("%s: %v", files[0], err)
	}
	if s := strings.ReplaceAll(string(b), "\r\n", "\n"); !strings.HasSuffix(s, "Subject: hello\n\ntext\n") || !strings.Contains(s, "eve@example.net") {
		t.Errorf("%s", b)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm()&0o077 != 0 || info.ModTime().After(time.Now().Add(time.Minute)) {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
