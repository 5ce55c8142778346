package dispatch

import "time"

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

// pauses is when a paused lane is tried again, alone. Few enough for the budget
// of wrong logins that providers allow before they lock an account.
var pauses = []time.Duration{
	5 * time.Minute,
	15 * time.Minute,
	30 * time.Minute,
	1 * time.Hour, // and so on
}

// rests is how long a lane rests when it was told to go slower, by how often in a
// row. Providers count by the minute or by the hour.
var rests = []time.Duration{
	1 * time.Minute,
	2 * time.Minute,
	5 * time.Minute,
	15 * time.Minute,
	30 * time.Minute, // and so on
}

// waitsForConnection is how long a lane rests that had too many connections: until
// the other side has noticed that one was closed.
var waitsForConnection = []time.Duration{
	15 * time.Second,
	30 * time.Second,
	1 * time.Minute,
	2 * time.Minute,
	5 * time.Minute, // and so on
}

// waitsForQuota is how long a lane rests whose allowance was said to be used up
// though we have not used it: somebody else sends with the account. Providers
// count the last hour or the last day, so room comes bit by bit.
var waitsForQuota = []time.Duration{
	15 * time.Minute,
	30 * time.Minute,
	1 * time.Hour, // and so on
}

// ceilingRise is how soon one connection more is tried than the other side was
// seen to allow.
const ceilingRise = 10 * time.Minute

// maxProbe bounds the wait of a lane that is down: mail that has just come in
// should not wait for hours because older mail has failed for days. RFC 5321
// §4.5.4.1 names it as the least wait in the long run.
const maxProbe = 30 * time.Minute

// unrouted is how often a lane that no route takes any more is looked at.
const unrouted = time.Minute

// The pace of a lane that was told to go slower: one message at a time and a gap
// between them, which doubles when it is told again and shrinks on success.
const (
	firstGap  = time.Second
	longGap   = time.Minute
	shortGap  = 100 * time.Millisecond // below it the lane is open again
	gapShrink = 0.8
)

// jitter is the part by which waits are spread, so that mail that failed together
// is not tried together.
const jitter = 0.1

// after returns the wait after n attempts, n from 1; the last entry repeats.
func after(table []time.Duration, n int) time.Duration {
	return table[max(0, min(n, len(table))-1)]
}

// spread varies d by jitter; random is in [0, 1).
func spread(d time.Duration, random float64) time.Duration {
	return d + time.Duration((2*random-1)*jitter*float64(d))
}
