package dispatch

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/route"
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

// recordVersion is the version of a lane's record. 1: the first.
const recordVersion = 1

// health is a lane's record: what is kept of it between processes.
type health struct {
	Version  int              `json:"version"`
	State    string           `json:"state"`
	Since    time.Time        `json:"since"`
	Next     time.Time        `json:"next"`             // the next probe; zero when open
	Failures int              `json:"failures"`         // probes that failed in a row
	Gap      time.Duration    `json:"gap,omitempty"`    // between messages while slow
	Proven   string           `json:"proven,omitempty"` // the settings by which something was last delivered; see settings
	Finding  *explain.Finding `json:"finding,omitempty"`
	Reply    string           `json:"reply,omitempty"`
	Detail   string           `json:"detail,omitempty"`
	Pauses   []pause          `json:"pauses,omitempty"` // oldest first
	Day      time.Time        `json:"day"`              // begin of the 24 hours that Sent counts
	Sent     int              `json:"sent"`             // recipients since Day
}

// lane is all mail for one destination.
type lane struct {
	name spool.Destination // immutable
	work chan struct{}     // capacity 1: something may be due; a worker that takes it and finds more passes it on

	mu          sync.Mutex // guards the fields below
	health      health
	workers     int
	crowded     bool    // it is in the dispatcher's crowd
	idle        int     // of these, waiting for work
	concurrency float64 // conversations allowed now
	tokens      float64 // messages that the pace allows now
	filled      time.Time
	full        *paceReached // the last time that the pace let nothing go; nil: never
}

// paceReached is why and until when a route's own pace lets nothing go.
type paceReached struct {
	until time.Time
	why   explain.Finding
}

// ownPace explains a pace that the operator set, or that is known of the provider.
func ownPace(id cause.ID, bound string, until time.Time) *paceReached {
	return &paceReached{until: until, why: explain.Finding{Cause: id, Confidence: explain.Certain, Actor: cause.ActorSenderAdmin, Retry: cause.RetryLater,
		Title: "The route's own pace is reached: " + bound,
		Why:   "The route may be given no more than this. Nothing was refused: what waits goes out as the pace allows.",
		Do:    []string{"Nothing: it goes on by itself.", "If the provider allows more, set the route's pace = { … } higher."}}}
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
	l.health = h
	return nil
}

// bound returns how many conversations r allows.
func bound(r *route.Route) float64 {
	switch {
	case r.Pace.Connections > 0:
		return float64(r.Pace.Connections)
	case r.IsMX():
		return mxConnections
	}
	return hostConnections
}

// settings names the hosts, the login and the way to them of r. What a lane has learned by one set
// of them says nothing about another.
func settings(r *route.Route) string {
	s := r.User
	for _, v := range r.Via {
		s += " " + v.String()
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

// admitLocked decides whether a conversation may take a message now.
func (l *lane) admitLocked(now time.Time, r *route.Route) admission {
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
	if h.State == laneSlow && now.Before(h.Next) {
		return admission{until: h.Next}
	}
	if n := r.Pace.RecipientsPerDay; n > 0 {
		if now.Sub(h.Day) >= 24*time.Hour {
			h.Day, h.Sent = now, 0
		}
		if h.Sent >= n {
			until := h.Day.Add(24 * time.Hour)
			l.full = ownPace("limit.quota", fmt.Sprintf("%d recipients a day", n), until)
			return admission{until: until}
		}
	}
	if n := r.Pace.PerMinute; n > 0 {
		per := time.Minute / time.Duration(n)
		if l.filled.IsZero() {
			l.tokens, l.filled = float64(min(n, 5)), now // a short burst at first
		}
		l.tokens = min(float64(min(n, 5)), l.tokens+float64(now.Sub(l.filled))/float64(per))
		l.filled = now
		if l.tokens < 1 {
			until := now.Add(time.Duration((1 - l.tokens) * float64(per)))
			l.full = ownPace("limit.rate", fmt.Sprintf("%d messages a minute", n), until)
			return admission{until: until}
		}
	}
	return admission{ok: true}
}

// spendLocked counts a message that is being tried.
func (l *lane) spendLocked(now time.Time, r *route.Route, recipients int) {
	if r.Pace.PerMinute > 0 {
		l.tokens--
	}
	if l.health.State == laneSlow {
		l.health.Next = now.Add(l.health.Gap)
	}
	if r.Pace.RecipientsPerDay > 0 {
		l.health.Sent += recipients
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
	h.State, h.Since, h.Next, h.Failures, h.Gap, h.Finding, h.Reply, h.Detail = laneOpen, now, time.Time{}, 0, 0, nil, "", ""
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
	if state == laneSlow {
		h.Gap = min(longGap, max(firstGap, 2*h.Gap))
	}
	l.concurrency = max(1, l.concurrency/2)
	h.Failures++
	h.Finding, h.Reply, h.Detail = &t.finding, t.reply, t.detail
	return true
}

// waitLocked returns how long a lane in trouble waits; random is in [0, 1).
func (l *lane) waitLocked(retry []time.Duration, random float64) time.Duration {
	switch n := l.health.Failures; l.health.State {
	case lanePaused:
		return after(pauses, n) // on the minute: a login more would cost its budget
	case laneSlow:
		return spread(after(rests, n), random)
	default:
		return min(maxProbe, spread(after(retry, n), random))
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

// status returns the lane as an operator sees it.
func (l *lane) status(queued int) LaneStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.health
	s := LaneStatus{Name: string(l.name), State: h.State, Workers: l.workers, Queued: queued, Do: []string{}}
	if p := l.full; h.State == laneOpen && p != nil && time.Now().Before(p.until) {
		f := &p.why
		s.NextProbe, s.Cause, s.Title, s.Actor, s.Why, s.Do = &p.until, f.Cause, f.Title, f.Actor, f.Why, append(s.Do, f.Do...)
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
