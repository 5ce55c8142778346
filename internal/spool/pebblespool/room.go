package pebblespool

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	checkEvery  = 100 * time.Millisecond // how old a reading of free space may be
	checkBytes  = 4 << 20                // octets accepted after which it is read anew
	ballastName = "ballast"
	flushEvery  = 2 * time.Second // how often a full disk makes Pebble give back its logs
)

// room watches the free space of the disk.
//
//	free ≥ floor       mail is taken
//	free < floor       new mail is put off (ErrFull), what is there is delivered
//	free < floor / 2   the ballast file is given up, so that outcomes can be written
//	free > 2·(floor + ballast)   the ballast file is made again
type room struct {
	fs      vfs.FS
	dir     string
	s       *Store
	floor   int64         // octets that must stay free
	ballast int64         // octets of the ballast file; 0: none
	attend  chan struct{} // capacity 1: there is something for tend to do

	mu         sync.Mutex // guards the fields below
	free       int64      // at the last reading
	read       time.Time  // instant of the last reading
	taken      int64      // octets accepted since
	full       bool       // below the floor at the last reading
	hasBallast bool       // the ballast file is there

	flushed       time.Time // when Pebble was last asked to give back its logs; owned by tend
	flushedCommit uint64    // number of commits at that time; owned by tend
}

// diskSize returns the size of the disk in octets; unknown is large.
func diskSize(fs vfs.FS, dir string) int64 {
	u, err := fs.GetDiskUsage(dir)
	if err != nil || u.TotalBytes == 0 {
		return 1 << 40
	}
	return int64(min(u.TotalBytes, 1<<60))
}

// newRoom chooses floor and ballast by the size of the disk: 64 MiB and 16 MiB on
// all but very small ones, an eighth and a 64th of these. The floor must hold
// what Pebble writes when it gives back its logs. It is made before Pebble is
// opened, which needs some room itself: on a disk that is full the ballast goes
// first.
func newRoom(s *Store, minFree, size int64) *room {
	r := &room{fs: s.fs, dir: s.dir, s: s, floor: minFree, ballast: min(16<<20, size/64), attend: make(chan struct{}, 1)}
	if r.floor == 0 {
		r.floor = min(64<<20, size/8)
	}
	if _, err := r.fs.Stat(r.path()); err == nil {
		r.hasBallast = true
	}
	r.mu.Lock()
	r.look(time.Now())
	r.mu.Unlock()
	r.tendBallast()
	return r
}

func (r *room) path() string { return r.fs.PathJoin(r.dir, ballastName) }

// ask returns ErrFull when n more octets would leave less than the floor. At most
// it asks the system for the free space, which takes about a microsecond.
func (r *room) ask(n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.read) > checkEvery || r.taken > checkBytes {
		r.look(now)
	}
	if r.free-r.taken-n < r.floor {
		return spool.ErrFull
	}
	return nil
}

// took notes that n octets were written.
func (r *room) took(n int64) {
	r.mu.Lock()
	r.taken += n
	r.mu.Unlock()
}

// look reads the free space. The caller holds mu.
func (r *room) look(now time.Time) {
	r.free, r.read, r.taken = 1<<60, now, 0
	// A file system that cannot tell, such as one in memory, is never full.
	if u, err := r.fs.GetDiskUsage(r.dir); err == nil {
		r.free = int64(min(u.AvailBytes, 1<<60))
	}
	if full := r.free < r.floor; full != r.full {
		r.full = full
		if full {
			r.s.log.Error("disk full: new mail is put off", "free", r.free, "floor", r.floor)
		} else {
			r.s.log.Info("disk has room again: new mail is taken", "free", r.free, "floor", r.floor)
		}
	}
	if r.full || r.ballastTooLittle() {
		select {
		case r.attend <- struct{}{}:
		default:
		}
	}
}

func (r *room) ballastTooLittle() bool {
	return !r.hasBallast && r.ballast > 0 && r.free > 2*(r.floor+r.ballast)
}

// run tends the disk whenever that is asked for, until ctx ends or the store
// breaks.
func (r *room) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.s.broken:
			return
		case <-r.attend:
			r.tendBallast()
			r.tendLogs(time.Now())
		}
	}
}

// tendBallast makes the ballast file or gives it up.
func (r *room) tendBallast() {
	r.mu.Lock()
	free, has, little := r.free, r.hasBallast, r.ballastTooLittle()
	r.mu.Unlock()
	switch {
	case has && free < r.floor/2:
		// Settling what waits needs some octets too, and frees many.
		if err := r.fs.Remove(r.path()); err != nil {
			r.s.log.Error("give up the ballast", "error", err)
			return
		}
		r.s.log.Warn("disk nearly full: ballast given up", "free", free, "floor", r.floor)
		has = false
	case little:
		has = writeBallast(r.fs, r.path(), r.ballast) == nil
	}
	r.mu.Lock()
	r.hasBallast = has
	r.mu.Unlock()
}

// tendLogs makes Pebble give back its logs while the disk is full: what was
// delivered keeps its room in a log until all of that log has been written to
// tables.
func (r *room) tendLogs(now time.Time) {
	r.mu.Lock()
	full := r.full
	r.mu.Unlock()
	commits := r.s.commits.Load()
	if !full || now.Sub(r.flushed) < flushEvery || commits == r.flushedCommit {
		return
	}
	r.flushed, r.flushedCommit = now, commits
	err := r.s.write(func() error { _, err := r.s.db.AsyncFlush(); return err })
	if err != nil {
		r.s.log.Error("give back logs", "error", err)
	}
}

// writeBallast writes n octets that take room on the disk.
func writeBallast(fs vfs.FS, path string, n int64) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte(i * 7) // not all zero, which some disks do not store
	}
	for ; n > 0 && err == nil; n -= int64(len(block)) {
		_, err = f.Write(block)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		fs.Remove(path)
	}
	return err
}

// Room implements spool.Store.
func (s *Store) Room(n int64) error {
	if err := s.isBroken(); err != nil {
		return err
	}
	return s.room.ask(max(n, 0))
}
