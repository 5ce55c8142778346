package doctor

import (
	"errors"
	"os"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

func TestJudge_CaptivePortal(t *testing.T) {
	q := &Question{Host: "smtp.example.org", Port: 587}
	there := func(host, to string) Portal { return Portal{Host: host, Status: 302, To: to, URL: "http://" + to + "/"} }
	for _, c := range []struct {
		name    string
		portals []Portal
		want    bool
	}{
		{"two strangers to one page", []Portal{there("smtp.example.org", "login.hotel.example"), there("mail.example.net", "login.hotel.example")}, true},
		{"one alone", []Portal{there("smtp.example.org", "login.hotel.example"), {Host: "mail.example.net", Error: "refused"}}, false},
		{"each to its own form", []Portal{there("example.org", "www.example.org"), there("mail.example.net", "mail.example.net")}, false},
		{"each to another stranger", []Portal{there("smtp.example.org", "a.example.com"), there("mail.example.net", "b.example.edu")}, false},
		{"it says so itself", []Portal{{Host: "smtp.example.org", Status: 511}}, true},
		{"a web server", []Portal{{Host: "smtp.example.org", Status: 200}, {Host: "mail.example.net", Status: 404}}, false},
	} {
		j := &judge{q: q, f: &Facts{Portals: c.portals}}
		x := j.captive()
		if got := x != nil && x.Cause == "net.captive-portal"; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, x, c.want)
		}
	}
	reached := &judge{q: q, f: &Facts{
		Portals:  []Portal{there("smtp.example.org", "login.hotel.example"), there("mail.example.net", "login.hotel.example")},
		Connects: []Connect{{Endpoint: Endpoint{"smtp.example.org", 587}, Why: connectTarget, Outcome: Open}},
		Talks:    []*Talk{{Why: talkTarget, Spoke: ProtoSMTP}},
	}}
	if x := reached.captive(); x != nil {
		t.Errorf("a mail server answers, and the network is said to be captive: %v", x)
	}
}

func TestJudge_BlackHole(t *testing.T) {
	failure := func(stage evidence.Stage, err error) *evidence.Error {
		return &evidence.Error{Origin: evidence.OriginNetwork, Stage: stage, Err: err}
	}
	stall := failure(evidence.StageTLS, os.ErrDeadlineExceeded)
	for _, c := range []struct {
		name          string
		target, small *Talk
		want          bool
	}{
		{"stalls, and not with small segments", &Talk{Failure: stall}, &Talk{TLS: "TLS 1.3"}, true},
		{"stalls with small segments too", &Talk{Failure: stall}, &Talk{Failure: stall}, false},
		{"not tried", &Talk{Failure: stall}, nil, false},
		{"refused, not stalled", &Talk{Failure: failure(evidence.StageTLS, errors.New("remote error: tls: handshake failure"))}, &Talk{TLS: "TLS 1.3"}, false},
		{"no greeting: nothing large was sent", &Talk{Failure: failure(evidence.StageGreeting, os.ErrDeadlineExceeded)}, &Talk{TLS: "TLS 1.3"}, false},
		{"all is well", &Talk{}, nil, false},
	} {
		f := &Facts{}
		for why, talk := range map[talkReason]*Talk{talkTarget: c.target, talkSmall: c.small} {
			if talk != nil {
				talk.Why, talk.Record = why, &evidence.Record{}
				f.Talks = append(f.Talks, talk)
			}
		}
		j := &judge{q: &Question{Host: "smtp.example.org", Port: 587, Security: StartTLS}, f: f}
		id := cause.ID("")
		if x := j.blackHole(); x != nil {
			id = x.Cause
		}
		if got := id == "net.mtu-black-hole"; got != c.want {
			t.Errorf("%s: %q", c.name, id)
		}
	}
}
