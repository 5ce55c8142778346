package pebblespool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// Body implements spool.Store.
func (s *Store) Body(ctx context.Context, id spool.QueueID) (io.ReadCloser, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	v, closer, err := s.db.Get(bodyKey(id))
	if err == nil {
		return &inlineBody{Reader: *bytes.NewReader(v), Closer: closer}, nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return nil, err
	}
	rec, err := s.readRecord(id)
	if err != nil {
		return nil, err
	}
	if !rec.bodyInFile {
		return nil, fmt.Errorf("message %s: body: %w", id, errCorrupt)
	}
	return s.fs.Open(s.bodies.path(id))
}

// inlineBody is a body in Pebble's memory, which Close gives back.
type inlineBody struct {
	bytes.Reader
	io.Closer
}

// Get implements spool.Store.
func (s *Store) Get(ctx context.Context, id spool.QueueID) (*spool.Message, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.settle.Lock()
	defer s.settle.Unlock()
	return s.read(id, nil)
}

// List implements spool.Store.
func (s *Store) List(ctx context.Context, q spool.Query) iter.Seq2[*spool.Message, error] {
	return func(yield func(*spool.Message, error) bool) {
		if err := s.enter(); err != nil {
			yield(nil, err)
			return
		}
		defer s.leave()
		snap := s.db.NewSnapshot()
		defer snap.Close()
		opts := bounds([]byte{keyMessage})
		if q.After != "" {
			opts.LowerBound = append(messageKey(q.After), 0)
		}
		it, err := snap.NewIterWithContext(ctx, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		defer it.Close()
		for it.First(); it.Valid(); it.Next() {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			m, err := listed(snap, it, &q)
			if err != nil {
				s.log.Error("message passed over", "error", err)
				continue
			}
			if len(m.Recipients) > 0 && !yield(m, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(nil, err)
		}
	}
}

// listed reads the message at it with the recipients that q selects.
func listed(snap *pebble.Snapshot, it *pebble.Iterator, q *spool.Query) (*spool.Message, error) {
	id := spool.QueueID(bytes.TrimSuffix(it.Key()[1:], []byte{0}))
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	rec, err := decodeRecord(v)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", id, err)
	}
	m := &spool.Message{ID: id, Envelope: rec.envelope, Header: rec.header, BodySize: rec.bodySize}
	rs, err := snap.NewIter(bounds(recipientPrefix(id)))
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	for i := 0; i < rec.recipients; i++ {
		if !rs.SeekGE(recipientKey(spool.Ref{ID: id, Index: i})) {
			break
		}
		v, err := rs.ValueAndErr()
		if err != nil {
			return nil, err
		}
		x, err := decodeRecipient(v, i)
		if err != nil {
			return nil, fmt.Errorf("message %s, recipient %d: %w", id, i, err)
		}
		if q.Has(x) {
			m.Recipients = append(m.Recipients, *x)
		}
	}
	return m, rs.Error()
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

// SaveLane implements spool.Store.
func (s *Store) SaveLane(ctx context.Context, name string, record []byte) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	b := s.db.NewBatch()
	defer s.free(b)
	if record == nil {
		b.Delete(laneKey(name), nil)
	} else {
		b.Set(laneKey(name), record, nil)
	}
	return s.commit(b, pebble.Sync)
}

// Lanes implements spool.Store.
func (s *Store) Lanes(ctx context.Context) (map[string][]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := s.db.NewIter(bounds([]byte{keyLane}))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	lanes := map[string][]byte{}
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		lanes[string(it.Key()[1:])] = bytes.Clone(v)
	}
	return lanes, it.Error()
}
