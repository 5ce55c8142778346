package pebblespool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

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

// unfinished is a file that stands in the directory while the store is made. What
// power loss leaves of that Pebble cannot always open: the name of its first
// manifest may be on disk, and the manifest not. No message was taken by then.
const unfinished = "UNFINISHED"

// fresh reports whether the store is still to be made, and notes on disk that it is
// being made. What a crash has left of an earlier try is removed.
func (s *Store) fresh() (bool, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return false, err
	}
	if !slices.Contains(names, unfinished) && slices.ContainsFunc(names, func(n string) bool { return n != "LOCK" }) {
		return false, nil
	}
	for _, n := range names {
		if n == "LOCK" || n == unfinished {
			continue
		}
		if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, n)); err != nil {
			return false, err
		}
	}
	f, err := s.fs.Create(s.fs.PathJoin(s.dir, unfinished), vfs.WriteCategoryUnspecified)
	if err != nil {
		return false, err
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	return true, syncDir(s.fs, s.dir)
}

// made notes on disk that the store is whole. It must be there before a message is:
// an unfinished store is thrown away.
func (s *Store) made() error {
	if err := s.fs.Remove(s.fs.PathJoin(s.dir, unfinished)); err != nil {
		return err
	}
	return syncDir(s.fs, s.dir)
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
func (s *Store) options(memTable uint64) *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fs,
		Lock:                        s.lock,
		Logger:                      &logger{s},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000, // a queue that grows must not stop the world; reads of a few levels more are cheap
		MaxOpenFiles:                500,
		DisableWAL:                  false,
		EventListener: &pebble.EventListener{
			// Without this Pebble takes a damaged block for a reason to end the process.
			// The read that met it returns an error, and other messages are well.
			DataCorruption: func(i pebble.DataCorruptionInfo) { s.log.Error("damaged file", "path", i.Path, "error", i.Details) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 32 << 10
	}
	return o
}

// begin reads what an earlier process has left: version, orders of service, body
// files without a record.
func (s *Store) begin() error {
	if err := s.checkVersion(); err != nil {
		return err
	}
	var err error
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
		_, claimed := s.claimed[e.ref()]
		_, arriving := s.arriving[e.id]
		if !claimed && !arriving {
			found = append(found, e)
		}
	}
	return found, next, false, it.Error()
}
