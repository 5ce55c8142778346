package listen

import (
	"bytes"
	"mime"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
)

// watched are the header fields that are shown.
var watched = []string{"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "X-Mailer", "User-Agent"}

// once are the fields of which there may be one only. RFC 5322 §3.6.
var once = []string{"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type"}

// watcher looks at a message as it goes by.
type watcher struct {
	c           Content
	atLineStart bool
	inHeader    bool
	first       bool
	field       string // the one that a folded line would belong to
	line        int    // octets of the line so far
	seen        map[string]int
}

func newWatcher() *watcher {
	return &watcher{atLineStart: true, inHeader: true, first: true, seen: map[string]int{}, c: Content{Header: map[string]string{}, Doubled: []string{}}}
}

// add takes a line with its end, or a part of a long one. The dot that stuffs it
// counts as one octet of it.
func (w *watcher) add(b []byte) {
	whole := bytes.HasSuffix(b, []byte("\n"))
	text := bytes.TrimSuffix(b, []byte("\n"))
	if whole && !bytes.HasSuffix(text, []byte("\r")) {
		w.c.BareLF++
	}
	text = bytes.TrimSuffix(text, []byte("\r"))
	w.c.BareCR += bytes.Count(text, []byte("\r"))
	w.c.NUL += bytes.Count(text, []byte{0})
	high := slices.ContainsFunc(text, func(c byte) bool { return c >= 0x80 })
	w.c.EightBit = w.c.EightBit || high
	w.c.Octets += int64(len(b))
	w.line += len(text)
	w.c.Longest = max(w.c.Longest, w.line)
	if w.inHeader && w.atLineStart {
		w.header(string(text), high)
	}
	w.atLineStart = whole
	if whole {
		w.line = 0
	}
}

// header takes a line of the header section.
func (w *watcher) header(text string, high bool) {
	name, value, ok := strings.Cut(text, ":")
	switch {
	case text == "":
		w.inHeader = false
		return
	case text[0] == ' ' || text[0] == '\t':
		if w.c.Header[w.field] != "" {
			w.c.Header[w.field] = evidence.Clip(w.c.Header[w.field]+" "+evidence.Printable(strings.TrimSpace(text)), 300)
		}
	case !ok || strings.ContainsAny(name, " \t"):
		w.c.NoHeader = w.c.NoHeader || w.first
		w.inHeader = false
		return
	default:
		w.field = textproto.CanonicalMIMEHeaderKey(name)
		w.seen[w.field]++
		if slices.Contains(watched, w.field) && w.seen[w.field] == 1 {
			w.c.Header[w.field] = evidence.Clip(evidence.Printable(decoded(strings.TrimSpace(value))), 300)
		}
	}
	w.c.RawField = w.c.RawField || high
	w.first = false
}

// decoded returns a field's value as people read it.
func decoded(s string) string {
	if d, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
		return d
	}
	return s
}

// content returns what was seen.
func (w *watcher) content() *Content {
	c := w.c
	for _, name := range once {
		if w.seen[name] > 1 {
			c.Doubled = append(c.Doubled, name)
		}
	}
	return &c
}
