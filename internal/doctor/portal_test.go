package doctor

import (
	"net/netip"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
)

func TestJudge_CaptivePortal(t *testing.T) {
	for _, tt := range []struct {
		portal Portal
		want   cause.ID
	}{
		{Portal{URL: "http://other.example.com/", Status: 302, To: "http://login.hotel.example/?u=2"}, "net.captive-portal"},
		{Portal{URL: "http://other.example.com/", Status: 302, To: "http://elsewhere.example/"}, "net.timeout"},
		{Portal{URL: "http://control.example.net/", Status: 511}, "net.captive-portal"},
		{Portal{URL: "http://control.example.net/", Status: 301, To: "https://www.example.net/"}, "net.timeout"},
		{Portal{URL: "http://control.example.net/", Status: 200}, "net.timeout"},
		{Portal{URL: knownPage, Status: 204}, "net.timeout"},
		{Portal{URL: knownPage, Status: 200}, "net.captive-portal"},
	} {
		q := &Question{Host: "mail.example.org", Port: 587, Security: Auto}
		f := &Facts{
			Local: &Local{Up: true}, Names: []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}},
			Connects: []Connect{connectTo(four, Silent)}, Portals: []Portal{{URL: "http://control.example.net/", Status: 302, To: "http://login.hotel.example/?u=1"}, tt.portal},
		}
		if r := NewReport(q, f); r.Findings[0].Cause != tt.want {
			t.Errorf("%+v: %s, want %s", tt.portal, r.Findings[0].Cause, tt.want)
		}
	}
}
