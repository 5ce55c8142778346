package smtp

import (
	"strconv"
	"strings"
)

// EnhancedCode is an enhanced status code, class.subject.detail. The zero value
// means that there is none. RFC 3463.
type EnhancedCode struct {
	Class, Subject, Detail int
}

// IsZero reports whether there is no enhanced status code.
func (e EnhancedCode) IsZero() bool { return e == EnhancedCode{} }

// String returns the code as "5.1.1", or "" when there is none.
func (e EnhancedCode) String() string {
	if e.IsZero() {
		return ""
	}
	return string(e.append(nil))
}

func (e EnhancedCode) append(dst []byte) []byte {
	dst = append(strconv.AppendInt(dst, int64(e.Class), 10), '.')
	dst = append(strconv.AppendInt(dst, int64(e.Subject), 10), '.')
	return strconv.AppendInt(dst, int64(e.Detail), 10)
}

// Reply is a server's answer to one command. The zero Reply means that there was
// none. RFC 5321 §4.2.
type Reply struct {
	Code     int          // three digits; 0: no reply
	Enhanced EnhancedCode // zero when the server gave none
	Lines    []string     // the text of each line, without codes and line end; may be empty
}

// NewReply makes a reply of ours. The class of its enhanced status code is that
// of code, so the two cannot disagree; subject and detail are RFC 3463's. With
// subject and detail both negative the reply carries no enhanced status code, as
// the greeting, EHLO, 334 and 354 must not. RFC 2034 §4.
func NewReply(code, subject, detail int, lines ...string) Reply {
	r := Reply{Code: code, Lines: lines}
	if subject >= 0 {
		r.Enhanced = EnhancedCode{Class: code / 100, Subject: subject, Detail: detail}
	}
	return r
}

// IsZero reports whether there is no reply at all.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports a 2yz or 3yz reply.
func (r Reply) Positive() bool { return r.Code >= 200 && r.Code < 400 }

// Temporary reports a 4yz reply.
func (r Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }

// Permanent reports a 5yz reply.
func (r Reply) Permanent() bool { return r.Code >= 500 && r.Code < 600 }

// Text returns the text of all lines joined by a space.
func (r Reply) Text() string { return strings.Join(r.Lines, " ") }

// String returns the reply in one line: "550 5.1.1 no such user".
func (r Reply) String() string {
	if r.IsZero() {
		return ""
	}
	s := strconv.Itoa(r.Code)
	if !r.Enhanced.IsZero() {
		s += " " + r.Enhanced.String()
	}
	if t := r.Text(); t != "" {
		s += " " + t
	}
	return s
}

// Append appends the reply in wire form to dst: one line for each of Lines, the
// last with a space after the code, each ended by CRLF.
func (r Reply) Append(dst []byte) []byte {
	lines := r.Lines
	if len(lines) == 0 {
		lines = []string{""}
	}
	for i, l := range lines {
		dst = strconv.AppendInt(dst, int64(r.Code), 10)
		if i < len(lines)-1 {
			dst = append(dst, '-')
		} else {
			dst = append(dst, ' ')
		}
		if !r.Enhanced.IsZero() {
			dst = append(r.Enhanced.append(dst), ' ')
		}
		dst = append(dst, l...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}
