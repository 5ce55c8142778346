package memspool

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

// Options are the settings of a Store. The zero value will do.
type Options struct {
	Watch spool.Watcher // nil: nobody is told
	Free  func() int64  // octets there is room for; nil: any number
}

// Store is a spool.Store in memory.
type Store struct {
	o Options

	mu       sync.Mutex // guards the fields below
	messages map[spool.QueueID]*stored
	arriving map[spool.QueueID]bool // ids of messages whose bodies are being read
	claimed  map[spool.Ref]bool
	turn     map[spool.Destination]uint8 // the bucket whose turn it is
	lanes    map[string][]byte
	closed   bool
	broken   chan struct{} // never closed: memory does not fail
}

type stored struct {
	m    spool.Message
	body []byte
}

var _ spool.Store = (*Store)(nil)

// New returns an empty store.
func New(o Options) *Store {
	if o.Watch == nil {
		o.Watch = func(spool.Destination, time.Time) {}
	}
	return &Store{o: o, messages: map[spool.QueueID]*stored{}, arriving: map[spool.QueueID]bool{}, claimed: map[spool.Ref]bool{},
		turn: map[spool.Destination]uint8{}, lanes: map[string][]byte{}, broken: make(chan struct{})}
}

// Accept implements spool.Store.
func (s *Store) Accept(ctx context.Context, m *spool.Message, body io.Reader) error {
	if err := m.Check(); err != nil {
		return err
	}
	if err := s.begin(m.ID); err != nil {
		return err
	}
	b, err := io.ReadAll(body)
	if err == nil {
		err = s.Room(int64(len(b)))
	}
	s.mu.Lock()
	delete(s.arriving, m.ID)
	if err == nil && s.closed {
		err = spool.ErrClosed
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	s.add(m, b)
	s.mu.Unlock()
	s.tell(m)
	return nil
}

// begin takes id for a message whose body is about to be read.
func (s *Store) begin(id spool.QueueID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return spool.ErrClosed
	case s.taken(id):
		return spool.ErrExists
	}
	s.arriving[id] = true
	return nil
}

// taken reports whether id is that of a message, or is about to be; the caller
// holds mu.
func (s *Store) taken(id spool.QueueID) bool { return s.messages[id] != nil || s.arriving[id] }

// add enters m; the caller holds mu.
func (s *Store) add(m *spool.Message, body []byte) {
	m.BodySize = int64(len(body))
	for i := range m.Recipients {
		m.Recipients[i].Index = i
		m.Recipients[i].Last = m.Recipients[i].Last.Cut()
	}
	s.messages[m.ID] = &stored{m: *clone(m), body: body}
}

// tell tells the watcher of m's recipients that wait.
func (s *Store) tell(m *spool.Message) {
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.State == spool.StateQueued {
			s.o.Watch(r.Destination, due(&m.Envelope, r))
		}
	}
}

func due(e *spool.Envelope, r *spool.Recipient) time.Time {
	return time.Unix(0, spool.DueAt(e, r))
}

func clone(m *spool.Message) *spool.Message {
	c := *m
	c.Header = bytes.Clone(m.Header)
	c.Recipients = slices.Clone(m.Recipients)
	return &c
}

// with returns a copy of m with those recipients that keep selects.
func with(m *spool.Message, keep func(r *spool.Recipient) bool) *spool.Message {
	c := clone(m)
	c.Recipients = slices.DeleteFunc(c.Recipients, func(r spool.Recipient) bool { return !keep(&r) })
	return c
}

// Room implements spool.Store.
func (s *Store) Room(n int64) error {
	if s.o.Free != nil && s.o.Free() < n {
		return spool.ErrFull
	}
	return nil
}

// candidate is a recipient that could be claimed.
type candidate struct {
	due    int64
	id     spool.QueueID
	index  int
	bucket uint8
}

func (a candidate) compare(b candidate) int {
	switch {
	case a.due != b.due:
		return int(max(-1, min(1, a.due-b.due)))
	case a.id != b.id:
		return strings.Compare(string(a.id), string(b.id))
	}
	return a.index - b.index
}

// candidates returns what of d is not claimed, in the order of service.
func (s *Store) candidates(d spool.Destination) []candidate {
	var all []candidate
	for id, m := range s.messages {
		for i := range m.m.Recipients {
			r := &m.m.Recipients[i]
			if r.State == spool.StateQueued && r.Destination == d && !s.claimed[spool.Ref{ID: id, Index: r.Index}] {
				all = append(all, candidate{spool.DueAt(&m.m.Envelope, r), id, r.Index, spool.Bucket(&m.m.Envelope)})
			}
		}
	}
	slices.SortFunc(all, candidate.compare)
	return all
}

// Claim implements spool.Store.
func (s *Store) Claim(ctx context.Context, d spool.Destination, now time.Time, max int) (*spool.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	ready := slices.DeleteFunc(s.candidates(d), func(c candidate) bool { return c.due > spool.Nanos(now) })
	for i := range uint8(spool.Buckets) {
		bucket := (s.turn[d] + i) % spool.Buckets
		first := slices.IndexFunc(ready, func(c candidate) bool { return c.bucket == bucket })
		if first < 0 {
			continue
		}
		s.turn[d] = (bucket + 1) % spool.Buckets
		id := ready[first].id
		var indexes []int
		for _, c := range ready[first:] {
			if c.bucket != bucket {
				continue
			}
			if c.id != id || len(indexes) == max {
				break
			}
			indexes = append(indexes, c.index)
		}
		return s.claim(id, indexes), nil
	}
	return nil, nil
}

// claim claims recipients and returns them; the caller holds mu.
func (s *Store) claim(id spool.QueueID, indexes []int) *spool.Message {
	for _, i := range indexes {
		s.claimed[spool.Ref{ID: id, Index: i}] = true
	}
	return with(&s.messages[id].m, func(r *spool.Recipient) bool { return slices.Contains(indexes, r.Index) })
}

// ClaimMessage implements spool.Store.
func (s *Store) ClaimMessage(ctx context.Context, id spool.QueueID, indexes []int) (*spool.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	m := s.messages[id]
	if m == nil {
		return nil, spool.ErrNotFound
	}
	if indexes == nil {
		for i := range m.m.Recipients {
			if !m.m.Recipients[i].State.Terminal() {
				indexes = append(indexes, i)
			}
		}
	}
	for _, i := range indexes {
		switch {
		case i < 0 || i >= len(m.m.Recipients) || m.m.Recipients[i].State.Terminal():
			return nil, spool.ErrNotFound
		case s.claimed[spool.Ref{ID: id, Index: i}]:
			return nil, spool.ErrClaimed
		}
	}
	return s.claim(id, indexes), nil
}

// ClaimOverdue implements spool.Store.
func (s *Store) ClaimOverdue(ctx context.Context, now time.Time, max int) ([]*spool.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	var late []candidate
	for id, m := range s.messages {
		for i := range m.m.Recipients {
			at, ok := spool.OverdueAt(&m.m.Recipients[i])
			if ok && at <= spool.Nanos(now) && !s.claimed[spool.Ref{ID: id, Index: i}] {
				late = append(late, candidate{due: at, id: id, index: i})
			}
		}
	}
	slices.SortFunc(late, candidate.compare)
	var order []spool.QueueID
	found := map[spool.QueueID][]int{}
	for _, c := range late {
		if found[c.id] == nil {
			if len(order) == max {
				break
			}
			order = append(order, c.id)
		}
		found[c.id] = append(found[c.id], c.index)
	}
	out := []*spool.Message{}
	for _, id := range order {
		out = append(out, s.claim(id, found[id]))
	}
	return out, nil
}

// Release implements spool.Store.
func (s *Store) Release(m *spool.Message) {
	s.mu.Lock()
	released := map[int]bool{}
	for i := range m.Recipients {
		ref := spool.Ref{ID: m.ID, Index: m.Recipients[i].Index}
		released[ref.Index] = s.claimed[ref]
		delete(s.claimed, ref)
	}
	var now *spool.Message
	if kept := s.messages[m.ID]; kept != nil {
		now = with(&kept.m, func(r *spool.Recipient) bool { return released[r.Index] })
	}
	s.mu.Unlock()
	if now != nil {
		s.tell(now)
	}
}

// Settle implements spool.Store.
func (s *Store) Settle(ctx context.Context, outcomes []spool.Outcome, reports []spool.Report) error {
	if err := spool.CheckSettle(outcomes, reports); err != nil {
		return err
	}
	s.mu.Lock()
	if err := s.settleLocked(outcomes, reports); err != nil {
		s.mu.Unlock()
		return err
	}
	var tell []func()
	for _, o := range outcomes {
		if m := s.messages[o.Ref.ID]; m != nil {
			if r := m.m.Recipients[o.Ref.Index]; r.State == spool.StateQueued {
				at := due(&m.m.Envelope, &r)
				tell = append(tell, func() { s.o.Watch(r.Destination, at) })
			}
		}
	}
	s.mu.Unlock()
	for _, t := range tell {
		t()
	}
	for _, r := range reports {
		s.tell(r.Message)
	}
	return nil
}

func (s *Store) settleLocked(outcomes []spool.Outcome, reports []spool.Report) error {
	if s.closed {
		return spool.ErrClosed
	}
	for _, o := range outcomes {
		m := s.messages[o.Ref.ID]
		if m == nil || o.Ref.Index < 0 || o.Ref.Index >= len(m.m.Recipients) || m.m.Recipients[o.Ref.Index].State.Terminal() {
			return spool.ErrNotFound
		}
	}
	for _, r := range reports {
		if s.taken(r.Message.ID) {
			return spool.ErrExists
		}
	}
	for i := range outcomes {
		o := &outcomes[i]
		s.messages[o.Ref.ID].m.Recipients[o.Ref.Index].Apply(o)
		delete(s.claimed, o.Ref)
	}
	for i := range outcomes {
		id := outcomes[i].Ref.ID
		if m := s.messages[id]; m != nil && !slices.ContainsFunc(m.m.Recipients, func(r spool.Recipient) bool { return !r.State.Terminal() }) {
			delete(s.messages, id)
		}
	}
	for _, r := range reports {
		s.add(r.Message, bytes.Clone(r.Body))
	}
	s.forgetTurns()
	return nil
}

// forgetTurns drops the turns of destinations that have nothing queued: an empty
// destination leaves nothing behind.
func (s *Store) forgetTurns() {
	queued := map[spool.Destination]bool{}
	for _, m := range s.messages {
		for i := range m.m.Recipients {
			if r := &m.m.Recipients[i]; r.State == spool.StateQueued {
				queued[r.Destination] = true
			}
		}
	}
	maps.DeleteFunc(s.turn, func(d spool.Destination, _ uint8) bool { return !queued[d] })
}

// Restart forgets what a process keeps to itself, claims and turns, as the model
// of a store that was closed and opened again.
func (s *Store) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.claimed)
	clear(s.turn)
}

// Body implements spool.Store.
func (s *Store) Body(ctx context.Context, id spool.QueueID) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	if m := s.messages[id]; m != nil {
		return io.NopCloser(bytes.NewReader(m.body)), nil
	}
	return nil, spool.ErrNotFound
}

// Get implements spool.Store.
func (s *Store) Get(ctx context.Context, id spool.QueueID) (*spool.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	if m := s.messages[id]; m != nil {
		return clone(&m.m), nil
	}
	return nil, spool.ErrNotFound
}

// List implements spool.Store.
func (s *Store) List(ctx context.Context, q spool.Query) iter.Seq2[*spool.Message, error] {
	return func(yield func(*spool.Message, error) bool) {
		s.mu.Lock()
		closed := s.closed
		var all []*spool.Message
		for _, id := range slices.Sorted(maps.Keys(s.messages)) {
			if id <= q.After {
				continue
			}
			if m := with(&s.messages[id].m, q.Has); len(m.Recipients) > 0 {
				all = append(all, m)
			}
		}
		s.mu.Unlock()
		if closed {
			yield(nil, spool.ErrClosed)
			return
		}
		for _, m := range all {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// Heads implements spool.Store.
func (s *Store) Heads(ctx context.Context) ([]spool.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	queued := map[spool.Destination]int{}
	for _, m := range s.messages {
		for i := range m.m.Recipients {
			if r := &m.m.Recipients[i]; r.State == spool.StateQueued {
				queued[r.Destination]++
			}
		}
	}
	heads := []spool.Head{}
	for _, d := range slices.Sorted(maps.Keys(queued)) {
		h := spool.Head{Destination: d, Queued: queued[d]}
		if c := s.candidates(d); len(c) > 0 {
			h.Due = time.Unix(0, c[0].due)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Due implements spool.Store.
func (s *Store) Due(d spool.Destination) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.candidates(d); len(c) > 0 && !s.closed {
		return time.Unix(0, c[0].due), true
	}
	return time.Time{}, false
}

// SaveLane implements spool.Store.
func (s *Store) SaveLane(ctx context.Context, name string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	if record == nil {
		delete(s.lanes, name)
	} else {
		s.lanes[name] = bytes.Clone(record)
	}
	return nil
}

// Lanes implements spool.Store.
func (s *Store) Lanes(ctx context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, spool.ErrClosed
	}
	return maps.Clone(s.lanes), nil
}

// Broken implements spool.Store.
func (s *Store) Broken() <-chan struct{} { return s.broken }

// Close implements spool.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	s.closed = true
	return nil
}
