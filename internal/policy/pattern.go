package policy

import (
	"fmt"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// CheckPattern reports what is wrong with a pattern of addresses, or nil. The
// patterns are "*" (anything), "*@example.org" (a domain) and "ann@example.org".
func CheckPattern(p string) error {
	if p == "*" {
		return nil
	}
	// A star stands for a whole local part only, which any other letter shows to be
	// well-formed.
	address, all := strings.CutPrefix(p, "*@")
	if all {
		address = "x@" + address
	}
	if smtp.Path(address).Domain() == "" || strings.Contains(address, "*") || smtp.ValidPath(address, true) != nil {
		return fmt.Errorf("%q is not an address: write \"ann@example.org\", or \"*@example.org\" for all of a domain", p)
	}
	return nil
}

// owns reports whether one of patterns covers address.
func owns(patterns []string, address smtp.Path) bool {
	for _, p := range patterns {
		if covers(p, address) {
			return true
		}
	}
	return false
}

// covers reports whether pattern covers address. Domains are compared without
// regard to case. Local parts are too: RFC 5321 §2.4 lets a host tell them apart,
// but none does for its own users, and a person's own address in another case is
// not somebody else's.
//
// A sub-address belongs to its owner: "ann@example.org" covers
// "ann+lists@example.org". RFC 5233 §4.
func covers(pattern string, address smtp.Path) bool {
	if pattern == "*" {
		return true
	}
	p := smtp.Path(pattern)
	if p.Domain() == "" || p.Domain() != strings.TrimSuffix(address.Domain(), ".") {
		return false
	}
	want, got := strings.ToLower(p.Local()), strings.ToLower(address.Unquoted())
	if want == "*" || want == got {
		return true
	}
	base, _, tagged := strings.Cut(got, "+")
	return tagged && base == want
}
