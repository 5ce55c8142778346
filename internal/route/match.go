package route

import (
	"strings"

	"golang.org/x/net/idna"

	"github.com/wellsent/wellsent/internal/smtp"
)

// matches reports whether pattern p covers rcpt:
//
//   - everybody
//     example.org      the domain
//     *@example.org    the domain
//     *.example.org    every domain below it, not itself
//     ann@example.org  one address; RFC 5321 §2.4 lets a host tell Ann from ann, but
//     for choosing a way both are the same person, and "ann"@example.org is too
//
// The empty pattern covers nobody.
func matches(p string, rcpt smtp.Path) bool {
	if p == "*" {
		return true
	}
	if strings.IndexByte(p, '@') < 0 {
		return matchesDomain(p, rcpt.Domain())
	}
	pattern := smtp.Path(p)
	if l := pattern.Local(); l != "*" && !strings.EqualFold(l, rcpt.Unquoted()) {
		return false
	}
	return matchesDomain(pattern.Domain(), rcpt.Domain())
}

// matchesAny reports whether one of patterns covers address.
func matchesAny(patterns []string, address smtp.Path) bool {
	for _, p := range patterns {
		if matches(p, address) {
			return true
		}
	}
	return false
}

// matchesDomain compares a domain pattern with a domain in lower case.
func matchesDomain(p, domain string) bool {
	if p == "" || domain == "" {
		return false
	}
	domain = canonical(domain)
	if rest, ok := strings.CutPrefix(p, "*."); ok {
		return strings.HasSuffix(domain, "."+canonical(rest))
	}
	return canonical(p) == domain
}

// canonical returns domain in lower case, with A-labels and without a final dot.
// What is no domain name is returned in lower case.
func canonical(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if smtp.Path(domain).IsASCII() {
		return domain
	}
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return domain
}
