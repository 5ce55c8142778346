package dispatch

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

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
	keptPauses       = 64 // pauses that a lane's record remembers
)

// recordVersion is the version of a lane's record. 1: the first.
const recordVersion = 1

// health is a lane's record: what is kept of it between processes.
type health struct {
	Version  int              `json:"version"`
	State    string           `json:"state"`
	Since    time.Time        `json:"since"`
	Next     time.Time        `json:"next"`     // the next probe; zero when open
	Failures int              `json:"failures"` // probes that failed in a row
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
	idle        int     // of these, waiting for work
	concurrency float64 // conversations allowed now
	tokens      float64 // messages that the pace allows now
	filled      time.Time
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
			return admission{until: h.Day.Add(24 * time.Hour)}
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
			return admission{until: now.Add(time.Duration((1 - l.tokens) * float64(per)))}
		}
	}
	return admission{ok: true}
}

// spendLocked counts a message that is being tried.
func (l *lane) spendLocked(r *route.Route, recipients int) {
	if r.Pace.PerMinute > 0 {
		l.tokens--
	}
	l.health.Sent += recipients
}

// wentWellLocked notes a conversation that worked; it reports whether the lane
// was not open before.
func (l *lane) wentWellLocked(now time.Time, r *route.Route) (changed bool) {
	l.concurrency = min(bound(r), l.concurrency+1/l.concurrency)
	if l.health.State == laneOpen {
		return false
	}
	if l.health.State == laneSlow && now.Before(l.health.Next) {
		return false
	}
	l.openLocked(now)
	return true
}

// openLocked makes the lane open.
func (l *lane) openLocked(now time.Time) {
	h := &l.health
	if n := len(h.Pauses); n > 0 && h.Pauses[n-1].Until.IsZero() {
		h.Pauses[n-1].Until = now
	}
	h.State, h.Since, h.Next, h.Failures, h.Finding, h.Reply, h.Detail = laneOpen, now, time.Time{}, 0, nil, "", ""
}

// troubleLocked notes a failure that concerns the whole lane.
func (l *lane) troubleLocked(now time.Time, state string, wait time.Duration, t *trouble) {
	h := &l.health
	if h.State != state {
		if n := len(h.Pauses); h.State == lanePaused && n > 0 && h.Pauses[n-1].Until.IsZero() {
			h.Pauses[n-1].Until = now
		}
		h.State, h.Since, h.Failures = state, now, 0
		if state == lanePaused {
			if len(h.Pauses) == keptPauses {
				h.Pauses = h.Pauses[1:]
			}
			h.Pauses = append(h.Pauses, pause{From: now})
		}
	}
	l.concurrency = max(1, l.concurrency/2)
	h.Failures++
	h.Next = now.Add(wait)
	h.Finding, h.Reply, h.Detail = &t.finding, t.reply, t.detail
}

// trouble is why a lane is not open.
type trouble struct {
	finding explain.Finding
	reply   string
	detail  string
}

// status returns the lane as an operator sees it.
func (l *lane) status(queued int) LaneStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.health
	s := LaneStatus{Name: string(l.name), State: h.State, Workers: l.workers, Queued: queued, Do: []string{}}
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
