package policy

import (
	"net/mail"
	"strings"
	"unicode"

	"github.com/wellsent/wellsent/internal/smtp"
)

// Sender is who submits, as far as it decides what may be submitted.
type Sender struct {
	Account  string   // the account that logged in; "" for a host named by its address
	Patterns []string // what it may send as
}

// anything reports whether the sender may send as anybody: a pattern says so, or
// it is a host whose listener names no senders.
func (s Sender) anything() bool {
	if s.Account == "" && len(s.Patterns) == 0 {
		return true
	}
	for _, p := range s.Patterns {
		if p == "*" {
			return true
		}
	}
	return false
}

// Owns reports whether the sender may send as address.
func (s Sender) Owns(address smtp.Path) bool { return s.anything() || owns(s.Patterns, address) }

// ReversePath decides about the argument of MAIL. It returns nil when from may be
// used. RFC 6409 §6.1.
func ReversePath(s Sender, from smtp.Path) *smtp.Reply {
	switch {
	case from.IsNull():
		return nil
	case from.Domain() == "":
		return senderNeedsDomain(from)
	case s.Owns(from):
		return nil
	}
	return reversePathNotOwned(s, from)
}

// From decides about the From fields of a message, given as their bodies, unfolded.
// It returns nil when each address in them may be used. A message without From is
// not refused: it is given one. RFC 6409 §6.1.
func From(s Sender, fields []string) *smtp.Reply {
	if s.anything() {
		return nil
	}
	for _, f := range fields {
		addresses, ok := Mailboxes(f)
		if !ok {
			return fromNotUnderstood()
		}
		for _, a := range addresses {
			if !s.Owns(a) {
				return fromNotOwned(s, a)
			}
		}
	}
	return nil
}

// Mailboxes returns the addresses in the body of a From or Sender field. Where its
// grammar is broken, as by a comma in a name without quotes, every word with an @
// is taken for an address: a program that reads the field later may take any of
// them. ok is false when there is none.
func Mailboxes(field string) (addresses []smtp.Path, ok bool) {
	parser := mail.AddressParser{WordDecoder: &anyCharset}
	if list, err := parser.ParseList(field); err == nil {
		for _, a := range list {
			addresses = append(addresses, smtp.Path(a.Address))
		}
		return addresses, len(addresses) > 0
	}
	words := strings.FieldsFunc(field, func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune(" \t<>()[],;:\"", c) })
	for _, w := range words {
		for ; strings.Contains(w, "@"); w = w[:strings.LastIndexByte(w, '@')] { // of a@b@c some read a@b
			if p := smtp.Path(w); p.Domain() != "" && p.Local() != "" {
				addresses = append(addresses, p)
			}
		}
	}
	return addresses, len(addresses) > 0
}

// MaxHops is how many Received fields a message may have before it is taken to go
// in circles. RFC 5321 §6.3 asks for a large number, 100 or more, for servers that
// only count; a message that reaches a submission server has made few hops, and
// 50 is what other servers take.
const MaxHops = 50

// Hops decides about the number of Received fields. RFC 5321 §6.3.
func Hops(received int) *smtp.Reply {
	if received > MaxHops {
		return tooManyHops(received)
	}
	return nil
}

// MaxHeader is the size of a header section that is taken, in octets. Header
// sections grow to some 100 KiB by long lists of recipients and signatures; one
// that is larger is no header section.
const MaxHeader = 256 << 10

// Header decides about the size of a header section, in octets.
func Header(size int) *smtp.Reply {
	if size > MaxHeader {
		return headerTooLarge()
	}
	return nil
}
