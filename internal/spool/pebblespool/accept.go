package pebblespool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
	if err := check(m); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.room.ask(0); err != nil {
		return err
	}
	r, err := s.bodies.receive(m.ID, body)
	if err != nil {
		return s.diskError(err)
	}
	defer s.bodies.done(r)
	cost := r.size + int64(len(m.Header)) + int64(len(m.Recipients))*recordCost
	if err := s.room.ask(int64(len(r.inline)) + cost - r.size); err != nil {
		s.dropFile(m.ID, r)
		return err
	}
	b := s.db.NewBatchWithSize(int(cost) + 1024)
	defer s.free(b)
	if err := s.put(b, m, r); err != nil {
		if !errors.Is(err, spool.ErrExists) { // then the file is the other message's
			s.dropFile(m.ID, r)
		}
		return err
	}
	if err := s.commit(b, pebble.Sync); err != nil {
		return err
	}
	s.room.took(cost)
	s.mu.Lock()
	s.enqueueLocked(m)
	s.mu.Unlock()
	s.tell(m)
	return nil
}

// check returns why m cannot be kept.
func check(m *spool.Message) error {
	if err := m.ID.Check(); err != nil {
		return err
	}
	if len(m.Recipients) == 0 {
		return fmt.Errorf("spool: message %s has no recipients", m.ID)
	}
	for i := range m.Recipients {
		if d := m.Recipients[i].Destination; d == "" || len(d) > 512 || strings.IndexByte(string(d), 0) >= 0 {
			return fmt.Errorf("spool: message %s: destination %q cannot be kept", m.ID, d)
		}
	}
	return nil
}

// diskError turns a full disk into ErrFull.
func (s *Store) diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return spool.ErrFull
	}
	return err
}

// dropFile removes the file of a body that was not accepted, if there is one.
func (s *Store) dropFile(id spool.QueueID, r *received) {
	if r.inline == nil {
		if err := s.fs.Remove(s.bodies.path(id)); err != nil {
			s.log.Error("remove the body's file", "queue_id", string(id), "error", err) // swept at the next Open
		}
	}
}

// put adds all records of m to b and sets its fields that Accept sets.
func (s *Store) put(b *pebble.Batch, m *spool.Message, r *received) error {
	key := messageKey(m.ID)
	switch _, closer, err := s.db.Get(key); {
	case err == nil:
		closer.Close()
		return spool.ErrExists
	case !errors.Is(err, pebble.ErrNotFound):
		return err
	}
	m.BodySize = r.size
	rec := record{envelope: m.Envelope, header: m.Header, bodySize: r.size, bodyInFile: r.inline == nil, recipients: len(m.Recipients)}
	b.Set(key, rec.encode(), nil) // a batch in memory has no errors before Commit
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
	return nil
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

// enqueueLocked enters m's queued recipients in the order of service.
func (s *Store) enqueueLocked(m *spool.Message) {
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

// tell tells the watcher of m's queued recipients, once a destination.
func (s *Store) tell(m *spool.Message) {
	var last spool.Destination
	for i := range m.Recipients {
		x := &m.Recipients[i]
		if x.State == spool.StateQueued && x.Destination != last {
			last = x.Destination
			s.watch(x.Destination, time.Unix(0, spool.DueAt(&m.Envelope, x)))
		}
	}
}
