package deliver

import (
	"bytes"
	"encoding/base64"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// The notes on messages that are sent as they are to a server that has not said
// that it takes 8-bit text. Most take it nevertheless.
const (
	noteNoMIME = "8-bit text without MIME-Version was sent as it is: its meaning is not known well enough to convert it"
	noteSigned = "8-bit text was sent as it is: converting it would break the signature"
)

// downgrade returns a message in 7-bit form, for a server that does not offer
// 8BITMIME: text parts become quoted-printable, others base64. A message that
// cannot be converted is returned as it is with a note why. RFC 6152 §3, 2045 §6.
func downgrade(msg []byte) (converted []byte, note string) {
	if !eightBit(msg) {
		return msg, ""
	}
	header, _ := splitEntity(msg)
	if fieldBody(header, "MIME-Version") == "" {
		return msg, noteNoMIME
	}
	if fieldBody(header, "DKIM-Signature") != "" {
		return msg, noteSigned
	}
	return convertEntity(msg)
}

func eightBit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// splitEntity splits an entity after the empty line that ends its header; the
// header keeps that line.
func splitEntity(e []byte) (header, body []byte) {
	if bytes.HasPrefix(e, []byte("\r\n")) {
		return e[:2], e[2:]
	}
	if i := bytes.Index(e, []byte("\r\n\r\n")); i >= 0 {
		return e[:i+4], e[i+4:]
	}
	return e, nil
}

// convertEntity converts one entity: a message, or a part of one.
func convertEntity(e []byte) (out []byte, note string) {
	header, body := splitEntity(e)
	if !eightBit(body) {
		return e, ""
	}
	kind, params, err := mime.ParseMediaType(fieldBody(header, "Content-Type"))
	if err != nil {
		kind = "text/plain" // RFC 2045 §5.2
	}
	encoding := strings.ToLower(fieldBody(header, "Content-Transfer-Encoding"))
	switch {
	case kind == "multipart/signed", kind == "multipart/encrypted":
		return e, noteSigned
	case strings.HasPrefix(kind, "multipart/") && params["boundary"] != "":
		body, note = convertParts(body, params["boundary"])
		return join(withEncoding(header, "7bit", false), body), note
	case kind == "message/rfc822", kind == "message/global":
		body, note = convertEntity(body)
		return join(withEncoding(header, "7bit", false), body), note
	case strings.HasPrefix(kind, "multipart/"), strings.HasPrefix(kind, "message/"):
		return e, noteNoMIME // no encoding but 7bit and 8bit is allowed for them
	case encoding == "quoted-printable", encoding == "base64":
		return e, noteNoMIME // it says that it is 7-bit and is not
	case strings.HasPrefix(kind, "text/"):
		return join(withEncoding(header, "quoted-printable", true), quoted(body)), ""
	}
	return join(withEncoding(header, "base64", true), inBase64(body)), ""
}

func join(header, body []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(body)), header...), body...)
}

// convertParts converts the parts of a multipart body. Preamble and epilogue,
// which nobody reads, lose their 8-bit characters.
func convertParts(body []byte, boundary string) (out []byte, note string) {
	mark := []byte("--" + boundary)
	part, inPart, ended := []byte(nil), false, false
	flush := func() {
		switch {
		case inPart:
			// The line end before the boundary belongs to the boundary. RFC 2046 §5.1.1.
			content, end := bytes.CutSuffix(part, []byte("\r\n"))
			converted, n := convertEntity(content)
			if n != "" {
				note = n
			}
			out = append(out, converted...)
			if end {
				out = append(out, '\r', '\n')
			}
		default:
			for _, c := range part {
				if c >= 0x80 {
					c = '?'
				}
				out = append(out, c)
			}
		}
		part = part[:0:0]
	}
	for line := range bytes.Lines(body) {
		rest, isMark := bytes.CutPrefix(line, mark)
		rest = bytes.TrimRight(rest, " \t\r\n")
		if !isMark || ended || len(rest) > 0 && !bytes.Equal(rest, []byte("--")) {
			part = append(part, line...)
			continue
		}
		flush()
		out = append(out, line...)
		ended = len(rest) > 0
		inPart = !ended
	}
	flush()
	return out, note
}

// quoted returns text in quoted-printable.
func quoted(b []byte) []byte {
	var out bytes.Buffer
	w := quotedprintable.NewWriter(&out)
	w.Write(b) // into memory: no errors
	w.Close()
	return out.Bytes()
}

// base64Line is how many octets make a line of 76 characters. RFC 2045 §6.8.
const base64Line = 57

func inBase64(b []byte) []byte {
	out := make([]byte, 0, len(b)*4/3+len(b)/base64Line*2+8)
	for len(b) > 0 {
		n := min(base64Line, len(b))
		out = base64.StdEncoding.AppendEncode(out, b[:n])
		out = append(out, '\r', '\n')
		b = b[n:]
	}
	return out
}

// fieldBody returns the body of the first field of that name, unfolded, "" when
// there is none.
func fieldBody(header []byte, name string) string {
	start, end := findField(header, name)
	if start < 0 {
		return ""
	}
	_, body, _ := strings.Cut(string(header[start:end]), ":")
	return strings.Join(strings.Fields(body), " ")
}

// findField returns where the first field of that name begins and ends, its
// folded lines included; -1 when there is none.
func findField(header []byte, name string) (start, end int) {
	start, at := -1, 0
	for line := range bytes.Lines(header) {
		folded := line[0] == ' ' || line[0] == '\t'
		if start >= 0 && !folded {
			return start, at
		}
		if start < 0 && !folded && len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			start = at
		}
		at += len(line)
	}
	return start, at
}

// withEncoding returns the header with that Content-Transfer-Encoding. One that is
// not there is added only where add is set: 7bit is what its absence means.
func withEncoding(header []byte, encoding string, add bool) []byte {
	const name = "Content-Transfer-Encoding"
	field := name + ": " + encoding + "\r\n"
	start, end := findField(header, name)
	if start < 0 {
		if !add {
			return header
		}
		start = len(header) // before the empty line
		if bytes.HasSuffix(header, []byte("\r\n\r\n")) || bytes.Equal(header, []byte("\r\n")) {
			start -= 2
		}
		end = start
	}
	out := append(make([]byte, 0, len(header)+len(field)), header[:start]...)
	out = append(out, field...)
	return append(out, header[end:]...)
}
