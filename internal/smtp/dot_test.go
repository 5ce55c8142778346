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

func readDot(in string, o DotOptions, oneByOne bool) (string, *DotReader, error) {
	var r io.Reader = strings.NewReader(in)
	if oneByOne {
		r = iotest.OneByteReader(r)
	}
	d := NewDotReader(bufio.NewReaderSize(r, 16), o)
	b, err := io.ReadAll(d)
	return string(b), d, err
}

func TestDotReader_Strict(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		err            error
	}{
		{"empty", ".\r\n", "", nil},
		{"one line", "a\r\n.\r\n", "a\r\n", nil},
		{"dots are taken out", "..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n", nil},
		{"long line", strings.Repeat("x", 100) + "\r\n.\r\nNEXT", strings.Repeat("x", 100) + "\r\n", nil},
		{"no final dot", "a\r\n", "a\r\n", io.ErrUnexpectedEOF},
		{"dot then end", "a\r\n.", "a\r\n", io.ErrUnexpectedEOF},
		// The forms of SMTP smuggling: none of them ends the data.
		{"LF dot LF", "a\n.\nMAIL\r\n.\r\n", "", ErrBareLineEnd},
		{"LF dot CRLF", "a\n.\r\nMAIL\r\n.\r\n", "", ErrBareLineEnd},
		{"CRLF dot LF", "a\r\n.\nMAIL\r\n.\r\n", "a\r\n", ErrBareLineEnd},
		{"CRLF dot CR", "a\r\n.\rMAIL\r\n.\r\n", "a\r\n", ErrBareLineEnd},
		{"CR dot CR", "a\r.\rMAIL\r\n.\r\n", "a", ErrBareLineEnd},
		{"CR dot CRLF", "a\r.\r\nMAIL\r\n.\r\n", "a", ErrBareLineEnd},
		{"CR CRLF", "a\r\r\n.\r\n", "a", ErrBareLineEnd},
		{"CRLF dot CR CRLF", "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n", ErrBareLineEnd},
	} {
		for _, one := range []bool{false, true} {
			got, d, err := readDot(c.in, DotOptions{}, one)
			if c.err == ErrBareLineEnd {
				if !strings.HasPrefix(c.want, got) && !strings.HasPrefix(got, c.want) {
					t.Errorf("%s: %q, want a prefix of the content, %q", c.name, got, c.want)
				}
				if !errors.Is(err, c.err) {
					t.Errorf("%s: error %v, want %v", c.name, err, c.err)
				}
				if err := d.Drain(1000); err != nil {
					t.Errorf("%s: drain: %v", c.name, err)
				}
				if rest, _ := io.ReadAll(d.r); len(rest) != 0 {
					t.Errorf("%s: %q is left after the true end", c.name, rest)
				}
				continue
			}
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s (one by one: %v): %q, %v, want %q, %v", c.name, one, got, err, c.want, c.err)
			}
		}
	}
}

func TestDotReader_Lenient(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\n.\n":       "a\r\nb\r\n",
		"a\r\nb\n.\r\n":   "a\r\nb\r\n",
		"a\rb\r\n.\r\n":   "a\r\nb\r\n",
		"a\n..\n.\n":      "a\r\n.\r\n",
		"\r.\r\nb\n.\n":   "\r\n.\r\nb\r\n", // a lone CR is a line end, and ends nothing else
		"\r.\n.\r\n":      "\r\n.\r\n",
		"a\r\n\r\n.\r\nX": "a\r\n\r\n",
	} {
		for _, one := range []bool{false, true} {
			got, _, err := readDot(in, DotOptions{Lenient: true, BareDot: true}, one)
			if got != want || err != nil {
				t.Errorf("%q: %q, %v, want %q", in, got, err, want)
			}
		}
	}
}

func TestDotReader_TooLarge(t *testing.T) {
	in := strings.Repeat("0123456\r\n", 100) + ".\r\nNEXT"
	got, d, err := readDot(in, DotOptions{MaxBytes: 50}, false)
	if !errors.Is(err, ErrTooLarge) || len(got) > 50 {
		t.Fatalf("%d octets, %v", len(got), err)
	}
	if err := d.Drain(10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("drain beyond its limit: %v", err)
	}
	if err := d.Drain(10000); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(d.r); string(rest) != "NEXT" {
		t.Errorf("%q follows the data", rest)
	}
}

func TestDotWriter_StuffsAndEnds(t *testing.T) {
	for in, want := range map[string]string{
		"":                  ".\r\n",
		"a\r\n":             "a\r\n.\r\n",
		"a":                 "a\r\n.\r\n",
		"a\r":               "a\r\r\n.\r\n",
		".\r\n":             "..\r\n.\r\n",
		"a\r\n.b\r\n..\r\n": "a\r\n..b\r\n...\r\n.\r\n",
	} {
		for size := 1; size <= len(in)+1; size++ {
			var b bytes.Buffer
			w := NewDotWriter(&b)
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				if m, err := w.Write([]byte(rest[:n])); m != n || err != nil {
					t.Fatalf("wrote %d, %v", m, err)
				}
				rest = rest[n:]
			}
			w.Close()
			if b.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, b.String(), want)
			}
		}
	}
}

func FuzzDotRoundTrip(f *testing.F) {
	f.Add([]byte("a\r\n.\r\n..b\r\n"), 3)
	f.Fuzz(func(t *testing.T, content []byte, size int) {
		content = bytes.ReplaceAll(bytes.ReplaceAll(content, []byte("\r"), nil), []byte("\n"), []byte("\r\n"))
		if !bytes.HasSuffix(content, []byte("\r\n")) {
			content = append(content, '\r', '\n')
		}
		var b bytes.Buffer
		w := NewDotWriter(&b)
		size = max(1, size&0xff)
		for rest := content; len(rest) > 0; {
			n := min(size, len(rest))
			w.Write(rest[:n])
			rest = rest[n:]
		}
		w.Close()
		b.WriteString("AFTER")
		r := bufio.NewReaderSize(&b, 16)
		got, err := io.ReadAll(NewDotReader(r, DotOptions{}))
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%q, %v, want %q", got, err, content)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "AFTER" {
			t.Fatalf("%q after the data", rest)
		}
	})
}

func FuzzDotReader(f *testing.F) {
	f.Add([]byte("a\n.\r\n\r\n.\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, lenient bool) {
		d := NewDotReader(bufio.NewReaderSize(bytes.NewReader(in), 16), DotOptions{Lenient: lenient, BareDot: lenient && len(in)%2 == 0})
		b, err := io.ReadAll(d)
		if len(b) > 2*len(in) {
			t.Fatalf("%d octets from %d", len(b), len(in))
		}
		if err == nil && bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\n")) {
			t.Fatalf("%q has a bare line end", b)
		}
		if err == ErrBareLineEnd {
			d.Drain(int64(len(in)) + 10)
		}
	})
}

func BenchmarkDotReader(b *testing.B) {
	content := append(bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 131), ".\r\n"...)
	b.SetBytes(int64(len(content)))
	src := bytes.NewReader(content)
	r := bufio.NewReaderSize(src, 32<<10)
	var p [32 << 10]byte
	for b.Loop() {
		src.Reset(content)
		r.Reset(src)
		d := NewDotReader(r, DotOptions{MaxBytes: 1 << 20})
		for {
			if _, err := d.Read(p[:]); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
