package smtp

import (
	"errors"
	"strconv"
	"strings"
)

// ErrNotReply is a line that is no line of an SMTP reply.
var ErrNotReply = errors.New("not an SMTP reply")

// ParseReplyLine parses one line of a reply, without its line end. last reports
// the line that ends the reply. The enhanced status code is taken where it
// stands first in the text, whatever its class. An error is ErrNotReply. RFC 5321
// §4.2, 2034 §4.
func ParseReplyLine(line []byte) (code int, enhanced EnhancedCode, text string, last bool, err error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, enhanced, "", false, ErrNotReply
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, enhanced, "", true, nil
	}
	switch line[3] {
	case ' ':
		last = true
	case '-':
	default:
		return 0, enhanced, "", false, ErrNotReply
	}
	text = string(line[4:])
	enhanced, rest := cutEnhanced(text)
	if !enhanced.IsZero() {
		text = rest
	}
	return code, enhanced, text, last, nil
}

// ParseReply parses a reply of one or more lines with any line ends. It is for
// text that was kept, not for the wire. The error is ErrNotReply.
func ParseReply(s string) (Reply, error) {
	var r Reply
	for _, l := range strings.Split(strings.TrimRight(s, "\r\n"), "\n") {
		code, enhanced, text, last, err := ParseReplyLine([]byte(strings.TrimRight(l, "\r")))
		if err != nil || r.Code != 0 && code != r.Code {
			return Reply{}, ErrNotReply
		}
		r.Add(code, enhanced, text)
		if last {
			return r, nil
		}
	}
	return r, nil
}

// Add adds one parsed line to the reply. The first enhanced status code counts.
func (r *Reply) Add(code int, enhanced EnhancedCode, text string) {
	r.Code = code
	if r.Enhanced.IsZero() {
		r.Enhanced = enhanced
	}
	r.Lines = append(r.Lines, text)
}

// cutEnhanced takes an enhanced status code from the beginning of text.
func cutEnhanced(text string) (EnhancedCode, string) {
	word, rest, _ := strings.Cut(text, " ")
	e, ok := ParseEnhancedCode(word)
	if !ok {
		return EnhancedCode{}, text
	}
	return e, rest
}

// ParseEnhancedCode parses "5.7.1". RFC 3463 §2.
func ParseEnhancedCode(s string) (EnhancedCode, bool) {
	if len(s) < 5 || len(s) > 9 || s[1] != '.' || s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return EnhancedCode{}, false
	}
	subject, detail, ok := strings.Cut(s[2:], ".")
	if !ok {
		return EnhancedCode{}, false
	}
	a, okA := small(subject)
	b, okB := small(detail)
	if !okA || !okB {
		return EnhancedCode{}, false
	}
	return EnhancedCode{Class: int(s[0] - '0'), Subject: a, Detail: b}, true
}

// small parses one to three digits.
func small(s string) (int, bool) {
	if len(s) == 0 || len(s) > 3 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
