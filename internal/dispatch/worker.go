package dispatch

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
	"github.com/wellsent/wellsent/internal/spool"
)

// saveSentEvery is how many recipients may be sent before a lane with a bound a
// day writes its count down again.
const saveSentEvery = 50

// crowdTurn is how many messages a worker takes before it makes room for a lane
// that has none: enough to make a conversation worth its handshake and login.
const crowdTurn = 10

// serve is one worker: one conversation, message after message, until nothing
// has been due for a while.
func (d *Dispatcher) serve(ctx context.Context, l *lane) {
	w := &worker{d: d, l: l}
	defer w.end()
	for n := 0; ctx.Err() == nil; n++ {
		if n >= crowdTurn && d.isCrowded() {
			return // end plans for what is left
		}
		r, domain := d.o.Routes().ByLane(string(l.name))
		if r == nil {
			d.rekey(ctx, l)
			return
		}
		w.use(r, domain)
		if !w.next(ctx) {
			return
		}
	}
}

// worker is one conversation of a lane. Owned by its goroutine.
type worker struct {
	d     *Dispatcher
	l     *lane
	route *route.Route
	conv  deliver.Conversation // nil: none yet
	until time.Time            // the lane's pace lets nothing go before
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

// next serves one message. It reports false when the worker is to end.
func (w *worker) next(ctx context.Context) bool {
	now := time.Now()
	w.l.mu.Lock()
	may := w.l.admitLocked(now, w.route)
	tooMany := w.l.workers > w.l.allowedLocked()
	w.l.mu.Unlock()
	if !may.ok || tooMany {
		if !may.until.IsZero() {
			w.until = may.until
			w.d.planAt(w.l, may.until)
		}
		return false
	}
	m, err := w.d.o.Store.Claim(ctx, spool.Destination(w.l.name), now, maxRecipients)
	if err != nil {
		if !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrBroken) && ctx.Err() == nil {
			w.d.log.Error("claim", "lane", string(w.l.name), "error", err)
			w.d.planAt(w.l, now.Add(time.Minute))
		}
		return false
	}
	if m == nil {
		return w.idle(ctx)
	}
	w.d.passOn(w.l, now)
	if w.d.rekeyed(ctx, m, w.l) {
		return true
	}
	w.l.mu.Lock()
	w.l.spendLocked(now, w.route, len(m.Recipients))
	w.l.mu.Unlock()
	return w.attempt(ctx, m)
}

// passOn has another worker look for work when more is due.
func (d *Dispatcher) passOn(l *lane, now time.Time) {
	if due, ok := d.o.Store.Due(l.name); ok && !due.After(now) {
		d.signal(l)
	}
}

// idle waits for work with the conversation open. It reports false when none came.
func (w *worker) idle(ctx context.Context) bool {
	if w.d.isCrowded() {
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

// attempt delivers m and settles what became of it. It reports false when the
// worker is to end.
func (w *worker) attempt(ctx context.Context, m *spool.Message) bool {
	began := time.Now()
	kept, whole := true, m // the claim is still ours
	defer func() {
		if kept {
			w.d.o.Store.Release(whole) // a panic, or we are stopping: it stays due
		}
	}()
	result := w.conv.Send(ctx, &deliver.Request{Message: m, Body: func() (io.ReadCloser, error) {
		return w.d.o.Store.Body(ctx, m.ID)
	}})
	if ctx.Err() != nil {
		if m, result = answered(m, result); m == nil {
			return false // we are stopping, and nothing was said about it
		}
	}
	s := w.d.judge(w.l, w.route, m, result, began)
	// The outcome is written even while stopping: a delivery that is forgotten is
	// made twice.
	if err := w.d.settle(context.WithoutCancel(ctx), s); err != nil {
		if !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrBroken) {
			w.d.log.Error("settle", "queue_id", string(m.ID), "error", err)
			kept = false
			w.d.releaseLater(ctx, m)
		}
		return false
	}
	kept = false
	goOn := w.d.laneAfter(ctx, w.l, w.route, s)
	w.d.tell(s)
	return goOn
}

// maxUnrouted is how many messages without a route one look at a lane passes over
// to find those that have one.
const maxUnrouted = 1000

// answered returns m and result without the recipients that we gave up ourselves
// because we are stopping: that is no attempt, and no fault of the next hop. Nil
// when none is left. What is left out is due again with the store's next opening.
func answered(m *spool.Message, result *deliver.Result) (*spool.Message, *deliver.Result) {
	if !result.Attempted {
		return nil, nil
	}
	some, res := *m, *result
	some.Recipients, res.Outcomes = nil, nil
	for i := range result.Outcomes {
		o := &result.Outcomes[i]
		if o.Status == deliver.Deferred && o.Err != nil && errors.Is(o.Err, smtpclient.ErrGivenUp) {
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
	if res.Trouble != nil && errors.Is(res.Trouble, smtpclient.ErrGivenUp) {
		res.Trouble = nil
	}
	return &some, &res
}

// rekey moves what is queued under a name that the present routes do not have.
// What no route takes stays, and the lane is paused for it.
func (d *Dispatcher) rekey(ctx context.Context, l *lane) {
	var unrouted []*spool.Message // claimed until all has been looked at, lest it is met again
	for ctx.Err() == nil && len(unrouted) < maxUnrouted {
		m, err := d.o.Store.Claim(ctx, l.name, time.Now(), maxRecipients)
		if err != nil || m == nil {
			break
		}
		if !d.rekeyed(ctx, m, l) {
			unrouted = append(unrouted, m)
		}
	}
	if len(unrouted) == 0 {
		return
	}
	d.noRoute(ctx, l)
	for _, m := range unrouted {
		d.o.Store.Release(m)
	}
	d.stopped(l.name)
}

// rekeyed settles recipients of m to the destination that the present routes give
// them, where it is another than l, and reports whether it did. The rest of m is
// then released.
func (d *Dispatcher) rekeyed(ctx context.Context, m *spool.Message, l *lane) bool {
	table := d.o.Routes()
	var outcomes []spool.Outcome
	for i := range m.Recipients {
		x := &m.Recipients[i]
		name := d.destination(table, m, x)
		if name == "" || name == l.name {
			continue
		}
		o := spool.OutcomeOf(m.ID, x)
		o.Destination, o.Next = name, time.Time{}
		outcomes = append(outcomes, o)
	}
	if len(outcomes) == 0 {
		return false
	}
	if err := d.o.Store.Settle(ctx, outcomes, nil); err != nil {
		d.log.Error("settle", "queue_id", string(m.ID), "error", err)
		d.o.Store.Release(m)
		return true
	}
	rest := *m
	rest.Recipients = nil
	for _, x := range m.Recipients {
		if name := d.destination(table, m, &x); name == "" || name == l.name {
			rest.Recipients = append(rest.Recipients, x)
		}
	}
	if len(rest.Recipients) > 0 {
		d.o.Store.Release(&rest)
	}
	return true
}

// destination returns where x belongs by the present routes, "" when nowhere.
func (d *Dispatcher) destination(table *route.Table, m *spool.Message, x *spool.Recipient) spool.Destination {
	e := &m.Envelope
	r := table.For(route.Question{Recipient: x.Path, Sender: e.From, Account: e.Account, Listener: e.Listener, Device: e.Device})
	if ours := e.From.IsNull() && e.Account == "" && e.Device == ""; ours {
		if b, _ := table.ByLane(d.o.BouncesRoute); b != nil && d.o.BouncesRoute != "" {
			r = b
		}
		if r == nil {
			// Where every route is for some senders, the notification goes the way on
			// which its recipient, who sent the mail, sends.
			r = table.For(route.Question{Recipient: x.Path, Sender: x.Path})
		}
		if r == nil {
			r = table.ForAnySender(x.Path)
		}
	}
	if r == nil {
		return ""
	}
	return spool.Destination(r.Lane(x.Path))
}
