package smtp

import (
	"strings"
	"testing"
)

func TestXtext(t *testing.T) {
	for plain, coded := range map[string]string{
		"":                "",
		"ann@example.org": "ann@example.org",
		"a+b=c d":         "a+2Bb+3Dc+20d",
		"\x00\xff":        "+00+FF",
		"ä":               "+C3+A4",
	} {
		if got := EncodeXtext(plain); got != coded {
			t.Errorf("%q: %q, want %q", plain, got, coded)
		}
		if got, err := DecodeXtext(coded); got != plain || err != nil {
			t.Errorf("%q: %q, %v", coded, got, err)
		}
	}
	if got, err := DecodeXtext("+2b"); got != "+" || err != nil {
		t.Errorf("lower-case hex: %q, %v", got, err)
	}
	for _, bad := range []string{"+", "a+2", "+2G", "+G2", "++2B"} {
		if got, err := DecodeXtext(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func FuzzXtext(f *testing.F) {
	f.Add("a+b=c \x00ä")
	f.Fuzz(func(t *testing.T, s string) {
		coded := EncodeXtext(s)
		if strings.ContainsFunc(coded, func(r rune) bool { return r <= ' ' || r > '~' || r == '=' }) {
			t.Fatalf("%q becomes %q", s, coded)
		}
		if got, err := DecodeXtext(coded); err != nil || got != s {
			t.Fatalf("%q becomes %q becomes %q, %v", s, coded, got, err)
		}
		if got, err := DecodeXtext(s); err == nil && len(got) > len(s) {
			t.Fatalf("%q grows to %q", s, got)
		}
	})
}
