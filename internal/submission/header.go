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

// field is one header field, with its folded lines.
type field struct {
	name       string // lower case
	start, end int    // in raw
	body       int    // in raw: behind the colon
	removed    bool
}

var errHeaderTooLarge = errors.New("header section too large")

// readHeader reads the header section of body, up to and with the empty line after
// it. rest is the body behind that line. The header section is kept in memory, so
// it is bounded; the rest is not read.
//
// What programs send is not always a header section, and refusing it helps nobody.
// A line that is no header field ends the section, as if an empty line stood before
// it. A first line "From " of an mbox file is dropped. Eight-bit characters stay as
// they are, with or without SMTPUTF8: what the next hop takes is its affair.
func readHeader(body io.Reader) (h *header, rest io.Reader, err error) {
	r := bufio.NewReaderSize(body, 16<<10)
	h = &header{}
	for {
		line, err := readLine(r, policy.MaxHeader-len(h.raw))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0 && err != nil: // no body at all
			return h, r, nil
		case len(text) == 0: // the empty line
			return h, r, nil
		case (text[0] == ' ' || text[0] == '\t') && len(h.fields) > 0:
			h.append(text)
			h.fields[len(h.fields)-1].end = len(h.raw)
		case len(h.raw) == 0 && bytes.HasPrefix(text, []byte("From ")):
		default:
			colon := nameEnd(text)
			if colon < 0 {
				return h, io.MultiReader(bytes.NewReader(line), r), nil
			}
			start := len(h.raw)
			h.append(text)
			name := strings.ToLower(string(bytes.TrimRight(text[:colon], " \t")))
			h.fields = append(h.fields, field{name: name, start: start, end: len(h.raw), body: start + colon + 1})
		}
	}
}

func (h *header) append(line []byte) { h.raw = append(append(h.raw, line...), '\r', '\n') }

// readLine reads one line with its end. It returns errHeaderTooLarge when the line
// is longer than room. The line is the caller's.
func readLine(r *bufio.Reader, room int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > room {
			return nil, errHeaderTooLarge
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
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

// count returns how many fields of this name, in lower case, are left.
func (h *header) count(name string) int {
	n := 0
	for i := range h.fields {
		if h.fields[i].name == name && !h.fields[i].removed {
			n++
		}
	}
	return n
}

// bodies returns the bodies of all fields of this name, unfolded.
func (h *header) bodies(name string) []string {
	var all []string
	for _, f := range h.fields {
		if f.name == name && !f.removed {
			all = append(all, strings.TrimSpace(strings.ReplaceAll(string(h.raw[f.body:f.end]), "\r\n", "")))
		}
	}
	return all
}

// remove takes out all fields of this name.
func (h *header) remove(name string) {
	for i := range h.fields {
		if h.fields[i].name == name {
			h.fields[i].removed = true
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
