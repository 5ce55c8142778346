package pebblespool

import "sync"

const (
	maxInline    = 256 << 10 // octets; a larger body is a file
	bufferBudget = 64 << 20  // octets of bodies being received that are kept in memory, in all
)

// bufferSizes are the sizes of buffers. The first holds most mail; it does not
// count to the budget, for the number of connections bounds it. The last has room
// for the octet that shows that a body is too large for it.
var bufferSizes = [...]int{16 << 10, 64 << 10, maxInline + 1}

// buffers lends memory for bodies that are being received.
type buffers struct {
	pools [len(bufferSizes)]sync.Pool

	mu   sync.Mutex // guards left
	left int64      // octets of the budget
}

// buffer is memory on loan.
type buffer struct {
	b    []byte
	size int // index of bufferSizes
}

// get returns an empty buffer of the given size, or nil when the budget is spent.
func (p *buffers) get(size int) *buffer {
	if size > 0 {
		p.mu.Lock()
		enough := p.left >= int64(bufferSizes[size])
		if enough {
			p.left -= int64(bufferSizes[size])
		}
		p.mu.Unlock()
		if !enough {
			return nil
		}
	}
	if b, ok := p.pools[size].Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 0, bufferSizes[size]), size}
}

// put gives b back; nil is nothing.
func (p *buffers) put(b *buffer) {
	if b == nil {
		return
	}
	if b.size > 0 {
		p.mu.Lock()
		p.left += int64(bufferSizes[b.size])
		p.mu.Unlock()
	}
	b.b = b.b[:0]
	p.pools[b.size].Put(b)
}

// grow returns a buffer of the next size with what b holds, and gives b back. It
// returns nil and leaves b alone when there is none.
func (p *buffers) grow(b *buffer) *buffer {
	if b.size+1 == len(bufferSizes) {
		return nil
	}
	next := p.get(b.size + 1)
	if next == nil {
		return nil
	}
	next.b = append(next.b, b.b...)
	p.put(b)
	return next
}
