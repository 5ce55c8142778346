package route

import (
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// Question is what decides the route of one recipient of a message.
type Question struct {
	Recipient smtp.Path
	Sender    smtp.Path // the reverse-path; null for notifications
	Account   string    // the account that handed it in; "" for none
	Listener  string    // the listener it came in by, as configured; "" for notifications
	Device    string    // the name of the device it comes from; "" for none
}

// Match is what a message must be for a route to take it, beside its recipient. An
// empty list asks for nothing.
type Match struct {
	Senders   []string // patterns of the reverse-path, as those of recipients; "<>" is the null one
	Accounts  []string // names of accounts; "*": anybody who has logged in
	Listeners []string // addresses as configured
	Devices   []string // names of devices; "*": any
}

// IsZero reports whether m asks for nothing.
func (m *Match) IsZero() bool {
	return len(m.Senders) == 0 && len(m.Accounts) == 0 && len(m.Listeners) == 0 && len(m.Devices) == 0
}

func (m *Match) fits(q Question) bool {
	return (len(m.Senders) == 0 || matchesSender(m.Senders, q.Sender)) &&
		(len(m.Accounts) == 0 || named(m.Accounts, q.Account)) &&
		(len(m.Listeners) == 0 || named(m.Listeners, q.Listener)) &&
		(len(m.Devices) == 0 || named(m.Devices, q.Device))
}

// matchesSender reports whether one of patterns covers the reverse-path. "*" covers
// the null one as well.
func matchesSender(patterns []string, sender smtp.Path) bool {
	for _, p := range patterns {
		if p == "<>" && sender.IsNull() || matches(p, sender) {
			return true
		}
	}
	return false
}

// named reports whether name is one of names; large and small letters are the
// same, as they are for accounts, and in the same way: Unicode's folding takes some
// names for one that auth.Canonical tells apart.
func named(names []string, name string) bool {
	lower := strings.ToLower(name)
	for _, n := range names {
		if name != "" && (n == "*" || strings.ToLower(n) == lower) {
			return true
		}
	}
	return false
}

// Covers reports whether r takes all that later would take, so that later is never
// asked. It knows the patterns by their form only: two patterns that together take
// in a third are not seen.
func (r *Route) Covers(later *Route) bool {
	return covers(r.Recipients, later.Recipients, coversPattern) && len(later.Recipients) > 0 &&
		coversList(r.Match.Senders, later.Match.Senders, coversPattern) &&
		coversList(r.Match.Accounts, later.Match.Accounts, coversName) &&
		coversList(r.Match.Listeners, later.Match.Listeners, coversName) &&
		coversList(r.Match.Devices, later.Match.Devices, coversName)
}

// coversList is covers for lists that ask for nothing when they are empty.
func coversList(a, b []string, one func(a, b string) bool) bool {
	return len(a) == 0 || len(b) > 0 && covers(a, b, one)
}

// covers reports whether each of b is covered by one of a.
func covers(a, b []string, one func(a, b string) bool) bool {
	for _, y := range b {
		found := false
		for _, x := range a {
			found = found || one(x, y)
		}
		if !found {
			return false
		}
	}
	return true
}

func coversName(a, b string) bool { return a == "*" || strings.EqualFold(a, b) }

// coversPattern reports whether pattern a takes in all that b does.
func coversPattern(a, b string) bool {
	switch {
	case a == "*" || a == b:
		return true
	case b == "*" || b == "" || a == "":
		return false
	case strings.HasPrefix(b, "*.") && !strings.Contains(b, "@"):
		return strings.HasPrefix(a, "*.") && !strings.Contains(a, "@") &&
			(canonical(b[2:]) == canonical(a[2:]) || strings.HasSuffix(canonical(b[2:]), "."+canonical(a[2:])))
	case !strings.Contains(b, "@"):
		b = "*@" + b
	}
	// A star stands for a local part that no pattern names.
	return matches(a, smtp.Path(b))
}
