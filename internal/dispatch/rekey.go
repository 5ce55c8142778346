package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/spool"
)

// maxUnrouted is how many messages without a route one look at a lane passes over
// to find those that have one.
const maxUnrouted = 1000

// moving is what is queued where the present routes do not have it: claimed, and on
// its way to where they do. Owned by one goroutine.
type moving struct {
	d        *Dispatcher
	table    *route.Table
	outcomes []spool.Outcome
	claimed  []*spool.Message // with the recipients of outcomes
}

// add takes those recipients of m, which is claimed, that belong elsewhere, and
// returns m with the others; nil where there are none.
func (b *moving) add(m *spool.Message) (rest *spool.Message) {
	gone, stays := *m, *m
	gone.Recipients, stays.Recipients = nil, nil
	for i := range m.Recipients {
		x := &m.Recipients[i]
		name := b.d.destination(b.table, m, x)
		if x.State != spool.StateQueued || name == "" || name == x.Destination {
			stays.Recipients = append(stays.Recipients, *x)
			continue
		}
		o := spool.OutcomeOf(m.ID, x)
		o.Destination, o.Next = name, time.Time{}
		o.ExpireAt = b.d.expiryElsewhere(m, x, time.Now())
		b.outcomes = append(b.outcomes, o)
		gone.Recipients = append(gone.Recipients, *x)
	}
	if len(gone.Recipients) > 0 {
		b.claimed = append(b.claimed, &gone)
	}
	if len(stays.Recipients) == 0 {
		return nil
	}
	return &stays
}

// expiryElsewhere returns when a recipient is to expire that leaves its lane: the
// time during which that was paused goes with it, for the other lane knows nothing
// of it.
func (d *Dispatcher) expiryElsewhere(m *spool.Message, x *spool.Recipient, now time.Time) time.Time {
	d.mu.RLock()
	l := d.lanes[x.Destination]
	d.mu.RUnlock()
	if l == nil || x.ExpireAt.IsZero() {
		return x.ExpireAt
	}
	l.mu.Lock()
	pauses := slices.Clone(l.health.Pauses)
	l.mu.Unlock()
	if len(pauses) == 0 {
		return x.ExpireAt
	}
	return later(x.ExpireAt, effectiveExpiry(life{received: m.Envelope.Received, expireAt: x.ExpireAt, most: d.o.ExpireAfter, pauses: pauses}, now))
}

// full reports that it is time to settle.
func (b *moving) full() bool { return len(b.outcomes) >= orderBatchSize }

// settle moves what has come together, in one synced step. Where that fails, all is
// where it was.
func (b *moving) settle(ctx context.Context) error {
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
	b.d.moved(ctx, outcomes)
	return nil
}

// rekey moves what is queued under a name that the present routes do not have.
// What no route takes stays, and the lane is paused for it.
func (d *Dispatcher) rekey(ctx context.Context, l *lane) {
	var unrouted []*spool.Message // claimed until all has been looked at, lest it is met again
	b := &moving{d: d, table: d.o.Routes()}
	var err error
	for err == nil && ctx.Err() == nil && len(unrouted) < maxUnrouted {
		var m *spool.Message
		if m, err = d.o.Store.Claim(ctx, l.name, time.Now(), maxRecipients); err != nil || m == nil {
			break
		}
		if rest := b.add(m); rest != nil {
			unrouted = append(unrouted, rest)
		}
		if b.full() {
			err = b.settle(ctx)
		}
	}
	d.notMoved(ctx, l.name, errors.Join(err, b.settle(ctx)))
	if len(unrouted) == 0 {
		return
	}
	d.noRoute(ctx, l)
	for _, m := range unrouted {
		d.o.Store.Release(m)
	}
	d.stopped(l.name)
}

// notMoved tells of a store that did not let mail be moved. It is tried again when
// the lane is looked at.
func (d *Dispatcher) notMoved(ctx context.Context, name spool.Destination, err error) {
	if err != nil && !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrBroken) && ctx.Err() == nil {
		d.log.Error("move mail to its route", "lane", string(name), "error", err)
	}
}

// rekeyed settles recipients of m to the destination that the present routes give
// them, where it is another than theirs, and reports whether it did. The rest of m
// is then released.
func (d *Dispatcher) rekeyed(ctx context.Context, m *spool.Message) bool {
	b := &moving{d: d, table: d.o.Routes()}
	rest := b.add(m)
	if len(b.outcomes) == 0 {
		return false
	}
	d.notMoved(ctx, m.Recipients[0].Destination, b.settle(ctx))
	if rest != nil {
		d.o.Store.Release(rest)
	}
	return true
}

// reroute moves all that is queued where the present routes do not have it, by a
// goroutine of its own. Workers do so with what they take; but behind a lane that
// does not go, and that may be why the routes are others now, nobody takes anything.
func (d *Dispatcher) reroute() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil {
		return // Run does, where it is needed
	}
	d.reroutes++
	if d.reroutes > 1 {
		return // whoever is at it looks again
	}
	ctx := d.ctx
	d.running.Go(func() {
		for {
			d.mu.RLock()
			asked := d.reroutes
			d.mu.RUnlock()
			d.notMoved(ctx, "", d.rerouteAll(ctx))
			d.mu.Lock()
			done := d.reroutes == asked || ctx.Err() != nil
			if done {
				d.reroutes = 0
			}
			d.mu.Unlock()
			if done {
				return
			}
		}
	})
}

// rerouteAll looks at all that is queued, once. What a worker has claimed is the
// worker's.
func (d *Dispatcher) rerouteAll(ctx context.Context) error {
	b := &moving{d: d, table: d.o.Routes()}
	for m, err := range d.o.Store.List(ctx, spool.Query{States: []spool.State{spool.StateQueued}}) {
		if err == nil {
			err = b.claim(ctx, m)
		}
		if err == nil && b.full() {
			err = b.settle(ctx)
		}
		if err != nil {
			return errors.Join(err, b.settle(ctx))
		}
	}
	return b.settle(ctx)
}

// claim takes those recipients of m, which is as it was listed, that belong
// elsewhere.
func (b *moving) claim(ctx context.Context, m *spool.Message) error {
	var indexes []int
	for i := range m.Recipients {
		x := &m.Recipients[i]
		if name := b.d.destination(b.table, m, x); name != "" && name != x.Destination {
			indexes = append(indexes, x.Index)
		}
	}
	if len(indexes) == 0 {
		return nil
	}
	claimed, err := b.d.o.Store.ClaimMessage(ctx, m.ID, indexes)
	switch {
	case errors.Is(err, spool.ErrClaimed), errors.Is(err, spool.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	if rest := b.add(claimed); rest != nil {
		b.d.o.Store.Release(rest) // it has been held meanwhile
	}
	return nil
}

// destination returns where x belongs by the present routes, "" when nowhere.
func (d *Dispatcher) destination(table *route.Table, m *spool.Message, x *spool.Recipient) spool.Destination {
	e := &m.Envelope
	r := table.For(route.Question{Recipient: x.Path, Sender: e.From, Account: e.Account, Listener: e.Listener, Device: e.Device})
	if ours := e.From.IsNull() && e.Account == "" && e.Device == "" && e.Listener == ""; ours {
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
