package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	overdueEvery = time.Second // how often warnings and expiry are looked for; a look costs next to nothing
	overdueBatch = 100         // messages at once
)

// overdue warns of delays, gives up what has expired, and sweeps.
func (d *Dispatcher) overdue(ctx context.Context) {
	t := time.NewTicker(overdueEvery)
	defer t.Stop()
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if time.Since(swept) >= sweepEvery {
			d.sweep(ctx)
			swept = time.Now()
		}
		for ctx.Err() == nil {
			late, err := d.o.Store.ClaimOverdue(ctx, time.Now(), overdueBatch)
			if err != nil || len(late) == 0 {
				break
			}
			for _, m := range late {
				s := d.late(m, time.Now())
				if err := d.settle(ctx, s); err != nil {
					d.log.Error("settle", "queue_id", string(m.ID), "error", err)
					d.releaseLater(ctx, m)
					continue
				}
				d.tell(s)
			}
		}
	}
}

// settleAgain is when a message whose outcome could not be written is tried again.
// At once would be a busy loop, or the same delivery over and over.
const settleAgain = time.Minute

// releaseLater ends the claim of a message whose outcome could not be written,
// after a while; when ctx ends before, the store's next opening does.
func (d *Dispatcher) releaseLater(ctx context.Context, m *spool.Message) {
	d.running.Go(func() {
		t := time.NewTimer(settleAgain)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		d.o.Store.Release(m)
	})
}

// late decides on a message whose warning or expiry is due. The time during which
// its lane was paused does not count towards its expiry.
func (d *Dispatcher) late(m *spool.Message, now time.Time) *settlement {
	s := &settlement{message: m}
	for i := range m.Recipients {
		x := &m.Recipients[i]
		o := spool.OutcomeOf(m.ID, x)
		v := verdict{recipient: *x, action: ActDefer, attempt: x.Last}
		l := d.lane(x.Destination)
		l.mu.Lock()
		pauses := slices.Clone(l.health.Pauses)
		if x.Last == nil {
			v.attempt, v.finding = l.troubleForLocked()
		}
		l.mu.Unlock()
		if wait := d.paceWaitOf(l); x.Last == nil && v.attempt == nil && wait != nil {
			v.finding = wait.finding()
		}
		if !x.ExpireAt.IsZero() && !x.ExpireAt.After(now) {
			expiry := effectiveExpiry(life{received: m.Envelope.Received, expireAt: x.ExpireAt, most: d.o.ExpireAfter, pauses: pauses}, now)
			if expiry.After(now) {
				o.ExpireAt = expiry
			} else {
				o.State = spool.StateExpired
				v.action = ActFail
			}
		}
		if !o.State.Terminal() && !o.WarnAt.IsZero() && !o.WarnAt.After(now) {
			o.WarnAt = time.Time{}
		}
		s.outcomes = append(s.outcomes, o)
		s.verdicts = append(s.verdicts, v)
	}
	return s
}
