package submission

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/wellsent/wellsent/internal/policy"
)

// header is the header section of a message as it came.
type header struct {
	raw    []byte  // all lines, each ended by CRLF, without the empty line after them
	fields []field // in order
}

// field is one header field, with its folded lines. All places are in raw.
type field struct {
	start, end int
	nameEnd    int
	body       int // behind the colon
	removed    bool
}

var errHeaderTooLarge = errors.New("header section too large")

// usualHeader is room for the header section of most messages, octets, and
// usualFields for its fields.
const (
	usualHeader = 4 << 10
	usualFields = 32
)

// readHeader reads the header section from r, up to and with the empty line after
// it. rest is the body behind that line. The header section is kept in memory, so
// it is bounded; the rest is not read.
//
// What programs send is not always a header section, and refusing it helps nobody.
// A line that is no header field ends the section, as if an empty line stood before
// it; so does the end of the message. A first line "From " of an mbox file is
// dropped. Eight-bit characters stay as they are, with or without SMTPUTF8: what the
// next hop takes is its affair.
func readHeader(r *bufio.Reader) (h *header, rest io.Reader, err error) {
	h = &header{raw: make([]byte, 0, usualHeader), fields: make([]field, 0, usualFields)}
	for {
		line, err := readLine(r, policy.MaxHeader-len(h.raw)+len("\r\n")) // the empty line does not count
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		text := bytes.TrimRight(line, "\r\n")
		colon := nameEnd(text)
		switch {
		case len(text) == 0: // the empty line, or the end
			return h, r, nil
		case (text[0] == ' ' || text[0] == '\t') && len(h.fields) > 0:
			h.append(text)
			h.fields[len(h.fields)-1].end = len(h.raw)
		case colon > 0:
			start := len(h.raw)
			h.append(text)
			name := len(bytes.TrimRight(text[:colon], " \t"))
			h.fields = append(h.fields, field{start: start, end: len(h.raw), nameEnd: start + name, body: start + colon + 1})
		case len(h.raw) == 0 && bytes.HasPrefix(text, []byte("From ")):
		default:
			return h, io.MultiReader(bytes.NewReader(bytes.Clone(line)), r), nil
		}
	}
}

func (h *header) append(line []byte) { h.raw = append(append(h.raw, line...), '\r', '\n') }

// readLine reads one line with its end. It returns errHeaderTooLarge when the line
// is longer than room. The line is good until the next read.
func readLine(r *bufio.Reader, room int) (line []byte, err error) {
	line, err = r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line) // rare: a line longer than the buffer
		var more []byte
		more, err = r.ReadSlice('\n')
		line = append(line, more...)
		if len(line) > room {
			break
		}
	}
	if len(line) > room {
		return nil, errHeaderTooLarge
	}
	return line, err
}

// nameEnd returns where the colon of a header field is, -1 when line is none. The
// name is printable ASCII; white space before the colon is obsolete but read.
// RFC 5322 §2.2, §4.5.
func nameEnd(line []byte) int {
	space := false
	for i, c := range line {
		switch {
		case c == ':':
			if i == 0 {
				return -1
			}
			return i
		case c == ' ' || c == '\t':
			if i == 0 {
				return -1
			}
			space = true
		case space, c < 33, c > 126:
			return -1
		}
	}
	return -1
}

// is reports whether f, which is not removed, has this name. RFC 5322 §1.2.2: names
// are compared without regard to case.
func (h *header) is(f *field, name string) bool {
	return !f.removed && f.nameEnd-f.start == len(name) && strings.EqualFold(string(h.raw[f.start:f.nameEnd]), name)
}

// count returns how many fields of this name are left.
func (h *header) count(name string) int {
	n := 0
	for i := range h.fields {
		if h.is(&h.fields[i], name) {
			n++
		}
	}
	return n
}

// bodies returns the bodies of all fields of this name, unfolded.
func (h *header) bodies(name string) []string {
	var all []string
	for i := range h.fields {
		if f := &h.fields[i]; h.is(f, name) {
			all = append(all, strings.TrimSpace(strings.ReplaceAll(string(h.raw[f.body:f.end]), "\r\n", "")))
		}
	}
	return all
}

// remove takes out all fields of this name.
func (h *header) remove(name string) {
	for i := range h.fields {
		if f := &h.fields[i]; h.is(f, name) {
			f.removed = true
		}
	}
}

// remaining returns the header section without the removed fields, and the empty
// line after it.
func (h *header) remaining() []byte {
	out := make([]byte, 0, len(h.raw)+2)
	for _, f := range h.fields {
		if !f.removed {
			out = append(out, h.raw[f.start:f.end]...)
		}
	}
	return append(out, '\r', '\n')
}
