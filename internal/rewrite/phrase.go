package rewrite

import (
	"bytes"
	"mime"
	"strings"
)

// lineLength is where lines are folded. RFC 5322 §2.1.1.
const lineLength = 78

// writePhrase writes a display name and a blank or a fold behind it, beginning at
// this column, for something of the length after to follow. Nothing is written for
// no name. ASCII stands in quotes, anything else in encoded words: base64, because
// of the other form only letters and digits are safe within a phrase. RFC 2047
// §5(3).
func writePhrase(b *bytes.Buffer, column int, name string, after int) {
	if name == "" {
		return
	}
	var parts []string
	if ascii(name) {
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.Join(strings.Fields(name), " ")) + `"`
		parts = strings.Split(quoted, " ") // a fold stands where a blank did. RFC 5322 §3.2.4
	} else {
		parts = strings.Split(mime.BEncoding.Encode("utf-8", name), " ")
	}
	for i, p := range parts {
		switch {
		case i == 0:
		case column+1+len(p) > lineLength:
			b.WriteString("\r\n ")
			column = 1
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(p)
		column += len(p)
	}
	if column+after > lineLength {
		b.WriteString("\r\n")
	}
	b.WriteByte(' ')
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
