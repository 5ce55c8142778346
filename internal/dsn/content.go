package dsn

import (
	"bytes"
	"fmt"
	"io"
)

// content returns the part with the content. The whole of it is returned only of
// a failure, when it was asked for and is short enough. RFC 3461 §4.3, §6.2.
func (r *Report) content() (part, error) {
	head := bytes.TrimRight(r.Header, "\r\n")
	head = append(bytes.Clone(head[:len(head):len(head)]), "\r\n"...)
	if r.ReturnFull && r.failed() && r.Body != nil && len(head) < MaxContent {
		rest, err := io.ReadAll(io.LimitReader(r.Body, int64(MaxContent-len(head))))
		if err != nil {
			return part{}, fmt.Errorf("read the content: %w", err)
		}
		whole := append(append(bytes.Clone(head), "\r\n"...), rest...)
		if len(whole) <= MaxContent && transportable(whole) {
			return r.whole(head, whole), nil
		}
	}
	return r.headerOnly(head), nil
}

// whole returns the content in full. It may not be encoded: RFC 2046 §5.2.1 allows
// 7bit and 8bit only.
func (r *Report) whole(head, whole []byte) part {
	p := part{contentType: "message/rfc822", description: "Your message", body: whole}
	if !isASCII(head) && r.UTF8 {
		p.contentType = "message/global" // RFC 6532 §3.7
	}
	if !isASCII(whole) {
		p.encoding = "8bit"
	}
	return p
}

// headerOnly returns the header section, whole fields up to MaxContent octets.
func (r *Report) headerOnly(head []byte) part {
	if len(head) > MaxContent {
		head = head[:MaxContent]
		head = head[:bytes.LastIndexByte(head, '\n')+1]
	}
	p := part{contentType: "text/rfc822-headers", description: "Header of your message", body: head}
	switch {
	case transportable(head) && isASCII(head):
	case transportable(head) && r.UTF8 && r.global():
		p.contentType, p.encoding = "message/global-headers", "8bit" // RFC 6533 §6
	default:
		p.contentType, p.encoding = "text/rfc822-headers; charset=utf-8", "quoted-printable"
		p.body = []byte(quotedPrintable(string(head)))
	}
	return p
}

// transportable reports whether b can be sent as it is: lines end in CRLF and are
// short enough, and there is no NUL. RFC 5321 §4.5.3.1.6, 5322 §2.1.1.
func transportable(b []byte) bool {
	width := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0, c == '\n', c == '\r' && (i+1 == len(b) || b[i+1] != '\n'):
			return false
		case c == '\r':
			i++
			width = 0
		default:
			if width++; width > maxLine {
				return false
			}
		}
	}
	return true
}
