package pebblespool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

// syncDelay is how long the settle of a delivery may stay unsynced.
const syncDelay = 50 * time.Millisecond

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
	db     *pebble.DB
	room   *room
	bodies *bodies

	broken     chan struct{} // closed by breakDown
	brokenOnce sync.Once

	settle sync.Mutex // orders changes of states; taken before mu

	mu      sync.Mutex // guards the fields below
	heads   heads
	claimed map[spool.Ref]struct{}
	overdue int64 // nothing unclaimed is overdue before this instant
	closed  bool
	using   sync.WaitGroup // calls under way, for Close; Add only while mu is held and not closed

	stop    context.CancelFunc
	syncing sync.WaitGroup
	unsync  chan struct{}   // capacity 1: there is something to sync
	files   []spool.QueueID // body files to remove after the next sync; guarded by mu
}

var _ spool.Store = (*Store)(nil)

// Open opens the store in dir and makes it if it is not there. It returns an
// error that wraps spool.ErrLocked when another process has it.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{fs: o.FS, dir: dir, watch: o.Watch, log: o.Log, broken: make(chan struct{}), claimed: map[spool.Ref]struct{}{}, unsync: make(chan struct{}, 1)}
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if s.watch == nil {
		s.watch = func(spool.Destination, time.Time) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.heads = heads{destinations: map[spool.Destination]*destination{}, load: s.load}
	if err := makeDir(s.fs, dir); err != nil {
		return nil, fmt.Errorf("make the spool %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, s.fs)
	if err != nil {
		return nil, lockError(dir, err)
	}
	size := diskSize(s.fs, dir)
	var db *pebble.DB
	err = s.write(func() (err error) {
		db, err = pebble.Open(dir, s.options(lock, memTableSize(size)))
		return err
	})
	if err != nil {
		// A store that broke while it was opened holds on to the lock: Pebble may not
		// be called any more, and the process is to end.
		if s.isBroken() == nil {
			lock.Close()
		}
		return nil, fmt.Errorf("open the spool %s: %w", dir, err)
	}
	s.db = db
	if err := s.begin(o.MinFree, size); err != nil {
		if s.isBroken() == nil && s.write(s.db.Close) == nil {
			lock.Close()
		}
		return nil, fmt.Errorf("open the spool %s: %w", dir, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = func() {
		stop()
		s.syncing.Wait()
		lock.Close()
	}
	s.syncing.Go(func() { s.syncLoop(ctx) })
	return s, nil
}

// makeDir makes a directory that a crash does not take away again: its entry in
// the one above it is synced.
func makeDir(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// lockError says that the directory is in use, if that is what err says.
func lockError(dir string, err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM) || strings.Contains(err.Error(), "lock held") {
		return fmt.Errorf("%s: %w", dir, spool.ErrLocked)
	}
	return fmt.Errorf("lock the spool %s: %w", dir, err)
}

// memTableSize is what Pebble keeps in memory before it writes a table, and so
// the size of a log file. Small disks get small ones: a log is only given back
// when its memtable has been written.
func memTableSize(disk int64) uint64 {
	return uint64(min(64<<20, max(1<<20, disk/32)))
}

// options returns Pebble's. Most mail is gone before its memtable is full, so
// compression and early compactions would be work for nothing.
func (s *Store) options(lock *pebble.Lock, memTable uint64) *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fs,
		Lock:                        lock,
		Logger:                      &logger{s},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000, // a queue that grows must not stop the world; reads of a few levels more are cheap
		MaxOpenFiles:                500,
		DisableWAL:                  false,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 32 << 10
	}
	return o
}

// begin reads what an earlier process has left: version, orders of service, body
// files without a record.
func (s *Store) begin(minFree, size int64) error {
	if err := s.checkVersion(); err != nil {
		return err
	}
	var err error
	if s.room, err = newRoom(s, minFree, size); err != nil {
		return err
	}
	if s.bodies, err = newBodies(s); err != nil {
		return err
	}
	return s.readQueue()
}

// checkVersion refuses a directory of a later version.
func (s *Store) checkVersion() error {
	v, closer, err := s.db.Get([]byte{keyVersion})
	if errors.Is(err, pebble.ErrNotFound) {
		return s.write(func() error { return s.db.Set([]byte{keyVersion}, []byte{formatVersion}, pebble.Sync) })
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if len(v) != 1 || v[0] != formatVersion {
		return fmt.Errorf("its format is %v and this program knows format %d: use the program that wrote it, or a later one", v, formatVersion)
	}
	return nil
}

// readQueue counts what is queued and fills the begin of each window.
func (s *Store) readQueue() error {
	it, err := s.db.NewIter(bounds([]byte{keyQueue}))
	if err != nil {
		return err
	}
	defer it.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for it.First(); it.Valid(); it.Next() {
		d, bucket, e, ok := parseQueueKey(it.Key())
		if !ok {
			s.log.Error("damaged queue entry passed over", "key", fmt.Sprintf("%q", it.Key()))
			continue
		}
		s.heads.insert(d, bucket, e)
		s.heads.count(d, 1)
	}
	return it.Error()
}

func bounds(prefix []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}
}

// load implements heads.load. The caller holds mu.
func (s *Store) load(d spool.Destination, bucket uint8, from entry, n int) (found []entry, next entry, more bool, err error) {
	prefix := queuePrefix(d, bucket)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from.appendTo(prefix), UpperBound: after(prefix)})
	if err != nil {
		return nil, next, false, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		_, _, e, ok := parseQueueKey(it.Key())
		if !ok {
			continue // logged at Open
		}
		if len(found) == n {
			return found, e, true, nil
		}
		if _, claimed := s.claimed[e.ref()]; !claimed {
			found = append(found, e)
		}
	}
	return found, next, false, it.Error()
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

// syncLoop syncs settles of deliveries a moment after they were made, and then
// removes the body files that they leave behind.
func (s *Store) syncLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.broken:
			return
		case <-s.unsync:
		}
		t := time.NewTimer(syncDelay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return // Close syncs
		}
		if err := s.sync(); err != nil {
			return // broken: nothing can be synced any more
		}
		s.removeFiles()
	}
}

// syncSoon makes the next timer sync.
func (s *Store) syncSoon() {
	select {
	case s.unsync <- struct{}{}:
	default:
	}
}

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
	if err := s.isBroken(); err != nil {
		return err
	}
	s.using.Wait()
	if err := s.sync(); err != nil {
		return err
	}
	s.removeFiles()
	if err := s.write(s.db.Close); err != nil {
		return err
	}
	s.stop()
	return nil
}
