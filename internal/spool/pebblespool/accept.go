package pebblespool

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// recordCost is a guess at what a message takes on the disk beside its body and
// header block, in octets a recipient.
const recordCost = 512

// Accept implements spool.Store.
func (s *Store) Accept(ctx context.Context, m *spool.Message, body io.Reader) error {
	if err := m.Check(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.arrive(m.ID); err != nil {
		return err
	}
	if err := s.acceptArriving(m, body); err != nil {
		s.mu.Lock()
		delete(s.arriving, m.ID)
		s.mu.Unlock()
		return err
	}
	s.tell(m)
	return nil
}

// arrive takes id for a message that is about to be stored. Until enqueueLocked it
// is there for nobody, whatever the disk says already: it is not durable.
func (s *Store) arrive(id spool.QueueID) error {
	s.mu.Lock()
	_, taken := s.arriving[id]
	s.arriving[id] = struct{}{}
	s.mu.Unlock()
	if taken {
		return spool.ErrExists
	}
	exists, err := s.exists(id)
	if err == nil && exists {
		err = spool.ErrExists
	}
	if err != nil {
		s.mu.Lock()
		delete(s.arriving, id)
		s.mu.Unlock()
	}
	return err
}

// isArriving reports whether message id is not there yet for anybody.
func (s *Store) isArriving(id spool.QueueID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.arriving[id]
	return ok
}

// acceptArriving reads body and stores m, whose id is taken.
func (s *Store) acceptArriving(m *spool.Message, body io.Reader) error {
	if err := s.room.ask(0); err != nil {
		return err
	}
	r, err := s.bodies.receive(m.ID, body)
	if err != nil {
		return diskError(err)
	}
	defer s.bodies.done(r)
	cost := int64(len(r.inline)) + int64(len(m.Header)) + int64(len(m.Recipients))*recordCost
	if err := s.room.ask(cost); err != nil {
		if r.inline == nil {
			s.bodies.remove(m.ID)
		}
		return err
	}
	b := s.db.NewBatchWithSize(int(cost) + 1024)
	defer s.free(b)
	s.put(b, m, r)
	if err := s.commit(b, pebble.Sync); err != nil {
		return err // the store is broken: what is on the disk will be seen at the next Open
	}
	s.room.took(cost)
	s.mu.Lock()
	s.enqueueLocked(m)
	s.mu.Unlock()
	return nil
}

// diskError turns a full disk into ErrFull.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return spool.ErrFull
	}
	return err
}

// put adds all records of m to b and sets its fields that Accept sets. The caller
// has made sure that no other message has its id.
func (s *Store) put(b *pebble.Batch, m *spool.Message, r *received) {
	m.BodySize = r.size
	rec := record{envelope: m.Envelope, header: m.Header, bodySize: r.size, bodyInFile: r.inline == nil, recipients: len(m.Recipients)}
	b.Set(messageKey(m.ID), rec.encode(), nil) // a batch in memory has no errors before Commit
	if r.inline != nil {
		b.Set(bodyKey(m.ID), r.inline, nil)
	}
	bucket := spool.Bucket(&m.Envelope)
	for i := range m.Recipients {
		x := &m.Recipients[i]
		x.Index = i
		x.Last = x.Last.Cut()
		s.putRecipient(b, m.ID, &m.Envelope, bucket, x)
	}
}

// putRecipient adds a recipient's record and the index entries that its state
// asks for.
func (s *Store) putRecipient(b *pebble.Batch, id spool.QueueID, e *spool.Envelope, bucket uint8, x *spool.Recipient) {
	b.Set(recipientKey(spool.Ref{ID: id, Index: x.Index}), encodeRecipient(x), nil)
	if x.State == spool.StateQueued {
		b.Set(queueKey(x.Destination, bucket, queueEntry(id, e, x)), nil, nil)
	}
	if at, ok := spool.OverdueAt(x); ok {
		b.Set(overdueKey(entry{at, id, int32(x.Index)}), nil, nil)
	}
}

func queueEntry(id spool.QueueID, e *spool.Envelope, x *spool.Recipient) entry {
	return entry{spool.DueAt(e, x), id, int32(x.Index)}
}

// enqueueLocked makes m visible: it enters m's queued recipients in the order of
// service.
func (s *Store) enqueueLocked(m *spool.Message) {
	delete(s.arriving, m.ID)
	bucket := spool.Bucket(&m.Envelope)
	for i := range m.Recipients {
		x := &m.Recipients[i]
		if at, ok := spool.OverdueAt(x); ok {
			s.overdue = min(s.overdue, at)
		}
		if x.State == spool.StateQueued {
			s.heads.insert(x.Destination, bucket, queueEntry(m.ID, &m.Envelope, x))
			s.heads.count(x.Destination, 1)
		}
	}
}

// tell tells the watcher of m's queued recipients: once for each run of recipients
// of one destination, and with the earliest of their instants.
func (s *Store) tell(m *spool.Message) {
	var d spool.Destination
	var due int64
	for i := range m.Recipients {
		x := &m.Recipients[i]
		if x.State != spool.StateQueued {
			continue
		}
		at := spool.DueAt(&m.Envelope, x)
		switch {
		case d == x.Destination:
			due = min(due, at)
			continue
		case d != "":
			s.watch(d, time.Unix(0, due))
		}
		d, due = x.Destination, at
	}
	if d != "" {
		s.watch(d, time.Unix(0, due))
	}
}
