package smtpclient

import (
	"encoding/binary"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// ringSize is what a conversation keeps of its dialogue, in octets: some 120
// lines. A connection that carries a million messages keeps the last of them.
const ringSize = 8 << 10

// maxRecordedLine is what is kept of one line, in octets.
const maxRecordedLine = 512

// entryHead is the head of one entry: length (2), side (1), time (8).
const entryHead = 11

// The sides of a dialogue.
const (
	fromClient = 'C'
	fromServer = 'S'
)

// recorder keeps the last lines of a dialogue in a fixed ring of octets. It never
// allocates after the first line, so that it can always be on. What may not be
// kept must not be given to it.
type recorder struct {
	ring    []byte
	head    int // where the oldest entry begins
	used    int // octets in use
	entries int
	dropped int // entries that made room
}

// line records one line without its line end.
func (r *recorder) line(at time.Duration, side byte, text []byte) {
	if r.ring == nil {
		r.ring = make([]byte, ringSize)
	}
	text = text[:min(len(text), maxRecordedLine)]
	for r.used+entryHead+len(text) > len(r.ring) {
		r.drop()
	}
	var head [entryHead]byte
	binary.LittleEndian.PutUint16(head[0:], uint16(len(text)))
	head[2] = side
	binary.LittleEndian.PutUint64(head[3:], uint64(at))
	r.put(head[:])
	r.put(text)
	r.entries++
}

func (r *recorder) put(p []byte) {
	n := copy(r.ring[(r.head+r.used)%len(r.ring):], p)
	copy(r.ring, p[n:])
	r.used += len(p)
}

// get copies the octets at off, counted from the oldest.
func (r *recorder) get(off int, p []byte) {
	n := copy(p, r.ring[(r.head+off)%len(r.ring):])
	copy(p[n:], r.ring)
}

// drop forgets the oldest entry.
func (r *recorder) drop() {
	var head [2]byte
	r.get(0, head[:])
	n := entryHead + int(binary.LittleEndian.Uint16(head[:]))
	r.head = (r.head + n) % len(r.ring)
	r.used -= n
	r.entries--
	r.dropped++
}

// lines returns what is kept, the oldest first.
func (r *recorder) lines() []evidence.Line {
	lines := make([]evidence.Line, 0, r.entries)
	for off := 0; off < r.used; {
		var head [entryHead]byte
		r.get(off, head[:])
		text := make([]byte, binary.LittleEndian.Uint16(head[0:]))
		r.get(off+entryHead, text)
		lines = append(lines, evidence.Line{
			At:   time.Duration(binary.LittleEndian.Uint64(head[3:])),
			From: string(head[2:3]),
			Text: evidence.Printable(string(text)),
		})
		off += entryHead + len(text)
	}
	return lines
}
