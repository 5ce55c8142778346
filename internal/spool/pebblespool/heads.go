package pebblespool

import (
	"slices"
	"sort"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	// windowSize is how many entries of one destination and bucket a window is
	// filled with; it grows to twice as many before it is cut back. A refill is one
	// short read of the index, once in that many messages.
	windowSize = 4096
	// leastWindow is what a window is cut back to at worst, when a queue of millions
	// is spread over very many destinations.
	leastWindow = 8
	// entryBudget bounds the entries of all windows, of about 50 octets: 25 MB.
	entryBudget = 1 << 19
)

// heads is the order of service in memory: the first entries of each destination
// and bucket. The caller holds the store's mu.
type heads struct {
	destinations map[spool.Destination]*destination
	// load returns up to n entries of d and bucket from from on, in order, without
	// those that are claimed, and the entry to go on from; more is false when there
	// is nothing behind.
	load func(d spool.Destination, bucket uint8, from entry, n int) (found []entry, next entry, more bool, err error)

	budget int // entries in all windows above which these are made smaller
	bound  int // entries in all windows at which that is tried next
	size   int // windows are filled with so many and cut back to so many
	total  int // entries in all windows
}

func newHeads(budget int) heads {
	return heads{destinations: map[spool.Destination]*destination{}, budget: budget, bound: budget, size: windowSize}
}

// destination is what is queued for one destination.
type destination struct {
	queued  int // recipients in StateQueued, claimed ones among them
	turn    uint8
	buckets [spool.Buckets]*window // nil: empty
}

// window is the begin of a bucket's entries, in order.
type window struct {
	entries []entry // unclaimed ones
	more    bool    // there may be entries behind, from end on
	end     entry   // where the window ends, if more
}

func (h *heads) get(d spool.Destination) *destination {
	x := h.destinations[d]
	if x == nil {
		x = &destination{}
		h.destinations[d] = x
	}
	return x
}

// count adds n to the number queued for d, and forgets d when nothing is left.
func (h *heads) count(d spool.Destination, n int) {
	x := h.get(d)
	if x.queued += n; x.queued > 0 {
		return
	}
	for _, w := range x.buckets {
		if w != nil {
			h.total -= len(w.entries)
		}
	}
	delete(h.destinations, d)
}

// insert enters an unclaimed entry; one that is there already stays.
func (h *heads) insert(d spool.Destination, bucket uint8, e entry) {
	x := h.get(d)
	w := x.buckets[bucket]
	if w == nil {
		w = &window{}
		x.buckets[bucket] = w
	}
	if w.more && !e.less(w.end) {
		return // it lies behind the window and is found when that is used up
	}
	i := w.find(e)
	if i < len(w.entries) && w.entries[i] == e {
		return
	}
	w.entries = slices.Insert(w.entries, i, e)
	h.total++
	if len(w.entries) > 2*h.size {
		h.cutBack(w)
	}
	if h.total > h.bound {
		h.tighten()
	}
}

// find returns the place of e.
func (w *window) find(e entry) int {
	// New mail belongs at the end, nearly always.
	if n := len(w.entries); n > 0 && w.entries[n-1].less(e) {
		return n
	}
	return sort.Search(len(w.entries), func(i int) bool { return !w.entries[i].less(e) })
}

// remove takes an entry out, if it is there.
func (h *heads) remove(d spool.Destination, bucket uint8, e entry) {
	x := h.destinations[d]
	if x == nil || x.buckets[bucket] == nil {
		return
	}
	w := x.buckets[bucket]
	if i := w.find(e); i < len(w.entries) && w.entries[i] == e {
		h.drop(w, i, i+1)
	}
}

// drop takes entries i to j out. The front is cut off without moving the rest.
func (h *heads) drop(w *window, i, j int) {
	h.total -= j - i
	if i == 0 {
		w.entries = w.entries[j:]
		return
	}
	w.entries = slices.Delete(w.entries, i, j)
}

// cutBack leaves the rest of a window to the disk.
func (h *heads) cutBack(w *window) {
	if len(w.entries) <= h.size {
		return
	}
	h.total -= len(w.entries) - h.size
	w.more, w.end = true, w.entries[h.size]
	w.entries = slices.Clone(w.entries[:h.size])
}

// tighten makes windows smaller until they are within the budget, or as small as
// they may be; in that case it is tried again when there are twice as many.
func (h *heads) tighten() {
	for h.total > h.budget/2 && h.size > leastWindow {
		h.size /= 2
		for _, x := range h.destinations {
			for _, w := range x.buckets {
				if w != nil {
					h.cutBack(w)
				}
			}
		}
	}
	h.bound = max(h.budget, 2*h.total)
}

// fill makes sure that the window of a bucket has an entry if the bucket has one.
func (h *heads) fill(d spool.Destination, bucket uint8) (*window, error) {
	x := h.destinations[d]
	if x == nil || x.buckets[bucket] == nil {
		return nil, nil
	}
	w := x.buckets[bucket]
	for len(w.entries) == 0 && w.more {
		if h.size < windowSize && h.total < h.budget/4 {
			h.size, h.bound = 2*h.size, h.budget
		}
		found, next, more, err := h.load(d, bucket, w.end, h.size)
		if err != nil {
			return nil, err
		}
		w.entries, w.end, w.more = found, next, more
		h.total += len(found)
	}
	if len(w.entries) == 0 {
		w.entries = nil // let the memory of a long queue go
		return nil, nil
	}
	return w, nil
}

// take removes and returns the entries to claim next, and their bucket: those of
// one message that are due at now, at most max. Buckets take turns.
func (h *heads) take(d spool.Destination, now int64, max int) (taken []entry, bucket uint8, err error) {
	x := h.destinations[d]
	if x == nil {
		return nil, 0, nil
	}
	for i := range uint8(spool.Buckets) {
		bucket = (x.turn + i) % spool.Buckets
		w, err := h.fill(d, bucket)
		if err != nil {
			return nil, 0, err
		}
		if w == nil || w.entries[0].at > now {
			continue
		}
		x.turn = (bucket + 1) % spool.Buckets
		n := 1
		for n < len(w.entries) && n < max && w.entries[n].id == w.entries[0].id && w.entries[n].at <= now {
			n++
		}
		taken = slices.Clone(w.entries[:n])
		h.drop(w, 0, n)
		return taken, bucket, nil
	}
	return nil, 0, nil
}

// first returns when the first unclaimed entry of d is due.
func (h *heads) first(d spool.Destination) (at int64, ok bool, err error) {
	x := h.destinations[d]
	if x == nil {
		return 0, false, nil
	}
	for bucket := range uint8(spool.Buckets) {
		w, err := h.fill(d, bucket)
		if err != nil {
			return 0, false, err
		}
		if w != nil && (!ok || w.entries[0].at < at) {
			at, ok = w.entries[0].at, true
		}
	}
	return at, ok, nil
}
