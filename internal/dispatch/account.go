package dispatch

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/allowance"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/spool"
)

// accountRecord begins the name of an account's record in the store. No lane has
// a space in its name.
const accountRecord = "account "

// account is what one login may do at its provider: shared by the lanes whose
// routes have the same host and user, for the provider counts them together. A
// lane whose next hop depends on the recipient has one of its own.
type account struct {
	key string // immutable

	mu      sync.Mutex // guards the fields below; taken after a lane's mu, not held during a call of the store
	log     allowance.Log
	conns   int             // workers that may have a connection open
	waiting []*lane         // that have no worker and want one, longest first
	taken   allowance.Spend // since the last record
	ahead   allowance.Spend // that the last record lets be taken before the next
	saving  chan struct{}   // closed when the record under way is written; nil: none is
	stored  bool            // the store has a record
}

// limitsOf returns the bounds in time of r's pace.
func limitsOf(r *route.Route) allowance.Limits {
	p := &r.Pace
	return allowance.Limits{PerMinute: p.PerMinute, PerHour: p.PerHour, PerDay: p.PerDay, RecipientsPerHour: p.RecipientsPerHour, RecipientsPerDay: p.RecipientsPerDay}
}

// accountKey names the account of a lane by r; "" when nothing is bounded.
func accountKey(r *route.Route, l *lane) string {
	if r == nil || r.Pace.Connections == 0 && limitsOf(r).None() {
		return ""
	}
	if key := r.Account(); key != "" {
		return key
	}
	return string(l.name)
}

// accountLocked returns the account of a lane by r, a new one if need be; nil when
// nothing is bounded. The caller holds d.mu.
func (d *Dispatcher) accountLocked(r *route.Route, l *lane) *account {
	key := accountKey(r, l)
	if key == "" {
		return nil
	}
	a := d.accounts[key]
	if a == nil {
		a = &account{key: key}
		d.accounts[key] = a
	}
	return a
}

// connectLocked takes one connection of the account, if its route's bound allows
// it. The caller holds d.mu and l.mu.
func (a *account) connectLocked(r *route.Route, l *lane) bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := r.Pace.Connections; n > 0 && a.conns >= n {
		// A lane with a worker can wait for that; one without would wait for ever.
		if l.workers == 0 && !l.crowded {
			l.crowded = true
			a.waiting = append(a.waiting, l)
		}
		return false
	}
	a.conns++
	return true
}

// disconnect gives a connection back, and returns the lane whose turn it is; nil
// when none waits.
func (a *account) disconnect() *lane {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns--
	if len(a.waiting) == 0 {
		return nil
	}
	l := a.waiting[0]
	a.waiting[0] = nil
	a.waiting = a.waiting[1:]
	return l
}

// overConnected reports more connections than r allows: it allows fewer since a
// reload.
func (a *account) overConnected(r *route.Route) bool {
	if a == nil || r.Pace.Connections == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns > r.Pace.Connections
}

// isCrowded reports whether a lane waits for the connection of another.
func (a *account) isCrowded() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting) > 0
}

// wait returns why nothing may be handed over now; nil when something may.
func (a *account) wait(now time.Time, r *route.Route) *paceWait {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n, w := a.log.Room(now, limitsOf(r), 1); n == 0 {
		return newPaceWait(now, r, w)
	}
	return nil
}

// take spends one message to at most want recipients; it returns how many, and
// when none why. Admission and spending are one step.
func (a *account) take(now time.Time, r *route.Route, want int) (int, *paceWait) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, w := a.log.Take(now, limitsOf(r), want)
	if n == 0 {
		return 0, newPaceWait(now, r, w)
	}
	a.taken = a.taken.Plus(allowance.Of(n))
	return n, nil
}

// settle ends what was taken: it was handed over, by now at the latest, or MAIL
// was never reached.
func (a *account) settle(now time.Time, s allowance.Spend, handedOver bool) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if handedOver {
		a.log.Done(now, s)
		return
	}
	a.log.Back(s)
}

// cover returns when what has been taken is covered by a record in the store: it
// writes one where the last does not. What it writes allows for more, so that
// not each message costs a synced write.
func (d *Dispatcher) cover(ctx context.Context, a *account, r *route.Route) error {
	if limitsOf(r).None() {
		return nil // it is counted, in case a reload brings a bound, and a crash may forget it
	}
	for {
		a.mu.Lock()
		if a.taken.Within(a.ahead) {
			a.mu.Unlock()
			return nil
		}
		if under := a.saving; under != nil {
			a.mu.Unlock()
			<-under // a write ends, well or not
			continue
		}
		written, err := d.saveLockedAccount(ctx, a, limitsOf(r).Ahead())
		if !written {
			return err
		}
	}
}

// saveLockedAccount writes the record of an account so that ahead may be taken
// before the next. The caller holds a.mu, which is released.
func (d *Dispatcher) saveLockedAccount(ctx context.Context, a *account, ahead allowance.Spend) (written bool, err error) {
	done := make(chan struct{})
	a.saving = done
	now := time.Now()
	taken := a.taken // by those too who wait for this record: they are in flight in it
	var record []byte
	if ahead != (allowance.Spend{}) || !a.log.Empty(now) {
		record, err = json.Marshal(a.log.Record(a.key, now, ahead))
	}
	a.mu.Unlock()
	if err == nil {
		err = d.o.Store.SaveLane(context.WithoutCancel(ctx), accountRecord+a.key, record)
	}
	a.mu.Lock()
	if err == nil {
		a.taken, a.ahead, a.stored = a.taken.Minus(taken), ahead, record != nil
	}
	a.saving = nil
	close(done)
	a.mu.Unlock()
	return err == nil, err
}

// saveAccounts writes what each account has really spent, with nothing ahead:
// then a stop in order costs no allowance. No worker runs any more.
func (d *Dispatcher) saveAccounts(ctx context.Context) {
	d.mu.RLock()
	all := make([]*account, 0, len(d.accounts))
	for _, a := range d.accounts {
		all = append(all, a)
	}
	d.mu.RUnlock()
	for _, a := range all {
		a.mu.Lock()
		if a.ahead == (allowance.Spend{}) && a.taken == (allowance.Spend{}) {
			a.mu.Unlock()
			continue
		}
		if _, err := d.saveLockedAccount(ctx, a, allowance.Spend{}); err != nil {
			d.log.Error("save the account's allowance", "account", a.key, "error", err)
		}
	}
}

// restoreAccountLocked takes the record of an earlier process; false when it is
// none of an account. The caller holds d.mu.
func (d *Dispatcher) restoreAccountLocked(name string, record []byte) bool {
	key, ok := strings.CutPrefix(name, accountRecord)
	if !ok {
		return false
	}
	if d.accounts[key] != nil {
		return true // it counts already
	}
	_, log, err := allowance.Restore(record, time.Now())
	if err != nil {
		d.log.Error("record of an account passed over: what it has sent today is not known", "account", key, "error", err)
		return true
	}
	d.accounts[key] = &account{key: key, log: *log, stored: true}
	return true
}

// trim gives the claims of m's recipients beyond the first n back.
func trim(store spool.Store, m *spool.Message, n int) *spool.Message {
	if n >= len(m.Recipients) {
		return m
	}
	some, rest := *m, *m
	some.Recipients, rest.Recipients = m.Recipients[:n:n], m.Recipients[n:]
	store.Release(&rest)
	return &some
}
