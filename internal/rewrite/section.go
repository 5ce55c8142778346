package rewrite

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxSection is how much of a header section is looked at, in octets: what
// submission takes, 256 KiB, and the fields that it adds.
const MaxSection = 512 << 10

// ReadSection reads the header section of a message up to and with the empty line
// behind it, or to the end of a message that has none. What follows is still to be
// read from r. A section larger than MaxSection is returned as far as that.
func ReadSection(r *bufio.Reader) ([]byte, error) {
	section := make([]byte, 0, 4<<10) // most fit
	for start := 0; len(section) < MaxSection; {
		piece, err := r.ReadSlice('\n')
		section = append(section, piece...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // the line goes on
		case errors.Is(err, io.EOF):
			return section, nil
		case err != nil:
			return nil, err
		case len(bytes.TrimRight(section[start:], "\r\n")) == 0:
			return section, nil
		default:
			start = len(section)
		}
	}
	return section, nil
}

// field is one header field with its folded lines.
type field struct {
	name string // as written
	raw  []byte // whole, with its line ends
	body []byte // behind the colon
}

func (f *field) is(name string) bool { return bytes.EqualFold([]byte(f.name), []byte(name)) }

// split returns the fields of a header section. rest is what follows them: the empty
// line, or what is no header field.
func split(section []byte) (fields []field, rest []byte) {
	for len(section) > 0 {
		end := lineEnd(section)
		line := section[:end]
		colon := bytes.IndexByte(line, ':')
		if len(bytes.TrimRight(line, "\r\n")) == 0 || colon <= 0 || line[0] == ' ' || line[0] == '\t' {
			break
		}
		for end < len(section) && (section[end] == ' ' || section[end] == '\t') {
			end += lineEnd(section[end:])
		}
		fields = append(fields, field{name: string(bytes.TrimRight(section[:colon], " \t")), raw: section[:end], body: section[colon+1 : end]})
		section = section[end:]
	}
	return fields, section
}

func lineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

// unfolded returns the body of a field in one line. RFC 5322 §2.2.3.
func (f *field) unfolded() string {
	return string(bytes.TrimSpace(bytes.ReplaceAll(bytes.ReplaceAll(f.body, []byte("\r\n"), nil), []byte("\n"), nil)))
}
