package dispatch

import (
	"context"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	overdueEvery = time.Second // how often warnings and expiry are looked for; a look costs next to nothing
	overdueBatch = 100         // messages at once
)

// overdue warns of delays and gives up what has expired.
func (d *Dispatcher) overdue(ctx context.Context) {
	t := time.NewTicker(overdueEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for ctx.Err() == nil {
			late, err := d.o.Store.ClaimOverdue(ctx, time.Now(), overdueBatch)
			if err != nil || len(late) == 0 {
				break
			}
			for _, m := range late {
				if err := d.settle(ctx, d.late(m, time.Now())); err != nil {
					d.o.Store.Release(m)
					d.log.Error("settle", "queue_id", string(m.ID), "error", err)
				}
			}
		}
	}
}

// late decides on a message whose warning or expiry is due. The time during which
// its lane was paused does not count towards its expiry.
func (d *Dispatcher) late(m *spool.Message, now time.Time) *settlement {
	s := &settlement{message: m}
	for i := range m.Recipients {
		x := &m.Recipients[i]
		o := spool.OutcomeOf(m.ID, x)
		v := verdict{recipient: *x, action: ActDefer, attempt: x.Last}
		if !x.ExpireAt.IsZero() && !x.ExpireAt.After(now) {
			l := d.lane(x.Destination)
			l.mu.Lock()
			stood := paused(l.health.Pauses, m.Envelope.Received, now)
			isPaused := l.health.State == lanePaused
			l.mu.Unlock()
			life := x.ExpireAt.Sub(m.Envelope.Received) // as extended before
			switch used := now.Sub(m.Envelope.Received) - stood; {
			case isPaused && used < life:
				o.ExpireAt = now.Add(max(time.Minute, d.o.ExpireAfter-used))
			case used < d.o.ExpireAfter && stood > 0:
				o.ExpireAt = now.Add(d.o.ExpireAfter - used)
			case isPaused:
				o.ExpireAt = now.Add(time.Hour) // nothing expires by our own fault
			default:
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
