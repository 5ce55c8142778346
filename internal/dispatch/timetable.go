package dispatch

import (
	"math/rand/v2"
	"time"
)

// DefaultRetry is the timetable of attempts, with the time since the first in
// the margin.
var DefaultRetry = []time.Duration{
	1 * time.Minute,  // 0:01  greylisting of the quick kind, a restart
	2 * time.Minute,  // 0:03
	5 * time.Minute,  // 0:08  greylisting of the usual kind
	15 * time.Minute, // 0:23
	30 * time.Minute, // 0:53  RFC 5321 §4.5.4.1 asks for at least this from here on
	1 * time.Hour,    // 1:53
	2 * time.Hour,    // 3:53  before the warning after 4 h
	4 * time.Hour,    // 7:53  and so on
}

// pauses is when a paused lane is tried again. Few enough for the budget of wrong
// logins that providers allow before they lock an account.
var pauses = []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// maxProbe bounds the wait of a lane that is down: mail that has just come in
// should not wait for hours because older mail has failed for days.
const maxProbe = 15 * time.Minute

// throttleWait is how long a throttled lane rests at least.
const throttleWait = time.Minute

// jitter is the part by which waits are spread, so that mail that failed together
// is not tried together.
const jitter = 0.1

// after returns the wait after n attempts, n from 1; the last entry repeats.
func after(table []time.Duration, n int) time.Duration {
	return table[max(0, min(n, len(table))-1)]
}

// spread varies d by jitter.
func spread(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*2-1)*jitter*float64(d))
}

// pause is one time during which a lane was paused.
type pause struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // zero: still
}

// paused returns for how long of the time from a to b a lane was paused.
func paused(pauses []pause, a, b time.Time) time.Duration {
	var total time.Duration
	for _, p := range pauses {
		from, until := p.From, p.Until
		if until.IsZero() || until.After(b) {
			until = b
		}
		if from.Before(a) {
			from = a
		}
		if until.After(from) {
			total += until.Sub(from)
		}
	}
	return total
}
