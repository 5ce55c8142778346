package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

const (
	maxWorkers    = 500             // conversations at once in all lanes
	maxRecipients = 100             // of one message in one transaction; RFC 5321 §4.5.3.1.8
	idleTime      = 2 * time.Second // how long a conversation is kept open for more; servers like short ones
)

// ErrBroken is returned by Run when the store has failed.
var ErrBroken = errors.New("dispatch: the store is broken")

// Options are what a Dispatcher needs. Store, Routes, Open and Hostname must be
// given.
type Options struct {
	Store        spool.Store
	Routes       func() *route.Table
	Open         func(r *route.Route, domain string) deliver.Conversation
	Hostname     string
	Retry        []time.Duration // waits between attempts, the last repeats; nil: DefaultRetry
	WarnAfter    time.Duration   // for notifications; messages carry their own times
	ExpireAfter  time.Duration   // for notifications; 0: 5 days
	Postmaster   smtp.Path       // gets what cannot be returned; "" for nobody
	BouncesRoute string          // route of notifications; "": that of their address
	Log          *slog.Logger    // nil: nothing is logged
	Hooks        Hooks
}

// Hooks are told of what happens. Each may be nil; each must return at once.
type Hooks struct {
	Outcome func(e Event)
	Lane    func(s LaneStatus)
}

// Event is what became of one recipient.
type Event struct {
	Entry  // as it is now
	Action Action
	Took   time.Duration // of the attempt
}

// Dispatcher delivers what is in a store.
type Dispatcher struct {
	o   Options
	log *slog.Logger

	mu      sync.RWMutex // guards the fields below; taken before a lane's mu
	lanes   map[spool.Destination]*lane
	ctx     context.Context // of Run; nil: not running. Kept because workers start on a signal, not on a call of their owner
	workers int
	crowd   []*lane              // those that wait for another lane's worker to end, longest first
	running sync.WaitGroup       // workers
	waiting map[*waiter]struct{} // calls of Flush
	alarm   chan struct{}        // capacity 1: the timetable has an earlier time
	plan    plan                 // when the timetable looks at which lane

	reroutes int // how often reroute was called since its goroutine began; 0: none runs

	accounts map[string]*account // by key; of lanes whose pace is bounded
}

// New returns a Dispatcher. It reads the lanes' records at the start of Run.
func New(o Options) *Dispatcher {
	if len(o.Retry) == 0 {
		o.Retry = DefaultRetry
	}
	if o.ExpireAfter == 0 {
		o.ExpireAfter = 5 * 24 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Dispatcher{o: o, log: o.Log, lanes: map[spool.Destination]*lane{}, waiting: map[*waiter]struct{}{},
		alarm: make(chan struct{}, 1), accounts: map[string]*account{}}
}

// Run delivers until ctx ends, and returns when its workers have: they finish the
// transaction in hand if its final dot is out, and give up before. It returns
// ErrBroken when the store has failed, else nil.
func (d *Dispatcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.restoreLanes(ctx); err != nil {
		return err
	}
	// Before the look at what is there: what comes during it starts workers by itself,
	// and would be forgotten otherwise.
	d.mu.Lock()
	d.ctx = ctx
	d.mu.Unlock()
	heads, err := d.o.Store.Heads(ctx)
	if err != nil {
		d.mu.Lock()
		d.ctx = nil
		d.mu.Unlock()
		cancel()
		d.running.Wait()
		return err
	}
	stuck := false
	for _, h := range heads {
		l := d.lane(h.Destination)
		stuck = stuck || d.isStuck(l)
		d.look(l)
	}
	if stuck {
		d.reroute() // the routes may be others since
	}
	var loops sync.WaitGroup
	loops.Go(func() { d.timetable(ctx) })
	loops.Go(func() { d.overdue(ctx) })
	select {
	case <-ctx.Done():
	case <-d.o.Store.Broken():
		err = ErrBroken
		cancel()
	}
	d.mu.Lock()
	d.ctx = nil // no worker starts any more
	d.mu.Unlock()
	loops.Wait()
	d.running.Wait()
	if err == nil {
		d.saveAccounts(ctx)
	}
	return err
}

// restoreLanes reads the records of an earlier process.
func (d *Dispatcher) restoreLanes(ctx context.Context) error {
	records, err := d.o.Store.Lanes(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, record := range records {
		if d.restoreAccountLocked(name, record) {
			continue
		}
		l := newLane(spool.Destination(name))
		if err := l.restore(record); err != nil {
			d.log.Error("lane record passed over", "error", err)
			continue
		}
		have := d.lanes[l.name]
		if have == nil {
			d.lanes[l.name] = l
			continue
		}
		have.mu.Lock()
		if have.health.State == laneOpen && have.health.Since.IsZero() { // mail came for it before we did
			have.health = l.health
		}
		have.mu.Unlock()
	}
	return nil
}

// lane returns the lane of that name, a new one if need be.
func (d *Dispatcher) lane(name spool.Destination) *lane {
	d.mu.RLock()
	l := d.lanes[name]
	d.mu.RUnlock()
	if l != nil {
		return l
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l = d.lanes[name]; l == nil {
		l = newLane(name)
		d.lanes[name] = l
	}
	return l
}

// Wake is a spool.Watcher: dest may have something due at due.
func (d *Dispatcher) Wake(dest spool.Destination, due time.Time) {
	l := d.lane(dest)
	if wait := time.Until(due); wait > 0 {
		d.planAt(l, due)
		return
	}
	d.signal(l)
}

// signal has one worker of l look for work; it starts one when all are busy.
func (d *Dispatcher) signal(l *lane) {
	select {
	case l.work <- struct{}{}:
	default:
	}
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == 0 {
		d.grow(l)
	}
}

// grow starts one more worker of l, if l and the whole allow it.
func (d *Dispatcher) grow(l *lane) {
	r, _ := d.o.Routes().ByLane(string(l.name))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil || d.ctx.Err() != nil {
		return
	}
	l = d.presentLocked(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.workers >= l.allowedLocked(time.Now(), r) {
		return
	}
	if l.workers > 0 && !l.health.Next.IsZero() {
		return // a probe, or a slow lane: one will do
	}
	if d.workers >= maxWorkers {
		// A lane with a worker can wait for that; one without would wait for ever.
		if l.workers == 0 && !l.crowded {
			l.crowded = true
			d.crowd = append(d.crowd, l)
		}
		return
	}
	a := d.accountLocked(r, l)
	if !a.connectLocked(r, l) {
		return
	}
	l.workers++
	d.workers++
	ctx := d.ctx
	d.running.Go(func() { d.serve(ctx, l, a) })
}

// isCrowded reports whether a lane waits for the worker of another to end.
func (d *Dispatcher) isCrowded() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.crowd) > 0
}

// uncrowd gives the place of a worker that has ended to the lane that has waited
// longest.
func (d *Dispatcher) uncrowd() {
	d.mu.Lock()
	if len(d.crowd) == 0 {
		d.mu.Unlock()
		return
	}
	l := d.crowd[0]
	d.crowd[0] = nil
	d.crowd = d.crowd[1:]
	d.mu.Unlock()
	d.turn(l)
}

// turn lets a lane that has waited in a crowd have its worker.
func (d *Dispatcher) turn(l *lane) {
	l.mu.Lock()
	l.crowded = false
	l.mu.Unlock()
	d.signal(l)
}

// look starts a worker of l when something is due now, or plans for when it is.
func (d *Dispatcher) look(l *lane) {
	due, ok := d.o.Store.Due(l.name)
	if !ok {
		return
	}
	if time.Until(due) > 0 {
		d.planAt(l, due)
		return
	}
	d.signal(l)
}

// saveLane makes l's record durable.
func (d *Dispatcher) saveLane(ctx context.Context, l *lane) {
	l.mu.Lock()
	record, err := json.Marshal(&l.health)
	if l.healthIsPlainLocked() {
		record = nil
	}
	l.mu.Unlock()
	if err == nil {
		err = d.o.Store.SaveLane(context.WithoutCancel(ctx), string(l.name), record)
	}
	if err != nil {
		d.log.Error("save lane", "lane", string(l.name), "error", err)
	}
}
