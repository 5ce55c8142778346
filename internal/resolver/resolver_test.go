package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const zoneText = `
$TTL 60
example.org.        IN MX 20 backup.example.org.
example.org.        IN MX 10 MX2.example.org.
example.org.        IN MX 10 mx1.example.org.
mx1.example.org.    IN A 192.0.2.1
mx1.example.org.    IN AAAA 2001:db8::1
mx2.example.org.    IN A 192.0.2.2
mx2.example.org.    IN A 192.0.2.22
mx2.example.org.    IN A 192.0.2.2
backup.example.org. IN AAAA 2001:db8::3
bare.example.org.   IN A 192.0.2.9
text.example.org.   IN TXT "no address"
null.example.org.   IN MX 0 .
both.example.org.   IN MX 0 .
both.example.org.   IN MX 10 mx1.example.org.
alias.example.org.  IN CNAME example.org.
www.example.org.    IN CNAME one.example.org.
one.example.org.    IN CNAME mx1.example.org.
round.example.org.  IN CNAME around.example.org.
around.example.org. IN CNAME round.example.org.
lost.example.org.   IN CNAME nowhere.example.org.
xn--bcher-kva.example. IN MX 5 mx1.example.org.
`

func TestMX(t *testing.T) {
	z := newZone(t, zoneText)
	z.fail("broken.example.org.", dns.RcodeServerFailure)
	z.fail("refused.example.org.", dns.RcodeRefused)
	r := resolverOf(t, testTimeout, z.addr)
	for _, c := range []struct {
		domain string
		want   string // "preference host", equals sorted by name
		kind   Kind
	}{
		{domain: "example.org", want: "10 mx1.example.org, 10 mx2.example.org, 20 backup.example.org"},
		{domain: "EXAMPLE.org.", want: "10 mx1.example.org, 10 mx2.example.org, 20 backup.example.org"},
		{domain: "alias.example.org", want: "10 mx1.example.org, 10 mx2.example.org, 20 backup.example.org"},
		{domain: "bare.example.org", want: "0 bare.example.org"}, // RFC 5321 §5.1: implicit MX
		{domain: "text.example.org", want: "0 text.example.org"}, // whether it has an address shows later
		{domain: "both.example.org", want: "10 mx1.example.org"}, // RFC 7505 §3 forbids it; the real one counts
		{domain: "bücher.example", want: "5 mx1.example.org"},
		{domain: "BÜCHER.example", want: "5 mx1.example.org"},
		{domain: "null.example.org", kind: KindNullMX},
		{domain: "nowhere.example.org", kind: KindNoName},
		{domain: "lost.example.org", kind: KindNoName},
		{domain: "broken.example.org", kind: KindServerFailure},
		{domain: "refused.example.org", kind: KindServerFailure},
		{domain: "round.example.org", kind: KindServerFailure},
		{domain: "localhost", want: "0 localhost"},
		{domain: "", kind: KindBadName},
		{domain: "a..b", kind: KindBadName},
		{domain: strings.Repeat("a", 64) + ".org", kind: KindBadName},
		{domain: "two words.org", kind: KindBadName},
	} {
		found, err := r.MX(ctxOf(t), c.domain)
		if got := KindOf(err); got != c.kind {
			t.Errorf("MX(%q): %v, want kind %q", c.domain, err, c.kind)
			continue
		}
		slices.SortStableFunc(found, func(a, b MX) int {
			if a.Preference == b.Preference {
				return strings.Compare(a.Host, b.Host)
			}
			return 0
		})
		var got []string
		for _, mx := range found {
			got = append(got, itoa(mx.Preference)+" "+mx.Host)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("MX(%q) = %s, want %s", c.domain, s, c.want)
		}
	}
}

func itoa(n uint16) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestMX_EqualsComeInAnyOrder(t *testing.T) {
	r := resolverOf(t, testTimeout, newZone(t, zoneText).addr)
	seen := map[string]bool{}
	for range 200 {
		found, err := r.MX(ctxOf(t), "example.org")
		if err != nil || len(found) != 3 || found[2].Host != "backup.example.org" {
			t.Fatalf("%v, %v", found, err)
		}
		seen[found[0].Host] = true
		if len(seen) == 2 {
			return
		}
	}
	t.Errorf("of two exchangers of the same preference only %v ever came first", seen)
}

func TestAddresses(t *testing.T) {
	z := newZone(t, zoneText)
	z.fail("broken.example.org.", dns.RcodeServerFailure)
	r := resolverOf(t, testTimeout, z.addr)
	for _, c := range []struct {
		host string
		want string
		kind Kind
	}{
		{host: "mx1.example.org", want: "2001:db8::1 192.0.2.1"},
		{host: "mx2.example.org.", want: "192.0.2.2 192.0.2.22"},
		{host: "backup.example.org", want: "2001:db8::3"},
		{host: "www.example.org", want: "2001:db8::1 192.0.2.1"}, // the server leaves the chain to us
		{host: "localhost", want: "::1 127.0.0.1"},
		{host: "box.localhost", want: "::1 127.0.0.1"},
		{host: "192.0.2.7", want: "192.0.2.7"},
		{host: "[2001:db8::7]", want: "2001:db8::7"},
		{host: "::ffff:192.0.2.7", want: "192.0.2.7"},
		{host: "text.example.org", kind: KindNoData},
		{host: "nowhere.example.org", kind: KindNoName},
		{host: "broken.example.org", kind: KindServerFailure},
		{host: "round.example.org", kind: KindServerFailure},
		{host: "", kind: KindBadName},
	} {
		found, err := r.Addresses(ctxOf(t), c.host)
		var got []string
		for _, a := range found {
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != c.want || KindOf(err) != c.kind {
			t.Errorf("Addresses(%q) = %s, %v; want %s, kind %q", c.host, s, err, c.want, c.kind)
		}
	}
}

func TestError_IsAlsoWhatTheStandardLibrarySays(t *testing.T) {
	r := resolverOf(t, testTimeout, newZone(t, zoneText).addr)
	_, err := r.Addresses(ctxOf(t), "nowhere.example.org")
	var d *net.DNSError
	if !errors.As(err, &d) || !d.IsNotFound || d.Name != "nowhere.example.org" || !errors.Is(err, KindNoName) {
		t.Errorf("%#v as DNSError is %#v", err, d)
	}
}

// One address family that cannot be looked up does not hide the other.
func TestAddresses_OneFamilyFails(t *testing.T) {
	z := newZone(t, zoneText)
	z.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, _ string) bool {
		if q.Question[0].Qtype == dns.TypeAAAA {
			w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
			return true
		}
		return false
	})
	r := resolverOf(t, testTimeout, z.addr)
	found, err := r.Addresses(ctxOf(t), "mx1.example.org")
	if err != nil || len(found) != 1 || found[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%v, %v", found, err)
	}
	// But a name without an A is not "without address" while AAAA is unknown.
	if _, err := r.Addresses(ctxOf(t), "text.example.org"); KindOf(err) != KindServerFailure {
		t.Errorf("%v, want a failure that passes", err)
	}
}

func TestExchange_TruncatedAnswerIsAskedForByTCP(t *testing.T) {
	z := newZone(t, zoneText)
	z.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, network string) bool {
		if network == "tcp" {
			return false
		}
		m := new(dns.Msg).SetReply(q)
		m.Truncated = true
		w.WriteMsg(m)
		return true
	})
	found, err := resolverOf(t, testTimeout, z.addr).MX(ctxOf(t), "example.org")
	if err != nil || len(found) != 3 {
		t.Errorf("%v, %v", found, err)
	}
}

// RFC 6891 §7: a server that does not know EDNS says FORMERR.
func TestExchange_ServerWithoutEDNS(t *testing.T) {
	z := newZone(t, zoneText)
	z.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, _ string) bool {
		if q.IsEdns0() == nil {
			return false
		}
		w.WriteMsg(new(dns.Msg).SetRcodeFormatError(q))
		return true
	})
	found, err := resolverOf(t, testTimeout, z.addr).MX(ctxOf(t), "example.org")
	if err != nil || len(found) != 3 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestExchange_AnswerToAnotherQuestionIsNotTaken(t *testing.T) {
	z := newZone(t, zoneText)
	z.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, _ string) bool {
		m := new(dns.Msg).SetReply(q)
		m.Question[0].Name = "evil.example."
		m.Answer = []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: "example.org.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: "evil.example."}}
		w.WriteMsg(m)
		return true
	})
	if found, err := resolverOf(t, testTimeout, z.addr).MX(ctxOf(t), "example.org"); KindOf(err) != KindServerFailure {
		t.Errorf("%v, %v", found, err)
	}
}

func TestExchange_NextServer(t *testing.T) {
	good := newZone(t, zoneText)
	broken := newZone(t, "")
	broken.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, _ string) bool {
		w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
		return true
	})
	silent := newZone(t, "")
	silent.setAnswer(func(dns.ResponseWriter, *dns.Msg, string) bool { return true })
	dead := unusedPort(t)

	t.Run("after one that refuses", func(t *testing.T) {
		if found, err := resolverOf(t, testTimeout, broken.addr, good.addr).MX(ctxOf(t), "example.org"); err != nil {
			t.Errorf("%v, %v", found, err)
		}
	})
	t.Run("after one that is not there", func(t *testing.T) {
		if found, err := resolverOf(t, testTimeout, dead, good.addr).MX(ctxOf(t), "example.org"); err != nil {
			t.Errorf("%v, %v", found, err)
		}
	})
	t.Run("NXDOMAIN ends the search", func(t *testing.T) {
		before := good.questions.Load()
		_, err := resolverOf(t, testTimeout, newZone(t, "").addr, good.addr).MX(ctxOf(t), "example.org")
		if KindOf(err) != KindNoName || good.questions.Load() != before {
			t.Errorf("%v; %d more questions", err, good.questions.Load()-before)
		}
	})
	short := 50 * time.Millisecond
	for _, c := range []struct {
		name    string
		servers []string
		want    Kind
	}{
		{"all silent", []string{silent.addr}, KindTimeout},
		{"none there", []string{dead}, KindUnreachable},
		{"one silent, one not there", []string{dead, silent.addr}, KindTimeout},
		{"one silent, one broken", []string{silent.addr, broken.addr}, KindServerFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := short
			if !slices.Contains(c.servers, silent.addr) {
				timeout = testTimeout
			}
			_, err := resolverOf(t, timeout, c.servers...).MX(ctxOf(t), "example.org")
			if KindOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// unusedPort returns an address on loopback that nothing listens on.
func unusedPort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

func TestMX_EndOfContextEndsTheWait(t *testing.T) {
	z := newZone(t, "")
	asked := make(chan struct{}, 16)
	z.setAnswer(func(dns.ResponseWriter, *dns.Msg, string) bool {
		asked <- struct{}{}
		return true
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := resolverOf(t, time.Hour, z.addr).MX(ctx, "example.org")
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; KindOf(err) != KindCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %s", err, KindCancelled)
	}
}

func TestSystemFiles(t *testing.T) {
	z := newZone(t, "mail.corp.example. IN A 192.0.2.80\nshort. IN A 192.0.2.81\n")
	host, port, err := net.SplitHostPort(z.addr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf, hosts := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(conf, "nameserver "+host+"\nsearch corp.example\n")
	write(hosts, "# a comment\n192.0.2.90 Printer.Lan printer # the one downstairs\nfe80::1%eth0 x\n2001:db8::90 printer.lan\nnonsense\n")
	r := New(Options{ResolvConf: conf, Hosts: hosts, Timeout: testTimeout})
	r.config().Port = port // resolv.conf knows only port 53

	for _, c := range []struct{ name, want string }{
		{"printer.lan", "192.0.2.90 2001:db8::90"},
		{"PRINTER", "192.0.2.90"},
		{"mail", "192.0.2.80"},   // by the search list
		{"short", "192.0.2.81"},  // by itself, after the search list
		{"short.", "192.0.2.81"}, // absolute
	} {
		found, err := r.Addresses(ctxOf(t), c.name)
		var got []string
		for _, a := range found {
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("Addresses(%q) = %s, %v; want %s", c.name, s, err, c.want)
		}
	}
	if _, err := r.Addresses(ctxOf(t), "mail."); KindOf(err) != KindNoName {
		t.Errorf("an absolute name was searched: %v", err)
	}
	// A domain that is only in the hosts file is its own exchanger.
	if found, err := r.MX(ctxOf(t), "printer.lan"); err != nil || len(found) != 1 || found[0].Host != "printer.lan" {
		t.Errorf("%v, %v", found, err)
	}
}

func TestSystemFiles_ReadAgainWhenChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	w := watched[hosts]{path: path, read: readHosts}
	if got := w.get(); len(got) != 0 {
		t.Errorf("without a file: %v", got)
	}
	if err := os.WriteFile(path, []byte("192.0.2.1 a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.next = time.Time{} // the time to look again has come
	if got := w.get(); len(got["a."]) != 1 {
		t.Errorf("after it was written: %v", got)
	}
	if err := os.WriteFile(path, []byte("192.0.2.1 a\n192.0.2.2 b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.get(); len(got) != 1 {
		t.Errorf("read before its time: %v", got)
	}
	w.next = time.Time{}
	if got := w.get(); len(got) != 2 {
		t.Errorf("after it was changed: %v", got)
	}
	os.Remove(path)
	w.next = time.Time{}
	if got := w.get(); len(got) != 2 {
		t.Errorf("after it was removed: %v", got)
	}
}

func TestUpstream_WithoutServersItIsThisMachine(t *testing.T) {
	servers, timeout := New(Options{ResolvConf: t.TempDir() + "/none"}).upstream()
	if !slices.Equal(servers, []string{"127.0.0.1:53", "[::1]:53"}) || timeout != 5*time.Second {
		t.Errorf("%v, %s", servers, timeout)
	}
}

// Whatever bytes a name server answers, a look-up ends with addresses or an
// error.
func FuzzAnswer(f *testing.F) {
	good := new(dns.Msg).SetQuestion("example.org.", dns.TypeMX)
	good.Response = true
	good.Answer = []dns.RR{
		&dns.CNAME{Hdr: dns.RR_Header{Name: "example.org.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "b.example."},
		&dns.MX{Hdr: dns.RR_Header{Name: "b.example.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: "."},
		&dns.MX{Hdr: dns.RR_Header{Name: "b.example.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: "c.example.", Preference: 9},
	}
	wire, err := good.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		if m.Unpack(wire) != nil {
			return
		}
		records, end := follow(m.Answer, "example.org.", dns.TypeMX)
		for _, rr := range records {
			if rr.Header().Rrtype != dns.TypeMX {
				t.Errorf("a record of another type: %v", rr)
			}
		}
		if end == "" {
			t.Error("the chain ends nowhere")
		}
		for _, rr := range m.Answer {
			address(rr)
		}
	})
}

func FuzzToASCII(f *testing.F) {
	for _, s := range []string{"example.org", "bücher.example", "a..b", "\xff", "xn--a", "_smtp._tcp.example", "ß.example", "a\\.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ToASCII(s)
		if err != nil {
			return
		}
		if again, err := ToASCII(a); err != nil || again != a {
			t.Errorf("ToASCII(%q) = %q, and of that %q, %v", s, a, again, err)
		}
		for i := 0; i < len(a); i++ {
			if a[i] >= 0x80 || a[i] <= ' ' {
				t.Errorf("ToASCII(%q) = %q", s, a)
			}
		}
	})
}
