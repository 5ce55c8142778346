package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// model reads message data in the plainest way there is: octet by octet, as the
// RFC says it. It returns the content, what follows the data, and the error.
func model(in string) (content, rest string, err error) {
	lineStart, bare := true, false
	for i := 0; i < len(in); {
		switch {
		case lineStart && strings.HasPrefix(in[i:], ".\r\n"):
			if bare {
				return "", in[i+3:], ErrBareLineEnd
			}
			return content, in[i+3:], nil
		case lineStart && in[i] == '.':
			i++
			lineStart = false
		case strings.HasPrefix(in[i:], "\r\n"):
			content += "\r\n"
			i += 2
			lineStart = true
		default:
			bare = bare || in[i] == '\r' || in[i] == '\n'
			content += in[i : i+1]
			i++
			lineStart = false
		}
	}
	if bare {
		return "", "", ErrBareLineEnd
	}
	return content, "", io.ErrUnexpectedEOF
}

// compare holds the reader against the model, with buffers of a size.
func compare(t *testing.T, in string, size, chunk int) {
	t.Helper()
	var src io.Reader = strings.NewReader(in)
	if chunk == 1 {
		src = iotest.OneByteReader(src)
	}
	r := bufio.NewReaderSize(src, size)
	d := NewDotReader(r, DotOptions{})
	var got bytes.Buffer
	p := make([]byte, max(1, chunk))
	var err error
	for err == nil {
		var n int
		n, err = d.Read(p)
		got.Write(p[:n])
	}
	if err == io.EOF {
		err = nil
	}
	want, rest, wantErr := model(in)
	if wantErr == ErrBareLineEnd {
		ended := d.Drain(int64(len(in)) + 1)
		if left, _ := io.ReadAll(r); string(left) != rest {
			t.Fatalf("%q (buffer %d, reads of %d): %q is left, want %q", in, size, chunk, left, rest)
		}
		if err == io.ErrUnexpectedEOF && rest == "" && ended != nil {
			return // a CR at the very end: bare, or half a CRLF
		}
	}
	if !errors.Is(err, wantErr) || wantErr != ErrBareLineEnd && got.String() != want {
		t.Fatalf("%q (buffer %d, reads of %d): %q, %v, want %q, %v", in, size, chunk, got.String(), err, want, wantErr)
	}
	if wantErr == nil {
		if left, _ := io.ReadAll(r); string(left) != rest {
			t.Fatalf("%q (buffer %d, reads of %d): %q is left, want %q", in, size, chunk, left, rest)
		}
	}
}

// Every text of the characters that matter, up to a length, in buffers and reads
// that split it everywhere: the reader agrees with the model. SMTP smuggling lives
// where two readers disagree.
func TestDotReader_AgreesWithTheModel(t *testing.T) {
	const longest = 7
	letters := "a.\r\n"
	var texts func(prefix string)
	n := 0
	texts = func(prefix string) {
		for _, end := range []string{"\r\n.\r\nQUIT\r\n"} {
			in := prefix + end
			compare(t, in, 16, 1+n%20)
			if n%7 == 0 {
				compare(t, in, 4096, 4096)
			}
			n++
		}
		if len(prefix) < longest {
			for _, c := range letters {
				texts(prefix + string(c))
			}
		}
	}
	texts("")
}

func FuzzDotReaderAgainstModel(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n", "..\r\n.\r\r\n.\r\n"} {
		f.Add(s+"MAIL FROM:<x@y>\r\n.\r\nREST", 16, 3)
	}
	f.Fuzz(func(t *testing.T, in string, size, chunk int) {
		compare(t, in, 16+size&0x1ff, chunk&0x3ff)
	})
}

// A reader that needs one octet at a time gets on, with CRLFs that do not fit.
func TestDotReader_OneOctetReads(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		d := NewDotReader(bufio.NewReader(strings.NewReader("a\r\n\r\nb\r\n.\r\n")), DotOptions{Lenient: lenient})
		got, err := io.ReadAll(iotest.OneByteReader(d))
		if string(got) != "a\r\n\r\nb\r\n" || err != nil {
			t.Errorf("lenient %v: %q, %v", lenient, got, err)
		}
	}
}

// After ErrTooLarge, Drain goes on from the very octet, also within a CRLF.
func TestDotReader_DrainGoesOnAnywhere(t *testing.T) {
	const in = "ab\r\n..c\r\n.d\r\n\r\n.\r\nNEXT"
	for limit := 1; limit < 12; limit++ {
		for chunk := 1; chunk < 12; chunk++ {
			for _, lenient := range []bool{false, true} {
				r := bufio.NewReaderSize(strings.NewReader(in), 16)
				d := NewDotReader(r, DotOptions{MaxBytes: int64(limit), Lenient: lenient})
				p := make([]byte, chunk)
				var err error
				for err == nil {
					_, err = d.Read(p)
				}
				if err == io.EOF {
					continue // it fits
				}
				for err = ErrTooLarge; err == ErrTooLarge; {
					err = d.Drain(1) // also in small steps
				}
				if rest, _ := io.ReadAll(r); err != nil || string(rest) != "NEXT" {
					t.Fatalf("limit %d, reads of %d, lenient %v: %v, %q is left", limit, chunk, lenient, err, rest)
				}
			}
		}
	}
}

func TestDotReader_LenientDrainKnowsEachLineEnd(t *testing.T) {
	for _, in := range []string{"aaaaaaaa\n.\nNEXT", "aaaaaaaa\r.\r\n.\r\nNEXT", "aaaaaaaa\r.\n.\nNEXT", "aaaaaaaa\r\n.\nNEXT", "aaaaaaaa\r\r\n.\r\nNEXT"} {
		r := bufio.NewReader(strings.NewReader(in))
		d := NewDotReader(r, DotOptions{MaxBytes: 3, Lenient: true, BareDot: true})
		if _, err := io.ReadAll(d); err != ErrTooLarge {
			t.Fatalf("%q: %v", in, err)
		}
		err := d.Drain(100)
		if rest, _ := io.ReadAll(r); err != nil || string(rest) != "NEXT" {
			t.Errorf("%q: %v, %q is left", in, err, rest)
		}
	}
}

// A lenient reader knows no other end of the data than a strict one, as long as the
// peer's commands end in CRLF: whatever is in the message, it is one message.
func TestDotReader_LenientEndsWhereTheStrictOneDoes(t *testing.T) {
	const longest, end = 7, "\r\n.\r\nQUIT\r\n"
	var texts func(prefix string)
	n := 0
	texts = func(prefix string) {
		n++
		in := prefix + end
		_, want, _ := model(in)
		for _, limit := range []int64{0, int64(1 + n%5)} {
			r := bufio.NewReaderSize(strings.NewReader(in), 16)
			d := NewDotReader(r, DotOptions{Lenient: true, MaxBytes: limit})
			_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{d}, make([]byte, 1+n%9))
			if err == ErrTooLarge {
				err = d.Drain(1 << 10)
			}
			if left, _ := io.ReadAll(r); err != nil || string(left) != want {
				t.Fatalf("%q: %q is left, want %q; %v", in, left, want, err)
			}
		}
		if len(prefix) < longest {
			for _, c := range "a.\r\n" {
				texts(prefix + string(c))
			}
		}
	}
	texts("")
}
