package smtp

import "strings"

// AddBrackets returns the argument of MAIL or RCPT, whose keyword is "FROM:" or
// "TO:", with the angle brackets that RFC 5321 §4.1.2 asks for and some devices
// leave out, and the colon where that is missing too. changed says that something
// was. What cannot be meant is left as it is, for the parser to refuse.
func AddBrackets(arg, keyword string) (fixed string, changed bool) {
	word := strings.TrimSuffix(keyword, ":")
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return arg, false
	}
	rest := strings.TrimLeft(arg[len(word):], " \t")
	colon := strings.HasPrefix(rest, ":")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, ":"), " \t")
	if i := strings.IndexByte(rest, '<'); i >= 0 {
		// A name before the brackets is left out, and a bracket that is not closed is.
		end := closingBracket(rest[i:])
		if i == 0 && end >= 0 && colon {
			return arg, false
		}
		if end >= 0 {
			return keyword + rest[i:], true
		}
		rest = rest[i+1:]
	}
	address, params, _ := strings.Cut(rest, " ")
	if params != "" {
		params = " " + params
	}
	return keyword + "<" + strings.TrimSuffix(address, ">") + ">" + params, true
}
