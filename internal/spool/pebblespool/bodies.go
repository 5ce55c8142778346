package pebblespool

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/wellsent/wellsent/internal/spool"
)

const bodiesDir = "bodies"

// bodies keeps the bodies that are too large for a record, and those that are
// still being received.
type bodies struct {
	s       *Store
	dir     string
	buffers buffers
}

// newBodies removes the files that no record speaks of: a crash came between the
// two, or between the removal of a record and of its file.
func newBodies(s *Store) (*bodies, error) {
	b := &bodies{s: s, dir: s.fs.PathJoin(s.dir, bodiesDir), buffers: buffers{left: bufferBudget}}
	if err := makeDir(s.fs, b.dir); err != nil {
		return nil, err
	}
	names, err := s.fs.List(b.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id := spool.QueueID(name)
		if id.Check() != nil {
			continue // not ours
		}
		switch exists, err := s.exists(id); {
		case err != nil:
			s.log.Error("body file kept: its record cannot be read", "queue_id", name, "error", err)
		case !exists:
			if err := s.fs.Remove(b.path(id)); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// exists reports whether message id has a record.
func (s *Store) exists(id spool.QueueID) (bool, error) {
	_, closer, err := s.db.Get(messageKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

func (b *bodies) path(id spool.QueueID) string { return b.s.fs.PathJoin(b.dir, string(id)) }

// received is a body that was read whole: in memory, or in its file, synced.
type received struct {
	inline []byte // nil: in the file
	size   int64
	buffer *buffer // of inline; nil: none to give back
}

// receive reads body to EOF. Nothing is left behind when it returns an error.
func (b *bodies) receive(id spool.QueueID, body io.Reader) (*received, error) {
	buf := b.buffers.get(0)
	for {
		if len(buf.b) == cap(buf.b) {
			grown := b.buffers.grow(buf)
			if grown == nil {
				return b.spill(id, buf, body)
			}
			buf = grown
		}
		n, err := body.Read(buf.b[len(buf.b):cap(buf.b)])
		buf.b = buf.b[:len(buf.b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			b.buffers.put(buf)
			return nil, err
		}
	}
	if len(buf.b) > maxInline {
		return b.spill(id, buf, noMore{})
	}
	return &received{inline: buf.b, size: int64(len(buf.b)), buffer: buf}, nil
}

// noMore is the rest of a body that was read to its end.
type noMore struct{}

func (noMore) Read([]byte) (int, error) { return 0, io.EOF }

// done gives back the memory of r.
func (b *bodies) done(r *received) {
	b.buffers.put(r.buffer)
	r.buffer = nil
}

// spill writes what was read and the rest of body into a file, syncs it and then
// its directory. It gives begin back.
func (b *bodies) spill(id spool.QueueID, begin *buffer, body io.Reader) (*received, error) {
	f, err := b.s.fs.Create(b.path(id), vfs.WriteCategoryUnspecified)
	if err != nil {
		b.buffers.put(begin)
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
		b.remove(id)
		return nil, err
	}
	return &received{size: size}, nil
}

// fillFile copies the body into f and asks for room as it goes. It gives begin
// back and copies through a small buffer: what comes may come slowly.
func (b *bodies) fillFile(f vfs.File, begin *buffer, body io.Reader) (size int64, err error) {
	put := func(p []byte) error {
		if len(p) == 0 {
			return nil
		}
		if err := b.s.room.ask(int64(len(p))); err != nil {
			return err
		}
		if _, err := f.Write(p); err != nil {
			return err
		}
		b.s.room.took(int64(len(p)))
		size += int64(len(p))
		return nil
	}
	err = put(begin.b)
	b.buffers.put(begin)
	if err != nil {
		return 0, err
	}
	through := b.buffers.get(0)
	defer b.buffers.put(through)
	p := through.b[:cap(through.b)]
	for n := 0; ; {
		// Not io.ReadFull: it would say io.ErrUnexpectedEOF at the end of every body,
		// which is also what a line that died says.
		k, readErr := body.Read(p[n:])
		n += k
		if n == len(p) || readErr == io.EOF {
			if err := put(p[:n]); err != nil {
				return 0, err
			}
			n = 0
		}
		if readErr == io.EOF {
			return size, nil
		}
		if readErr != nil {
			return 0, readErr
		}
	}
}

// remove removes the file of a body whose record is gone durably, or never was.
func (b *bodies) remove(id spool.QueueID) {
	if err := b.s.fs.Remove(b.path(id)); err != nil {
		b.s.log.Error("remove the body's file", "queue_id", string(id), "error", err) // swept at the next Open
	}
}
