package explain

import (
	"bytes"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readable returns a text as its writer meant it: in UTF-8, without what copying,
// terminals, quoting, web pages and JSON add, with \n at the end of each line.
func readable(s string) string {
	s = toUTF8(s)
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = aColour.ReplaceAllString(s, "")
	}
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	s = unquoted(s)
	if strings.Contains(s, "</") || strings.Contains(s, "<br") || strings.Contains(s, "<BR") || strings.Contains(s, "&lt;") || strings.Contains(s, "&#") || strings.Contains(s, "&quot;") || strings.Contains(s, "&amp;") {
		s = withoutTags(s)
	}
	if strings.Contains(s, `\`) {
		s = unescaped(s)
	}
	return s
}

// toUTF8 reads UTF-16 with a byte order mark, and takes what is no UTF-8 for
// Windows-1252, which has Latin-1 in it.
func toUTF8(s string) string {
	switch {
	case strings.HasPrefix(s, "\ufeff"):
		s = s[3:]
	case strings.HasPrefix(s, "\xff\xfe"):
		return fromUTF16(s[2:], 1)
	case strings.HasPrefix(s, "\xfe\xff"):
		return fromUTF16(s[2:], 0)
	}
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = rune(s[i])
			if r < 0xa0 {
				r = windows1252[r-0x80]
			}
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// windows1252 is what Windows has in place of the control characters 0x80 to 0x9f.
var windows1252 = [32]rune{
	'€', '?', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '?', 'Ž', '?',
	'?', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '?', 'ž', 'Ÿ',
}

// fromUTF16 reads UTF-16; high is the place of the higher octet.
func fromUTF16(s string, high int) string {
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i+high])<<8 | uint16(s[2*i+1-high])
	}
	return string(utf16.Decode(units))
}

// unquoted takes the marks of a quoted mail off each line, when most lines have
// them.
func unquoted(s string) string {
	if !strings.HasPrefix(s, ">") && !strings.Contains(s, "\n>") {
		return s
	}
	lines := strings.Split(s, "\n")
	quoted := 0
	for _, l := range lines {
		if strings.HasPrefix(strings.TrimLeft(l, " "), ">") && !strings.HasPrefix(l, ">>>") {
			quoted++
		}
	}
	if 2*quoted < len(lines) {
		return s
	}
	for i, l := range lines {
		for t := strings.TrimLeft(l, " "); strings.HasPrefix(t, ">"); t = strings.TrimLeft(t, " ") {
			t = t[1:]
			l = strings.TrimPrefix(t, " ")
		}
		lines[i] = l
	}
	return strings.Join(lines, "\n")
}

var (
	aBlock = regexp.MustCompile(`(?i)<(?:br|/?p|/?div|/?tr|/?li|/?h[1-6]|/?table|/?ul)(?:\s[^<>]{0,500})?/?>`)
	aTag   = regexp.MustCompile(`(?i)</?(?:a|b|i|u|p|td|th|tr|em|li|ul|ol|hr|br|div|span|font|pre|code|body|head|html|meta|link|img|table|tbody|strong|title|center|small|big|tt|style|script|h[1-6]|o:p|blockquote|!doctype)(?:\s[^<>]{0,1000})?/?>`)
	hidden = regexp.MustCompile(`(?is)<(?:style|script)\b.*?</(?:style|script)>|<!--.*?-->`)
)

// withoutTags returns the text of HTML; anything that has no tags in it keeps its
// angle brackets, which stand around addresses.
func withoutTags(s string) string {
	if i := strings.IndexByte(s, '<'); i >= 0 && aTag.MatchString(s) {
		if page := strings.ToLower(s[:min(len(s), 4096)]); strings.Contains(page, "<html") && strings.Contains(page, "bad request") || strings.HasPrefix(strings.TrimSpace(page), "<!doctype") {
			s = "<html> " + s // that it is a page is the point
		}
		s = hidden.ReplaceAllString(s, " ")
		s = aBlock.ReplaceAllString(s, "\n")
		s = aTag.ReplaceAllStringFunc(s, func(tag string) string {
			if strings.EqualFold(tag, "<html>") {
				return tag
			}
			return ""
		})
	}
	return html.UnescapeString(s)
}

// unescaped resolves the escapes of JSON, Python and Go where lines are broken by
// them: a text in a log has \n in it instead of ends of lines. Paths of Windows
// are left alone.
func unescaped(s string) string {
	if !strings.Contains(s, `\n`) && !strings.Contains(s, `\u`) && !strings.Contains(s, `\"`) && !strings.Contains(s, `\/`) && !strings.Contains(s, `\r`) {
		return s
	}
	var b bytes.Buffer
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch c := s[i+1]; {
		case c == 'n' && !letterAfter(s, i+2), c == 'n' && (i == 0 || !pathBefore(s, i)):
			b.WriteByte('\n')
			i++
		case c == 'r' && strings.HasPrefix(s[i:], `\r\n`):
			i++
		case c == '"', c == '/':
			b.WriteByte(c)
			i++
		case c == 'u' && i+6 <= len(s):
			n, err := strconv.ParseUint(s[i+2:i+6], 16, 32)
			if err != nil {
				b.WriteByte('\\')
				continue
			}
			i += 5
			r := rune(n)
			if utf16.IsSurrogate(r) && i+7 <= len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
				if low, err := strconv.ParseUint(s[i+3:i+7], 16, 32); err == nil {
					r = utf16.DecodeRune(r, rune(low))
					i += 6
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte('\\')
		}
	}
	return b.String()
}

// letterAfter reports whether a small letter stands at i.
func letterAfter(s string, i int) bool { return i < len(s) && s[i] >= 'a' && s[i] <= 'z' }

// pathBefore reports whether what ends at i looks like a path of Windows.
func pathBefore(s string, i int) bool {
	from := strings.LastIndexAny(s[:i], " \t\n\"'(") + 1
	return strings.Contains(s[from:i], `:\`) || strings.HasPrefix(s[from:i], `\\`)
}
