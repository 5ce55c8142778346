package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

// waiter is a Flush that waits until each of its recipients has been tried.
type waiter struct {
	mu     sync.Mutex // guards the fields below
	left   map[spool.Ref]spool.Destination
	probed map[spool.Destination]bool // lanes that have had a try for it since mail was moved to them
	done   chan struct{}              // closed when nothing is left
}

// moved notes where recipients are queued now, and returns the lanes that are to be
// tried for it.
func (w *waiter) moved(outcomes []spool.Outcome) (probe []spool.Destination) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range outcomes {
		o := &outcomes[i]
		if _, ok := w.left[o.Ref]; !ok {
			continue
		}
		w.left[o.Ref] = o.Destination
		if !w.probed[o.Destination] {
			if w.probed == nil {
				w.probed = map[spool.Destination]bool{}
			}
			w.probed[o.Destination] = true
			probe = append(probe, o.Destination)
		}
	}
	return probe
}

// tried takes refs off; those of a lane that does not go on count as tried too.
func (w *waiter) tried(refs []spool.Ref, stopped spool.Destination) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.left) == 0 {
		return
	}
	for _, r := range refs {
		delete(w.left, r)
	}
	if stopped != "" {
		for r, d := range w.left {
			if d == stopped {
				delete(w.left, r)
			}
		}
	}
	if len(w.left) == 0 {
		close(w.done)
	}
}

// keep takes off what is not in queued any more.
func (w *waiter) keep(queued map[spool.Ref]spool.Destination) {
	w.mu.Lock()
	var gone []spool.Ref
	for r := range w.left {
		if _, ok := queued[r]; !ok {
			gone = append(gone, r)
		}
	}
	w.mu.Unlock()
	w.tried(gone, "")
}

// queued returns all that is queued.
func (d *Dispatcher) queued(ctx context.Context) (map[spool.Ref]spool.Destination, error) {
	all := map[spool.Ref]spool.Destination{}
	for m, err := range d.o.Store.List(ctx, spool.Query{States: []spool.State{spool.StateQueued}}) {
		if err != nil {
			return nil, err
		}
		for i := range m.Recipients {
			all[spool.Ref{ID: m.ID, Index: m.Recipients[i].Index}] = m.Recipients[i].Destination
		}
	}
	return all, nil
}

// settled tells those who wait that the recipients of s have been tried.
func (d *Dispatcher) settled(s *settlement) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.waiting) == 0 {
		return
	}
	refs := make([]spool.Ref, len(s.outcomes))
	for i := range s.outcomes {
		refs[i] = s.outcomes[i].Ref
	}
	var stopped spool.Destination
	if s.action != "" {
		stopped = s.verdicts[0].recipient.Destination
	}
	for w := range d.waiting {
		w.tried(refs, stopped)
	}
}

// moved tells those who wait that recipients are queued elsewhere. A lane that they
// come to is tried once for each who waits, and counts as stopped after that.
func (d *Dispatcher) moved(ctx context.Context, outcomes []spool.Outcome) {
	probe := map[spool.Destination]bool{}
	d.mu.RLock()
	for w := range d.waiting {
		for _, name := range w.moved(outcomes) {
			probe[name] = true
		}
	}
	wait := len(d.waiting) > 0
	d.mu.RUnlock()
	if !wait {
		return
	}
	seen := map[spool.Destination]bool{}
	for i := range outcomes {
		name := outcomes[i].Destination
		switch {
		case seen[name]:
		case probe[name]:
			d.probe(ctx, d.lane(name))
		case d.isStuck(d.lane(name)):
			d.stopped(name)
		}
		seen[name] = true
	}
}

// stopped tells those who wait that nothing goes by lane name.
func (d *Dispatcher) stopped(name spool.Destination) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for w := range d.waiting {
		w.tried(nil, name)
	}
}

// flushPatience is the longest wait for a pace that a Flush waits for: a bound a
// minute passes, one an hour or a day does not.
const flushPatience = 2 * time.Minute

// isStuck reports a lane by which nothing goes for a while, or never.
func (d *Dispatcher) isStuck(l *lane) bool {
	now := time.Now()
	if r, _ := d.o.Routes().ByLane(string(l.name)); r == nil {
		return true
	}
	if wait := d.paceWaitOf(l); wait != nil && wait.until.Sub(now) > flushPatience {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return (l.health.State == laneDown || l.health.State == lanePaused) && l.health.Next.After(now)
}

// Flush makes every queued recipient due now, and returns when each has been
// tried once or its lane has turned out not to go. Without Run it delivers by
// itself. It returns ctx's error when that ends first.
func (d *Dispatcher) Flush(ctx context.Context) error {
	d.mu.RLock()
	running := d.ctx != nil
	d.mu.RUnlock()
	if err := d.ensureLanes(ctx); err != nil {
		return err
	}
	w := &waiter{done: make(chan struct{})}
	var err error
	if w.left, err = d.queued(ctx); err != nil || len(w.left) == 0 {
		return err
	}
	d.mu.Lock()
	d.waiting[w] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.waiting, w)
		d.mu.Unlock()
	}()
	// What was settled before we were told of settlements would be awaited for ever.
	now, err := d.queued(ctx)
	if err != nil {
		return err
	}
	w.keep(now)
	if _, err := d.Retry(ctx, Selection{All: true}); err != nil {
		return err
	}
	run := make(chan error, 1) // of Run, where it is ours
	if !running {
		ctx, cancel := context.WithCancel(ctx)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			run <- d.Run(ctx)
		}()
		defer func() {
			cancel()
			<-stopped
		}()
	}
	select {
	case <-w.done:
		return nil
	case err := <-run:
		if err == nil {
			err = ctx.Err()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
