package pebblespool

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	checkEvery = 200 * time.Millisecond // how old a reading of free space may be
	checkBytes = 4 << 20                // octets accepted after which it is read anew
	ballast    = "ballast"              // name of the ballast file
	flushEvery = 2 * time.Second        // how often a full disk makes Pebble give back its logs
)

// room watches the free space of the disk.
type room struct {
	s       *Store
	floor   int64 // octets that must stay free
	ballast int64 // octets of the ballast file; 0: none

	mu       sync.Mutex // guards the fields below
	free     int64      // at the last reading
	read     time.Time  // instant of the last reading
	taken    int64      // octets accepted since
	flushed  time.Time  // when Pebble was last asked to give back its logs
	hasCargo bool       // the ballast file is there
	full     bool       // below the floor at the last look, for the log
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
// all but very small ones. The floor must hold what Pebble writes when it gives
// back its logs.
func newRoom(s *Store, minFree, size int64) (*room, error) {
	r := &room{s: s, floor: minFree, ballast: min(16<<20, size/64)}
	if r.floor == 0 {
		r.floor = min(64<<20, size/8)
	}
	if _, err := s.fs.Stat(s.fs.PathJoin(s.dir, ballast)); err == nil {
		r.hasCargo = true
	}
	r.look(time.Now())
	return r, nil
}

// look reads the free space and takes or gives ballast. The caller holds mu, or
// is the only one.
func (r *room) look(now time.Time) {
	u, err := r.s.fs.GetDiskUsage(r.s.dir)
	if err != nil { // a file system that cannot tell, such as one in memory
		r.free, r.read, r.taken = 1<<60, now, 0
		return
	}
	r.free, r.read, r.taken = int64(min(u.AvailBytes, 1<<60)), now, 0
	path := r.s.fs.PathJoin(r.s.dir, ballast)
	switch {
	case r.free < r.floor/2 && r.hasCargo:
		// Settling what waits needs some octets too, and frees many.
		r.hasCargo = r.s.fs.Remove(path) != nil
		r.s.log.Warn("disk nearly full: ballast given up", "free", r.free, "floor", r.floor)
	case r.free > 2*r.floor+2*r.ballast && !r.hasCargo && r.ballast > 0:
		r.hasCargo = writeBallast(r.s.fs, path, r.ballast) == nil
	}
	if full := r.free < r.floor; full != r.full {
		r.full = full
		if full {
			r.s.log.Error("disk full: new mail is put off", "free", r.free, "floor", r.floor)
		} else {
			r.s.log.Info("disk has room again: new mail is taken", "free", r.free, "floor", r.floor)
		}
	}
	if r.full && now.Sub(r.flushed) > flushEvery {
		r.flushed = now
		r.s.db.AsyncFlush() // delivered mail in a log keeps its room until the log is given back
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

// ask returns ErrFull when n more octets would leave less than the floor.
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

// Room implements spool.Store.
func (s *Store) Room(n int64) error {
	if err := s.isBroken(); err != nil {
		return err
	}
	return s.room.ask(max(n, 0))
}
