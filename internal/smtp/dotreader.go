package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// The errors of a DotReader, beside those of the connection.
var (
	ErrTooLarge    = errors.New("the message is larger than is allowed")
	ErrBareLineEnd = errors.New("the message has a CR or LF that is not part of a CRLF")
)

// DotOptions say what a DotReader takes.
type DotOptions struct {
	MaxBytes int64 // octets of content; 0: no limit
	// Lenient takes a lone CR or LF as a line end, that of the final dot too, and
	// returns CRLF in its place. Only for peers that are known to need it: a relay
	// behind may see other message borders than we do (SMTP smuggling).
	Lenient bool
}

// DotReader reads message data as it follows DATA, without the dots that the
// sender added. Only CRLF ends a line and only CRLF.CRLF ends the data; any other
// CR or LF is ErrBareLineEnd. The line end before the final dot belongs to the
// content. RFC 5321 §4.1.1.4, §4.5.2, §2.3.8.
type DotReader struct {
	r   *bufio.Reader
	o   DotOptions
	n   int64 // octets returned
	at  dotState
	err error // what Read returns from now on; io.EOF after the final dot
}

// dotState is the place in the data.
type dotState uint8

const (
	dotLineStart dotState = iota // after CRLF, or at the very begin
	dotInLine                    // in a line; its leading dot, if any, is taken out
	dotAfterCR                   // a CR was returned and the LF that follows it is next
	dotDone                      // the final dot was read
)

// NewDotReader returns a reader of the data that begins at r. The buffer of r
// holds at least 16 octets.
func NewDotReader(r *bufio.Reader, o DotOptions) *DotReader {
	return &DotReader{r: r, o: o}
}

// Len returns the number of octets of content read so far.
func (d *DotReader) Len() int64 { return d.n }

// Read returns content. It returns io.EOF after the final dot, ErrTooLarge,
// ErrBareLineEnd or an error of the connection; io.ErrUnexpectedEOF when it ended
// before the dot. After ErrTooLarge and ErrBareLineEnd, Drain reads on.
func (d *DotReader) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.read(p)
	d.n += int64(n)
	if d.o.MaxBytes > 0 && d.n > d.o.MaxBytes && err == nil {
		err = ErrTooLarge
	}
	if err != nil {
		d.err = err
		if err == ErrTooLarge {
			return 0, err
		}
	}
	return n, err
}

// Drain reads on to the end of the data after Read has returned ErrTooLarge or
// ErrBareLineEnd, at most limit octets. It returns nil when the end was found.
// Nothing after a broken line end is trusted but CRLF.CRLF.
func (d *DotReader) Drain(limit int64) error {
	if d.at == dotDone {
		return nil
	}
	var p [4096]byte
	for left := limit; left > 0; {
		n, err := d.read(p[:])
		left -= int64(n)
		switch {
		case err == io.EOF:
			return nil
		case err == ErrBareLineEnd:
			left-- // progress is made even when nothing is returned
		case err != nil:
			return err
		}
	}
	return ErrTooLarge
}

func (d *DotReader) read(p []byte) (n int, err error) {
	for n < len(p) {
		if n > 0 && d.r.Buffered() == 0 {
			return n, nil // give what there is rather than wait
		}
		if _, err := d.r.Peek(1); err != nil {
			return n, cutOff(err)
		}
		if d.at == dotLineStart {
			if err := d.lineStart(); err != nil {
				return n, err
			}
			continue
		}
		var m int
		if d.o.Lenient {
			m, err = d.lenientRun(p[n:])
		} else {
			m, err = d.strictRun(p[n:])
		}
		n += m
		if err != nil {
			return n, err
		}
		if m == 0 && d.o.Lenient {
			return n, nil // no room for a CRLF
		}
	}
	return n, nil
}

// lineStart looks at the begin of a line: the final dot ends the data, another
// leading dot is taken out. A lenient reader knows the final dot by any line end.
func (d *DotReader) lineStart() error {
	b, err := d.r.Peek(1)
	if err != nil {
		return cutOff(err)
	}
	if b[0] != '.' {
		d.at = dotInLine
		return nil
	}
	if b, err = d.r.Peek(2); err != nil {
		return cutOff(err)
	}
	switch {
	case b[1] == '\r':
		if b, err = d.r.Peek(3); err != nil {
			return cutOff(err)
		}
		if b[2] == '\n' {
			d.r.Discard(3)
			d.at = dotDone
			return io.EOF
		}
	case b[1] == '\n' && d.o.Lenient:
		d.r.Discard(2)
		d.at = dotDone
		return io.EOF
	}
	d.r.Discard(1) // a dot that the sender added
	d.at = dotInLine
	return nil
}

// strictRun copies the rest of the line, or what there is of it.
func (d *DotReader) strictRun(p []byte) (int, error) {
	b, _ := d.r.Peek(d.r.Buffered()) // not empty: read has looked
	if d.at == dotAfterCR {          // seen before: an LF follows
		p[0] = '\n'
		d.r.Discard(1)
		d.at = dotLineStart
		return 1, nil
	}
	end := bytes.IndexByte(b, '\n')
	run := b
	if end >= 0 {
		run = b[:end+1]
	}
	cr := bytes.IndexByte(run, '\r')
	switch {
	case cr < 0 && end < 0: // the line goes on
		n := copy(p, run)
		d.r.Discard(n)
		return n, nil
	case cr < 0: // LF without CR
		d.r.Discard(end + 1)
		return 0, ErrBareLineEnd
	case end >= 0 && cr == end-1: // a whole line
		n := copy(p, run)
		d.r.Discard(n)
		switch n {
		case len(run):
			d.at = dotLineStart
		case len(run) - 1:
			d.at = dotAfterCR
		}
		return n, nil
	case cr > 0: // up to the CR, which the next run looks at
		n := copy(p, run[:cr])
		d.r.Discard(n)
		return n, nil
	}
	next, err := d.r.Peek(2)
	if err != nil {
		return 0, cutOff(err)
	}
	if next[1] != '\n' {
		d.r.Discard(1)
		return 0, ErrBareLineEnd
	}
	n := copy(p, next)
	d.r.Discard(n)
	if d.at = dotLineStart; n == 1 {
		d.at = dotAfterCR
	}
	return n, nil
}

// lenientRun is strictRun with any line end. It returns 0 when p has no room for
// a CRLF.
func (d *DotReader) lenientRun(p []byte) (int, error) {
	b, _ := d.r.Peek(d.r.Buffered())
	end := bytes.IndexAny(b, "\r\n")
	if end != 0 {
		if end > 0 {
			b = b[:end]
		}
		n := copy(p, b)
		d.r.Discard(n)
		return n, nil
	}
	if len(p) < 2 {
		if d.n == 0 && len(p) == 1 {
			return 0, io.ErrShortBuffer
		}
		return 0, nil
	}
	used := 1
	if b[0] == '\r' {
		// A CR at the end of what has come may have its LF still on the way.
		if next, err := d.r.Peek(2); err == nil && next[1] == '\n' {
			used = 2
		}
	}
	d.r.Discard(used)
	d.at = dotLineStart
	return copy(p, "\r\n"), nil
}

// cutOff returns the error of a connection that ended within the data.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
