package graph

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
)

// maxDepth bounds the nesting of parts that is followed.
const maxDepth = 20

// file is an attachment taken out of a message.
type file struct {
	name      string
	kind      string // media type
	contentID string // without angle brackets
	inline    bool
	content   []byte // decoded
}

// part is a piece of a message that may be taken out.
type part struct {
	from, to int // its place in the message, the line of its boundary included
	body     int // where its content begins
	end      int // where it ends
	header   message.Header
	only     bool // the message is nothing else
	stub     int  // > 0: the octets from the boundary's line that stay, with an empty text: the multipart would have no part else
}

// takeApart takes attachments out of a message, the biggest first, until no more
// than max octets are left. What is left is as it was, octet by octet. It reports
// false when that cannot be done: the big part is no attachment, or the message is
// signed or encrypted as a whole.
func takeApart(raw []byte, max int) (rest []byte, files []file, ok bool) {
	parts := removable(raw)
	slices.SortStableFunc(parts, func(a, b part) int { return (b.to - b.from) - (a.to - a.from) })
	left := len(raw)
	n := 0
	for ; n < len(parts) && left > max; n++ {
		left -= parts[n].to - parts[n].from
	}
	if left > max {
		return nil, nil, false
	}
	parts = parts[:n]
	slices.SortFunc(parts, func(a, b part) int { return a.from - b.from })
	at := 0
	for i := range parts {
		p := &parts[i]
		f, ok := p.file(raw)
		if !ok {
			return nil, nil, false
		}
		files = append(files, f)
		if p.only {
			return alone(raw[:p.body]), files, true
		}
		rest = append(rest, raw[at:p.from+p.stub]...)
		if p.stub > 0 {
			rest = append(rest, "Content-Type: text/plain; charset=us-ascii\r\n\r\n\r\n"...)
		}
		at = p.to
	}
	return append(rest, raw[at:]...), files, true
}

// alone returns a message without content from the header section of one that is
// an attachment and nothing else.
func alone(head []byte) []byte {
	h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return head
	}
	for _, f := range []string{"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-Id", "Content-Description"} {
		h.Del(f)
	}
	var b bytes.Buffer
	if textproto.WriteHeader(&b, h) != nil {
		return head
	}
	return b.Bytes()
}

// removable returns the attachments of a message.
func removable(raw []byte) []part {
	h, body := header(raw, 0, len(raw))
	kind, _, err := h.ContentType()
	if err != nil && h.Get("Content-Type") != "" {
		return nil
	}
	if whole(kind) {
		return nil
	}
	if !strings.HasPrefix(kind, "multipart/") {
		p := part{from: body, to: len(raw), body: body, end: len(raw), header: h, only: true}
		if p.attached(kind) {
			return []part{p}
		}
		return nil
	}
	return inside(raw, h, body, len(raw), 0)
}

// whole reports a media type that loses its meaning when a part is taken out.
func whole(kind string) bool {
	switch kind {
	case "multipart/signed", "multipart/encrypted", "multipart/report", "multipart/alternative", "application/pkcs7-mime", "application/x-pkcs7-mime":
		return true
	}
	return false
}

// header reads the header of a part and returns where its content begins.
func header(raw []byte, from, to int) (message.Header, int) {
	body := to
	for at := from; at < to; {
		n := bytes.IndexByte(raw[at:to], '\n') + 1
		if n == 0 {
			break
		}
		l := raw[at : at+n]
		at += n
		if len(bytes.TrimRight(l, "\r\n")) == 0 {
			body = at
			break
		}
	}
	h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw[from:body])))
	if err != nil {
		return message.Header{}, body
	}
	return message.Header{Header: h}, body
}

// inside returns the attachments of a multipart between from and to. RFC 2046 §5.1.
func inside(raw []byte, h message.Header, from, to, depth int) []part {
	_, params, err := h.ContentType()
	boundary := params["boundary"]
	if err != nil || boundary == "" || depth > maxDepth {
		return nil
	}
	var found []part
	start, inner := -1, 0 // of the part that is open: its boundary's line, its header
	stays := false        // a part is no attachment itself
	for at := from; at < to; {
		n := bytes.IndexByte(raw[at:to], '\n') + 1
		if n == 0 {
			n = to - at
		}
		l := strings.TrimRight(string(raw[at:at+min(n, len(boundary)+100)]), " \t\r\n")
		if rest, ok := strings.CutPrefix(l, "--"+boundary); ok && (rest == "" || rest == "--") {
			if start >= 0 {
				these := one(raw, start, inner, at, depth)
				stays = stays || len(these) != 1 || these[0].from != start
				found = append(found, these...)
			}
			start, inner = at, at+n
			if rest == "--" {
				if !stays && len(found) > 0 {
					found[0].stub = bytes.IndexByte(raw[found[0].from:], '\n') + 1
				}
				return found
			}
		}
		at += n
	}
	return nil // it has no end: whoever reads it may see other parts
}

// one returns the attachments that one part is or has in it.
func one(raw []byte, start, inner, next, depth int) []part {
	h, body := header(raw, inner, next)
	kind, _, err := h.ContentType()
	switch {
	case err != nil && h.Get("Content-Type") != "", whole(kind) && kind != "multipart/alternative":
		return nil
	case strings.HasPrefix(kind, "multipart/"):
		found := inside(raw, h, body, next, depth+1)
		if kind == "multipart/alternative" {
			// A form of the text must stay; what belongs to a form lies deeper.
			found = slices.DeleteFunc(found, func(p part) bool { return direct(raw, h, body, next, p) })
		}
		return found
	}
	end := next // the line end before a boundary is the boundary's
	if end > body && raw[end-1] == '\n' {
		if end--; end > body && raw[end-1] == '\r' {
			end--
		}
	}
	p := part{from: start, to: next, body: body, end: end, header: h}
	if p.attached(kind) {
		return []part{p}
	}
	return nil
}

// direct reports whether p is a part of this multipart itself.
func direct(raw []byte, h message.Header, from, to int, p part) bool {
	_, params, _ := h.ContentType()
	l, _, _ := bytes.Cut(raw[p.from:p.to], []byte("\n"))
	return from <= p.from && p.to <= to && string(bytes.TrimRight(l, " \t\r")) == "--"+params["boundary"]
}

// attached reports whether a part is an attachment, and no text of the message.
func (p *part) attached(kind string) bool {
	disposition, params, _ := p.header.ContentDisposition()
	_, more, _ := p.header.ContentType()
	named := params["filename"] != "" || more["name"] != ""
	return disposition == "attachment" || named || kind != "" && !strings.HasPrefix(kind, "text/")
}

// file returns the attachment with its content decoded.
func (p *part) file(raw []byte) (file, bool) {
	kind, params, _ := p.header.ContentType()
	f := file{kind: kind, contentID: strings.Trim(p.header.Get("Content-Id"), "<> \t")}
	disposition, _, _ := p.header.ContentDisposition()
	f.inline = f.contentID != "" && disposition != "attachment"
	a := mail.AttachmentHeader{Header: p.header}
	if f.name, _ = a.Filename(); f.name == "" {
		f.name = params["name"]
	}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	if f.name == "" {
		f.name = "attachment" + extension(f.kind)
	}
	var r io.Reader = bytes.NewReader(raw[p.body:p.end])
	switch strings.ToLower(strings.TrimSpace(p.header.Get("Content-Transfer-Encoding"))) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "", "7bit", "8bit", "binary":
	default:
		return f, false
	}
	b, err := io.ReadAll(r)
	f.content = b
	return f, err == nil
}

// extension returns the usual ending of a file of a media type.
func extension(kind string) string {
	if kind == "message/rfc822" {
		return ".eml"
	}
	if e, err := mime.ExtensionsByType(kind); err == nil && len(e) > 0 {
		return e[0]
	}
	return ""
}
