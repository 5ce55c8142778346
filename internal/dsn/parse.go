package dsn

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// maxDepth and maxParts bound the nesting and the number of parts that are looked
// into: a report within a forwarded message within a list's envelope is as deep as
// it gets.
const (
	maxDepth = 4
	maxParts = 64
)

// maxHuman bounds Report.Human, in octets.
const maxHuman = 64 << 10

// Parse reads a whole message that is, or holds, a notification in the form of RFC
// 3464 or 6533. Mistakes that other servers make are taken: missing fields, bare
// line feeds, status parts of the wrong type. It returns ErrNotReport when there is
// no status part, or one that tells of nobody. It reads at most MaxReport octets.
func Parse(r io.Reader) (*Report, error) {
	m, err := mail.ReadMessage(bufio.NewReader(io.LimitReader(r, MaxReport)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReport, err)
	}
	p := parser{r: &Report{}}
	h := textproto.MIMEHeader(m.Header)
	p.header(m.Header)
	p.part(h, m.Body, 0)
	if len(p.r.Recipients) == 0 {
		return nil, ErrNotReport
	}
	return p.r, nil
}

// ParseStatus reads the text of a status part alone, as it stands in logs and
// pasted bounces, with anything around it. It returns ErrNotReport when it finds
// no recipient with an action.
func ParseStatus(text string) (*Report, error) {
	r := &Report{}
	r.readStatus(text)
	kept := r.Recipients[:0]
	for _, x := range r.Recipients {
		if x.Action != "" || !x.Status.IsZero() {
			kept = append(kept, x)
		}
	}
	if r.Recipients = kept; len(kept) == 0 {
		return nil, ErrNotReport
	}
	r.Human = text[:min(len(text), maxHuman)]
	return r, nil
}

// parser is one Parse in progress.
type parser struct {
	r     *Report
	parts int
}

// header takes what the report's own header tells.
func (p *parser) header(h mail.Header) {
	p.r.MessageID = strings.Trim(oneLine(h.Get("Message-ID"), false), "<>")
	p.r.Date, _ = h.Date()
	if a, err := mail.ParseAddress(h.Get("From")); err == nil {
		p.r.From = smtp.Path(a.Address)
	}
	if a, err := mail.ParseAddress(h.Get("To")); err == nil {
		p.r.To = smtp.Path(a.Address)
	}
}

// part reads one part of the message and those within it.
func (p *parser) part(h textproto.MIMEHeader, body io.Reader, depth int) {
	if p.parts++; p.parts > maxParts || depth > maxDepth {
		return
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	body = decoded(h.Get("Content-Transfer-Encoding"), body)
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		parts := multipart.NewReader(body, params["boundary"])
		for {
			x, err := parts.NextRawPart()
			if err != nil {
				return
			}
			p.part(x.Header, x, depth+1)
		}
	case kind == "message/delivery-status", kind == "message/global-delivery-status":
		text, _ := io.ReadAll(body) // what can be read counts
		p.r.readStatus(string(text))
	case kind == "text/rfc822-headers", kind == "message/rfc822-headers", kind == "message/global-headers":
		text, _ := io.ReadAll(body)
		if p.r.Header == nil {
			p.r.Header = bytes.TrimRight(text, "\r\n")
		}
	case kind == "message/rfc822", kind == "message/global":
		text, _ := io.ReadAll(body)
		if len(p.r.Recipients) == 0 { // a report that was forwarded
			if m, err := mail.ReadMessage(bytes.NewReader(text)); err == nil {
				p.part(textproto.MIMEHeader(m.Header), m.Body, depth+1)
			}
			if len(p.r.Recipients) > 0 {
				return
			}
		}
		if p.r.Header == nil {
			p.r.original822(text)
		}
	case strings.HasPrefix(kind, "text/"):
		if len(p.r.Human) == 0 {
			text, _ := io.ReadAll(io.LimitReader(body, maxHuman))
			p.r.Human = strings.ToValidUTF8(string(text), "?")
		}
	}
}

// original822 takes the content from a message/rfc822 part.
func (r *Report) original822(text []byte) {
	for _, gap := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(text, []byte(gap)); i >= 0 {
			body := text[i+len(gap):]
			r.Header, r.Body, r.BodySize, r.ReturnFull = text[:i], bytes.NewReader(body), int64(len(body)), true
			return
		}
	}
	r.Header = bytes.TrimRight(text, "\r\n")
}

// decoded returns body without its transfer encoding.
func decoded(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}

// readStatus reads the fields of a status part: a group for the message and one
// for each recipient, parted by empty lines. A second Final-Recipient begins a
// group too: some servers leave the empty line out.
func (r *Report) readStatus(text string) {
	var x *Recipient
	seen := map[string]bool{}
	for _, f := range fields(text) {
		name := strings.ToLower(f.name)
		switch {
		case name == "": // an empty line
			x, seen = nil, map[string]bool{}
			continue
		case r.messageField(name, f.value):
			continue
		}
		if !recipientFields[name] {
			continue
		}
		if x == nil || seen[name] && (name == "final-recipient" || name == "original-recipient") {
			if len(r.Recipients) == maxRecipients {
				return
			}
			r.Recipients = append(r.Recipients, Recipient{})
			x, seen = &r.Recipients[len(r.Recipients)-1], map[string]bool{}
		}
		seen[name] = true
		x.set(name, f.value)
	}
	// A group without an address tells of nobody.
	kept := r.Recipients[:0]
	for _, x := range r.Recipients {
		if x.Final == "" {
			_, x.Final, _ = strings.Cut(x.Original, ";")
		}
		if x.Final != "" {
			kept = append(kept, x)
		}
	}
	r.Recipients = kept
}

// maxRecipients bounds the recipients of one report.
const maxRecipients = 10000

// recipientFields are the fields of a recipient's group. RFC 3464 §2.3.
var recipientFields = map[string]bool{
	"original-recipient": true, "final-recipient": true, "action": true, "status": true, "remote-mta": true,
	"diagnostic-code": true, "last-attempt-date": true, "will-retry-until": true, "x-wellsent-cause": true,
}

// messageField takes a field of the message's group, and reports whether it is
// one. RFC 3464 §2.2.
func (r *Report) messageField(name, value string) bool {
	switch name {
	case "reporting-mta":
		if r.ReportingMTA == "" {
			r.ReportingMTA = untyped(value)
		}
	case "original-envelope-id":
		r.EnvelopeID = value
	case "arrival-date":
		r.Arrival, _ = mail.ParseDate(value)
	case "x-wellsent-queue-id":
		r.QueueID = value
	default:
		return false
	}
	return true
}

// set takes a field of a recipient's group.
func (x *Recipient) set(name, value string) {
	switch name {
	case "original-recipient":
		kind, address, ok := strings.Cut(value, ";")
		if kind, address = strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(address); ok {
			if kind == "utf-8" {
				address = utf8Unescapes(address)
			}
			x.Original = kind + ";" + address
		}
	case "final-recipient":
		kind, _, _ := strings.Cut(value, ";")
		x.Final = strings.Trim(untyped(value), "<>")
		if strings.EqualFold(strings.TrimSpace(kind), "utf-8") {
			x.Final = utf8Unescapes(x.Final)
		}
	case "action":
		word, _, _ := strings.Cut(strings.ToLower(value), " ")
		x.Action = Action(word)
	case "status":
		word, _, _ := strings.Cut(value, " ")
		x.Status, _ = smtp.ParseEnhancedCode(word)
	case "remote-mta":
		x.RemoteMTA = untyped(value)
	case "diagnostic-code":
		x.Diagnostic = untyped(value)
	case "last-attempt-date":
		x.LastAttempt, _ = mail.ParseDate(value)
	case "will-retry-until":
		x.WillRetryUntil, _ = mail.ParseDate(value)
	case "x-wellsent-cause":
		x.CauseID = value
	}
}

// untyped returns what follows "type;".
func untyped(value string) string {
	kind, rest, ok := strings.Cut(value, ";")
	if !ok || strings.ContainsAny(strings.TrimSpace(kind), " \t") {
		return value
	}
	return strings.TrimSpace(rest)
}

// statusField is one field; an empty line has no name.
type statusField struct{ name, value string }

// fields splits text into unfolded fields. Lines that are no fields are passed
// over.
func fields(text string) []statusField {
	var out []statusField
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.TrimSpace(line) == "":
			out = append(out, statusField{})
		case line[0] == ' ' || line[0] == '\t':
			if n := len(out); n > 0 && out[n-1].name != "" && len(out[n-1].value) < maxText {
				out[n-1].value += " " + strings.TrimSpace(line)
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
				continue
			}
			out = append(out, statusField{name, oneLine(value, false)})
		}
	}
	return out
}
