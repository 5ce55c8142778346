package pebblespool

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

// Options are the settings of a Store. The zero value will do.
type Options struct {
	FS      vfs.FS        // nil: the disk
	Watch   spool.Watcher // nil: nobody is told
	MinFree int64         // floor of free space in octets; 0: chosen by the size of the disk
	Log     *slog.Logger  // nil: nothing is logged
}

// Store is a spool.Store in a directory.
type Store struct {
	fs     vfs.FS
	dir    string
	watch  spool.Watcher
	log    *slog.Logger
	lock   *pebble.Lock
	db     *pebble.DB
	room   *room
	bodies *bodies

	broken     chan struct{} // closed by breakDown
	brokenOnce sync.Once
	commits    atomic.Uint64 // how many were begun

	settle sync.Mutex // orders changes of states; taken before mu

	mu       sync.Mutex // guards the fields below
	heads    heads
	claimed  map[spool.Ref]struct{}
	arriving map[spool.QueueID]struct{} // ids of messages that are being stored: they are there for nobody
	overdue  int64                      // nothing unclaimed is overdue before this instant
	files    []spool.QueueID            // body files to remove after the next sync
	closed   bool
	using    sync.WaitGroup // calls under way, for Close; Add only while mu is held and not closed

	stop     context.CancelFunc // ends the loops
	loops    sync.WaitGroup
	unsynced chan struct{} // capacity 1: there is something to sync
}

var _ spool.Store = (*Store)(nil)

// Open opens the store in dir and makes it if it is not there. It returns an
// error that wraps spool.ErrLocked when another process has it, and one that says
// so when a later version has written it.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{fs: o.FS, dir: dir, watch: o.Watch, log: o.Log, broken: make(chan struct{}), unsynced: make(chan struct{}, 1),
		claimed: map[spool.Ref]struct{}{}, arriving: map[spool.QueueID]struct{}{}, heads: newHeads(entryBudget)}
	s.heads.load = s.load
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if s.watch == nil {
		s.watch = func(spool.Destination, time.Time) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := makeDir(s.fs, dir); err != nil {
		return nil, fmt.Errorf("make the spool %s: %w", dir, err)
	}
	var err error
	if s.lock, err = pebble.LockDirectory(dir, s.fs); err != nil {
		return nil, lockError(dir, err)
	}
	fresh, err := s.fresh()
	if err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("make the spool %s: %w", dir, err)
	}
	size := diskSize(s.fs, dir)
	s.room = newRoom(s, o.MinFree, size)
	err = s.openDB(memTableSize(size))
	if err == nil && fresh {
		if err = s.made(); err != nil {
			s.write(s.db.Close) // what went wrong before is what counts
		}
	}
	if err != nil {
		// A store that broke while it was opened holds on to the lock: Pebble may not
		// be called any more, and the process is to end.
		if s.isBroken() == nil {
			s.lock.Close()
		}
		return nil, fmt.Errorf("open the spool %s: %w", dir, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.loops.Go(func() { s.syncLoop(ctx) })
	s.loops.Go(func() { s.room.run(ctx) })
	return s, nil
}

// openDB opens Pebble and reads what an earlier process has left.
func (s *Store) openDB(memTable uint64) error {
	var db *pebble.DB
	err := s.write(func() (err error) {
		db, err = pebble.Open(s.dir, s.options(memTable))
		return err
	})
	if err != nil {
		return err
	}
	s.db = db
	if err := s.begin(); err != nil {
		if s.isBroken() == nil {
			s.write(s.db.Close) // what went wrong before is what counts
		}
		return err
	}
	return nil
}

// enter begins a call; the caller calls leave when it returns nil.
func (s *Store) enter() error {
	if err := s.isBroken(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return spool.ErrClosed
	}
	s.using.Add(1)
	return nil
}

func (s *Store) leave() { s.using.Done() }

// Broken implements spool.Store.
func (s *Store) Broken() <-chan struct{} { return s.broken }

// Close implements spool.Store. After a failed write the directory is left as it
// is: what was synced is there, and Pebble, which was stopped in the middle of a
// write, must not be called any more.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return spool.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.stop()
	ended := make(chan struct{}) // closed when no call and no loop uses Pebble
	go func() {
		s.using.Wait()
		s.loops.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-s.broken: // a call may be stuck in Pebble for good
	}
	if err := s.isBroken(); err != nil {
		return err
	}
	if err := s.syncAndRemove(); err != nil {
		return err
	}
	if err := s.write(s.db.Close); err != nil {
		return err
	}
	return s.lock.Close()
}
