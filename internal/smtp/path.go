package smtp

import "strings"

// Path is a reverse-path or forward-path without its angle brackets and without
// a source route, such as "ann@example.org". The local part may be a quoted
// string. The empty Path is the null reverse-path "<>". RFC 5321 §4.1.2.
type Path string

// NullPath is the reverse-path of notifications: "<>". RFC 5321 §4.5.5.
const NullPath Path = ""

// IsNull reports whether p is the null reverse-path.
func (p Path) IsNull() bool { return p == "" }

// Local returns the local part as written, quotes included.
func (p Path) Local() string {
	if i := strings.LastIndexByte(string(p), '@'); i >= 0 {
		return string(p[:i])
	}
	return string(p)
}

// Unquoted returns the local part that a quoted string stands for, so that
// "ann"@example.org is ann@example.org for whoever compares. RFC 5321 §4.1.2.
func (p Path) Unquoted() string {
	local := p.Local()
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	in := local[1 : len(local)-1]
	if !strings.Contains(in, `\`) {
		return in
	}
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] == '\\' && i+1 < len(in) {
			i++
		}
		b.WriteByte(in[i])
	}
	return b.String()
}

// Domain returns the domain in lower case, or "" when there is none
// (the null path and <postmaster>).
func (p Path) Domain() string {
	if i := strings.LastIndexByte(string(p), '@'); i >= 0 {
		return strings.ToLower(string(p[i+1:]))
	}
	return ""
}

// IsASCII reports whether p can be sent without SMTPUTF8. RFC 6531 §3.
func (p Path) IsASCII() bool {
	for i := 0; i < len(p); i++ {
		if p[i] >= 0x80 {
			return false
		}
	}
	return true
}

// String returns the path as it stands on the wire, in angle brackets.
func (p Path) String() string { return "<" + string(p) + ">" }
