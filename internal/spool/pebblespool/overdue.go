package pebblespool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// ClaimOverdue implements spool.Store.
func (s *Store) ClaimOverdue(ctx context.Context, now time.Time, max int) ([]*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	// Under settle nothing changes between the look and the claim.
	s.settle.Lock()
	defer s.settle.Unlock()
	out := []*spool.Message{}
	for len(out) < max {
		found, err := s.late(spool.Nanos(now), max-len(out))
		if err != nil {
			return s.unclaimAll(out), err
		}
		if len(found) == 0 {
			return out, nil
		}
		for _, f := range found {
			m, err := s.claimLate(f)
			if err != nil {
				return s.unclaimAll(out), err
			}
			if m != nil {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// lateMessage is a message with recipients that are overdue.
type lateMessage struct {
	id      spool.QueueID
	indexes []int
}

// late returns what is overdue at now and not claimed. It begins where nothing is
// overdue before, lest it cross all that was delivered in time.
func (s *Store) late(now int64, max int) (found []lateMessage, err error) {
	s.mu.Lock()
	from := s.overdue
	if from > now {
		s.mu.Unlock()
		return nil, nil
	}
	// Set before the look: what arrives during it sets it back.
	s.overdue = now + 1
	s.mu.Unlock()
	earliest := now + 1
	defer func() {
		if err != nil {
			earliest = from
		}
		s.mu.Lock()
		s.overdue = min(s.overdue, earliest)
		s.mu.Unlock()
	}()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: entry{at: from}.appendTo([]byte{keyOverdue})[:9],
		UpperBound: entry{at: now + 1}.appendTo([]byte{keyOverdue})[:9],
	})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	place := map[spool.QueueID]int{}
	for it.First(); it.Valid(); it.Next() {
		e, ok := parseEntry(it.Key()[1:])
		if !ok {
			continue
		}
		earliest = min(earliest, e.at) // it stays until it is settled
		if s.isTaken(e.ref()) {
			continue
		}
		i, seen := place[e.id]
		if !seen {
			if len(found) == max {
				break
			}
			i = len(found)
			place[e.id], found = i, append(found, lateMessage{id: e.id})
		}
		found[i].indexes = append(found[i].indexes, int(e.index))
	}
	return found, it.Error()
}

// isTaken reports whether a recipient is claimed, or not there yet.
func (s *Store) isTaken(ref spool.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, claimed := s.claimed[ref]
	_, arriving := s.arriving[ref.ID]
	return claimed || arriving
}

// claimLate reads and claims what late has found, without what Claim has claimed in
// the meantime. It returns nil when nothing is left. What is damaged stays claimed,
// so that it does not stand before the others for ever.
func (s *Store) claimLate(f lateMessage) (*spool.Message, error) {
	m, broken, err := s.read(f.id, slices.Clone(f.indexes))
	if err != nil && !damaged(err) && !errors.Is(err, spool.ErrNotFound) {
		return nil, err
	}
	if err != nil {
		s.log.Error("damaged message passed over", "queue_id", string(f.id), "error", err)
		m, broken = &spool.Message{ID: f.id}, f.indexes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range broken {
		s.claimed[spool.Ref{ID: f.id, Index: i}] = struct{}{}
	}
	m.Recipients = slices.DeleteFunc(m.Recipients, func(x spool.Recipient) bool {
		_, claimed := s.claimed[spool.Ref{ID: f.id, Index: x.Index}]
		return claimed
	})
	if len(m.Recipients) == 0 {
		return nil, nil
	}
	s.claimLocked(m)
	return m, nil
}

// unclaimAll gives back what was claimed before an error. The caller holds settle.
func (s *Store) unclaimAll(ms []*spool.Message) []*spool.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range ms {
		bucket := spool.Bucket(&m.Envelope)
		for i := range m.Recipients {
			x := &m.Recipients[i]
			delete(s.claimed, spool.Ref{ID: m.ID, Index: x.Index})
			if x.State == spool.StateQueued {
				s.heads.insert(x.Destination, bucket, queueEntry(m.ID, &m.Envelope, x))
			}
		}
	}
	return nil
}
