package dsn

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// dateLayout is the form of a date in header fields. RFC 5322 §3.3.
const dateLayout = "Mon, 2 Jan 2006 15:04:05 -0700"

// part is one part of the report.
type part struct {
	contentType string
	description string // Content-Description; RFC 2183 names no other place for a title
	encoding    string // Content-Transfer-Encoding; "" is 7bit
	body        []byte // with CRLF line ends
}

// Compose returns the whole notification, header section included, with CRLF line
// ends. It is to be sent with the null reverse-path; it has octets beyond ASCII
// only where it returns content that has them, or where To has them and it must go
// by SMTPUTF8 itself. RFC 3461 §6, 3464, 6522, 6533.
func Compose(r *Report) ([]byte, error) {
	switch {
	case len(r.Recipients) == 0:
		return nil, errors.New("compose a notification: it is about nobody")
	case r.ReportingMTA == "":
		return nil, errors.New("compose a notification: the reporting host has no name")
	}
	returned, err := r.content()
	if err != nil {
		return nil, fmt.Errorf("compose a notification: %w", err)
	}
	parts := []part{r.human(returned), r.status(), returned}
	boundary := boundaryOf(r, parts)
	b := r.header(boundary)
	b = append(b, "This is a message in parts, a notification about a message you sent.\r\n"...)
	for _, p := range parts {
		b = append(append(append(b, "\r\n--"...), boundary...), "\r\n"...)
		b = appendField(b, "Content-Description", p.description)
		b = appendField(b, "Content-Type", p.contentType)
		b = appendField(b, "Content-Transfer-Encoding", p.encoding)
		b = append(append(b, "\r\n"...), p.body...)
	}
	return append(append(append(b, "\r\n--"...), boundary...), "--\r\n"...), nil
}

// global reports whether the report goes by SMTPUTF8 itself. RFC 6533 §4 allows
// its types only there.
func (r *Report) global() bool { return !r.To.IsASCII() }

// header returns the report's header section and the empty line.
func (r *Report) header(boundary string) []byte {
	date := r.Date
	if date.IsZero() {
		date = time.Now()
	}
	var b []byte
	b = appendField(b, "From", "Mail Delivery System <"+r.address(string(r.From))+">")
	b = appendField(b, "To", "<"+r.address(string(r.To))+">")
	b = appendField(b, "Subject", r.subject())
	b = appendField(b, "Date", date.Format(dateLayout))
	if id := oneLine(r.MessageID, true); id != "" {
		b = appendField(b, "Message-ID", "<"+strings.Trim(id, "<>")+">")
	}
	if id := r.originalMessageID(); id != "" {
		b = appendField(b, "In-Reply-To", id)
		b = appendField(b, "References", id)
	}
	b = appendField(b, "Auto-Submitted", "auto-replied") // RFC 3834 §5
	b = appendField(b, "MIME-Version", "1.0")
	return append(b, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\""+boundary+"\"\r\n\r\n"...)
}

// address returns an address as it may stand in a field of the report.
func (r *Report) address(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '<' || c == '>' {
			return -1
		}
		return c
	}, oneLine(s, !r.global()))
}

// subject says what became of the message, in one line.
func (r *Report) subject() string {
	var what string
	switch a, same := r.commonAction(); {
	case !same:
		what = "What became of your message"
	case a == Failed:
		what = "Not delivered: your message"
	case a == Delayed:
		what = "Delayed: your message"
	case a == Delivered, a == Expanded:
		what = "Delivered: your message"
	default:
		what = "Handed on: your message"
	}
	if len(r.Recipients) > 1 {
		return fmt.Sprintf("%s to %d recipients", what, len(r.Recipients))
	}
	to := oneLine(r.Recipients[0].Final, !r.global())
	if len(to) > 200 || strings.ContainsRune(to, '?') && !isASCII(r.Recipients[0].Final) {
		return what
	}
	return what + " to " + to
}

// commonAction returns the action of the first recipient and whether it is that
// of all.
func (r *Report) commonAction() (Action, bool) {
	a := r.Recipients[0].Action
	for i := range r.Recipients {
		if r.Recipients[i].Action != a {
			return a, false
		}
	}
	return a, true
}

// original returns the original's header fields as far as they can be read.
func (r *Report) original() mail.Header {
	m, err := mail.ReadMessage(bytes.NewReader(append(bytes.Clone(r.Header), "\r\n\r\n"...)))
	if err != nil {
		return mail.Header{}
	}
	return m.Header
}

// originalMessageID returns the original's Message-ID in angle brackets, or "".
func (r *Report) originalMessageID() string {
	id := oneLine(r.original().Get("Message-ID"), !r.global())
	if len(id) < 3 || len(id) > 500 || id[0] != '<' || id[len(id)-1] != '>' || strings.ContainsAny(id[1:len(id)-1], "<> \t") {
		return ""
	}
	return id
}

// boundaryOf returns a boundary that stands in none of the parts. It is the same
// for the same report.
func boundaryOf(r *Report, parts []part) string {
	for n := 0; ; n++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", r.MessageID, r.QueueID, n))
		boundary := "=_" + hex.EncodeToString(sum[:12])
		free := true
		for _, p := range parts {
			free = free && !bytes.Contains(p.body, []byte(boundary))
		}
		if free {
			return boundary
		}
	}
}
