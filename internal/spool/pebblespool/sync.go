package pebblespool

import (
	"context"
	"time"
)

// syncDelay is how long the settle of a delivery may wait for its sync. The
// contract grants 50 ms; the rest is for the sync itself.
const syncDelay = 40 * time.Millisecond

// syncLoop syncs settles of deliveries a moment after they were made, and then
// removes the body files that they leave behind.
func (s *Store) syncLoop(ctx context.Context) {
	t := time.NewTimer(syncDelay)
	defer t.Stop()
	t.Stop()
	for {
		select {
		case <-ctx.Done():
			return // Close syncs
		case <-s.broken:
			return
		case <-s.unsynced:
			t.Reset(syncDelay)
			select {
			case <-ctx.Done():
				return
			case <-s.broken:
				return
			case <-t.C:
			}
			if err := s.syncAndRemove(); err != nil {
				return // broken: nothing can be synced any more
			}
		}
	}
}

// syncSoon makes the loop sync.
func (s *Store) syncSoon() {
	select {
	case s.unsynced <- struct{}{}:
	default: // it will, and has not begun to
	}
}

// syncAndRemove makes all that was committed durable and then removes the body
// files whose records were gone before: their names are taken first, lest a file be
// removed whose record's removal came after the sync.
func (s *Store) syncAndRemove() error {
	s.mu.Lock()
	ids := s.files
	s.files = nil
	s.mu.Unlock()
	if err := s.sync(); err != nil {
		return err
	}
	for _, id := range ids {
		s.bodies.remove(id)
	}
	return nil
}
