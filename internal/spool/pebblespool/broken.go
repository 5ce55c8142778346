package pebblespool

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/wellsent/wellsent/internal/spool"
)

// logger takes Pebble's messages. Pebble calls Fatalf when it cannot go on, the
// log not being writable above all, and expects the process to end.
type logger struct{ s *Store }

// Infof drops what is of interest only to Pebble's authors.
func (l *logger) Infof(string, ...any) {}

// Errorf logs what went wrong and can be lived with.
func (l *logger) Errorf(format string, args ...any) {
	l.s.log.Error("spool", "error", fmt.Sprintf(format, args...))
}

// Fatalf breaks the store and never returns: the goroutine that Pebble called it
// from holds Pebble's locks and must do nothing more. It waits for the end of the
// process; whoever waits for it was sent away by breakDown.
func (l *logger) Fatalf(format string, args ...any) {
	l.s.breakDown(fmt.Errorf(format, args...))
	select {}
}

// breakDown marks the store as broken: from now on every call returns ErrBroken.
func (s *Store) breakDown(err error) {
	s.brokenOnce.Do(func() {
		s.log.Error("the spool cannot be written any more", "error", err)
		close(s.broken)
	})
}

// isBroken returns ErrBroken once the store is, else nil.
func (s *Store) isBroken() error {
	select {
	case <-s.broken:
		return spool.ErrBroken
	default:
		return nil
	}
}

// commit applies b. It returns ErrBroken when Pebble gave up, which it does by
// never returning; hence a goroutine of its own.
func (s *Store) commit(b *pebble.Batch, o *pebble.WriteOptions) error {
	s.commits.Add(1)
	return s.broke(s.write(func() error { return b.Commit(o) }))
}

// free gives back b, unless a commit that never returned may still be using it.
func (s *Store) free(b *pebble.Batch) {
	if s.isBroken() == nil {
		b.Close()
	}
}

// sync makes all that was committed durable.
func (s *Store) sync() error {
	return s.broke(s.write(func() error { return s.db.LogData(nil, pebble.Sync) }))
}

// broke breaks the store on an error of a commit: what became of it is not known.
func (s *Store) broke(err error) error {
	if err == nil {
		return nil
	}
	s.breakDown(err)
	return spool.ErrBroken
}

// write has f call Pebble and returns its error, or ErrBroken when Pebble gave up
// in the meantime.
func (s *Store) write(f func() error) error {
	done := make(chan error, 1) // buffered: the caller may have gone
	go func() {
		// Pebble panics where a sync of a directory fails: what is on the disk is not
		// known then. That breaks the store as Fatalf does.
		defer func() {
			if p := recover(); p != nil {
				s.breakDown(fmt.Errorf("pebble: %v", p))
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-s.broken:
		return spool.ErrBroken
	}
}
