package doctor

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/resolver"
)

// Warnings are told and change nothing.
func TestJudge_Warnings(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	talk := func(change func(*Talk)) *Talk {
		t := &Talk{
			Endpoint: Endpoint{"mail.example.org", 587}, Security: StartTLS, Why: talkTarget, TLS: "TLS 1.3", Verified: true, Spoke: ProtoSMTP,
			Chain: []*x509.Certificate{{NotAfter: now.AddDate(0, 3, 0)}}, Record: &evidence.Record{Greeting: "220 hello"},
		}
		if change != nil {
			change(t)
		}
		return t
	}
	none := []string{}
	spf, dmarc := []string{"v=spf1 -all"}, []string{"v=DMARC1; p=none"}
	for _, tt := range []struct {
		name   string
		talk   *Talk
		domain *Domain
		want   []cause.ID
	}{
		{"nothing", talk(nil), nil, nil},
		{"all is published", talk(nil), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, Checked: true}, nil},
		{"not looked up is not missing", talk(nil), &Domain{Name: "example.org", Checked: true}, nil},
		{"cut off", talk(nil), &Domain{Name: "example.org", SPF: none, DMARC: none}, nil},
		{"no SPF, no DMARC", talk(nil), &Domain{Name: "example.org", SPF: none, DMARC: none, Checked: true}, []cause.ID{"policy.unauthenticated", "policy.unauthenticated"}},
		{"two SPF records", talk(nil), &Domain{Name: "example.org", SPF: append(spf, spf...), DMARC: dmarc, Checked: true}, []cause.ID{"policy.unauthenticated"}},
		{"no DKIM key", talk(nil), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, DKIM: map[string]bool{"s1": false, "s2": true}, Checked: true}, []cause.ID{"policy.unauthenticated"}},
		{"no PTR", talk(func(t *Talk) { t.Port = 25 }), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, Own: four, PTR: none, Checked: true}, []cause.ID{"sender.no-reverse-dns"}},
		{"on a block list", talk(nil), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, Checked: true, Listed: []Listing{{Zone: "list.test", What: "192.0.2.4", Code: netip.MustParseAddr("127.0.0.2")}, {Zone: "list.test", What: "example.org", Domain: true, Code: netip.MustParseAddr("127.0.1.2")}}}, []cause.ID{"reputation.ip-blocklisted", "reputation.domain-blocklisted"}},
		{"null MX of the recipient", talk(nil), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, ToName: "example.net", ToKind: resolver.KindNullMX, Checked: true}, []cause.ID{"recipient.null-mx"}},
		{"the certificate ends soon", talk(func(t *Talk) { t.Chain[0].NotAfter = now.AddDate(0, 0, 5) }), nil, []cause.ID{"tls.certificate-expired"}},
		{"slow greeting", talk(func(t *Talk) {
			t.Record.Steps = []evidence.Step{{Stage: evidence.StageGreeting, Took: 6 * time.Second}}
		}), nil, []cause.ID{"net.slow-greeting"}},
		{"greeting in time", talk(func(t *Talk) {
			t.Record.Steps = []evidence.Step{{Stage: evidence.StageGreeting, Took: 4 * time.Second}}
		}), nil, nil},
		{"no PTR, on a submission port", talk(func(t *Talk) { t.Port = 465 }), &Domain{Name: "example.org", SPF: spf, DMARC: dmarc, Own: four, PTR: none, Checked: true}, nil},
	} {
		q := &Question{Host: "mail.example.org", Port: 587, Security: Auto, Now: func() time.Time { return now }}
		if tt.talk != nil {
			q.Port = tt.talk.Port
		}
		f := &Facts{
			Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}, Connects: []Connect{connectTo(four, Open)},
			Talks: []*Talk{tt.talk}, Domain: tt.domain,
		}
		r := NewReport(q, f)
		var got []string
		for _, w := range r.Warnings {
			got = append(got, string(w.Cause))
		}
		var want []string
		for _, id := range tt.want {
			want = append(want, string(id))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
		if r.Verdict != OK || len(r.Findings) != 0 {
			t.Errorf("%s: verdict %s, %v", tt.name, r.Verdict, r.Findings)
		}
	}
}

func TestReversed(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.99":  "99.2.0.192",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
	} {
		if got := reversed(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestRun_Blocklist: only the zones that were named are asked, and an answer that
// refuses to answer is no listing.
func TestRun_Blocklist(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := well(t, a).start(t)
	q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, From: testUser, Blocklists: []string{"list.test", "busy.test.", "clean.test"}}
	q.at(zone(t, "example.org. TXT \"v=spf1 -all\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"\nexample.org.list.test. A 127.0.1.2\nexample.org.busy.test. A 127.255.255.254\nexample.org.other.test. A 127.0.0.2\n"))
	r := ask(t, q, "")
	if len(r.Warnings) != 1 || r.Warnings[0].Cause != "reputation.domain-blocklisted" || r.Warnings[0].Subject != "example.org" {
		t.Errorf("%+v", r.Warnings)
	}
}
