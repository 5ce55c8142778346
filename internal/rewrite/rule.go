package rewrite

import (
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// Rule says what is replaced by which mailbox.
type Rule struct {
	Mailbox  smtp.Path
	Aliases  []string // "ann@example.org", "*@example.org", "*": kept as they are
	Envelope bool     // the reverse-path is replaced
	From     bool     // From and Sender are
}

// ReversePath returns the reverse-path to use instead of from. The null one is
// replaced too: hosts that know one sender only refuse it.
func (r *Rule) ReversePath(from smtp.Path) smtp.Path {
	if !r.Envelope || r.owns(from) {
		return from
	}
	return r.Mailbox
}

// owns reports whether the mailbox may send as address. A sub-address such as
// relay+scan@example.org is another one here: a smart host that compares addresses
// compares them whole.
func (r *Rule) owns(address smtp.Path) bool {
	if address.IsNull() {
		return false
	}
	if same(r.Mailbox, address) {
		return true
	}
	for _, a := range r.Aliases {
		p := smtp.Path(a)
		if a == "*" || p.Local() == "*" && p.Domain() == address.Domain() || same(p, address) {
			return true
		}
	}
	return false
}

// same reports whether two addresses are one mailbox to those who compare them:
// large and small letters are the same.
func same(a, b smtp.Path) bool {
	return a.Domain() == b.Domain() && strings.EqualFold(a.Local(), b.Local())
}
