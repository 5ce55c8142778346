package pebblespool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// read reads message id with the recipients in indexes, all with nil, in their
// order in the message. Recipients that have no record are left out, and so are
// those whose record is damaged: these are logged and returned by their index.
func (s *Store) read(id spool.QueueID, indexes []int) (m *spool.Message, broken []int, err error) {
	rec, err := s.readRecord(id)
	if err != nil {
		return nil, nil, err
	}
	m = &spool.Message{ID: id, Envelope: rec.envelope, Header: rec.header, BodySize: rec.bodySize}
	if indexes == nil {
		indexes = make([]int, rec.recipients)
		for i := range indexes {
			indexes[i] = i
		}
	}
	slices.Sort(indexes)
	m.Recipients = make([]spool.Recipient, 0, len(indexes))
	for _, i := range indexes {
		x, err := s.readRecipient(spool.Ref{ID: id, Index: i})
		switch {
		case errors.Is(err, spool.ErrNotFound):
		case damaged(err):
			s.log.Error("damaged recipient passed over", "queue_id", string(id), "error", err)
			broken = append(broken, i)
		case err != nil:
			return nil, nil, err
		default:
			m.Recipients = append(m.Recipients, *x)
		}
	}
	return m, broken, nil
}

func (s *Store) readRecord(id spool.QueueID) (*record, error) {
	v, closer, err := s.db.Get(messageKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, spool.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	defer closer.Close()
	rec, err := decodeRecord(v)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	return rec, nil
}

func (s *Store) readRecipient(ref spool.Ref) (*spool.Recipient, error) {
	if ref.Index < 0 || int64(ref.Index) > maxIndex {
		return nil, spool.ErrNotFound
	}
	v, closer, err := s.db.Get(recipientKey(ref))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, spool.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("message %s, recipient %d: %w", ref.ID, ref.Index, err)
	}
	defer closer.Close()
	x, err := decodeRecipient(v, ref.Index)
	if err != nil {
		return nil, fmt.Errorf("message %s, recipient %d: %w", ref.ID, ref.Index, err)
	}
	return x, nil
}

// Get implements spool.Store.
func (s *Store) Get(ctx context.Context, id spool.QueueID) (*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if s.isArriving(id) {
		return nil, spool.ErrNotFound
	}
	s.settle.Lock()
	defer s.settle.Unlock()
	m, _, err := s.read(id, nil)
	return m, err
}

// Body implements spool.Store.
func (s *Store) Body(ctx context.Context, id spool.QueueID) (io.ReadCloser, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if s.isArriving(id) {
		return nil, spool.ErrNotFound
	}
	v, closer, err := s.db.Get(bodyKey(id))
	if err == nil {
		// Copied: a next hop can take minutes, and for as long Pebble would have to keep
		// the memtable.
		v = bytes.Clone(v)
		if err := closer.Close(); err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(v)), nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("message %s: body: %w", id, err)
	}
	rec, err := s.readRecord(id)
	if err != nil {
		return nil, err
	}
	if !rec.bodyInFile {
		return nil, fmt.Errorf("message %s: body: %w", id, errCorrupt)
	}
	f, err := s.fs.Open(s.bodies.path(id))
	if err != nil {
		return nil, fmt.Errorf("message %s: body: %w", id, err)
	}
	return f, nil
}

// Heads implements spool.Store.
func (s *Store) Heads(ctx context.Context) ([]spool.Head, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := []spool.Head{}
	for _, d := range slices.Sorted(maps.Keys(s.heads.destinations)) {
		h := spool.Head{Destination: d, Queued: s.heads.destinations[d].queued}
		at, ok, err := s.heads.first(d)
		if err != nil {
			return nil, err
		}
		if ok {
			h.Due = time.Unix(0, at)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Due implements spool.Store.
func (s *Store) Due(d spool.Destination) (time.Time, bool) {
	if s.enter() != nil {
		return time.Time{}, false
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok, err := s.heads.first(d)
	if err != nil || !ok {
		return time.Time{}, false
	}
	return time.Unix(0, at), true
}
