package smtp

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of RFC 5321 §4.5.3.1, in octets.
const (
	maxLocal  = 64
	maxDomain = 255
	maxPath   = 254 // 256 with its angle brackets
)

var errNotASCII = errors.New("it has non-ASCII characters and SMTPUTF8 was not asked for")

// ValidPath returns why s is not a mailbox, or nil: a local part (dot-string or
// quoted string), "@", and a domain or an address literal. A local part alone is
// taken too: "postmaster" is one that each server knows. UTF-8 is taken only with utf8OK. RFC 5321 §4.1.2, 6531 §3.3.
func ValidPath(s string, utf8OK bool) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > maxPath:
		return errors.New("it is longer than 254 octets")
	case !utf8OK && !Path(s).IsASCII():
		return errNotASCII
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("it has a control character") // those of C1 are non-ASCII too
	}
	local, domain, ok := cutDomain(s)
	if !ok {
		return validLocal(s) // "postmaster", RFC 5321 §4.5.1, or another local name; whether it means anything is not a matter of syntax
	}
	if err := validLocal(local); err != nil {
		return err
	}
	if strings.HasPrefix(domain, "[") {
		return validLiteral(domain)
	}
	return ValidDomain(domain)
}

// cutDomain cuts s at the "@" that ends the local part.
func cutDomain(s string) (local, domain string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\':
				i++
			case s[i] == '"':
				if i+1 < len(s) && s[i+1] == '@' {
					return s[:i+1], s[i+2:], true
				}
				return s, "", false
			}
		}
		return s, "", false
	}
	return strings.Cut(s, "@")
}

func validLocal(s string) error {
	if s == "" {
		return errors.New("nothing stands before the @")
	}
	if len(s) > maxLocal {
		return errors.New("the part before the @ is longer than 64 octets")
	}
	if s[0] == '"' {
		return validQuoted(s)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if i == 0 || i == len(s)-1 || s[i-1] == '.' {
				return errors.New("a dot stands at the begin or end or twice")
			}
		case !atext(c):
			return errors.New("a character is not allowed before the @")
		}
	}
	return nil
}

// atext reports whether c may stand in a dot-string. RFC 5321 §4.1.2, 6531 §3.3.
func atext(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func validQuoted(s string) error {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return errors.New("the quotation mark is not closed")
	}
	in := s[1 : len(s)-1]
	for i := 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == '\\':
			i++
			if i == len(in) || in[i] < ' ' || in[i] >= 0x7f {
				return errors.New("a backslash quotes nothing")
			}
		case c == '"', c < ' ', c == 0x7f:
			return errors.New("a character is not allowed between the quotation marks")
		}
	}
	return nil
}

// ValidDomain returns why s is not a domain name, or nil. Underscores are taken:
// they are no host names, but mail for such domains exists.
func ValidDomain(s string) error {
	if s == "" {
		return errors.New("nothing stands after the @")
	}
	if len(s) > maxDomain {
		return errors.New("the domain is longer than 255 octets")
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("the domain is not well-formed")
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0x80) {
				return errors.New("the domain has a character that no domain has")
			}
		}
	}
	return nil
}

// validLiteral checks "[192.0.2.1]" and "[IPv6:2001:db8::1]". RFC 5321 §4.1.3.
func validLiteral(s string) error {
	in, ok := strings.CutSuffix(strings.TrimPrefix(s, "["), "]")
	if !ok {
		return errors.New("the address literal is not closed")
	}
	six := false
	if len(in) > 5 && strings.EqualFold(in[:5], "IPv6:") {
		six, in = true, in[5:]
	}
	a, err := netip.ParseAddr(in)
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return errors.New("the address literal is not an IP address")
	}
	return nil
}
