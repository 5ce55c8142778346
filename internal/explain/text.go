package explain

import (
	"strings"
)

// maxText is how much of a text is read, in octets: 10 MiB.
const maxText = 10 << 20

// maxLines bounds how many lines of a text are looked at one by one for the one
// that speaks of a failure.
const maxLines = 20000

// Text explains a pasted text, a log line or a transcript. It returns one finding;
// its cause is "" when the text is no mail failure.
func Text(text string, f Facts) []Finding {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = clean(text)
	if !f.FromServer && serverLog(text) {
		f.FromServer = true
	}
	x := line(text, f)
	if strings.Count(text, "\n") > 3 {
		x = best(text, x, f)
	}
	return []Finding{x}
}

// best looks for the line of a long text that says most: a sure cause in one line
// beats words that stand far apart.
func best(text string, whole Finding, f Facts) Finding {
	n := 0
	for l := range strings.Lines(text) {
		if n++; n > maxLines {
			break
		}
		if r := replyIn(l); r.Code >= 400 {
			if x := line(l, f); x.Cause != "" && x.Confidence != Possible {
				return x
			}
		}
	}
	return whole
}

// clean takes off what copying adds: quote marks, line ends of another system,
// colour codes.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = withoutColour(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for l := range strings.Lines(s) {
		t := strings.TrimLeft(l, " \t")
		for strings.HasPrefix(t, "> ") || strings.HasPrefix(t, ">>") {
			t = t[1:]
			t = strings.TrimLeft(t, " ")
		}
		b.WriteString(t)
	}
	return b.String()
}

// withoutColour removes ANSI escape sequences.
func withoutColour(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '[' {
			for i += 2; i < len(s) && (s[i] < '@' || s[i] > '~'); i++ {
			}
		}
	}
	return b.String()
}

// serverLog reports whether text is a line of a mail server's log or a bounce.
func serverLog(text string) bool {
	lower := strings.ToLower(text[:min(len(text), 64<<10)])
	for _, sign := range []string{"status=deferred", "status=bounced", "final-recipient:", "diagnostic-code:", "defer (", "== ", "postfix/smtp", "mail delivery system"} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return false
}
