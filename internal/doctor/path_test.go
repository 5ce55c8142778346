package doctor

import (
	"errors"
	"os"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

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
