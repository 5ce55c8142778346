package pebblespool

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
)

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
