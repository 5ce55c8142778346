package dispatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/spool"
)

// ErrNothingSelected is an order that says nothing of what it is about.
var ErrNothingSelected = errors.New("say which messages: ids, a lane, or all")

// List returns what f selects and has not reached a terminal state, in the order
// of acceptance.
func (d *Dispatcher) List(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := d.ensureLanes(ctx); err != nil {
			yield(Entry{}, err)
			return
		}
		q := spool.Query{Destination: spool.Destination(f.Lane)}
		for _, st := range f.States {
			q.States = append(q.States, spool.State(st))
		}
		for m, err := range d.o.Store.List(ctx, q) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if f.ID != "" && string(m.ID) != f.ID {
				continue
			}
			for i := range m.Recipients {
				if !yield(d.entry(m, &m.Recipients[i]), nil) {
					return
				}
			}
		}
	}
}

// ensureLanes reads the lanes' records where Run has not.
func (d *Dispatcher) ensureLanes(ctx context.Context) error {
	d.mu.RLock()
	running := d.ctx != nil
	d.mu.RUnlock()
	if running {
		return nil
	}
	return d.restoreLanes(ctx)
}

// Show returns message id whole, or an error that wraps spool.ErrNotFound.
func (d *Dispatcher) Show(ctx context.Context, id string) (*Detail, error) {
	if err := d.ensureLanes(ctx); err != nil {
		return nil, err
	}
	m, err := d.o.Store.Get(ctx, spool.QueueID(id))
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	e := &m.Envelope
	out := &Detail{QueueID: m.ID, From: e.From, Account: e.Account, Peer: e.Peer, Listener: e.Listener, Device: e.Device, Received: e.Received,
		Size: m.BodySize + int64(len(m.Header)), Header: string(m.Header), Entries: []Entry{}}
	for i := range m.Recipients {
		out.Entries = append(out.Entries, d.entry(m, &m.Recipients[i]))
	}
	return out, nil
}

// entry returns a recipient as an operator sees it: what is known of itself, and
// where that is nothing, of its lane.
func (d *Dispatcher) entry(m *spool.Message, x *spool.Recipient) Entry {
	e := Entry{QueueID: m.ID, Index: x.Index, From: m.Envelope.From, Address: x.Path, State: x.State, Attempts: x.Attempts,
		Lane: string(x.Destination), Size: m.BodySize + int64(len(m.Header)), Received: m.Envelope.Received, Expires: pointer(x.ExpireAt), Do: []string{}, Device: m.Envelope.Device}
	d.mu.RLock()
	l := d.lanes[x.Destination]
	d.mu.RUnlock()
	var lane LaneStatus
	if l != nil {
		lane = d.status(l, 0)
	}
	e.LanePaused = lane.State == lanePaused
	if a := x.Last; a != nil && x.State != spool.StateDelivered {
		e.Cause, e.Reply, e.Detail, e.Stage, e.Host, e.Unsure = a.Cause, a.Reply, a.Detail, a.Stage, a.Host, a.Unsure
		f := explainAttempt(a, m, x)
		e.describe(f)
	}
	if x.State == spool.StateQueued {
		next := x.Next
		if next.IsZero() {
			next = m.Envelope.Received
		}
		if lane.NextProbe != nil && lane.NextProbe.After(next) {
			next = *lane.NextProbe
			e.Waits = lane.Waits
			if e.Cause == "" || e.LanePaused {
				e.Cause, e.Reply = lane.Cause, lane.Reply
				e.describe(explain.Finding{Cause: lane.Cause, Title: lane.Title, Actor: lane.Actor, Why: lane.Why, Do: lane.Do, Retry: cause.RetryLater})
			}
		}
		e.NextAttempt = &next
	}
	return e
}

func (e *Entry) describe(f explain.Finding) {
	e.Actor, e.Retry, e.Why = f.Actor, f.Retry, f.Why
	if len(f.Do) > 0 {
		e.Do = f.Do
	}
	e.Title = f.Title
}

// Lanes returns the lanes that have mail, are not open, or have something to be
// known, by name.
func (d *Dispatcher) Lanes(ctx context.Context) ([]LaneStatus, error) {
	if err := d.ensureLanes(ctx); err != nil {
		return nil, err
	}
	heads, err := d.o.Store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	out := []LaneStatus{}
	seen := map[string]bool{}
	for _, h := range heads {
		out = append(out, d.status(d.lane(h.Destination), h.Queued))
		seen[string(h.Destination)] = true
	}
	d.mu.RLock()
	all := slices.Collect(maps.Values(d.lanes))
	d.mu.RUnlock()
	for _, l := range all {
		if st := d.status(l, 0); !seen[st.Name] && (st.State != laneOpen || len(st.Notices) > 0) {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b LaneStatus) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// status returns a lane as an operator sees it.
func (d *Dispatcher) status(l *lane, queued int) LaneStatus { return l.status(queued, d.paceWaitOf(l)) }

// paceWaitOf returns what the pace of a lane waits for; nil when nothing.
func (d *Dispatcher) paceWaitOf(l *lane) *paceWait {
	r, _ := d.o.Routes().ByLane(string(l.name))
	key := accountKey(r, l)
	if key == "" {
		return nil
	}
	d.mu.RLock()
	a := d.accounts[key]
	d.mu.RUnlock()
	return a.wait(time.Now(), r)
}

// Retry makes what is selected due now; a lane's wait ends too, for one probe.
// Held and dead recipients are left.
func (d *Dispatcher) Retry(ctx context.Context, s Selection) (Done, error) {
	return d.order(ctx, s, func(o *spool.Outcome) string {
		if o.State != spool.StateQueued {
			return "it is " + string(o.State) + "; resume it first"
		}
		o.Next = time.Time{}
		return ""
	}, true)
}

// Hold keeps what is selected from being tried until it is resumed.
func (d *Dispatcher) Hold(ctx context.Context, s Selection) (Done, error) {
	return d.order(ctx, s, func(o *spool.Outcome) string {
		if o.State != spool.StateQueued {
			return "it is " + string(o.State) + " already"
		}
		o.State = spool.StateHeld
		return ""
	}, false)
}

// Resume queues what is selected again, due now. Of a lane it ends the pause as
// well.
func (d *Dispatcher) Resume(ctx context.Context, s Selection) (Done, error) {
	return d.order(ctx, s, func(o *spool.Outcome) string {
		o.State, o.Next = spool.StateQueued, time.Time{}
		if !o.ExpireAt.IsZero() && o.ExpireAt.Before(time.Now()) || o.ExpireAt.IsZero() {
			o.ExpireAt = time.Now().Add(d.o.ExpireAfter)
		}
		return ""
	}, true)
}

// Cancel removes what is selected. Nobody is told.
func (d *Dispatcher) Cancel(ctx context.Context, s Selection) (Done, error) {
	return d.order(ctx, s, func(o *spool.Outcome) string {
		o.State = spool.StateCancelled
		return ""
	}, false)
}

// order changes each selected recipient as change says, which returns why it will
// not, if so. With probe the waits of the lanes concerned end.
func (d *Dispatcher) order(ctx context.Context, s Selection, change func(o *spool.Outcome) string, probe bool) (done Done, err error) {
	done = Done{Skipped: []string{}}
	if err := d.ensureLanes(ctx); err != nil {
		return done, err
	}
	lanes := map[spool.Destination]bool{}
	b := &orderBatch{d: d, done: &done, probe: probe}
	for t, err := range d.selected(ctx, s) {
		if err == nil {
			err = b.add(ctx, t, change, lanes)
		}
		if err != nil {
			return done, errors.Join(err, b.settle(ctx))
		}
	}
	if err := b.settle(ctx); err != nil {
		return done, err
	}
	if probe {
		if s.Lane != "" {
			lanes[spool.Destination(s.Lane)] = true
		}
		for name := range lanes {
			d.probe(ctx, d.lane(name))
		}
	}
	return done, nil
}

// orderBatchSize is how many recipients an order changes in one synced step.
const orderBatchSize = 500

// orderBatch is what an order has claimed and not yet settled.
type orderBatch struct {
	d        *Dispatcher
	done     *Done
	probe    bool
	outcomes []spool.Outcome
	claimed  []*spool.Message // with the recipients of outcomes
}

// add claims what t is about and changes it, in the next settlement.
func (b *orderBatch) add(ctx context.Context, t target, change func(o *spool.Outcome) string, lanes map[spool.Destination]bool) error {
	m, err := b.d.o.Store.ClaimMessage(ctx, t.id, t.indexes)
	if err != nil {
		why := "it is not in the queue"
		if errors.Is(err, spool.ErrClaimed) {
			why = "it is being delivered at this moment"
		} else if !errors.Is(err, spool.ErrNotFound) && !errors.Is(err, spool.ErrBadID) {
			return err
		}
		b.done.Skipped = append(b.done.Skipped, fmt.Sprintf("%s: %s", t.id, why))
		return nil
	}
	rest, chosen := *m, *m
	rest.Recipients, chosen.Recipients = nil, nil
	for i := range m.Recipients {
		x := &m.Recipients[i]
		o := spool.OutcomeOf(m.ID, x)
		if why := change(&o); why != "" {
			b.done.Skipped = append(b.done.Skipped, fmt.Sprintf("%s to %s: %s", m.ID, x.Path, why))
			rest.Recipients = append(rest.Recipients, *x)
			continue
		}
		b.outcomes = append(b.outcomes, o)
		chosen.Recipients = append(chosen.Recipients, *x)
		lanes[x.Destination] = true
	}
	if len(rest.Recipients) > 0 {
		b.d.o.Store.Release(&rest)
	}
	if len(chosen.Recipients) > 0 {
		b.claimed = append(b.claimed, &chosen)
	}
	if len(b.outcomes) < orderBatchSize {
		return nil
	}
	return b.settle(ctx)
}

// settle settles what has come together. Where that fails, nothing of it has
// changed.
func (b *orderBatch) settle(ctx context.Context) error {
	if len(b.outcomes) == 0 {
		return nil
	}
	outcomes, claimed := b.outcomes, b.claimed
	b.outcomes, b.claimed = nil, nil
	if err := b.d.o.Store.Settle(ctx, outcomes, nil); err != nil {
		for _, m := range claimed {
			b.d.o.Store.Release(m)
		}
		return err
	}
	if !b.probe { // held or cancelled: a flush need not wait for it
		b.d.settled(&settlement{outcomes: outcomes})
	}
	b.done.Recipients += len(outcomes)
	return nil
}

// Reloaded tells the dispatcher that the routes may be others now. Mail goes to
// where they have it; a route's lane that is paused or down for the old ones is
// tried once, for whoever has mended a setting wants to know whether it was the
// right one; and no lane waits for a pace that holds no more.
func (d *Dispatcher) Reloaded(ctx context.Context) {
	d.reroute()
	d.mu.RLock()
	all := slices.Collect(maps.Values(d.lanes))
	d.mu.RUnlock()
	for _, l := range all {
		l.mu.Lock()
		state, by := l.health.State, l.troubledBy
		l.mu.Unlock()
		r, _ := d.o.Routes().ByLane(string(l.name))
		switch {
		case state == lanePaused,
			state == laneSlow && r != nil && by != "" && by != settings(r), // who wanted less is not who is asked now
			state == laneDown && (r == nil || !r.IsMX()):                   // of exchangers we have no settings, and there are very many
			d.probe(ctx, l)
		default:
			d.look(l)
		}
	}
}

// probe ends the wait of a lane: the next message is tried at once.
func (d *Dispatcher) probe(ctx context.Context, l *lane) {
	l.mu.Lock()
	waits := !l.health.Next.IsZero()
	if waits {
		l.health.Next = time.Now()
	}
	l.mu.Unlock()
	if waits {
		d.saveLane(ctx, l)
	}
	d.look(l)
}

// target is one message that an order is about.
type target struct {
	id      spool.QueueID
	indexes []int // nil: all recipients
}

// selected yields what an order is about.
func (d *Dispatcher) selected(ctx context.Context, s Selection) iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		switch {
		case len(s.IDs) > 0:
			for i, id := range s.IDs {
				if slices.Contains(s.IDs[:i], id) {
					continue
				}
				if !yield(target{id: spool.QueueID(id)}, nil) {
					return
				}
			}
		case s.All || s.Lane != "":
			for m, err := range d.o.Store.List(ctx, spool.Query{Destination: spool.Destination(s.Lane)}) {
				if err != nil {
					yield(target{}, err)
					return
				}
				t := target{id: m.ID}
				for i := range m.Recipients {
					t.indexes = append(t.indexes, m.Recipients[i].Index)
				}
				if !yield(t, nil) {
					return
				}
			}
		default:
			yield(target{}, ErrNothingSelected)
		}
	}
}
