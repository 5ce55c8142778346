package device

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/cause"
)

func TestSet_ByAddress(t *testing.T) {
	p := netip.MustParsePrefix
	s := NewSet([]Device{
		{Name: "net", Addresses: []netip.Prefix{p("10.0.0.0/24")}},
		{Name: "one", Addresses: []netip.Prefix{p("10.0.0.12/32"), p("fd00::12/128")}},
		{Name: "there", Addresses: []netip.Prefix{p("10.0.0.13/32")}, Listeners: []string{":25"}},
		{Name: "known", Account: "Scan@example.org"},
	})
	for _, c := range []struct{ listener, addr, want string }{
		{":25", "10.0.0.12", "one"},
		{":25", "fd00::12", "one"},
		{":25", "10.0.0.13", "there"},
		{":587", "10.0.0.13", "net"},
		{":25", "10.0.1.1", ""},
	} {
		got := ""
		if d := s.ByAddress(c.listener, netip.MustParseAddr(c.addr)); d != nil {
			got = d.Name
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.listener, c.addr, got, c.want)
		}
	}
	if d := s.ByAccount("scan@example.org"); d == nil || d.Name != "known" || s.ByAccount("ſcan@example.org") != nil || s.ByAccount("") != nil || s.ByName("one") == nil {
		t.Errorf("%+v", d)
	}
	var none *Set
	if none.ByAddress("", netip.Addr{}) != nil || none.ByName("x") != nil || none.ByAccount("x") != nil {
		t.Error("no set has devices")
	}
}

var scanner = Device{Name: "scanner", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.12/32")}, Expect: 24 * time.Hour, Leniency: Leniency{LegacyTLS: true}}

// at returns a session of the scanner some hours after the begin of time.
func at(hours int, s Session) Session {
	s.At = begin.Add(time.Duration(hours) * time.Hour)
	if s.Listener == "" {
		s.Listener = ":25"
	}
	if !s.Peer.IsValid() {
		s.Peer = netip.MustParseAddr("10.0.0.12")
	}
	return s
}

var begin = time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC) // a Tuesday

// book returns a book that has noted sessions.
func book(t *testing.T, sessions ...Session) *Book {
	b := Open(t.TempDir(), nil)
	b.now = func() time.Time { return begin }
	b.Know(NewSet([]Device{scanner}))
	for _, s := range sessions {
		b.Note(s)
	}
	return b
}

func TestReport_Worries(t *testing.T) {
	old := &Failure{Cause: "tls.protocol-version", What: "speaks TLS 1.0 only"}
	mail := Session{Device: "scanner", TLS: 0x0303, Messages: 1}
	for _, c := range []struct {
		name     string
		sessions []Session
		hours    int // when it is looked at
		want     []string
	}{
		{"just configured", nil, 1, nil},
		{"never sent", nil, 25, []string{"silent: scanner has never sent, as far as this server knows (since Tuesday 09:00): it is expected to send every 24h"}},
		{"well", []Session{at(1, mail)}, 20, nil},
		{"silent", []Session{at(1, mail)}, 26, []string{"silent: scanner at 10.0.0.12 is silent since Tuesday 10:00: it is expected to send every 24h"}},
		{"seen and silent", []Session{at(1, mail), at(40, Session{Device: "scanner"})}, 41, []string{"silent: scanner at 10.0.0.12 is silent since"}},
		{"fails", []Session{at(1, mail), at(2, Session{Device: "scanner", Failure: old})}, 3, []string{"failing: scanner at 10.0.0.12 speaks TLS 1.0 only"}},
		{"failed and is well again", []Session{at(1, Session{Device: "scanner", Failure: old}), at(2, mail)}, 3, nil},
		{"failed long ago", []Session{at(1, mail), at(2, Session{Device: "scanner", Failure: old}), at(400, Session{Device: "scanner"})}, 401, []string{"silent: "}},
		{"weak", []Session{at(1, Session{Device: "scanner", TLS: 0x0301, Messages: 1})}, 2, []string{"weak-tls: scanner at 10.0.0.12 uses TLS 1.0, which"}},
		{"weak once", []Session{at(1, Session{Device: "scanner", TLS: 0x0302, Messages: 1}), at(2, mail)}, 3, []string{"weak-tls: scanner at 10.0.0.12 uses TLS 1.0 or 1.1, which"}},
		{"plain", []Session{at(1, Session{Device: "scanner", Plain: true, Messages: 1})}, 2, []string{"plain-password: scanner at 10.0.0.12 sends its password"}},
		{"a neighbour", []Session{at(1, Session{Peer: netip.MustParseAddr("10.0.0.99"), Failure: old})}, 2, []string{"failing: the client at 10.0.0.99 speaks TLS 1.0 only"}},
		{"a stranger", []Session{at(1, Session{Peer: netip.MustParseAddr("203.0.113.9"), Failure: old})}, 2, nil},
		{"a neighbour who is well", []Session{at(1, Session{Peer: netip.MustParseAddr("10.0.0.99"), Messages: 1})}, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := Report(NewSet([]Device{scanner}), book(t, c.sessions...).Records(), begin.Add(time.Duration(c.hours)*time.Hour))
			var got []string
			for _, w := range Worries(report) {
				got = append(got, string(w.Kind)+": "+w.What)
				if len(w.Do) == 0 || w.Device == "" {
					t.Errorf("not a whole worry: %+v", w)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}

// TestRemedies: every cause that the server gives is in the catalogue and has a
// remedy of its own.
func TestRemedies(t *testing.T) {
	for _, id := range []cause.ID{"tls.protocol-version", "tls.implicit-on-starttls-port", "tls.plain-on-implicit-port", "tls.certificate-untrusted",
		"service.wrong-protocol-http", "auth.encryption-required", "auth.credentials-rejected", "auth.too-many-logins", "auth.required", "relay.denied",
		"message.bare-lf", "sender.bad-helo", "recipient.address-syntax", "sender.address-invalid", "tls.handshake-failed", "message.too-large"} {
		if _, ok := cause.Lookup(id); !ok {
			t.Errorf("%s is not in the catalogue", id)
		}
		if do := remedies(&Failure{Cause: id}, &Record{Peer: "10.0.0.12"}); len(do) == 0 {
			t.Errorf("%s: nothing to do", id)
		}
	}
	do := strings.Join(remedies(&Failure{Cause: "tls.protocol-version"}, &Record{Peer: "10.0.0.12"}), " ")
	if !strings.Contains(do, `address = ["10.0.0.12"]`) || !strings.Contains(do, "legacy_tls = true") {
		t.Error(do)
	}
}

func TestBook_SurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := Open(dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		b.Know(NewSet([]Device{scanner}))
		for range 1000 {
			b.Note(Session{At: time.Now(), Device: "scanner", Peer: netip.MustParseAddr("10.0.0.12"), TLS: 0x0301, Messages: 1, Quirks: []string{"bare newlines"}})
		}
		if _, err := os.Stat(filepath.Join(dir, FileName)); err == nil {
			t.Error("written at once")
		}
		time.Sleep(writeEvery + time.Second)
		synctest.Wait()
		records, err := Read(dir)
		if err != nil || len(records) != 1 || records[0].Messages != 1000 || records[0].TLS != "TLS 1.0" {
			t.Errorf("%+v, %v", records, err)
		}
		b.Note(Session{At: time.Now(), Peer: netip.MustParseAddr("10.0.0.9"), Failure: &Failure{Cause: "service.wrong-protocol-http", What: "speaks HTTP"}})
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, FileName)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		again := Open(dir, nil).Records()
		if d := cmp.Diff(b.Records(), again); d != "" || len(again) != 2 {
			t.Error(d)
		}
	})
}

func TestBook_DamagedFileIsPutAside(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"{", `{"version": 99}`} {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Open(dir, nil).Records(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		if b, err := os.ReadFile(filepath.Join(dir, FileName+".damaged")); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
}

// TestBook_IsBounded has thousands of strangers at the door: the book stays small,
// and the neighbour stays in it.
func TestBook_IsBounded(t *testing.T) {
	f := &Failure{Cause: "relay.denied", What: "may not use it"}
	b := book(t, at(1, Session{Peer: netip.MustParseAddr("10.0.0.99"), Failure: f}))
	for i := range 5000 {
		b.Note(at(2, Session{Peer: netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), Failure: f}))
	}
	records := b.Records()
	if len(records) > maxPeers/2+2 || records[0].Device != "scanner" {
		t.Errorf("%d records", len(records))
	}
	if !slices.ContainsFunc(records, func(r Record) bool { return r.Peer == "10.0.0.99" }) {
		t.Error("the neighbour is gone")
	}
	for i := range 100 {
		c := []cause.ID{"relay.denied", "tls.protocol-version"}[i%2]
		b.Note(at(3, Session{Device: "scanner", Failure: &Failure{Cause: c, What: "x"}}))
	}
	if r := b.Records()[0]; len(r.Failures) != maxFailures {
		t.Errorf("%d failures", len(r.Failures))
	}
}

func TestBook_LikeFailuresAreOne(t *testing.T) {
	f := &Failure{Cause: "relay.denied", What: "may not use it"}
	r := book(t, at(1, Session{Device: "scanner", Failure: f}), at(2, Session{Device: "scanner", Failure: f})).Records()[0]
	if len(r.Failures) != 1 || r.Failures[0].Count != 2 || !r.Failures[0].At.Equal(begin.Add(2*time.Hour)) {
		t.Errorf("%+v", r.Failures)
	}
}

func TestBook_DropsDevicesThatAreGone(t *testing.T) {
	b := book(t, at(1, Session{Device: "scanner", Messages: 1}))
	b.Know(NewSet(nil))
	if got := b.Records(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestReport_TitleOfAFailureHasNoPlaceholders(t *testing.T) {
	b := book(t, at(1, Session{Peer: netip.MustParseAddr("10.0.0.9"), Failure: &Failure{Cause: "tls.protocol-version", What: "speaks TLS 1.0 only"}}))
	titles := 0
	for _, s := range Report(NewSet(nil), b.Records(), begin) {
		for _, f := range s.Failures {
			titles++
			if f.Title == "" || strings.ContainsAny(f.Title, "{}[]|") {
				t.Errorf("%q", f.Title)
			}
		}
	}
	if titles != 1 {
		t.Errorf("%d failures are reported, want 1", titles)
	}
}

func TestReport_NamesARefusedSender(t *testing.T) {
	const refusal = "was refused: 553 5.7.1 Sender address rejected: other@example.org is not owned by this host. Send as scan@example.org, or ask the administrator to add the address"
	b := book(t, at(1, Session{Device: "scanner", Failure: &Failure{What: refusal}}))
	for _, s := range Report(NewSet([]Device{scanner}), b.Records(), begin) {
		if len(s.Failures) != 1 || s.Failures[0].Cause != "sender.address-not-owned" || !strings.Contains(strings.Join(s.Failures[0].Do, " "), "senders of its [[device]] scanner") {
			t.Errorf("%+v", s.Failures)
		}
	}
	for _, what := range []string{"was refused: 500 5.5.2 Command not recognised", "closed without QUIT", "gives a password that is wrong"} {
		if id := named(what); id != "" {
			t.Errorf("%s: %s", what, id)
		}
	}
}
