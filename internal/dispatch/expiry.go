package dispatch

import "time"

// pause is one time during which a lane was paused.
type pause struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // zero: still
}

// keptPauses bounds the pauses that a lane's record remembers.
const keptPauses = 64

// addPause begins a pause at now. Where there are too many, the two oldest become
// one with the time between them: mail then lives longer, never shorter.
func addPause(pauses []pause, now time.Time) []pause {
	if n := len(pauses); n > 0 && pauses[n-1].Until.IsZero() {
		return pauses
	}
	if len(pauses) >= keptPauses {
		pauses[1].From = pauses[0].From
		pauses = pauses[1:]
	}
	return append(pauses, pause{From: now})
}

// endPause ends the pause that goes on, if one does.
func endPause(pauses []pause, now time.Time) {
	if n := len(pauses); n > 0 && pauses[n-1].Until.IsZero() {
		pauses[n-1].Until = now
	}
}

// stood returns for how long of the time from a to b a lane was paused.
func stood(pauses []pause, a, b time.Time) time.Duration {
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

// life is what decides when a recipient has waited long enough.
type life struct {
	received time.Time
	expireAt time.Time     // as it stands in the spool: when to look; never zero
	most     time.Duration // that mail may wait
	pauses   []pause       // of the lane
}

// expiryLook is how soon a recipient whose clock stands is looked at again.
const expiryLook = 10 * time.Minute

// effectiveExpiry returns when the recipient has really waited long enough, as
// things stand at now: time during which its lane was paused does not count. It
// is never before l.expireAt when nothing was paused, and always after now while
// the lane is paused.
func effectiveExpiry(l life, now time.Time) time.Time {
	start := l.received
	allowed := min(l.most, l.expireAt.Sub(start))
	if l.expireAt.Sub(start)-stood(l.pauses, start, l.expireAt) > allowed+2*expiryLook {
		start = l.expireAt.Add(-allowed) // an operator gave it more time
	}
	left := allowed - (now.Sub(start) - stood(l.pauses, start, now))
	expiry := now.Add(left)
	if n := len(l.pauses); n > 0 && l.pauses[n-1].Until.IsZero() {
		expiry = later(expiry, now.Add(expiryLook)) // its clock stands
	}
	return expiry
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
