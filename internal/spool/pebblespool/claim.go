package pebblespool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// Claim implements spool.Store.
func (s *Store) Claim(ctx context.Context, d spool.Destination, now time.Time, max int) (*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	for {
		s.mu.Lock()
		taken, err := s.heads.take(d, spool.Nanos(now), max)
		taken = slices.DeleteFunc(taken, func(e entry) bool { _, claimed := s.claimed[e.ref()]; return claimed })
		for _, e := range taken {
			s.claimed[e.ref()] = struct{}{}
		}
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if len(taken) == 0 {
			return nil, nil
		}
		indexes := make([]int, len(taken))
		for i, e := range taken {
			indexes[i] = int(e.index)
		}
		m, err := s.read(taken[0].id, indexes)
		if m != nil {
			// An entry can be older than the record: it was read from the disk, or
			// entered, while an operator's order changed it.
			stale := slices.DeleteFunc(slices.Clone(m.Recipients), func(x spool.Recipient) bool {
				return x.State == spool.StateQueued && x.Destination == d && spool.DueAt(&m.Envelope, &x) <= spool.Nanos(now)
			})
			m.Recipients = slices.DeleteFunc(m.Recipients, func(x spool.Recipient) bool {
				return slices.ContainsFunc(stale, func(y spool.Recipient) bool { return x.Index == y.Index })
			})
			s.unclaim(m.ID, stale)
			if len(m.Recipients) > 0 {
				return m, nil
			}
			continue
		}
		// Gone already, or damaged: its entries are out of the window and must not
		// stop what follows.
		s.mu.Lock()
		for _, e := range taken {
			delete(s.claimed, e.ref())
		}
		s.mu.Unlock()
		if !errors.Is(err, spool.ErrNotFound) {
			s.log.Error("message passed over", "queue_id", string(taken[0].id), "error", err)
			if !errors.Is(err, errCorrupt) {
				return nil, err
			}
		}
	}
}

// unclaim ends claims without a word to anybody.
func (s *Store) unclaim(id spool.QueueID, recipients []spool.Recipient) {
	s.mu.Lock()
	for i := range recipients {
		delete(s.claimed, spool.Ref{ID: id, Index: recipients[i].Index})
	}
	s.mu.Unlock()
}

// ClaimMessage implements spool.Store.
func (s *Store) ClaimMessage(ctx context.Context, id spool.QueueID, indexes []int) (*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	// Under settle no recipient reaches a terminal state between the look and the
	// claim.
	s.settle.Lock()
	defer s.settle.Unlock()
	m, err := s.read(id, indexes)
	if err != nil {
		return nil, err
	}
	if indexes == nil {
		m.Recipients = slices.DeleteFunc(m.Recipients, func(x spool.Recipient) bool { return x.State.Terminal() })
	} else if len(m.Recipients) != len(indexes) || slices.ContainsFunc(m.Recipients, func(x spool.Recipient) bool { return x.State.Terminal() }) {
		return nil, spool.ErrNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range m.Recipients {
		if _, claimed := s.claimed[spool.Ref{ID: id, Index: m.Recipients[i].Index}]; claimed {
			return nil, spool.ErrClaimed
		}
	}
	bucket := spool.Bucket(&m.Envelope)
	for i := range m.Recipients {
		x := &m.Recipients[i]
		s.claimed[spool.Ref{ID: id, Index: x.Index}] = struct{}{}
		s.heads.remove(x.Destination, bucket, queueEntry(id, &m.Envelope, x))
	}
	return m, nil
}

// ClaimOverdue implements spool.Store.
func (s *Store) ClaimOverdue(ctx context.Context, now time.Time, max int) ([]*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.settle.Lock()
	defer s.settle.Unlock()
	order, found, err := s.late(spool.Nanos(now), max)
	if err != nil {
		return nil, err
	}
	out := []*spool.Message{}
	for _, id := range order {
		m, err := s.read(id, found[id])
		if err != nil {
			s.log.Error("message passed over", "queue_id", string(id), "error", err)
			continue
		}
		bucket := spool.Bucket(&m.Envelope)
		s.mu.Lock()
		for i := range m.Recipients {
			x := &m.Recipients[i]
			s.claimed[spool.Ref{ID: id, Index: x.Index}] = struct{}{}
			s.heads.remove(x.Destination, bucket, queueEntry(id, &m.Envelope, x))
		}
		s.mu.Unlock()
		out = append(out, m)
	}
	return out, nil
}

// late returns what is overdue at now and not claimed. It begins where nothing is
// overdue before, lest it cross all that was delivered in time.
func (s *Store) late(now int64, max int) (order []spool.QueueID, found map[spool.QueueID][]int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found = map[spool.QueueID][]int{}
	if s.overdue > now {
		return nil, found, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: entry{at: s.overdue}.appendTo([]byte{keyOverdue})[:9],
		UpperBound: entry{at: now + 1}.appendTo([]byte{keyOverdue})[:9],
	})
	if err != nil {
		return nil, nil, err
	}
	defer it.Close()
	from := now + 1
	for it.First(); it.Valid(); it.Next() {
		e, ok := parseEntry(it.Key()[1:])
		if !ok {
			continue
		}
		from = min(from, e.at) // it stays until it is settled
		if _, claimed := s.claimed[e.ref()]; claimed {
			continue
		}
		if found[e.id] == nil {
			if len(order) == max {
				break
			}
			order = append(order, e.id)
		}
		found[e.id] = append(found[e.id], int(e.index))
	}
	s.overdue = from
	return order, found, it.Error()
}

// Release implements spool.Store.
func (s *Store) Release(m *spool.Message) {
	if s.enter() != nil {
		return // claims are void with the store
	}
	bucket := spool.Bucket(&m.Envelope)
	s.mu.Lock()
	for i := range m.Recipients {
		x := &m.Recipients[i]
		ref := spool.Ref{ID: m.ID, Index: x.Index}
		if _, claimed := s.claimed[ref]; !claimed {
			continue
		}
		delete(s.claimed, ref)
		if x.State == spool.StateQueued {
			s.heads.insert(x.Destination, bucket, queueEntry(m.ID, &m.Envelope, x))
		}
	}
	s.mu.Unlock()
	s.leave()
	s.tell(m)
}

// read reads message id with the recipients in indexes, all with nil, in their
// order in the message; it sorts indexes. Recipients that have no record are left
// out.
func (s *Store) read(id spool.QueueID, indexes []int) (*spool.Message, error) {
	rec, err := s.readRecord(id)
	if err != nil {
		return nil, err
	}
	slices.Sort(indexes)
	m := &spool.Message{ID: id, Envelope: rec.envelope, Header: rec.header, BodySize: rec.bodySize}
	if indexes == nil {
		for i := range rec.recipients {
			indexes = append(indexes, i)
		}
	}
	m.Recipients = make([]spool.Recipient, 0, len(indexes))
	for _, i := range indexes {
		x, err := s.readRecipient(spool.Ref{ID: id, Index: i})
		if errors.Is(err, spool.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m.Recipients = append(m.Recipients, *x)
	}
	return m, nil
}

func (s *Store) readRecord(id spool.QueueID) (*record, error) {
	v, closer, err := s.db.Get(messageKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, spool.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	rec, err := decodeRecord(v)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	return rec, nil
}

func (s *Store) readRecipient(ref spool.Ref) (*spool.Recipient, error) {
	if ref.Index < 0 {
		return nil, spool.ErrNotFound
	}
	v, closer, err := s.db.Get(recipientKey(ref))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, spool.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	x, err := decodeRecipient(v, ref.Index)
	if err != nil {
		return nil, fmt.Errorf("message %s, recipient %d: %w", ref.ID, ref.Index, err)
	}
	return x, nil
}
