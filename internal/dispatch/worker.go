package dispatch

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/allowance"
	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/internal/spool"
)

// crowdTurn is how many messages a worker takes before it makes room for a lane
// that has none: enough to make a conversation worth its handshake and login.
const crowdTurn = 10

// serve is one worker: one conversation, message after message, until nothing
// has been due for a while.
func (d *Dispatcher) serve(ctx context.Context, l *lane, a *account) {
	w := &worker{d: d, l: l, account: a}
	defer w.end()
	for n := 0; ctx.Err() == nil; n++ {
		if n >= crowdTurn && w.isCrowded() {
			return // end plans for what is left
		}
		r, domain := d.o.Routes().ByLane(string(l.name))
		if r == nil {
			d.rekey(ctx, l)
			return
		}
		if d.account(r, l) != a {
			return // the route is another since a reload, and so is who counts
		}
		w.use(r, domain)
		if !w.next(ctx) {
			return
		}
	}
}

// account returns the account of a lane by r; nil when nothing is bounded.
func (d *Dispatcher) account(r *route.Route, l *lane) *account {
	key := accountKey(r, l)
	if key == "" {
		return nil
	}
	d.mu.RLock()
	a := d.accounts[key]
	d.mu.RUnlock()
	if a != nil {
		return a
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accountLocked(r, l)
}

// worker is one conversation of a lane. Owned by its goroutine.
type worker struct {
	d       *Dispatcher
	l       *lane
	account *account // nil: nothing is bounded
	route   *route.Route
	conv    deliver.Conversation // nil: none yet
	until   time.Time            // the lane lets nothing go before
}

// use takes the present route; a conversation of an earlier one is ended.
func (w *worker) use(r *route.Route, domain string) {
	if w.conv != nil && w.route != r {
		w.conv.Close()
		w.conv = nil
	}
	w.route = r
	if w.conv == nil {
		w.conv = w.d.o.Open(r, domain)
	}
}

// isCrowded reports whether another lane waits for this worker to end.
func (w *worker) isCrowded() bool { return w.d.isCrowded() || w.account.isCrowded() }

// next serves one message. It reports false when the worker is to end.
func (w *worker) next(ctx context.Context) bool {
	now := time.Now()
	w.l.mu.Lock()
	may := w.l.admitLocked(now)
	tooMany := w.l.workers > w.l.allowedLocked(now, w.route)
	w.l.mu.Unlock()
	if !may.ok || tooMany || w.account.overConnected(w.route) {
		w.leaveUntil(may.until)
		return false
	}
	if wait := w.account.wait(now, w.route); wait != nil {
		return w.waitForPace(ctx, now, wait)
	}
	most := maxRecipients
	if n := w.route.Pace.Recipients; n > 0 {
		most = min(most, n)
	}
	m, err := w.d.o.Store.Claim(ctx, spool.Destination(w.l.name), now, most)
	if err != nil {
		w.failed(ctx, "claim", err)
		return false
	}
	if m == nil {
		return w.idle(ctx)
	}
	w.d.passOn(w.l, now)
	if w.d.rekeyed(ctx, m) {
		return true
	}
	spent := allowance.Of(len(m.Recipients))
	if w.account != nil {
		n, wait := w.account.take(now, w.route, len(m.Recipients))
		if n == 0 { // another worker was quicker
			w.d.o.Store.Release(m)
			return w.waitForPace(ctx, now, wait)
		}
		m, spent = trim(w.d.o.Store, m, n), allowance.Of(n)
		if err := w.d.cover(ctx, w.account, w.route); err != nil {
			w.account.settle(now, spent, false)
			w.d.o.Store.Release(m)
			w.failed(ctx, "save the account's allowance", err)
			return false
		}
	}
	w.l.mu.Lock()
	w.l.spendLocked(now)
	w.l.mu.Unlock()
	return w.attempt(ctx, m, spent)
}

// leaveUntil has the timetable look at the lane when it lets something go again;
// zero: when something ends that plans for itself.
func (w *worker) leaveUntil(at time.Time) {
	if !at.IsZero() {
		w.until = at
		w.d.planAt(w.l, at)
	}
}

// failed tells of a store that did not do what it should; the lane is looked at
// again.
func (w *worker) failed(ctx context.Context, what string, err error) {
	if !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrBroken) && ctx.Err() == nil {
		w.d.log.Error(what, "lane", string(w.l.name), "error", err)
		w.leaveUntil(time.Now().Add(time.Minute))
	}
}

// paceIdle is how long a conversation is kept open for the pace: a login for each
// message would be worse for the other side than an idle connection.
const paceIdle = 10 * time.Second

// waitForPace waits for the pace where that is soon, with the conversation open.
// It reports false when the worker is to end.
func (w *worker) waitForPace(ctx context.Context, now time.Time, wait *paceWait) bool {
	w.d.tellWait(w.l, now, wait)
	if wait.until.Sub(now) > paceIdle || w.isCrowded() {
		w.leaveUntil(wait.until)
		if wait.until.Sub(now) > flushPatience {
			w.d.stopped(w.l.name)
		}
		return false
	}
	t := time.NewTimer(wait.until.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// passOn has another worker look for work when more is due.
func (d *Dispatcher) passOn(l *lane, now time.Time) {
	if due, ok := d.o.Store.Due(l.name); ok && !due.After(now) {
		d.signal(l)
	}
}

// idle waits for work with the conversation open. It reports false when none came.
func (w *worker) idle(ctx context.Context) bool {
	if w.isCrowded() {
		return false // others have work now
	}
	w.l.mu.Lock()
	w.l.idle++
	w.l.mu.Unlock()
	defer func() {
		w.l.mu.Lock()
		w.l.idle--
		w.l.mu.Unlock()
	}()
	t := time.NewTimer(idleTime)
	defer t.Stop()
	select {
	case <-w.l.work:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// end ends the conversation and the worker. What was signalled in the meantime is
// looked at by another.
func (w *worker) end() {
	if w.conv != nil {
		w.conv.Close()
	}
	w.d.mu.Lock()
	w.l.mu.Lock()
	w.l.workers--
	w.d.workers--
	if other := w.account.disconnect(); other != nil {
		defer w.d.turn(other)
	}
	w.l.mu.Unlock()
	w.d.mu.Unlock()
	defer w.d.uncrowd()
	select {
	case <-w.l.work:
	default:
	}
	if due, ok := w.d.o.Store.Due(w.l.name); ok {
		w.l.mu.Lock()
		if next := w.l.health.Next; next.After(due) {
			due = next
		}
		w.l.mu.Unlock()
		due = later(due, w.until)
		// Never at once: an error must not become a busy loop.
		if soon := time.Now().Add(minLook); due.Before(soon) {
			due = soon
		}
		w.d.planAt(w.l, due)
	}
}

// minLook is the shortest time between the end of a lane's last worker and the
// next look at it, where nothing new is signalled.
const minLook = 100 * time.Millisecond

// attempt delivers m and settles what became of it. spent was taken for it. It
// reports false when the worker is to end.
func (w *worker) attempt(ctx context.Context, m *spool.Message, spent allowance.Spend) bool {
	began := time.Now()
	kept, whole := true, m // the claim is still ours
	defer func() {
		if kept {
			w.d.o.Store.Release(whole) // a panic, or we are stopping: it stays due
		}
	}()
	result := w.send(ctx, m, spent)
	if ctx.Err() != nil {
		if m, result = answered(m, result, smtpclient.ErrGivenUp); m == nil {
			return false // we are stopping, and nothing was said about it
		}
	}
	said, saidOf := answered(m, result, deliver.ErrHeldBack)
	if said == nil {
		return true // the pace lets nothing more go: the next look says until when
	}
	rest := without(m, said)
	m, result = said, saidOf
	s := w.d.judge(w.l, w.route, m, result, began)
	// The outcome is written even while stopping: a delivery that is forgotten is
	// made twice.
	if err := w.d.settle(context.WithoutCancel(ctx), s); err != nil {
		if !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrBroken) {
			w.d.log.Error("settle", "queue_id", string(m.ID), "error", err)
			kept = false
			w.d.releaseLater(ctx, whole)
		}
		return false
	}
	kept = false
	if rest != nil {
		w.d.o.Store.Release(rest)
	}
	goOn := w.d.laneAfter(ctx, w.l, w.route, s)
	w.d.tell(s)
	return goOn
}

// uncertainFor is how long after the line died a server may still take, and count,
// a message whose final dot was sent.
const uncertainFor = allowance.MostAhead

// send makes the attempt and counts what it has used of the account's allowance.
func (w *worker) send(ctx context.Context, m *spool.Message, spent allowance.Spend) (result *deliver.Result) {
	defer func() {
		// What panicked may have sent. What never reached MAIL has not.
		handedOver := result == nil || result.Attempted || result.Transactions > 0
		at := time.Now()
		if result == nil || slices.ContainsFunc(result.Outcomes, func(o deliver.Outcome) bool { return o.Status == deliver.Uncertain }) {
			at = at.Add(uncertainFor)
		}
		w.account.settle(at, spent, handedOver)
	}()
	r := &deliver.Request{Message: m, Body: func() (io.ReadCloser, error) {
		return w.d.o.Store.Body(ctx, m.ID)
	}}
	if w.account != nil {
		r.Again = func(recipients int) bool {
			now := time.Now()
			n, _ := w.account.take(now, w.route, recipients)
			more := allowance.Of(n)
			switch {
			case n == 0:
				return false
			case n < recipients || w.d.cover(ctx, w.account, w.route) != nil:
				w.account.settle(now, more, false)
				return false
			}
			spent = spent.Plus(more)
			return true
		}
	}
	return w.conv.Send(ctx, r)
}

// without returns m with those recipients that some does not have; nil when it has
// all.
func without(m, some *spool.Message) *spool.Message {
	if len(some.Recipients) == len(m.Recipients) {
		return nil
	}
	rest := *m
	rest.Recipients = nil
	for _, x := range m.Recipients {
		if !slices.ContainsFunc(some.Recipients, func(y spool.Recipient) bool { return y.Index == x.Index }) {
			rest.Recipients = append(rest.Recipients, x)
		}
	}
	return &rest
}

// answered returns m and result without the recipients that were given up by
// ourselves, as why says: because we are stopping, or because the pace allows no
// more. That is no attempt, and no fault of the next hop. Nil when none is left.
func answered(m *spool.Message, result *deliver.Result, why error) (*spool.Message, *deliver.Result) {
	given := func(o *deliver.Outcome) bool {
		return o.Status == deliver.Deferred && o.Err != nil && errors.Is(o.Err, why)
	}
	stopping := errors.Is(why, smtpclient.ErrGivenUp)
	if stopping && !result.Attempted {
		return nil, nil
	}
	if !stopping && !slices.ContainsFunc(result.Outcomes, func(o deliver.Outcome) bool { return given(&o) }) {
		return m, result
	}
	some, res := *m, *result
	some.Recipients, res.Outcomes = nil, nil
	for i := range result.Outcomes {
		o := &result.Outcomes[i]
		if given(o) {
			continue
		}
		res.Outcomes = append(res.Outcomes, *o)
		for _, x := range m.Recipients {
			if x.Index == o.Index {
				some.Recipients = append(some.Recipients, x)
			}
		}
	}
	if len(some.Recipients) == 0 {
		return nil, nil
	}
	if res.Trouble != nil && errors.Is(res.Trouble, why) {
		res.Trouble = nil
	}
	return &some, &res
}
