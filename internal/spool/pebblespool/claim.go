package pebblespool

import (
	"context"
	"errors"
	"slices"
	"time"

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
		taken, bucket, err := s.heads.take(d, spool.Nanos(now), max)
		none := len(taken) == 0
		taken = slices.DeleteFunc(taken, func(e entry) bool { _, claimed := s.claimed[e.ref()]; return claimed })
		for _, e := range taken {
			s.claimed[e.ref()] = struct{}{}
		}
		s.mu.Unlock()
		if err != nil || none {
			return nil, err
		}
		if len(taken) == 0 {
			continue
		}
		m, err := s.claimTaken(d, now, taken)
		if err != nil {
			s.giveBack(d, bucket, taken)
			return nil, err
		}
		if m != nil {
			return m, nil
		}
	}
}

// claimTaken returns the message whose entries were taken and claimed. It returns
// nil when nothing of it is to be claimed after all: an entry can be older than
// the record, for it was read from the disk, or entered, while an operator's order
// changed it. Its claim is given up then.
func (s *Store) claimTaken(d spool.Destination, now time.Time, taken []entry) (*spool.Message, error) {
	id := taken[0].id
	indexes := make([]int, len(taken))
	for i, e := range taken {
		indexes[i] = int(e.index)
	}
	m, broken, err := s.read(id, indexes)
	switch {
	case errors.Is(err, spool.ErrNotFound):
		s.unclaim(taken)
		return nil, nil
	case damaged(err):
		s.log.Error("damaged message passed over", "queue_id", string(id), "error", err)
		return nil, nil // it stays claimed, so that nobody meets it again
	case err != nil:
		return nil, err
	}
	m.Recipients = slices.DeleteFunc(m.Recipients, func(x spool.Recipient) bool {
		return x.State != spool.StateQueued || x.Destination != d || spool.DueAt(&m.Envelope, &x) > spool.Nanos(now)
	})
	if len(m.Recipients) < len(taken) {
		s.unclaim(slices.DeleteFunc(slices.Clone(taken), func(e entry) bool {
			return slices.Contains(broken, int(e.index)) ||
				slices.ContainsFunc(m.Recipients, func(x spool.Recipient) bool { return x.Index == int(e.index) })
		}))
	}
	if len(m.Recipients) == 0 {
		return nil, nil
	}
	return m, nil
}

// unclaim ends claims without a word to anybody.
func (s *Store) unclaim(entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		delete(s.claimed, e.ref())
	}
}

// giveBack ends the claims of entries whose message could not be read this time.
func (s *Store) giveBack(d spool.Destination, bucket uint8, entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		delete(s.claimed, e.ref())
		s.heads.insert(d, bucket, e)
	}
}

// claimLocked claims m's recipients and takes them out of the order of service.
func (s *Store) claimLocked(m *spool.Message) {
	bucket := spool.Bucket(&m.Envelope)
	for i := range m.Recipients {
		x := &m.Recipients[i]
		s.claimed[spool.Ref{ID: m.ID, Index: x.Index}] = struct{}{}
		if x.State == spool.StateQueued {
			s.heads.remove(x.Destination, bucket, queueEntry(m.ID, &m.Envelope, x))
		}
	}
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
	if s.isArriving(id) {
		return nil, spool.ErrNotFound
	}
	if indexes != nil {
		indexes = slices.Clone(indexes)
		slices.Sort(indexes)
		indexes = slices.Compact(indexes)
	}
	m, broken, err := s.read(id, indexes)
	if err != nil {
		return nil, err
	}
	had := len(m.Recipients)
	m.Recipients = slices.DeleteFunc(m.Recipients, func(x spool.Recipient) bool { return x.State.Terminal() })
	switch {
	case indexes == nil: // what is there
	case len(broken) > 0:
		_, err := s.readRecipient(spool.Ref{ID: id, Index: broken[0]})
		return nil, err
	case had < len(indexes) || len(m.Recipients) < had:
		return nil, spool.ErrNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range m.Recipients {
		if _, claimed := s.claimed[spool.Ref{ID: id, Index: m.Recipients[i].Index}]; claimed {
			return nil, spool.ErrClaimed
		}
	}
	s.claimLocked(m)
	return m, nil
}

// Release implements spool.Store.
func (s *Store) Release(m *spool.Message) {
	if s.enter() != nil {
		return // claims are void with the store
	}
	defer s.leave()
	if now := s.release(m); now != nil {
		s.tell(now)
	}
}

// release ends the claims of m's recipients and returns these as they are on the
// disk: the caller may have changed m. It returns nil when nothing of m is there.
func (s *Store) release(m *spool.Message) *spool.Message {
	indexes := make([]int, len(m.Recipients))
	for i := range m.Recipients {
		indexes[i] = m.Recipients[i].Index
	}
	s.settle.Lock()
	defer s.settle.Unlock()
	now, _, err := s.read(m.ID, indexes)
	if err != nil && !errors.Is(err, spool.ErrNotFound) {
		s.log.Error("release: the message waits until the next start", "queue_id", string(m.ID), "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := make(map[int]bool, len(indexes))
	for _, i := range indexes {
		ref := spool.Ref{ID: m.ID, Index: i}
		_, claimed[i] = s.claimed[ref]
		delete(s.claimed, ref)
	}
	if err != nil {
		return nil
	}
	now.Recipients = slices.DeleteFunc(now.Recipients, func(x spool.Recipient) bool { return !claimed[x.Index] })
	bucket := spool.Bucket(&now.Envelope)
	for i := range now.Recipients {
		if x := &now.Recipients[i]; x.State == spool.StateQueued {
			s.heads.insert(x.Destination, bucket, queueEntry(now.ID, &now.Envelope, x))
		}
	}
	return now
}
