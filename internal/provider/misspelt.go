package provider

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// maxSlips is the largest distance at which one name is a slip for another.
const maxSlips = 2

// nearNames are the names that somebody may have meant, in the order of
// preference.
type nearNames []nearName

type nearName struct {
	name   string
	prefix string // the first label of a host's name with three or more, else ""
	rest   string // the name without it
}

// nearNames collects the hosts and domains worth proposing. Facts of low
// confidence and domains that exist to be pretty are none.
func (d *database) nearNames() nearNames {
	var names nearNames
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] && strings.Contains(name, ".") && !strings.ContainsAny(name, "*") && !strings.HasPrefix(name, "127.") {
			seen[name] = true
			names = append(names, split(name))
		}
	}
	for _, p := range d.providers {
		if p.Confidence == Low {
			continue
		}
		for _, name := range p.Domains {
			add(name)
		}
		for _, s := range p.Submission {
			add(s.Host)
		}
		for _, s := range p.Incoming {
			add(s.Host)
		}
		for _, name := range p.Aliases {
			add(name)
		}
	}
	return names
}

// split cuts the first label off a name that is longer than a registered domain.
func split(name string) nearName {
	if registered, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil && registered != name {
		if prefix, rest, ok := strings.Cut(name, "."); ok {
			return nearName{name: name, prefix: prefix, rest: rest}
		}
	}
	return nearName{name: name, rest: name}
}

// Misspelt returns the known host or mail domain that name is a slip for: one at
// a Damerau-Levenshtein distance of at most 2. Short names are all near to each
// other, so that they must agree more: a domain of three letters is never a slip
// for another, one of four or five may have one. A name that is known itself, in
// whatever role, is no slip. The answer is a guess, to be shown and never used
// unasked: the name may well be somebody's own.
func Misspelt(name string) (candidate string, ok bool) {
	name = clean(name)
	if name == "" || len(name) > 253 || !strings.Contains(name, ".") || Known(name) {
		return "", false
	}
	own := split(name)
	best := maxSlips + 1
	for _, n := range data().near {
		if slips := own.slipsFor(n); slips < best {
			candidate, best = n.name, slips
		}
	}
	return candidate, best <= maxSlips
}

// Known reports whether a name is a host or mail domain of a provider, or was.
func Known(name string) bool {
	name = clean(name)
	if _, ok := ByDomain(name); ok {
		return true
	}
	if _, ok := ByRetired(name); ok {
		return true
	}
	if _, ok := ByClosed(name); ok {
		return true
	}
	return len(ByHost(name)) > 0
}

// slipsFor returns the distance of n to a known name, more than maxSlips when it
// cannot be a slip for it.
func (n nearName) slipsFor(known nearName) int {
	const no = maxSlips + 1
	if d := len(n.name) - len(known.name); d > maxSlips || d < -maxSlips {
		return no
	}
	if n.rest == known.rest { // the slip is in smtp, imap, mail
		if len(known.prefix) < 4 || n.prefix == "" {
			return no
		}
		return distance(n.prefix, known.prefix)
	}
	// mail.example.net and smtp.example.com are not slips for each other even
	// where four letters would do; the labels before agree, or nearly.
	if (n.prefix == "") != (known.prefix == "") {
		if strings.ReplaceAll(n.name, ".", "") == strings.ReplaceAll(known.name, ".", "") {
			return 1 // smtpgmail.com
		}
		return no
	}
	slips := distance(n.name, known.name)
	if slips > allowance(n.rest, known.rest) {
		return no
	}
	return slips
}

// allowance returns how many slips may lie between two names, by the length of the
// shorter of their registered labels: "gmail" of gmail.com, "yahoo" of
// mail.yahoo.co.uk.
func allowance(a, b string) int {
	labelA, suffixA := registered(a)
	labelB, suffixB := registered(b)
	n := min(len(labelA), len(labelB))
	switch {
	case suffixA != suffixB && labelA == labelB && len(suffixA) == 2 && len(suffixB) == 2:
		return 0 // two countries' domains of one name are two domains: yahoo.be, yahoo.de
	case n <= 3, n == 4 && suffixA != suffixB, n <= 5 && labelA[0] != labelB[0]:
		return 0 // gmail.de is not email.de
	case n <= 5, labelA == labelB:
		return 1 // gmail.con; but runbox.no is not runbox.com
	}
	return maxSlips
}

// registered returns the label that a name is registered under and its suffix.
func registered(name string) (label, suffix string) {
	suffix, _ = publicsuffix.PublicSuffix(name)
	label = strings.TrimSuffix(strings.TrimSuffix(name, suffix), ".")
	return label[strings.LastIndexByte(label, '.')+1:], suffix
}

// distance is the number of octets to add, remove, change or swap with the next to
// make b of a (Damerau-Levenshtein, no octet touched twice).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := slices.Clone(row)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
