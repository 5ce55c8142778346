package dispatch

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// The states of a lane, as operators see them.
const (
	laneOpen   = "open"
	laneSlow   = "slow"
	laneDown   = "down"
	lanePaused = "paused"
)

const (
	startConcurrency = 5  // conversations a lane begins with
	hostConnections  = 50 // conversations with one smart host, where its route sets no bound
	mxConnections    = 20 // conversations with the hosts of one domain
)

// longestWait is the longest that a lane waits before it is tried again: as much as
// another side may ask for, and jitter.
const longestWait = 24*time.Hour + time.Minute

// recordVersion is the version of a lane's record. 1: the first.
const recordVersion = 1

// health is a lane's record: what is kept of it between processes.
type health struct {
	Version  int              `json:"version"`
	State    string           `json:"state"`
	Since    time.Time        `json:"since"`
	Next     time.Time        `json:"next"`              // the next probe; zero when open
	Failures int              `json:"failures"`          // probes that failed in a row, in this state
	Refused  int              `json:"refused,omitempty"` // probes that paused the lane since it was last open, whatever came between
	Gap      time.Duration    `json:"gap,omitempty"`     // between messages while slow
	Proven   string           `json:"proven,omitempty"`  // the settings by which something was last delivered; see settings
	Finding  *explain.Finding `json:"finding,omitempty"`
	Reply    string           `json:"reply,omitempty"`
	Detail   string           `json:"detail,omitempty"`
	Pauses   []pause          `json:"pauses,omitempty"` // oldest first
}

// lane is all mail for one destination.
type lane struct {
	name spool.Destination // immutable
	work chan struct{}     // capacity 1: something may be due; a worker that takes it and finds more passes it on

	mu          sync.Mutex // guards the fields below
	health      health
	workers     int
	crowded     bool      // it is in the dispatcher's crowd
	idle        int       // of these, waiting for work
	concurrency float64   // conversations allowed now
	gapEnds     time.Time // of the gap after the last message, while slow. Apart from health.Next, before which what fails is no news
	ceiling     int       // conversations that the other side was seen to allow; 0: no such
	troubledBy  string    // the settings by which its trouble came; "": not known
	notices     []string  // what the operator should know although it works; as of the last message that went well
	ceilingAt   time.Time
	told        map[string]time.Time // when the log was last told of a bound of the pace; at most one for each
	gone        bool                 // it is not in the dispatcher's map any more; guarded by the dispatcher's mu

	// The timetable's, guarded by the dispatcher's mu.
	planned  time.Time // when it looks at the lane
	planSpot int       // in the plan, from 1; 0: not planned
}

func newLane(name spool.Destination) *lane {
	return &lane{name: name, work: make(chan struct{}, 1), concurrency: startConcurrency, health: health{Version: recordVersion, State: laneOpen}}
}

// restore takes the record of an earlier process.
func (l *lane) restore(record []byte) error {
	var h health
	if err := json.Unmarshal(record, &h); err != nil {
		return fmt.Errorf("lane %s: %w", l.name, err)
	}
	if h.Version != recordVersion {
		return fmt.Errorf("lane %s: record of version %d", l.name, h.Version)
	}
	// Written while the clock was ahead. Without the monotonic clock, so that it is past
	// at once where it is now that the clock is behind.
	if latest := time.Now().Add(longestWait).Round(0); h.Next.After(latest) {
		h.Next = latest
	}
	l.health = h
	return nil
}

// healthIsPlainLocked reports that the lane's record would say nothing.
func (l *lane) healthIsPlainLocked() bool {
	return l.health.State == laneOpen && len(l.health.Pauses) == 0 && l.health.Proven == ""
}

// bound returns how many conversations r allows.
func bound(r *route.Route) float64 {
	switch {
	case r == nil:
		return 1 // there is nowhere to go
	case r.Pace.Connections > 0:
		return float64(r.Pace.Connections)
	case r.IsMX():
		return mxConnections
	}
	return hostConnections
}

// settings names the hosts, the login, the mailbox and the way to them of r. What a
// lane has learned by one set of them says nothing about another.
func settings(r *route.Route) string {
	s := r.User
	for _, v := range r.Via {
		s += " " + v.String()
	}
	if r.From != smtp.NullPath {
		s += " as " + string(r.From)
	}
	// A server may know us by where we come from, or by our certificate.
	if r.Proxy != nil {
		s += " proxy " + r.Proxy.String()
	}
	if r.Source.IsValid() {
		s += " source " + r.Source.String()
	}
	if r.Certificate != nil {
		s += " certificate " + r.Certificate.File
	}
	return s
}

// admission is whether one more message may be tried.
type admission struct {
	ok    bool
	until time.Time // when to ask again, if not ok; zero: when something ends
}

// admitLocked decides whether a conversation may take a message now, as far as the
// lane's health goes. The pace has its own say.
func (l *lane) admitLocked(now time.Time) admission {
	h := &l.health
	if h.State == laneDown || h.State == lanePaused {
		switch {
		case now.Before(h.Next):
			return admission{until: h.Next}
		case l.workers-l.idle > 1: // a probe is under way
			return admission{}
		}
		return admission{ok: true}
	}
	if next := later(h.Next, l.gapEnds); h.State == laneSlow && now.Before(next) {
		return admission{until: next}
	}
	return admission{ok: true}
}

// allowedLocked returns how many workers the lane may have.
func (l *lane) allowedLocked(now time.Time, r *route.Route) int {
	if l.health.State != laneOpen {
		return 1
	}
	n := min(int(l.concurrency), int(bound(r)))
	if l.ceiling > 0 {
		// Whoever else uses the account may have gone: one more is tried now and then.
		n = min(n, l.ceiling+int(now.Sub(l.ceilingAt)/ceilingRise))
	}
	return max(1, n)
}

// spendLocked notes that a message is being tried.
func (l *lane) spendLocked(now time.Time) {
	if l.health.State == laneSlow {
		l.gapEnds = now.Add(l.health.Gap)
	}
}

// wentWellLocked notes a conversation that worked, and whether it delivered
// something; it reports whether the lane's record is to be written.
func (l *lane) wentWellLocked(now time.Time, r *route.Route, delivered bool) (changed bool) {
	h := &l.health
	// Of exchangers nothing is asked that needs it, and there are very many: a record
	// for each would be a synced write for each.
	if delivered && !r.IsMX() && h.Proven != settings(r) {
		h.Proven, changed = settings(r), true
	}
	switch h.State {
	case laneOpen:
		l.concurrency = min(bound(r), l.concurrency+1/l.concurrency)
		return changed
	case laneSlow:
		h.Failures = 0
		if h.Gap = time.Duration(gapShrink * float64(h.Gap)); h.Gap >= shortGap {
			return changed
		}
	case lanePaused:
		if now.Before(h.Next) {
			return changed // it had logged in before the pause, and proves nothing of the next login
		}
	}
	l.openLocked(now)
	return true
}

// openLocked makes the lane open.
func (l *lane) openLocked(now time.Time) {
	h := &l.health
	endPause(h.Pauses, now)
	h.State, h.Since, h.Next, h.Failures, h.Refused, h.Gap, h.Finding, h.Reply, h.Detail = laneOpen, now, time.Time{}, 0, 0, 0, nil, "", ""
}

// troubleLocked notes a failure that concerns the whole lane. It reports false
// where the lane knew: a conversation that was under way when its state changed.
func (l *lane) troubleLocked(now time.Time, state string, t *trouble) bool {
	h := &l.health
	if now.Before(h.Next) && (h.State == state || h.State == lanePaused) {
		return false
	}
	if h.State != state {
		endPause(h.Pauses, now)
		if state == lanePaused {
			h.Pauses = addPause(h.Pauses, now)
		}
		h.State, h.Since, h.Failures, h.Gap = state, now, 0, 0
	}
	switch {
	case state == lanePaused:
		h.Refused++
	case state == laneSlow && t.finding.Cause == "limit.connections":
		// Not too fast, but too many at once: one fewer than there were.
		l.ceiling, l.ceilingAt = max(1, l.workers-1), now
	case state == laneSlow:
		h.Gap = min(longGap, max(firstGap, 2*h.Gap))
	}
	l.concurrency = max(1, l.concurrency/2)
	h.Failures++
	h.Finding, h.Reply, h.Detail = &t.finding, t.reply, t.detail
	return true
}

// waitLocked returns how long a lane in trouble waits; random is in [0, 1). asked
// is how long the other side wants to be left alone, 0 when it did not say.
func (l *lane) waitLocked(retry []time.Duration, asked time.Duration, random float64) time.Duration {
	var id cause.ID
	if f := l.health.Finding; f != nil {
		id = f.Cause
	}
	switch n := l.health.Failures; l.health.State {
	case lanePaused:
		return max(asked, after(pauses, l.health.Refused)) // on the minute: a login more would cost its budget
	case laneSlow:
		table := rests
		switch {
		case asked > 0:
			return asked + spread(time.Second, random)
		case id == "limit.connections":
			table = waitsForConnection
		case id == "limit.quota":
			table = waitsForQuota
		}
		return spread(after(table, n), random)
	default:
		return max(asked, min(maxProbe, spread(after(retry, n), random)))
	}
}

// trouble is why a lane is not open.
type trouble struct {
	finding explain.Finding
	reply   string
	detail  string
}

// troubleForLocked returns what keeps mail that has not been tried itself: the
// lane's trouble. The attempt has no instant, for it was of other mail, and is nil
// when there is no trouble.
func (l *lane) troubleForLocked() (*spool.Attempt, explain.Finding) {
	h := &l.health
	if h.Finding == nil {
		return nil, explain.Finding{}
	}
	a := &spool.Attempt{Reply: h.Reply, Detail: h.Detail, Cause: h.Finding.Cause}
	return a.Cut(), *h.Finding
}

// status returns the lane as an operator sees it. wait is what its pace waits for;
// nil when nothing.
func (l *lane) status(queued int, wait *paceWait) LaneStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.health
	s := LaneStatus{Name: string(l.name), State: h.State, Workers: l.workers, Queued: queued, Do: []string{}, Notices: append([]string{}, l.notices...)}
	if wait != nil && (h.State == laneOpen || h.State == laneSlow && wait.until.After(h.Next)) {
		f := wait.finding()
		s.NextProbe, s.Waits, s.Cause, s.Title, s.Actor, s.Why, s.Do = &wait.until, wait.words(), f.Cause, f.Title, f.Actor, f.Why, append(s.Do, f.Do...)
		return s
	}
	if h.State != laneOpen {
		s.Since, s.NextProbe = pointer(h.Since), pointer(h.Next)
		s.Reply = h.Reply
		if f := h.Finding; f != nil {
			s.Cause, s.Title, s.Actor, s.Why, s.Do = f.Cause, f.Title, f.Actor, f.Why, append(s.Do, f.Do...)
		}
		if s.Reply == "" {
			s.Reply = h.Detail
		}
	}
	return s
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
