package explain

import (
	"bufio"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Bounds of what is read of a message.
const (
	maxDepth = 4         // parts within parts
	maxParts = 64        //
	maxHuman = 256 << 10 // octets of the words for people
)

// letter is a whole message, as saved to a file.
type letter struct {
	header mail.Header
	human  string // what it says to people, in UTF-8, without HTML
	parts  int
}

var aHeaderLine = regexp.MustCompile(`^(?:From [^\n]*\n)?(?:>?[A-Za-z][A-Za-z0-9-]*:[ \t][^\n]*\n(?:[ \t][^\n]*\n)*){2}`)

// readLetter reads text as a message; nil when it is none.
func readLetter(text string) *letter {
	text = strings.TrimLeft(text, "\ufeff\r\n")
	flat := strings.ReplaceAll(text[:min(len(text), 64<<10)], "\r\n", "\n")
	if !aHeaderLine.MatchString(flat) {
		return nil
	}
	head, _, _ := strings.Cut(flat, "\n\n")
	if low := "\n" + strings.ToLower(head); !strings.Contains(low, "\nsubject:") && !strings.Contains(low, "\nfrom:") || !strings.Contains(low, "\ncontent-type:") && !strings.Contains(low, "\nreceived:") &&
		!strings.Contains(low, "\nmessage-id:") && !strings.Contains(low, "\ndate:") {
		return nil
	}
	if strings.HasPrefix(text, "From ") {
		_, text, _ = strings.Cut(text, "\n")
	}
	m, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil
	}
	l := &letter{header: m.Header}
	l.part(textproto.MIMEHeader(m.Header), m.Body, 0)
	return l
}

// part reads one part and those within it. Plain text is preferred to HTML; the
// original message says nothing.
func (l *letter) part(h textproto.MIMEHeader, body io.Reader, depth int) {
	if l.parts++; l.parts > maxParts || depth > maxDepth {
		return
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	switch strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		parts := multipart.NewReader(body, params["boundary"])
		for {
			x, err := parts.NextRawPart()
			if err != nil {
				return
			}
			l.part(x.Header, x, depth+1)
		}
	case kind == "text/plain", kind == "text/html" && strings.TrimSpace(l.human) == "", kind == "message/delivery-status":
		if kind == "message/delivery-status" && strings.TrimSpace(l.human) != "" {
			return // package dsn reads it
		}
		b, _ := io.ReadAll(io.LimitReader(body, maxHuman)) // what can be read counts
		s := inCharset(string(b), params["charset"])
		if kind == "text/html" {
			s = withoutTags(s)
		}
		if len(l.human)+len(s) <= 2*maxHuman {
			l.human += s + "\n"
		}
	}
}

// inCharset returns s in UTF-8.
func inCharset(s, charset string) string {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
		return toUTF8(s)
	}
	e, err := htmlindex.Get(charset)
	if err != nil {
		return toUTF8(s)
	}
	out, err := e.NewDecoder().String(s)
	if err != nil {
		return toUTF8(s)
	}
	return out
}

var aFailureSubject = regexp.MustCompile(`(?i)undeliver|failure|failed|returned mail|delivery status|delivery notification|delay|unzustellbar|non remis|échec|no se puede|no entregad|não entreg|nao entreg|non recapit|niet bestelb|配信|未送达|退信|не достав|недоставл`)

// bounce reports whether a server wrote l about mail that it could not deliver.
func (l *letter) bounce() bool {
	from := strings.ToLower(l.header.Get("From") + l.header.Get("Return-Path"))
	subject := l.header.Get("Subject")
	if s, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		subject = s
	}
	robot := strings.Contains(from, "mailer-daemon") || strings.Contains(from, "postmaster") || strings.Contains(from, "microsoftexchange") || strings.Contains(from, "mail delivery") ||
		l.header.Get("X-Failed-Recipients") != "" || strings.TrimSpace(l.header.Get("Return-Path")) == "<>" || strings.HasPrefix(strings.ToLower(l.header.Get("Auto-Submitted")), "auto")
	return robot && (l.header.Get("X-Failed-Recipients") != "" || aFailureSubject.MatchString(subject)) || strings.Contains(from, "mailer-daemon")
}
