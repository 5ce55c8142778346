package api

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/wellsent/wellsent/internal/smtp"
)

// Fields that hold what To and Cc said where that could not stay. Readers and
// other programs find it there.
const (
	originalTo = "X-Wellsent-Original-To"
	originalCc = "X-Wellsent-Original-Cc"
)

const changedNote = "To and Cc name people who are not recipients of this copy, and this interface delivers to everybody whom they name: " +
	"these were taken out and are kept in " + originalTo + " and " + originalCc

// addressTo returns a header section whose To, Cc and Bcc name the recipients
// given and nobody else. To and Cc stay as they are where they name recipients
// only; who is in neither is put into Bcc, which the service takes out. Fields of
// resent messages are no addresses to anybody any more; they are kept under
// another name. note says what a reader can see of the change, "" for nothing.
func addressTo(head []byte, recipients []smtp.Path) (out []byte, note string) {
	left := map[string]smtp.Path{} // by key; not yet named
	for _, r := range recipients {
		left[key(string(r))] = r
	}
	wanted := func(k string) bool {
		for _, r := range recipients {
			if key(string(r)) == k {
				return true
			}
		}
		return false
	}
	var b bytes.Buffer
	end := "\r\n"
	if i := bytes.IndexByte(head, '\n'); i == 0 || i > 0 && head[i-1] != '\r' {
		end = "\n"
	}
	had, shows := false, false                                    // To or Cc was there; one is left
	fields, rest := split(loneCR.ReplaceAll(head, []byte(" $1"))) // some take a lone CR for the end of a line
	for _, f := range fields {
		name, keepAs := strings.ToLower(f.name), ""
		switch name {
		case "to":
			keepAs = originalTo
		case "cc":
			keepAs = originalCc
		case "bcc", "resent-bcc":
			continue
		case "resent-to", "resent-cc", "resent-sender", "resent-from":
			b.WriteString("X-Wellsent-" + f.name + f.raw[len(f.name):])
			continue
		default:
			b.WriteString(f.raw)
			continue
		}
		had = true
		kept, others, plain := f.addresses(wanted)
		for _, a := range kept {
			delete(left, key(a.Address))
		}
		switch {
		case !others && plain:
			b.WriteString(f.raw)
			shows = true
			continue
		case len(kept) > 0:
			list := make([]string, len(kept))
			for i, a := range kept {
				list[i] = written(a)
			}
			writeList(&b, f.name, list, end)
			shows = true
		}
		if others {
			b.WriteString(keepAs + f.raw[len(f.name):])
			note = changedNote
		}
	}
	if had && !shows {
		b.WriteString("To: undisclosed-recipients:;" + end) // RFC 5322 §3.4, an empty group
	}
	var bcc []string
	for _, r := range recipients {
		if x, ok := left[key(string(r))]; ok && x == r {
			bcc = append(bcc, string(r))
		}
	}
	if len(bcc) > 0 {
		writeList(&b, "Bcc", bcc, end)
	}
	b.Write(rest)
	if len(rest) == 0 {
		b.WriteString(end) // a message without a body has no empty line either
	}
	return b.Bytes(), note
}

var loneCR = regexp.MustCompile(`\r([^\n])`)

// field is one header field.
type field struct {
	name string // as written, "" for a line that is none
	raw  string // all its lines, the name first
}

// split returns the fields of a header section, and the empty line that ends it.
func split(head []byte) (fields []field, rest []byte) {
	for len(head) > 0 {
		l := head
		if i := bytes.IndexByte(head, '\n'); i >= 0 {
			l = head[:i+1]
		}
		if string(l) == "\r\n" || string(l) == "\n" {
			return fields, head
		}
		head = head[len(l):]
		if n := len(fields); n > 0 && (l[0] == ' ' || l[0] == '\t') {
			fields[n-1].raw += string(l)
			continue
		}
		name, _, ok := bytes.Cut(l, []byte(":"))
		f := field{raw: string(l)}
		if ok {
			f.name = string(name)
			// "To : x" is obsolete syntax that some still read as To. RFC 5322 §4.5.
			if t := strings.TrimSpace(f.name); t != f.name {
				f.raw, f.name = t+f.raw[len(f.name):], t
			}
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// addresses returns the addresses of the field that are wanted, whether it names
// anybody else or cannot be read, and whether it may stay as it is written: what
// has comments, groups or escapes in it another reader might read otherwise.
func (f *field) addresses(wanted func(string) bool) (kept []*mail.Address, others, plain bool) {
	value := strings.Join(strings.Fields(f.raw[len(f.name)+1:]), " ")
	if value == "" {
		return nil, false, false
	}
	if strings.EqualFold(strings.ReplaceAll(value, " ", ""), "undisclosed-recipients:;") {
		return nil, false, true
	}
	list, err := (&mail.AddressParser{WordDecoder: words}).ParseList(strings.TrimRight(value, ", "))
	if err != nil {
		return nil, true, false
	}
	for _, a := range list {
		if wanted(key(a.Address)) {
			kept = append(kept, a)
		} else {
			others = true
		}
	}
	return kept, others, !strings.ContainsAny(value, `(:;\`)
}

// written returns an address as it stands in a field.
func written(a *mail.Address) string {
	if !utf8.ValidString(a.Name) {
		return (&mail.Address{Address: a.Address}).String() // in a charset that cannot be read here
	}
	return a.String()
}

// words leaves a name in an unknown charset as it is: the address is what counts.
var words = &mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}

// writeList writes a field of addresses, one a line.
func writeList(b *bytes.Buffer, name string, list []string, end string) {
	b.WriteString(name + ": " + strings.Join(list, ","+end+" ") + end)
}

// key returns an address as it is compared: domains without regard to case and
// with A-labels, local parts without regard to case too. Two people whose
// addresses differ by case alone are one to every service with such an interface.
func key(address string) string {
	local, domain := address, ""
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		local, domain = address[:i], address[i+1:]
	}
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = a
	}
	if n := len(local); n > 1 && local[0] == '"' && local[n-1] == '"' {
		local = strings.ReplaceAll(local[1:n-1], `\`, "")
	}
	return strings.ToLower(local + "@" + domain)
}
