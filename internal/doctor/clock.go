package doctor

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/wellsent/wellsent/internal/explain"
)

// Clock is an independent time.
type Clock struct {
	Source string
	Says   time.Time
	Ours   time.Time
}

// off returns by how much this machine's clock differs.
func (c *Clock) off() time.Duration { return c.Ours.Sub(c.Says) }

// clockOff is the difference from which a clock is wrong. Certificates are made
// with less than a day of margin.
const clockOff = 2 * time.Hour

// wrong reports whether this machine's clock differs from c.
func (c *Clock) wrong() bool { return c.off() > clockOff || c.off() < -clockOff }

// built returns when the source of this program was last changed, the zero time
// where the program does not say it. No right clock can be before it.
func built() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// clockWrong judges this machine's clock, where a certificate that is good from one
// instant to another looks bad: nil when it is the certificate. It takes more than
// one certificate, for a server with a dead battery makes certificates of its own
// time. Other hosts decide by majority, and a clock that is behind the making of
// this program decides alone.
func (j *judge) clockWrong(from, to time.Time, seen ...string) *Finding {
	now := j.q.now()
	says := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	if b := j.q.Built; !b.IsZero() && now.Before(b.Add(-24*time.Hour)) && now.Before(from) {
		return j.find("tls.clock-wrong", explain.Certain, append(seen,
			fmt.Sprintf("this machine's clock says %s, and this program was made on %s", says(now), day(b)))...)
	}
	var against, same []string
	for _, c := range j.f.Clocks {
		switch {
		case !c.wrong():
			same = append(same, c.Source)
		case !c.Says.Before(from) && !c.Says.After(to):
			against = append(against, fmt.Sprintf("%s says %s", c.Source, says(c.Says)))
		}
	}
	if len(against) == 0 || len(against) <= len(same) {
		return nil
	}
	sure := explain.Likely
	if len(against) > 1 && len(same) == 0 {
		sure = explain.Certain
	}
	return j.find("tls.clock-wrong", sure, append(seen, fmt.Sprintf("this machine's clock says %s; %s", says(now), listOf(against)))...)
}

// clockWords says what other clocks say that agree with this machine's.
func (j *judge) clockWords() []string {
	var same []string
	for _, c := range j.f.Clocks {
		if !c.wrong() {
			same = append(same, c.Source)
		}
	}
	if len(same) == 0 {
		return nil
	}
	return []string{"this machine's clock agrees with that of " + listOf(same)}
}
