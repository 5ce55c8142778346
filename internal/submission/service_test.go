package submission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
)

const plainMessage = "From: ann@example.org\r\nSubject: x\r\n\r\nText.\r\n"

func TestMail(t *testing.T) {
	for _, c := range []struct{ setup, want string }{
		{"from ann@example.org", ""},
		{"from ann+list@Example.org", ""},
		{"from", ""},
		{"from bob@example.org", "553 5.7.1 Sender address rejected: bob@example.org is not owned by user ann. Send as ann@example.org, or ask the administrator to add the address"},
		{"from ann", "553 5.1.7 "},
		{"account app\nfrom whoever@example.org", ""},
		{"account gone\nfrom ann@example.org", "550 5.7.1 This account may not send any more"},
		{"host 10.0.0.5:25\nfrom scan@example.org", ""},
		{"host 10.0.0.5:25\nfrom boss@example.org", "553 5.7.1 Sender address rejected: boss@example.org is not owned by this host."},
		{"host 10.0.0.6:25\nfrom boss@example.org", ""},
	} {
		s := New(options(memspool.New(memspool.Options{})))
		r := s.Mail(t.Context(), transaction(t, c.setup))
		if c.want == "" && r != nil || c.want != "" && (r == nil || !strings.HasPrefix(r.String(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.setup, r, c.want)
		}
	}
}

// mixed has MX for example.net, a smart host for example.com, and nothing else.
func mixed() *route.Table {
	return &route.Table{Routes: []*route.Route{
		{Name: "direct", Recipients: []string{"*@example.net"}, Via: []route.Via{{Scheme: route.SchemeMX, Port: 25}}},
		{Name: "smart", Recipients: []string{"*@example.com"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "smart.example", Port: 587}}},
	}}
}

func TestRcpt(t *testing.T) {
	store := memspool.New(memspool.Options{})
	o := options(store)
	table := mixed()
	o.Routes = func() *route.Table { return table }
	o.Settings.Aliases = map[string]smtp.Path{"root": "ann@example.com", "lost": "ann@nowhere.example"}
	s := New(o)
	for _, c := range []struct{ rcpt, want string }{
		{"bob@example.net", ""},
		{"bob@EXAMPLE.com", ""},
		{"root", ""},
		{"ROOT", ""},
		{"bob@example.org", "550 5.4.4 Recipient address rejected: this server has no route for mail to example.org. The administrator can add"},
		{"nobody", "550 5.1.1 Recipient address rejected: nobody has no domain and is no local name. Write the full address"},
		{"lost", "550 5.4.4 "},
	} {
		tr := transaction(t, "")
		r := s.Rcpt(t.Context(), tr, smtp.Recipient{Path: smtp.Path(c.rcpt)})
		if c.want == "" && r != nil || c.want != "" && (r == nil || !strings.HasPrefix(r.String(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.rcpt, r, c.want)
		}
	}
	set := o.Settings
	set.AliasDefault = "ann@example.com"
	s.SetSettings(set)
	if r := s.Rcpt(t.Context(), transaction(t, ""), smtp.Recipient{Path: "nobody"}); r != nil {
		t.Errorf("with a default alias: %s", r)
	}
}

func TestRcpt_AddressLiteralsAreForSmartHosts(t *testing.T) {
	for scheme, want := range map[route.Scheme]string{route.SchemeMX: "550 5.1.2 ", route.SchemeSMTP: "", route.SchemeSandbox: ""} {
		o := options(memspool.New(memspool.Options{}))
		table := &route.Table{Routes: []*route.Route{{Name: "r", Recipients: []string{"*"}, Via: []route.Via{{Scheme: scheme}}}}}
		o.Routes = func() *route.Table { return table }
		r := New(o).Rcpt(t.Context(), transaction(t, ""), smtp.Recipient{Path: "bob@[192.0.2.1]"})
		if want == "" && r != nil || want != "" && (r == nil || !strings.HasPrefix(r.String(), want)) {
			t.Errorf("%s: got %v, want %q", scheme, r, want)
		}
	}
}

func TestData_Recipients(t *testing.T) {
	store := memspool.New(memspool.Options{})
	o := options(store)
	table := mixed()
	o.Routes = func() *route.Table { return table }
	o.Settings.Aliases = map[string]smtp.Path{"root": "ann@example.com", "daemon": "ann@example.com"}
	s := New(o)
	warn, expire := now.Add(4*time.Hour), now.Add(120*time.Hour)
	never := smtp.RcptParams{Notify: smtp.NotifyNever}
	failure := smtp.RcptParams{Notify: smtp.NotifyFailure}
	delay := smtp.RcptParams{Notify: smtp.NotifyDelay | smtp.NotifySuccess}
	tr := transaction(t, "")
	tr.Params = smtp.MailParams{Size: 100, Body: smtp.Body8BitMIME, Return: smtp.ReturnHeaders, EnvelopeID: "e1"}
	tr.Recipients = []smtp.Recipient{
		{Path: "a@example.net"},
		{Path: "b@Example.NET", Params: never},
		{Path: "c@example.com", Params: failure},
		{Path: "d@example.com", Params: delay},
		{Path: "root"},
		{Path: "daemon", Params: never}, // the same mailbox as root
		{Path: "A@example.net"},         // another mailbox, as far as we know
		{Path: "a@example.NET"},         // the same as the first
	}
	if r := s.Data(t.Context(), tr, strings.NewReader(plainMessage)); r.String() != "250 2.0.0 Ok: queued as 1hq8k2m4abcde" {
		t.Fatal(r)
	}
	m, err := store.Get(t.Context(), "1hq8k2m4abcde")
	if err != nil {
		t.Fatal(err)
	}
	want := []spool.Recipient{
		{Path: "a@example.net", Destination: "direct/example.net", WarnAt: warn},
		{Path: "b@Example.NET", Destination: "direct/example.net", Params: never},
		{Path: "c@example.com", Destination: "smart", Params: failure},
		{Path: "d@example.com", Destination: "smart", Params: delay, WarnAt: warn},
		{Path: "ann@example.com", Destination: "smart", WarnAt: warn,
			Params: smtp.RcptParams{OriginalRecipient: "rfc822;root@post.example.org", Notify: smtp.NotifyFailure | smtp.NotifyDelay}},
		{Path: "A@example.net", Destination: "direct/example.net", WarnAt: warn},
	}
	for i := range want {
		want[i].Index, want[i].State, want[i].ExpireAt = i, spool.StateQueued, expire
	}
	if d := cmp.Diff(want, m.Recipients); d != "" {
		t.Error(d)
	}
	wantEnvelope := spool.Envelope{From: "ann@example.org", Params: tr.Params, Received: now, Account: "ann", Listener: ":587", Peer: "192.0.2.7"}
	if d := cmp.Diff(wantEnvelope, m.Envelope); d != "" {
		t.Error(d)
	}
}

func TestData_NullReversePathIsNotWarned(t *testing.T) {
	store := memspool.New(memspool.Options{})
	s := New(options(store))
	if r := s.Data(t.Context(), transaction(t, "from\n"), strings.NewReader(plainMessage)); !r.Positive() {
		t.Fatal(r)
	}
	m, err := store.Get(t.Context(), "1hq8k2m4abcde")
	if err != nil {
		t.Fatal(err)
	}
	if !m.Recipients[0].WarnAt.IsZero() || m.Recipients[0].ExpireAt.IsZero() {
		t.Errorf("warn %v, expire %v", m.Recipients[0].WarnAt, m.Recipients[0].ExpireAt)
	}
}

func TestBoth(t *testing.T) {
	const n, s, f, d = smtp.NotifyNever, smtp.NotifySuccess, smtp.NotifyFailure, smtp.NotifyDelay
	for _, c := range []struct{ a, b, want smtp.Notify }{
		{0, 0, 0}, {n, n, n}, {0, n, f | d}, {n, 0, f | d}, {n, s, s}, {s, f, s | f}, {0, s, s | f | d},
	} {
		if got := both(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// failing is a store whose Accept fails.
type failing struct {
	spool.Store
	err error
}

func (f failing) Accept(context.Context, *spool.Message, io.Reader) error { return f.err }

func TestData_RepliesOfAStoreThatFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{spool.ErrFull, "452 4.3.1 "},
		{fmt.Errorf("accept: %w", spool.ErrFull), "452 4.3.1 "},
		{spool.ErrBroken, "421 4.3.0 "},
		{spool.ErrClosed, "421 4.3.0 "},
		{spool.ErrExists, "451 4.3.0 "},
		{errors.New("secret path /var/lib"), "451 4.3.0 "},
	} {
		body := strings.NewReader(plainMessage + strings.Repeat("more\r\n", 10000))
		r := New(options(failing{err: c.err})).Data(t.Context(), transaction(t, ""), body)
		if !strings.HasPrefix(r.String(), c.want) || strings.Contains(r.String(), "secret") {
			t.Errorf("%v: %s", c.err, r)
		}
		if body.Len() != 0 {
			t.Errorf("%v: %d octets of the message are unread, so the session is out of step", c.err, body.Len())
		}
	}
}

// A body that ends in an error, as one that is too large does, leaves nothing.
func TestData_NothingIsStoredOfABrokenBody(t *testing.T) {
	broken := errors.New("too large")
	for _, before := range []string{"", "From: ann@exam", plainMessage, plainMessage + strings.Repeat("x\r\n", 50000)} {
		store := memspool.New(memspool.Options{})
		r := New(options(store)).Data(t.Context(), transaction(t, ""), io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
		if r.Positive() {
			t.Errorf("after %d octets: %s", len(before), r)
		}
		for range store.List(t.Context(), spool.Query{}) {
			t.Errorf("after %d octets: stored", len(before))
		}
	}
}

func TestData_HeaderSectionTooLarge(t *testing.T) {
	for _, c := range []struct {
		name, header string
		good         bool
	}{
		{"just fits", strings.Repeat("X: "+strings.Repeat("x", 59)+"\r\n", policy.MaxHeader/64), true},
		{"one field more", strings.Repeat("X: "+strings.Repeat("x", 59)+"\r\n", policy.MaxHeader/64) + "X: y\r\n", false},
		{"one endless line", "X: " + strings.Repeat("x", policy.MaxHeader+100) + "\r\n", false},
		{"endless line without colon", strings.Repeat("x", policy.MaxHeader+100) + "\r\n", false},
		{"a field longer than the buffer", "Subject: " + strings.Repeat("x", 100_000) + "\r\n", true},
	} {
		store := memspool.New(memspool.Options{})
		body := strings.NewReader(c.header + "\r\nText.\r\n" + strings.Repeat("x\r\n", 50000))
		size := body.Len()
		r := New(options(store)).Data(t.Context(), transaction(t, ""), body)
		if c.good != r.Positive() || !c.good && r.Code != 552 {
			t.Errorf("%s: %s", c.name, r)
		}
		if body.Len() != 0 {
			t.Errorf("%s: %d octets unread", c.name, body.Len())
		}
		if c.good {
			m, err := store.Get(t.Context(), "1hq8k2m4abcde")
			if err != nil || m.BodySize != int64(size) {
				t.Errorf("%s: %d octets stored of %d, %v", c.name, m.BodySize, size, err)
			}
		}
	}
}

func TestData_RoutesGoneSinceRcpt(t *testing.T) {
	o := options(memspool.New(memspool.Options{}))
	o.Routes = func() *route.Table { return &route.Table{} }
	if r := New(o).Data(t.Context(), transaction(t, ""), strings.NewReader(plainMessage)); r.String()[:9] != "550 5.4.4" {
		t.Error(r)
	}
}

func TestData_OneLogLineAMessage(t *testing.T) {
	var log bytes.Buffer
	o := options(memspool.New(memspool.Options{}))
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	var recipients int
	var size int64
	o.Hooks.Accepted = func(n int, s int64) { recipients, size = n, s }
	s := New(o)
	if r := s.Data(t.Context(), transaction(t, "rcpt a@x.example\nrcpt b@x.example\n"), strings.NewReader(plainMessage)); !r.Positive() {
		t.Fatal(r)
	}
	const want = `level=INFO msg=accepted queue_id=1hq8k2m4abcde from=ann@example.org recipients=2 size=`
	if got := log.String(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 ||
		!strings.HasSuffix(got, " account=ann peer=192.0.2.7 listener=:587 session=s1\n") {
		t.Errorf("got %s", got)
	}
	if recipients != 2 || size != int64(len(plainMessage)) {
		t.Errorf("hook: %d recipients, %d octets", recipients, size)
	}
}

// fixed answers each login alike.
type fixed struct {
	people
	err error
}

func (f fixed) Exchange(string, auth.Peer) auth.Exchange { return nil }

func (f fixed) Login(_ context.Context, _ netip.Addr, _, _ string) (*auth.Account, error) {
	return nil, f.err
}

func TestAuthenticate(t *testing.T) {
	for _, c := range []struct {
		name     string
		accounts Accounts
		user     string
		want     string // the reply's beginning; "" for good
		log      string
	}{
		{"good", accounts, "ann", "", ""},
		{"wrong", fixed{err: auth.ErrInvalid}, "ann", "535 5.7.8 ", "reason=credentials cause=auth.credentials-rejected"},
		{"too often", fixed{err: &auth.SlowDown{Until: now}}, "ann", "454 4.7.0 Too many failed logins", "reason=slow-down cause=auth.too-many-logins"},
		{"busy", fixed{err: auth.ErrBusy}, "ann", "454 4.7.0 Temporary", "reason=busy cause=auth.server-failure"},
		{"accounts file damaged", fixed{err: errors.New("accounts.toml:3: x")}, "ann", "454 4.7.0 Temporary", "reason=error cause=auth.server-failure"},
		{"no accounts at all", nil, "ann", "535 5.7.8 ", "reason=credentials"},
		{"line end in the name", fixed{err: auth.ErrInvalid}, "ann\nlevel=ERROR msg=forged", "535 5.7.8 ", `account="ann\nlevel=ERROR msg=forged"`},
		{"endless name", fixed{err: auth.ErrInvalid}, strings.Repeat("x", 5000), "535 5.7.8 ", "account=" + strings.Repeat("x", 320) + " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			o := options(memspool.New(memspool.Options{}))
			o.Accounts = c.accounts
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			refused := 0
			o.Hooks.LoginRefused = func(string) { refused++ }
			client := transaction(t, "account").Client
			account, r := New(o).Authenticate(t.Context(), client, c.user, "secret")
			if c.want == "" {
				if r != nil || account != "ann" || log.Len() > 0 || refused != 0 {
					t.Errorf("%q, %v, log %s", account, r, &log)
				}
				return
			}
			if r == nil || !strings.HasPrefix(r.String(), c.want) || account != "" {
				t.Errorf("%q, %v, want %s", account, r, c.want)
			}
			got := log.String()
			if !strings.Contains(got, c.log) || !strings.Contains(got, "peer=192.0.2.7:50000") || strings.Count(got, "\n") != 1 {
				t.Errorf("log: %s", got)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("the password is in the log: %s", got)
			}
			if refused != 1 {
				t.Errorf("hook called %d times", refused)
			}
		})
	}
}

// FuzzHeader: no panic, and whatever comes in, what is stored has one header
// section, without the fields that must go, and the body behind it unchanged.
func FuzzHeader(f *testing.F) {
	f.Add([]byte(plainMessage))
	f.Add([]byte("Bcc: a\r\n b\r\nSubject: x\r\n\r\nBcc: y\r\n"))
	f.Add([]byte("From x\r\nReturn-Path : <>\r\nno colon\r\n"))
	f.Add([]byte(" \r\n:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The engine lets only CRLF through as line end.
		text := strings.NewReplacer("\r", "", "\n", "\r\n").Replace(string(data)) + "\r\n"
		store := memspool.New(memspool.Options{})
		s := New(options(store))
		if r := s.Data(t.Context(), transaction(t, "account any"), strings.NewReader(text)); !r.Positive() {
			return
		}
		m, err := store.Get(t.Context(), "1hq8k2m4abcde")
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.Body(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		section, after, found := strings.Cut("\r\n"+string(stored), "\r\n\r\n")
		if !found {
			t.Fatalf("no empty line in %q", stored)
		}
		if !strings.HasSuffix(text, after) {
			t.Fatalf("the body is not what came: %q of %q", after, text)
		}
		for line := range strings.SplitSeq(strings.TrimPrefix(section, "\r\n"), "\r\n") {
			name, _, colon := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimRight(name, " \t"))
			if line != "" && line[0] != ' ' && line[0] != '\t' && !colon {
				t.Fatalf("%q is no header field", line)
			}
			if name == "bcc" || name == "resent-bcc" || name == "return-path" {
				t.Fatalf("%q is still there", line)
			}
		}
	})
}

func BenchmarkData(b *testing.B) {
	body := plainMessage + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 130)
	s := New(options(discard{}))
	tr := &smtp.Transaction{Client: &smtp.Client{Account: "ann"}, From: "ann@example.org", Recipients: []smtp.Recipient{{Path: "bob@example.net"}}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if r := s.Data(b.Context(), tr, strings.NewReader(body)); !r.Positive() {
			b.Fatal(r)
		}
	}
}

// discard takes everything and keeps nothing.
type discard struct{ spool.Store }

func (discard) Accept(_ context.Context, _ *spool.Message, body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}
