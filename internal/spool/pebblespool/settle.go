package pebblespool

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// change is what one outcome does, for the order of service in memory.
type change struct {
	ref           spool.Ref
	envelope      *spool.Envelope
	before, after spool.Recipient
}

// Settle implements spool.Store.
func (s *Store) Settle(ctx context.Context, outcomes []spool.Outcome, reports []spool.Report) error {
	if err := spool.CheckSettle(outcomes, reports); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for i := range reports {
		if err := s.arrive(reports[i].Message.ID); err != nil {
			s.turnAway(reports[:i])
			return err
		}
	}
	changes, files, err := s.settleAtOnce(outcomes, reports)
	if err != nil {
		s.turnAway(reports)
		return err
	}
	switch {
	case onlyDelivered(outcomes) && len(reports) == 0:
		s.syncSoon()
	case files:
		err = s.syncAndRemove()
	default:
		err = s.sync()
	}
	if err != nil {
		return err
	}
	for i := range changes {
		if c := &changes[i]; c.after.State == spool.StateQueued {
			s.watch(c.after.Destination, time.Unix(0, spool.DueAt(c.envelope, &c.after)))
		}
	}
	for _, r := range reports {
		s.tell(r.Message)
	}
	return nil
}

// turnAway gives up the ids of reports that are not stored.
func (s *Store) turnAway(reports []spool.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range reports {
		delete(s.arriving, reports[i].Message.ID)
	}
}

// settleAtOnce applies outcomes and reports, on the disk and in memory, without
// syncing: callers that come together are synced together afterwards. It reports
// whether it leaves body files to be removed.
func (s *Store) settleAtOnce(outcomes []spool.Outcome, reports []spool.Report) (changes []change, files bool, err error) {
	b := s.db.NewBatch()
	defer s.free(b)
	s.settle.Lock()
	defer s.settle.Unlock()
	changes, gone, err := s.apply(b, outcomes)
	if err != nil {
		return nil, false, err
	}
	for _, r := range reports {
		body := r.Body
		if body == nil {
			body = []byte{}
		}
		s.put(b, r.Message, &received{inline: body, size: int64(len(body))})
	}
	if err := s.commit(b, pebble.NoSync); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		s.changedLocked(&changes[i])
	}
	for _, r := range reports {
		s.enqueueLocked(r.Message)
	}
	s.files = append(s.files, gone...)
	return changes, len(gone) > 0, nil
}

func onlyDelivered(outcomes []spool.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].State != spool.StateDelivered {
			return false
		}
	}
	return true
}

// apply adds what the outcomes change to b. The caller holds settle.
func (s *Store) apply(b *pebble.Batch, outcomes []spool.Outcome) (changes []change, files []spool.QueueID, err error) {
	changes = make([]change, 0, len(outcomes))
	records := make(map[spool.QueueID]*record, 1)
	ended := make(map[spool.QueueID]map[int]bool, 1) // recipients that reach a terminal state here
	for i := range outcomes {
		o := &outcomes[i]
		rec := records[o.Ref.ID]
		if rec == nil {
			if s.isArriving(o.Ref.ID) {
				return nil, nil, spool.ErrNotFound
			}
			if rec, err = s.readRecord(o.Ref.ID); err != nil {
				return nil, nil, err
			}
			records[o.Ref.ID] = rec
		}
		x, err := s.readRecipient(o.Ref)
		if err != nil {
			return nil, nil, err
		}
		if x.State.Terminal() {
			return nil, nil, spool.ErrNotFound
		}
		c := change{ref: o.Ref, envelope: &rec.envelope, before: *x}
		x.Apply(o)
		c.after = *x
		changes = append(changes, c)
		s.replace(b, &c)
		if x.State.Terminal() {
			if ended[o.Ref.ID] == nil {
				ended[o.Ref.ID] = map[int]bool{}
			}
			ended[o.Ref.ID][o.Ref.Index] = true
		}
	}
	for id, indexes := range ended {
		rec := records[id]
		last, err := s.noneLeft(id, rec.recipients, indexes)
		if err != nil {
			return nil, nil, err
		}
		if last {
			s.erase(b, id, rec)
			if rec.bodyInFile {
				files = append(files, id)
			}
		}
	}
	return changes, files, nil
}

// replace adds the change of one recipient's record and index entries to b.
func (s *Store) replace(b *pebble.Batch, c *change) {
	bucket := spool.Bucket(c.envelope)
	if c.before.State == spool.StateQueued {
		b.Delete(queueKey(c.before.Destination, bucket, queueEntry(c.ref.ID, c.envelope, &c.before)), nil)
	}
	if at, ok := spool.OverdueAt(&c.before); ok {
		b.Delete(overdueKey(entry{at, c.ref.ID, int32(c.ref.Index)}), nil)
	}
	s.putRecipient(b, c.ref.ID, c.envelope, bucket, &c.after)
}

// noneLeft reports whether every recipient but those in ended has reached a
// terminal state. One whose record is damaged has not: what is left of the message
// stays.
func (s *Store) noneLeft(id spool.QueueID, recipients int, ended map[int]bool) (bool, error) {
	if len(ended) == recipients {
		return true, nil
	}
	for i := range recipients {
		if ended[i] {
			continue
		}
		x, err := s.readRecipient(spool.Ref{ID: id, Index: i})
		switch {
		case errors.Is(err, spool.ErrNotFound):
		case damaged(err):
			return false, nil
		case err != nil:
			return false, err
		case !x.State.Terminal():
			return false, nil
		}
	}
	return true, nil
}

// erase adds the removal of all records of a message to b.
func (s *Store) erase(b *pebble.Batch, id spool.QueueID, rec *record) {
	b.Delete(messageKey(id), nil)
	if !rec.bodyInFile {
		// The size tells Pebble how much a compaction of this range gives back.
		b.DeleteSized(bodyKey(id), uint32(rec.bodySize), nil)
	}
	for i := range rec.recipients {
		b.Delete(recipientKey(spool.Ref{ID: id, Index: i}), nil)
	}
}

// changedLocked brings the order of service up to date.
func (s *Store) changedLocked(c *change) {
	bucket := spool.Bucket(c.envelope)
	delete(s.claimed, c.ref)
	if c.before.State == spool.StateQueued {
		s.heads.remove(c.before.Destination, bucket, queueEntry(c.ref.ID, c.envelope, &c.before))
	}
	if c.after.State == spool.StateQueued {
		s.heads.insert(c.after.Destination, bucket, queueEntry(c.ref.ID, c.envelope, &c.after))
		s.heads.count(c.after.Destination, 1)
	}
	if c.before.State == spool.StateQueued {
		s.heads.count(c.before.Destination, -1)
	}
	if at, ok := spool.OverdueAt(&c.after); ok {
		s.overdue = min(s.overdue, at)
	}
}
