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
	// Lenient takes a lone CR or LF as a line end and returns CRLF in its place. The
	// end of the data stays CRLF.CRLF: a peer that writes CRLF itself adds no dot to a
	// line behind the lone LF of a message that it passes on, and whoever wrote that
	// message would end it there and go on with commands of his own (SMTP smuggling).
	Lenient bool
	// BareDot, with Lenient, knows the final dot by LF as well, before it and after it.
	// Only for peers whose commands end in a lone LF: what they take for lines is what we
	// take for lines. A lone CR is never enough.
	BareDot bool
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
	end byte  // how the line before ended: CR or LF alone, 0 for CRLF
	err error // what Read returns from now on; io.EOF after the final dot
}

// dotState is the place in the data.
type dotState uint8

const (
	dotLineStart dotState = iota // after a line end, or at the very begin
	dotInLine                    // in a line; its leading dot, if any, is taken out
	dotOwesLF                    // a line end was read and its CR returned; its LF is next
	dotDone                      // the final dot was read; terminal
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
	if d.o.MaxBytes > 0 && d.n > d.o.MaxBytes && (err == nil || err == io.EOF) {
		n, err = 0, ErrTooLarge
	}
	d.err = err
	return n, err
}

// Drain reads on to the end of the data after Read has returned ErrTooLarge or
// ErrBareLineEnd, about limit octets at most. It returns nil when the end was
// found and ErrTooLarge when it was not. After a broken line end, too, nothing but
// CRLF.CRLF ends the data.
func (d *DotReader) Drain(limit int64) error {
	// The content is of no interest any more, so this looks at lines only: a message
	// made of nothing but bare CRs costs no more than another.
	atStart := (d.at == dotLineStart || d.at == dotOwesLF) && d.mayEnd()
	last := byte('\n') // the octet before what is read next
	for d.at != dotDone {
		line, err := d.r.ReadSlice('\n')
		limit -= int64(len(line))
		switch {
		case err == bufio.ErrBufferFull:
			atStart, last = false, line[len(line)-1]
		case err != nil:
			return cutOff(err)
		case d.isFinal(line, atStart):
			d.at = dotDone
		default:
			if len(line) > 1 {
				last = line[len(line)-2]
			}
			atStart, last = last == '\r' || d.o.BareDot, '\n'
		}
		if limit <= 0 && d.at != dotDone {
			d.at = dotInLine
			if atStart {
				d.at, d.end = dotLineStart, 0
			}
			return ErrTooLarge
		}
	}
	return nil
}

// isFinal reports whether line, which ends in LF, ends the data.
func (d *DotReader) isFinal(line []byte, atStart bool) bool {
	return atStart && (string(line) == ".\r\n" || d.o.BareDot && string(line) == ".\n")
}

// mayEnd reports whether a dot may be the final one, after the line end before it.
func (d *DotReader) mayEnd() bool { return d.end == 0 || d.end == '\n' && d.o.BareDot }

func (d *DotReader) read(p []byte) (n int, err error) {
	for n < len(p) {
		if d.at == dotOwesLF {
			p[n] = '\n'
			n++
			d.at = dotLineStart
			if d.end == '\r' {
				d.at = dotInLine // no peer adds a dot behind a lone CR
			}
			continue
		}
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
		run := d.strictRun
		if d.o.Lenient {
			run = d.lenientRun
		}
		m, err := run(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// lineStart looks at the begin of a line: the final dot ends the data, another
// leading dot is taken out.
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
		if b[2] == '\n' && d.mayEnd() {
			d.r.Discard(3)
			d.at = dotDone
			return io.EOF
		}
	case b[1] == '\n' && d.o.BareDot && d.mayEnd():
		d.r.Discard(2)
		d.at = dotDone
		return io.EOF
	}
	d.r.Discard(1) // a dot that the sender added
	d.at = dotInLine
	return nil
}

// strictRun copies as many lines as are there and fit, up to one that begins with
// a dot. The buffer is not empty: read has looked.
func (d *DotReader) strictRun(p []byte) (int, error) {
	b, _ := d.r.Peek(min(d.r.Buffered(), len(p)))
	if b[len(b)-1] == '\r' { // what follows decides on it
		if len(b) == 1 {
			return d.strictCR(p)
		}
		b = b[:len(b)-1]
	}
	end, lines := 0, 0
	for end < len(b) {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			end = len(b)
			break
		}
		end += i
		if end == 0 || b[end-1] != '\r' {
			d.r.Discard(end + 1)
			d.at = dotInLine
			return 0, ErrBareLineEnd
		}
		end++
		lines++
		if end < len(b) && b[end] == '.' {
			break
		}
	}
	b = b[:end]
	d.at = dotInLine
	if b[end-1] == '\n' {
		d.at = dotLineStart
	}
	// Each LF has its CR. When there are no more CRs than that, each CR has its LF.
	if bytes.Count(b, []byte{'\r'}) != lines {
		d.r.Discard(end)
		return 0, ErrBareLineEnd
	}
	copy(p, b)
	d.r.Discard(end)
	return end, nil
}

// strictCR looks at a CR that is the first octet in the buffer.
func (d *DotReader) strictCR(p []byte) (int, error) {
	next, err := d.r.Peek(2)
	if err != nil {
		return 0, cutOff(err)
	}
	if next[1] != '\n' {
		d.r.Discard(1)
		return 0, ErrBareLineEnd
	}
	d.r.Discard(2)
	p[0] = '\r'
	d.at = dotOwesLF
	return 1, nil
}

// lenientRun copies the rest of the line, or what there is of it, with any line
// end.
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
	used := 1
	d.end = b[0]
	if b[0] == '\r' {
		// A CR at the end of what has come may have its LF still on the way.
		if next, err := d.r.Peek(2); err == nil && next[1] == '\n' {
			used, d.end = 2, 0
		}
	}
	d.r.Discard(used)
	p[0] = '\r'
	d.at = dotOwesLF
	return 1, nil
}

// cutOff returns the error of a connection that ended within the data.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
