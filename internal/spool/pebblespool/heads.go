package pebblespool

import (
	"slices"
	"sort"

	"github.com/wellsent/wellsent/internal/spool"
)

// windowSize is how many entries of one destination and bucket are kept in
// memory, between one and two times this number: 4,096 of about 40 octets.
const windowSize = 4096

// heads is the order of service in memory. The caller holds the store's mu.
type heads struct {
	destinations map[spool.Destination]*destination
	// load returns up to n entries of d and bucket from from on, in order, without
	// those that are claimed, and the entry to go on from; more is false when there
	// is nothing behind.
	load func(d spool.Destination, bucket uint8, from entry, n int) (found []entry, next entry, more bool, err error)
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
	if x.queued += n; x.queued <= 0 {
		delete(h.destinations, d)
	}
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
	if len(w.entries) > 2*windowSize {
		w.more, w.end = true, w.entries[windowSize]
		w.entries = slices.Clone(w.entries[:windowSize])
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
		w.drop(i, i+1)
	}
}

// drop takes entries i to j out. The front is cut off without moving the rest.
func (w *window) drop(i, j int) {
	if i == 0 {
		w.entries = w.entries[j:]
		return
	}
	w.entries = slices.Delete(w.entries, i, j)
}

// fill makes sure that the window of a bucket has an entry if the bucket has one.
func (h *heads) fill(d spool.Destination, bucket uint8) (*window, error) {
	x := h.destinations[d]
	if x == nil || x.buckets[bucket] == nil {
		return nil, nil
	}
	w := x.buckets[bucket]
	for len(w.entries) == 0 && w.more {
		found, next, more, err := h.load(d, bucket, w.end, windowSize)
		if err != nil {
			return nil, err
		}
		w.entries, w.end, w.more = found, next, more
	}
	if len(w.entries) == 0 {
		w.entries = nil // let the memory of a long queue go
		return nil, nil
	}
	return w, nil
}

// take removes and returns the entries to claim next: those of one message that
// are due at now, at most max. Buckets take turns.
func (h *heads) take(d spool.Destination, now int64, max int) ([]entry, error) {
	x := h.destinations[d]
	if x == nil {
		return nil, nil
	}
	for i := range uint8(spool.Buckets) {
		bucket := (x.turn + i) % spool.Buckets
		w, err := h.fill(d, bucket)
		if err != nil {
			return nil, err
		}
		if w == nil || w.entries[0].at > now {
			continue
		}
		x.turn = (bucket + 1) % spool.Buckets
		n := 1
		for n < len(w.entries) && n < max && w.entries[n].id == w.entries[0].id && w.entries[n].at <= now {
			n++
		}
		taken := slices.Clone(w.entries[:n])
		w.drop(0, n)
		return taken, nil
	}
	return nil, nil
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
