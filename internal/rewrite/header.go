package rewrite

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Header returns the header section as the mailbox may send it, and whether
// anything in it is another now. notification says that the message has a null
// reverse-path. section is not changed. It may begin with fields that were put
// before a message, and end in its empty line or without it.
func (r *Rule) Header(section []byte, notification bool) (out []byte, changed bool) {
	if !r.From {
		return section, false
	}
	fields, rest := split(section)
	var from, sender []string
	replyTo := false
	for i := range fields {
		switch f := &fields[i]; {
		case f.is("From"):
			from = append(from, f.unfolded())
		case f.is("Sender"):
			sender = append(sender, f.unfolded())
		case f.is("Reply-To"):
			replyTo = replyTo || f.unfolded() != ""
		}
	}
	keepFrom := len(from) == 1 && r.ownsAll(from)
	keepSender := keepFrom && (len(sender) == 0 || len(sender) == 1 && r.ownsAll(sender))
	if keepFrom && keepSender {
		return section, false
	}
	var b bytes.Buffer
	b.Grow(len(section) + 512)
	done := false // the new field is written
	for i := range fields {
		f := &fields[i]
		switch {
		case f.is("From") && !keepFrom:
			if !done {
				r.writeFrom(&b, fields, from, replyTo || notification)
				done = true
			}
		case f.is("Sender") && !keepFrom:
		case f.is("Sender") && !keepSender:
			if !done {
				b.WriteString("Sender: <" + string(r.Mailbox) + ">\r\n")
				done = true
			}
		case !keepFrom && (f.is("DKIM-Signature") || f.is("DomainKey-Signature")):
		case !keepFrom && f.is("Reply-To") && f.unfolded() == "":
		default:
			b.Write(f.raw)
		}
	}
	if !keepFrom && !done { // there was none
		if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
			b.WriteString("\r\n")
		}
		b.WriteString("From: <" + string(r.Mailbox) + ">\r\n")
	}
	if len(rest) > 0 && len(fields) == 0 && rest[0] != '\r' && rest[0] != '\n' {
		b.WriteString("\r\n") // no header section at all: what is there is the text
	}
	b.Write(rest)
	return b.Bytes(), true
}

// ownsAll reports whether the mailbox may send as every address in these bodies.
// What cannot be read it may not.
func (r *Rule) ownsAll(bodies []string) bool {
	for _, body := range bodies {
		addresses, ok := policy.Mailboxes(body)
		if !ok {
			return false
		}
		for _, a := range addresses {
			if !r.owns(a) {
				return false
			}
		}
	}
	return true
}

// writeFrom writes the From field of the mailbox for those who are in the bodies
// from, and their Reply-To unless there is one or none is wanted.
func (r *Rule) writeFrom(b *bytes.Buffer, fields []field, from []string, noReplyTo bool) {
	b.WriteString("From: ")
	writePhrase(b, len("From: "), shownNames(from), len(r.Mailbox)+len(" <>"))
	b.WriteString("<" + string(r.Mailbox) + ">\r\n")
	if noReplyTo {
		return
	}
	if len(from) == 1 && readable(from[0]) {
		// As it came, with its folds and its encoding: it is well-formed.
		for i := range fields {
			if f := &fields[i]; f.is("From") {
				b.WriteString("Reply-To:")
				b.Write(f.body)
				if !bytes.HasSuffix(f.body, []byte("\n")) {
					b.WriteString("\r\n")
				}
				return
			}
		}
	}
	var addresses []string
	seen := map[string]bool{}
	for _, body := range from {
		found, _ := policy.Mailboxes(body)
		for _, a := range found {
			if key := strings.ToLower(string(a)); answerable(a) && !seen[key] {
				seen[key] = true
				addresses = append(addresses, "<"+string(a)+">")
			}
		}
	}
	if len(addresses) > 0 {
		b.WriteString("Reply-To: " + strings.Join(addresses, ",\r\n ") + "\r\n")
	}
}

// readable reports whether a From body is well-formed and every address in it one
// that can be answered.
func readable(body string) bool {
	parser := mail.AddressParser{WordDecoder: words}
	list, err := parser.ParseList(body)
	if err != nil || len(list) == 0 {
		return false
	}
	for _, a := range list {
		if !answerable(smtp.Path(a.Address)) {
			return false
		}
	}
	return true
}

func answerable(a smtp.Path) bool {
	return a.Domain() != "" && smtp.ValidPath(string(a), true) == nil
}

// words reads encoded words in the character sets that mail is written in. RFC
// 2047.
var words = &mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return e.NewDecoder().Reader(in), nil
}}

// maxShown bounds the display name, in octets before encoding: enough for a person
// and an address, and a line that fits.
const maxShown = 240

// shownNames returns how people see who is in the bodies of From: "Ann (ann@lan),
// Bob (bob@lan)".
func shownNames(bodies []string) string {
	var names []string
	for _, body := range bodies {
		parser := mail.AddressParser{WordDecoder: words}
		list, err := parser.ParseList(body)
		if err != nil {
			names = append(names, plain(body))
			continue
		}
		for _, a := range list {
			name := strings.TrimSpace(plain(a.Name))
			switch {
			case name == "":
				name = a.Address
			case !strings.EqualFold(name, a.Address):
				name += " (" + a.Address + ")"
			}
			names = append(names, name)
		}
	}
	text := ""
	for i, n := range names {
		if i > 0 && len(text)+len(n) > maxShown {
			return text + " and others"
		}
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return clip(text, 2*maxShown)
}

// clip cuts text between letters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// plain returns text as UTF-8 without control characters. Octets that are no UTF-8
// are taken for Latin-1, which old devices write.
func plain(text string) string {
	if decoded, err := words.DecodeHeader(text); err == nil {
		text = decoded
	}
	if strings.ToValidUTF8(text, "") != text {
		runes := make([]rune, 0, len(text))
		for _, c := range []byte(text) {
			runes = append(runes, rune(c))
		}
		text = string(runes)
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return ' '
		case c < ' ', c == 0x7f, c >= 0x80 && c < 0xa0:
			return -1
		}
		return c
	}, text)
}
