package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/spool"
)

// settlement is what one attempt, order or expiry leads to.
type settlement struct {
	message  *spool.Message
	outcomes []spool.Outcome
	verdicts []verdict // one for each outcome
	took     time.Duration
	trouble  *trouble      // what concerns the whole lane; nil: nothing
	action   Action        // for the lane: ActDown, ActPause, ActThrottle; "" for none
	well     bool          // the conversation worked
	proof    bool          // it delivered something
	notices  []string      // what the operator should know although it works
	asked    time.Duration // how long the other side wants to be left alone; 0: it did not say
}

// verdict is why a recipient's state changes.
type verdict struct {
	recipient spool.Recipient // as it was
	action    Action
	attempt   *spool.Attempt
	finding   explain.Finding
	relayed   bool // a "relayed" report is due where success is to be notified
	final     bool // a "delivered" report is due where success is to be notified
}

// judge decides what an attempt leads to. It has no effects.
func (d *Dispatcher) judge(l *lane, r *route.Route, m *spool.Message, result *deliver.Result, began time.Time) *settlement {
	now := time.Now()
	s := &settlement{message: m, took: now.Sub(began), well: result.Trouble == nil && result.Attempted, asked: result.RetryAfter, notices: result.Notices}
	l.mu.Lock()
	proven := l.health.Proven == settings(r)
	l.mu.Unlock()
	by := make(map[int]*deliver.Outcome, len(result.Outcomes))
	for i := range result.Outcomes {
		by[result.Outcomes[i].Index] = &result.Outcomes[i]
	}
	for i := range m.Recipients {
		x := &m.Recipients[i]
		o := by[x.Index]
		if o == nil { // deliver gives one for each; a recipient it forgot must not be lost
			o = &deliver.Outcome{Index: x.Index, Status: deliver.Deferred, Err: result.Trouble, Finding: result.Finding}
		}
		v := verdict{recipient: *x, finding: o.Finding, relayed: o.Relayed, final: r.Via[0].Scheme == route.SchemeSandbox}
		f := factsOf(o, r)
		f.proven, f.asRoute = proven, asRoute(r, m)
		v.action = decide(f)
		s.proof = s.proof || v.action == ActDeliver
		v.attempt = attemptOf(o, began)
		out := spool.OutcomeOf(m.ID, x)
		out.Last = v.attempt
		d.apply(&out, v.action, now)
		s.outcomes = append(s.outcomes, out)
		s.verdicts = append(s.verdicts, v)
		s.note(&v)
	}
	return s
}

// asRoute reports whether m goes as the mailbox of r, in the envelope and in From.
// With aliases some of it may not.
func asRoute(r *route.Route, m *spool.Message) bool {
	e := &m.Envelope
	return len(r.Aliases) == 0 && r.RewriteFor(route.Question{Sender: e.From, Account: e.Account, Listener: e.Listener, Device: e.Device}) == route.RewriteBoth
}

// factsOf returns what decides an outcome's action.
func factsOf(o *deliver.Outcome, r *route.Route) facts {
	scheme := r.Via[0].Scheme
	f := facts{status: o.Status, smartHost: scheme != route.SchemeMX && scheme != route.SchemeSandbox, code: o.Reply.Code}
	if o.Err != nil {
		f.stage, f.origin, f.scope, f.cause = o.Err.Stage, o.Err.Origin, o.Err.Scope, o.Err.Cause
		if f.code == 0 {
			f.code = o.Err.Reply.Code
		}
	}
	if f.cause == "" {
		f.cause = o.Finding.Cause
	}
	return f
}

// attemptOf returns what is kept of an attempt; nil when it delivered.
func attemptOf(o *deliver.Outcome, at time.Time) *spool.Attempt {
	if o.Status == deliver.Delivered {
		return nil
	}
	a := &spool.Attempt{At: at, Host: o.Host, Reply: o.Reply.String(), Cause: o.Finding.Cause, Unsure: o.Status == deliver.Uncertain}
	if e := o.Err; e != nil {
		a.Stage = e.Stage
		if a.Host == "" {
			a.Host = e.Host
		}
		if a.Reply == "" {
			a.Reply = e.Reply.String()
		}
		if a.Reply == "" && e.Err != nil {
			a.Detail = e.Err.Error()
		}
		if e.Cause != "" {
			a.Cause = e.Cause
		}
	}
	return a.Cut()
}

// apply makes o what the action asks for.
func (d *Dispatcher) apply(o *spool.Outcome, a Action, now time.Time) {
	switch a {
	case ActDeliver:
		o.State = spool.StateDelivered
	case ActFail:
		o.State = spool.StateFailed
		o.Attempts++
	case ActHoldSender:
		o.State = spool.StateHeld
		o.Attempts++
	case ActDefer, ActUncertain:
		o.State = spool.StateQueued
		o.Attempts++
		o.Next = now.Add(spread(after(d.o.Retry, o.Attempts), rand.Float64()))
	case ActThrottle:
		// Behind what is due already: the words may have been about this message
		// alone, and then it would keep its sender's others back for days.
		o.State, o.Next = spool.StateQueued, now
	case ActDown, ActPause:
		o.State = spool.StateQueued // due as it was: the lane waits, not the message
	}
}

// note keeps what concerns the lane: the gravest of the actions.
func (s *settlement) note(v *verdict) {
	rank := map[Action]int{ActThrottle: 1, ActDown: 2, ActPause: 3}
	if rank[v.action] <= rank[s.action] {
		return
	}
	s.action = v.action
	s.trouble = &trouble{finding: v.finding, reply: v.attempt.Reply, detail: v.attempt.Detail}
}

// settle writes a settlement with the notifications that follow from it. The
// caller tells of it when the lane is what it will be.
func (d *Dispatcher) settle(ctx context.Context, s *settlement) error {
	reports, err := d.reports(ctx, s)
	if err != nil {
		return err
	}
	if err := d.o.Store.Settle(ctx, s.outcomes, reports); err != nil {
		return err
	}
	d.settled(s)
	return nil
}

// tell tells the log and the hooks of a settlement.
func (d *Dispatcher) tell(s *settlement) {
	for i := range s.outcomes {
		d.tellOutcome(s, i)
	}
}

// The messages of the log, one line an outcome.
var logged = map[spool.State]string{
	spool.StateDelivered: "delivered",
	spool.StateFailed:    "failed",
	spool.StateExpired:   "expired",
	spool.StateHeld:      "held",
	spool.StateQueued:    "deferred",
	spool.StateDead:      "dead letter",
	spool.StateCancelled: "cancelled",
}

// tellOutcome writes the line of one outcome.
func (d *Dispatcher) tellOutcome(s *settlement, i int) {
	o, v := &s.outcomes[i], &s.verdicts[i]
	x := v.recipient
	x.Apply(o)
	if d.log.Enabled(context.Background(), slog.LevelInfo) {
		args := make([]any, 0, 24)
		args = append(args, "queue_id", string(s.message.ID), "rcpt", string(x.Path), "from", string(s.message.Envelope.From), "lane", string(x.Destination))
		if a := v.attempt; a != nil {
			args = append(args, "stage", string(a.Stage), "host", a.Host, "reply", a.Reply, "cause", string(a.Cause), "attempts", x.Attempts)
			if a.Detail != "" {
				args = append(args, "detail", a.Detail)
			}
			if a.Unsure {
				args = append(args, "unsure", "the line died after the message was sent: it may have been accepted, and may be sent twice")
			}
			if next := d.entry(s.message, &x).NextAttempt; next != nil {
				args = append(args, "next", next.Format(time.RFC3339))
			}
		}
		if s.took > 0 {
			args = append(args, "took", s.took.Round(time.Millisecond/10).String())
		}
		level := slog.LevelInfo
		if x.State != spool.StateDelivered {
			level = slog.LevelWarn
		}
		d.log.Log(context.Background(), level, logged[x.State], args...)
	}
	if d.o.Hooks.Outcome != nil {
		d.o.Hooks.Outcome(Event{Entry: d.entry(s.message, &x), Action: v.action, Took: s.took})
	}
}

// stateAfter is the state of a lane after what concerns all of it.
var stateAfter = map[Action]string{ActThrottle: laneSlow, ActDown: laneDown, ActPause: lanePaused}

// laneAfter draws the consequences of a settlement for the lane. It reports false
// when the worker is to end.
func (d *Dispatcher) laneAfter(ctx context.Context, l *lane, r *route.Route, s *settlement) bool {
	now := time.Now()
	l.mu.Lock()
	before, changed, goOn := l.health.State, false, true
	switch state, ok := stateAfter[s.action]; {
	case ok:
		goOn = false
		if changed = l.troubleLocked(now, state, s.trouble); changed {
			l.health.Next = now.Add(l.waitLocked(d.o.Retry, s.asked, rand.Float64()))
			l.troubledBy = settings(r)
		}
	case s.well:
		l.notices = s.notices
		changed = l.wentWellLocked(now, r, s.proof)
		goOn = l.health.State == laneOpen
	}
	tell := changed && (before != l.health.State || !goOn && l.health.State != laneSlow)
	next := l.health.Next
	l.mu.Unlock()
	if changed {
		d.saveLane(ctx, l)
	}
	if tell {
		d.tellLane(l)
	}
	if !goOn {
		d.planAt(l, next)
	} else if before != laneOpen {
		d.signal(l) // the lane is open again: more than one may go
	}
	return goOn
}

// tellLane writes the line of a lane's new state.
func (d *Dispatcher) tellLane(l *lane) {
	st := d.status(l, 0)
	args := []any{"lane", st.Name, "cause", string(st.Cause), "reply", st.Reply}
	if st.NextProbe != nil {
		args = append(args, "next", st.NextProbe.Format(time.RFC3339))
	}
	switch st.State {
	case laneOpen:
		d.log.Info("lane open", "lane", st.Name)
	case lanePaused:
		do := ""
		if len(st.Do) > 0 {
			do = st.Do[0]
		}
		d.log.Error("lane paused: nothing goes out by this route until this is mended", append(args, "do", do)...)
	default:
		d.log.Warn("lane "+st.State, args...)
	}
	if d.o.Hooks.Lane != nil {
		d.o.Hooks.Lane(st)
	}
}

// tellWaitEvery is how often a lane's wait for the same bound is told of again: at
// a bound a minute it waits every minute.
const tellWaitEvery = time.Hour

// tellWait writes the line of a lane that waits for its pace.
func (d *Dispatcher) tellWait(l *lane, now time.Time, wait *paceWait) {
	bound := wait.words()
	l.mu.Lock()
	last, ok := l.told[bound]
	tell := !ok || now.Sub(last) >= tellWaitEvery
	if tell {
		if l.told == nil {
			l.told = map[string]time.Time{}
		}
		l.told[bound] = now
	}
	l.mu.Unlock()
	if tell {
		d.log.Info("lane waits for "+bound, "lane", string(l.name), "next", wait.until.Format(time.RFC3339))
	}
}

// noRoute pauses a lane whose mail no route takes any more.
func (d *Dispatcher) noRoute(ctx context.Context, l *lane) {
	now := time.Now()
	f := explain.Finding{Cause: cause.ID("server.misconfigured"), Confidence: explain.Certain, Actor: cause.ActorSenderAdmin, Retry: cause.RetryLater,
		Proof: []string{fmt.Sprintf("no route of the configuration takes the mail of lane %s", l.name)},
		Why:   "The mail was accepted under a configuration that had a route for it; the present one has none.",
		Do:    []string{"Add a [[route]] whose recipients match this mail to the configuration and reload it (SIGHUP).", "Or remove the mail: wellsent queue cancel --lane " + string(l.name)}}
	l.mu.Lock()
	changed := l.health.State != lanePaused
	if l.troubleLocked(now, lanePaused, &trouble{finding: f, detail: f.Proof[0]}) {
		l.health.Next = now.Add(unrouted)
	}
	next := l.health.Next
	l.mu.Unlock()
	if changed {
		d.saveLane(ctx, l)
		d.tellLane(l)
	}
	d.planAt(l, next)
}
