package dispatch

import (
	"context"
	"time"

	"github.com/wellsent/wellsent/internal/allowance"
)

// sweepEvery is how often lanes of which nothing is left are dropped.
const sweepEvery = 10 * time.Minute

// sweep drops lanes and accounts of which nothing is worth remembering: with mail
// to a million domains there is a lane for each.
func (d *Dispatcher) sweep(ctx context.Context) {
	var idle []*lane
	d.mu.Lock()
	for _, l := range d.lanes {
		if l.idleLocked() {
			idle = append(idle, l)
		}
	}
	d.mu.Unlock()
	empty := idle[:0]
	for _, l := range idle {
		if _, queued := d.o.Store.Due(l.name); !queued {
			empty = append(empty, l)
		}
	}
	d.mu.Lock()
	for _, l := range empty {
		// Mail that has come since has planned for it, or started a worker, or will
		// find it gone and put it back.
		if !l.gone && l.idleLocked() {
			l.gone = true
			delete(d.lanes, l.name)
		}
	}
	d.mu.Unlock()
	d.sweepAccounts(ctx)
}

// idleLocked reports a lane of which nothing is worth remembering but its mail.
// The caller holds the dispatcher's mu.
func (l *lane) idleLocked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.planSpot == 0 && l.workers == 0 && !l.crowded && l.healthIsPlainLocked()
}

// sweepAccounts drops accounts that have sent nothing for a day, and their records.
func (d *Dispatcher) sweepAccounts(ctx context.Context) {
	now := time.Now()
	var stored []*account
	d.mu.Lock()
	for key, a := range d.accounts {
		a.mu.Lock()
		switch idle := a.conns == 0 && len(a.waiting) == 0 && a.saving == nil && a.log.Empty(now); {
		case idle && a.stored:
			stored = append(stored, a)
		case idle:
			delete(d.accounts, key)
		}
		a.mu.Unlock()
	}
	d.mu.Unlock()
	for _, a := range stored {
		a.mu.Lock()
		if a.saving != nil {
			a.mu.Unlock()
			continue
		}
		if _, err := d.saveLockedAccount(ctx, a, allowance.Spend{}); err != nil {
			d.log.Error("remove the record of an account", "account", a.key, "error", err)
		}
	}
}
