package smtp

import (
	"strings"
	"testing"
)

func TestValidPath(t *testing.T) {
	long := strings.Repeat("x", 63)
	for s, ok := range map[string]bool{
		"ann@example.org":                          true,
		"a.b+c_d=e!#$%&'*/?^`{|}~@example.org":     true,
		"ann@localhost":                            true,
		"ann@a-b.example":                          true,
		"ann@_spf.example":                         true,
		"postmaster":                               true,
		"Postmaster":                               true,
		"root":                                     true,
		`"a b"@example.org`:                        true,
		`"a\"b\\"@example.org`:                     true,
		`"a@b"@example.org`:                        true,
		`""@example.org`:                           true,
		"ann@[192.0.2.1]":                          true,
		"ann@[IPv6:2001:db8::1]":                   true,
		"ann@[ipv6:::ffff:192.0.2.1]":              true,
		strings.Repeat("x", 64) + "@example.org":   true,
		"x@" + long + "." + long + "." + long:      true,
		"":                                         false,
		"@":                                        false,
		"@example.org":                             false,
		"ann@":                                     false,
		"ann@example..org":                         false,
		"ann@example.org.":                         false,
		"ann@.example.org":                         false,
		"ann@-example.org":                         false,
		"ann@example-.org":                         false,
		"ann@exa mple.org":                         false,
		"ann@" + long + "x.org":                    false,
		".ann@example.org":                         false,
		"ann.@example.org":                         false,
		"a..n@example.org":                         false,
		"a n@example.org":                          false,
		"a@b@example.org":                          false,
		"a,b@example.org":                          false,
		"a<b@example.org":                          false,
		"a(b)@example.org":                         false,
		`"a@example.org`:                           false,
		`"a"b@example.org`:                         false,
		`"a\"@example.org`:                         false,
		`a"b"@example.org`:                         false,
		"\"a\x01b\"@example.org":                   false,
		"ann@[192.0.2.256]":                        false,
		"ann@[192.0.2.1":                           false,
		"ann@[2001:db8::1]":                        false,
		"ann@[IPv6:192.0.2.1]":                     false,
		"ann@[IPv6:fe80::1%eth0]":                  false,
		"ann\r\n@example.org":                      false,
		strings.Repeat("x", 65) + "@example.org":   false,
		"x@" + strings.Repeat(long+".", 4) + "org": false,
	} {
		if err := ValidPath(s, false); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestValidPath_UTF8OnlyWhereAsked(t *testing.T) {
	for s, ok := range map[string]bool{
		"änn@example.org":      true,
		"ann@exämple.org":      true,
		"用户@例子.广告":             true,
		"\xff@example.org":     false,
		"a\u0085b@example.org": false, // a control character of C1
	} {
		if err := ValidPath(s, true); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
		if err := ValidPath(s, false); err == nil {
			t.Errorf("%q passes without SMTPUTF8", s)
		}
	}
}

func FuzzValidPath(f *testing.F) {
	for _, s := range []string{"ann@example.org", `"a\"b"@[IPv6:::1]`, "ä@ö", "postmaster"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, utf8OK bool) {
		if ValidPath(s, utf8OK) != nil {
			return
		}
		if strings.ContainsAny(s, "\r\n\x00") || len(s) > 254 || !utf8OK && !Path(s).IsASCII() {
			t.Fatalf("%q passes", s)
		}
		// A valid path survives the angle brackets.
		path, _, err := ParseRcpt("TO:"+Path(s).String(), utf8OK)
		if err != nil || path != Path(s) {
			t.Fatalf("%q: %q, %v", s, path, err)
		}
	})
}
