package evidence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip returns s in at most max octets. What is cut off is marked by "…", and no
// character is cut in half.
func Clip(s string, max int) string {
	const mark = "…"
	if len(s) <= max {
		return s
	}
	if max < len(mark) {
		return ""
	}
	end := max - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// Printable returns s as it may be shown on a terminal and stored as JSON: what
// is no UTF-8 and what is a control character becomes "?", a tab a blank. Servers
// send anything, escape sequences for terminals included.
func Printable(s string) string {
	clean := func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029',
			r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // they turn the direction of what follows
			return '?'
		}
		return r
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return strings.Map(clean, s)
		}
	}
	return s
}
