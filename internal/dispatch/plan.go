package dispatch

import (
	"container/heap"
	"context"
	"time"
)

// plan is when the timetable looks at which lane: a heap, the earliest first. It
// is guarded by the dispatcher's mu, and the spots in it are noted in the lanes.
type plan []*lane

// Len, Less, Swap, Push and Pop are those of heap.Interface.
func (p plan) Len() int           { return len(p) }
func (p plan) Less(i, j int) bool { return p[i].planned.Before(p[j].planned) }
func (p plan) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].planSpot, p[j].planSpot = i+1, j+1
}

// Push implements heap.Interface.
func (p *plan) Push(x any) {
	l := x.(*lane)
	*p = append(*p, l)
	l.planSpot = len(*p)
}

// Pop implements heap.Interface.
func (p *plan) Pop() any {
	last := len(*p) - 1
	l := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	l.planSpot, l.planned = 0, time.Time{}
	return l
}

// planAt has the timetable look at l at the given instant, or earlier.
func (d *Dispatcher) planAt(l *lane, at time.Time) {
	d.mu.Lock()
	l = d.presentLocked(l)
	switch {
	case l.planSpot == 0:
		l.planned = at
		heap.Push(&d.plan, l)
	case at.Before(l.planned):
		l.planned = at
		heap.Fix(&d.plan, l.planSpot-1)
	default:
		d.mu.Unlock()
		return
	}
	first := d.plan[0] == l
	d.mu.Unlock()
	if !first {
		return
	}
	select {
	case d.alarm <- struct{}{}:
	default:
	}
}

// timetable looks at lanes when it is time for them.
func (d *Dispatcher) timetable(ctx context.Context) {
	for {
		now := time.Now()
		var ready []*lane
		next := now.Add(time.Hour)
		d.mu.Lock()
		for len(d.plan) > 0 {
			if at := d.plan[0].planned; at.After(now) {
				next = earlier(next, at)
				break
			}
			ready = append(ready, heap.Pop(&d.plan).(*lane))
		}
		d.mu.Unlock()
		for _, l := range ready {
			d.look(l)
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-t.C:
		case <-d.alarm:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// presentLocked returns the lane in the map that has l's name: l itself, but for a
// caller who has held it while it was dropped. The caller holds d.mu.
func (d *Dispatcher) presentLocked(l *lane) *lane {
	if !l.gone {
		return l
	}
	if present := d.lanes[l.name]; present != nil {
		return present
	}
	l.gone = false
	d.lanes[l.name] = l
	return l
}
