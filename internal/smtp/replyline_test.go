package smtp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseReplyLine(t *testing.T) {
	for _, c := range []struct {
		line     string
		code     int
		enhanced string
		text     string
		last     bool
	}{
		{"250 2.1.0 Ok", 250, "2.1.0", "Ok", true},
		{"250-SIZE 100", 250, "", "SIZE 100", false},
		{"250", 250, "", "", true},
		{"250 ", 250, "", "", true},
		{"250-", 250, "", "", false},
		{"550 5.1.1", 550, "5.1.1", "", true},
		{"550 5.1.1  two blanks", 550, "5.1.1", " two blanks", true},
		{"550-5.7.26 more", 550, "5.7.26", "more", false},
		{"550 4.2.2 class and code disagree", 550, "4.2.2", "class and code disagree", true},
		{"550 5.1.1: no such user", 550, "", "5.1.1: no such user", true},
		{"550 3.1.1 no class", 550, "", "3.1.1 no class", true},
		{"550 5.1111.1 too long", 550, "", "5.1111.1 too long", true},
		{"550 5..1 x", 550, "", "5..1 x", true},
		{"354 5 dots", 354, "", "5 dots", true},
		{"220 \xff\x00", 220, "", "\xff\x00", true},
	} {
		code, enhanced, text, last, err := ParseReplyLine([]byte(c.line))
		if err != nil || code != c.code || enhanced.String() != c.enhanced || text != c.text || last != c.last {
			t.Errorf("%q: %d, %v, %q, %v, %v", c.line, code, enhanced, text, last, err)
		}
	}
	for _, line := range []string{"", "2", "25", "25x", "150 x", "650 x", "250_x", "2500 x", " 250 x", "* OK IMAP", "+OK", "SSH-2.0-x", "HTTP/1.1 400"} {
		if _, _, _, _, err := ParseReplyLine([]byte(line)); err != ErrNotReply {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestParseReply(t *testing.T) {
	got, err := ParseReply("550-5.7.1 one\r\n550 5.7.1 two\r\n")
	want := Reply{Code: 550, Enhanced: EnhancedCode{5, 7, 1}, Lines: []string{"one", "two"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseReply("550-one\n250 two"); err != ErrNotReply {
		t.Errorf("two codes in one reply: %v", err)
	}
}

func TestReply_WireForm(t *testing.T) {
	for want, r := range map[string]Reply{
		"250 2.0.0 Ok\r\n":                NewReply(250, 0, 0, "Ok"),
		"220 post ESMTP\r\n":              NewReply(220, -1, 0, "post ESMTP"),
		"250-2.0.0 a\r\n250 2.0.0 b\r\n":  NewReply(250, 0, 0, "a", "b"),
		"421 4.7.0 \r\n":                  NewReply(421, 7, 0),
		"550-5.7.26 x\r\n550 5.7.26 \r\n": NewReply(550, 7, 26, "x", ""),
	} {
		if got := string(r.Append(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReply_AppendAllocatesNothing(t *testing.T) {
	r := NewReply(250, 1, 5, "Ok")
	buf := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { buf = r.Append(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations a reply", n)
	}
}

func FuzzParseReplyLine(f *testing.F) {
	f.Add([]byte("550-5.7.1 no"))
	f.Fuzz(func(t *testing.T, line []byte) {
		code, enhanced, text, last, err := ParseReplyLine(line)
		if err != nil {
			return
		}
		if code < 200 || code > 599 || len(text) > len(line) {
			t.Fatalf("%q: %d, %q", line, code, text)
		}
		if strings.ContainsAny(text, "\r\n") {
			return // no line
		}
		r := Reply{Code: code, Enhanced: enhanced, Lines: []string{text}}
		if !last {
			r.Lines = append(r.Lines, text)
		}
		again, err := ParseReply(string(r.Append(nil)))
		if err != nil || again.Code != code || again.Enhanced != enhanced {
			t.Fatalf("%q: %+v, then %+v, %v", line, r, again, err)
		}
	})
}
