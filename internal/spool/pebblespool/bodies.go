package pebblespool

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

const (
	maxInline    = 256 << 10 // octets; a larger body is a file
	bufferBudget = 64 << 20  // octets of bodies being received that are kept in memory, in all
	firstBuffer  = 16 << 10  // octets; holds most mail
	copyBuffer   = 128 << 10 // octets
	bodiesDir    = "bodies"
)

// bodies keeps the bodies that are too large for a record, and those that are
// still being received.
type bodies struct {
	s   *Store
	dir string

	mu     sync.Mutex // guards the fields below
	budget int64      // octets left of bufferBudget
}

var inlineBuffers = sync.Pool{New: func() any { b := make([]byte, 0, firstBuffer); return &b }}

// newBodies removes the files that no record speaks of: a crash came between the
// two, or between the removal of a record and of its file.
func newBodies(s *Store) (*bodies, error) {
	b := &bodies{s: s, dir: s.fs.PathJoin(s.dir, bodiesDir), budget: bufferBudget}
	if err := makeDir(s.fs, b.dir); err != nil {
		return nil, err
	}
	names, err := s.fs.List(b.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		_, closer, err := s.db.Get(messageKey(spool.QueueID(name)))
		switch {
		case errors.Is(err, pebble.ErrNotFound):
			if err := s.fs.Remove(s.fs.PathJoin(b.dir, name)); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			closer.Close()
		}
	}
	return b, nil
}

func (b *bodies) path(id spool.QueueID) string { return b.s.fs.PathJoin(b.dir, string(id)) }

// received is a body that was read whole: in memory, or in its file, synced.
type received struct {
	inline []byte // nil: in the file
	size   int64
	buffer *[]byte // of inline, for the pool
	taken  int64   // of the budget
}

// receive reads body to EOF. Nothing is left behind when it returns an error.
func (b *bodies) receive(id spool.QueueID, body io.Reader) (*received, error) {
	r := &received{buffer: inlineBuffers.Get().(*[]byte)}
	buf := (*r.buffer)[:0]
	for {
		if len(buf) == cap(buf) {
			grown := min(4*cap(buf), maxInline+1)
			if cap(buf) > maxInline || !b.take(r, int64(grown)) {
				*r.buffer = buf[:0]
				return b.spill(id, r, buf, body)
			}
			buf = append(make([]byte, 0, grown), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		*r.buffer = buf
		if err == io.EOF {
			break
		}
		if err != nil {
			b.done(r)
			return nil, err
		}
	}
	if len(buf) > maxInline {
		return b.spill(id, r, buf, body)
	}
	r.inline, r.size = buf, int64(len(buf))
	return r, nil
}

// take takes n octets from the budget.
func (b *bodies) take(r *received, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.budget < n {
		return false
	}
	b.budget -= n
	r.taken += n
	return true
}

// done gives back the memory of r.
func (b *bodies) done(r *received) {
	b.mu.Lock()
	b.budget += r.taken
	r.taken = 0
	b.mu.Unlock()
	if r.buffer != nil {
		*r.buffer = (*r.buffer)[:0]
		inlineBuffers.Put(r.buffer)
		r.buffer = nil
	}
}

// spill writes what was read and the rest of body into a file and syncs it.
func (b *bodies) spill(id spool.QueueID, r *received, begin []byte, body io.Reader) (*received, error) {
	defer b.done(r)
	f, err := b.s.fs.Create(b.path(id), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("make the body's file: %w", err)
	}
	size, err := b.fillFile(f, begin, body)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = syncDir(b.s.fs, b.dir)
	}
	if err != nil {
		b.s.fs.Remove(b.path(id))
		return nil, err
	}
	return &received{size: size}, nil
}

// fillFile copies the body into f and asks for room as it goes.
func (b *bodies) fillFile(f vfs.File, begin []byte, body io.Reader) (size int64, err error) {
	if _, err := f.Write(begin); err != nil {
		return 0, err
	}
	size = int64(len(begin))
	p := make([]byte, copyBuffer)
	for {
		n, readErr := body.Read(p)
		if n > 0 {
			if err := b.s.room.ask(int64(n)); err != nil {
				return 0, err
			}
			if _, err := f.Write(p[:n]); err != nil {
				return 0, err
			}
			b.s.room.took(int64(n))
			size += int64(n)
		}
		if readErr == io.EOF {
			return size, nil
		}
		if readErr != nil {
			return 0, readErr
		}
	}
}

// removeFiles removes the files of bodies whose records are gone durably.
func (s *Store) removeFiles() {
	s.mu.Lock()
	ids := s.files
	s.files = nil
	s.mu.Unlock()
	for _, id := range ids {
		if err := s.fs.Remove(s.bodies.path(id)); err != nil {
			s.log.Error("remove the body's file", "queue_id", string(id), "error", err) // swept at the next Open
		}
	}
}
