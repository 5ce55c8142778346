package resolver

import (
	"errors"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

const srvZone = `
$TTL 60
_submissions._tcp.example.org. IN SRV 20 0 465 backup.example.org.
_submissions._tcp.example.org. IN SRV 10 0 465 Smtp.example.org.
_submission._tcp.example.org.  IN SRV 0 0 0 .
_imap._tcp.example.org.        IN SRV 0 0 0 imap.example.org.
_pop3._tcp.example.org.        IN TXT "no server"
_imaps._tcp.example.org.       IN CNAME _submissions._tcp.example.org.
`

func TestSRV(t *testing.T) {
	z := newZone(t, srvZone)
	z.fail("_broken._tcp.example.org.", dns.RcodeServerFailure)
	r := resolverOf(t, testTimeout, z.addr)
	want := []SRV{
		{Target: "smtp.example.org", Port: 465, Priority: 10},
		{Target: "backup.example.org", Port: 465, Priority: 20},
	}
	for _, service := range []string{"_submissions._tcp.example.org", "_SUBMISSIONS._tcp.Example.org.", "_imaps._tcp.example.org"} {
		if got, err := r.SRV(ctxOf(t), service); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", service, got, err, want)
		}
	}
	for service, kind := range map[string]Kind{
		"_submission._tcp.example.org": KindNotOffered,
		"_imap._tcp.example.org":       KindNotOffered, // port 0 is none
		"_pop3._tcp.example.org":       KindNoData,
		"_pop3s._tcp.example.org":      KindNoName,
		"_broken._tcp.example.org":     KindServerFailure,
		"_a b._tcp.example.org":        KindBadName,
	} {
		got, err := r.SRV(ctxOf(t), service)
		var e *Error
		if !errors.As(err, &e) || e.Kind != kind || e.Type != "SRV" || e.Name != service || got != nil {
			t.Errorf("%s: %v %v, want %s", service, got, err, kind)
		}
	}
	if !KindNotOffered.Definite() {
		t.Error("a service that is not offered may be offered when asked again")
	}
}

// What the name server says of DNSSEC counts when it is on this machine.
func TestSRV_Authenticated(t *testing.T) {
	z := newZone(t, srvZone)
	asked := make(chan bool, 10)
	z.setAnswer(func(w dns.ResponseWriter, q *dns.Msg, _ string) bool {
		asked <- q.AuthenticatedData
		m := z.reply(q)
		m.AuthenticatedData = true
		w.WriteMsg(m)
		return true
	})
	got, err := resolverOf(t, testTimeout, z.addr).SRV(ctxOf(t), "_submissions._tcp.example.org")
	if err != nil || len(got) != 2 || !got[0].Authenticated {
		t.Errorf("%v %v, want authenticated", got, err)
	}
	if !<-asked {
		t.Error("the question does not ask for validation")
	}
	for server, want := range map[string]bool{"127.0.0.53:53": true, "[::1]:53": true, "192.0.2.1:53": false, "dns.example:53": false} {
		if got := onLoopback(server); got != want {
			t.Errorf("%s: %v", server, got)
		}
	}
}

func TestOrdered_DrawsByWeight(t *testing.T) {
	first := map[string]int{}
	for range 2000 {
		all := ordered([]SRV{
			{Target: "late", Priority: 1, Weight: 65535}, {Target: "heavy", Weight: 90}, {Target: "light", Weight: 10}, {Target: "none"},
		})
		if len(all) != 4 || all[3].Target != "late" {
			t.Fatalf("%v: priority does not come first", all)
		}
		names := []string{all[0].Target, all[1].Target, all[2].Target}
		slices.Sort(names)
		if !slices.Equal(names, []string{"heavy", "light", "none"}) {
			t.Fatalf("%v: one is lost", all)
		}
		first[all[0].Target]++
	}
	if first["heavy"] < 1600 || first["light"] < 60 || first["none"] > 120 {
		t.Errorf("first of 2000: %v, want some 1780, 200 and 20", first)
	}
}
