package dsn

import (
	"fmt"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"
)

// Widths of lines, in octets without line end.
const (
	foldAt  = 76  // where a line is folded when it has a blank there; RFC 5322 §2.1.1
	maxLine = 998 // RFC 5322 §2.1.1
	maxText = 4 << 10
)

// oneLine returns s as it may stand in one field: line ends and control
// characters become blanks, blanks at the ends go, what is no UTF-8 becomes "?",
// and it ends at maxText octets. With ascii, so does everything beyond ASCII.
func oneLine(s string, ascii bool) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029':
			r = ' '
		case r == utf8.RuneError, ascii && r >= 0x80:
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// appendField appends "name: value" folded at blanks. value must be one line. It
// writes nothing when value is empty.
func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(dst, name...), ':')
	width := len(name) + 1
	for i, word := range strings.Fields(value) {
		if i > 0 && width+1+len(word) > foldAt {
			dst = append(dst, "\r\n"...)
			width = 0
		}
		for len(word) > maxLine-100 { // no line may be longer, even where it has no blank
			cut := maxLine - 100
			for !utf8.RuneStart(word[cut]) {
				cut--
			}
			dst = append(append(append(dst, ' '), word[:cut]...), "\r\n"...)
			word, width = word[cut:], 0
		}
		dst = append(append(dst, ' '), word...)
		width += 1 + len(word)
	}
	return append(dst, "\r\n"...)
}

// utf8Escapes returns an address with everything beyond ASCII, and what has a
// meaning of its own in that form, as \x{HEX}. RFC 6533 §3 (utf-8-addr-xtext).
func utf8Escapes(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r > ' ' && r < 0x7f && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\x{%X}`, r)
	}
	return b.String()
}

// utf8Unescapes undoes utf8Escapes; what is not well-formed stays as it is.
func utf8Unescapes(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		hex, after, ok := strings.Cut(rest, "}")
		var r rune
		n, err := fmt.Sscanf(hex, "%X", &r)
		if !ok || n != 1 || err != nil || len(hex) > 6 || !utf8.ValidRune(r) {
			b.WriteString(`\x{`)
			s = rest
			continue
		}
		b.WriteRune(r)
		s = after
	}
}

// isASCII reports whether b has no octet beyond ASCII.
func isASCII[T string | []byte](b T) bool {
	for i := 0; i < len(b); i++ {
		if b[i] >= 0x80 {
			return false
		}
	}
	return true
}

// quotedPrintable returns text with CRLF line ends in that encoding. RFC 2045
// §6.7.
func quotedPrintable(text string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(text)) // a strings.Builder takes everything
	w.Close()
	return b.String()
}
