package explain

import (
	"regexp"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// aReply finds a failing reply in any text: "550 5.1.1 no", "550-5.1.1 no", "(535,
// b'5.7.8 no')", "#550 5.7.1 no". The second digit keeps the statuses of HTTP and
// the numbers of ports out; 44x is Exchange's.
var aReply = regexp.MustCompile(`(?:^|[\s('"\[>#:=])([45][0-7]\d)(?:[- ]|, b['"]|: |\)|[A-Z]{2}:|$)\s*#?([245]\.\d{1,3}\.\d{1,3})?`)

var anEnhanced = regexp.MustCompile(`(?:^|[^\d.\w-])([245])\.(\d{1,3})\.(\d{1,3})(?:[^\d.\w-]|-[^\d]|\.?$|\.\s|\.[^\d])`)

// codes returns the first failing reply in s, without its text, and the subjects
// and details of all enhanced status codes.
func codes(s string) (smtp.Reply, [][2]int) {
	var r smtp.Reply
	for _, m := range aReply.FindAllStringSubmatch(s, 16) {
		code := number(m[1])
		if !usual(code) {
			continue
		}
		e, _ := smtp.ParseEnhancedCode(m[2])
		r = smtp.Reply{Code: code, Enhanced: e}
		break
	}
	var all [][2]int
	for _, m := range anEnhanced.FindAllStringSubmatch(s, 16) {
		if m[1] == "2" {
			continue // success, or the version of a program
		}
		all = append(all, [2]int{number(m[2]), number(m[3])})
		if r.Code != 0 && r.Enhanced.IsZero() && len(all) == 1 {
			r.Enhanced = smtp.EnhancedCode{Class: number(m[1]), Subject: all[0][0], Detail: all[0][1]}
		}
	}
	if !r.Enhanced.IsZero() && len(all) == 0 {
		all = append(all, [2]int{r.Enhanced.Subject, r.Enhanced.Detail})
	}
	return r, all
}

// usual reports whether servers of mail reply so. 40x and 41x are HTTP's.
func usual(code int) bool {
	return code >= 420 && code < 460 || code >= 470 && code < 480 || code >= 500 && code < 580
}

func number(s string) int {
	n := 0
	for i := 0; i < len(s) && digit(s[i]); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// replies returns the pieces of text that are replies of a server, at most max of
// them. A piece runs to the next reply or the end of its paragraph; lines that
// begin with the same code belong together.
func replies(text string, max int) []string {
	var out []string
	start, last, code := -1, 0, ""
	end := func(at int) {
		if start < 0 {
			return
		}
		piece := text[start:at]
		if n := strings.Index(piece, "\n\n"); n > 0 {
			piece = piece[:n]
		}
		out = append(out, piece)
	}
	for _, m := range aReply.FindAllStringSubmatchIndex(text, 8*max) {
		at, c := m[2], text[m[2]:m[3]]
		switch {
		case !usual(number(c)):
			continue
		case start >= 0 && c == code && continues(text[last:at]):
		default:
			end(at)
			if len(out) == max {
				return out
			}
			start, code = at, c
		}
		last = at
	}
	end(len(text))
	return out
}

// continues reports whether the code after between is that of a further line of
// the same reply: it stands in the same line, or begins the next one.
func continues(between string) bool {
	i := strings.IndexByte(between, '\n')
	if i < 0 {
		return true
	}
	return strings.Trim(between[i:], " \t\r\n<*-") == "" && strings.Count(between, "\n") == 1
}
