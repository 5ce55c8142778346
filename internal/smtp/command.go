package smtp

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
)

// MaxCommandLine is the longest command line without AUTH, in octets with CRLF.
// RFC 5321 §4.5.3.1.4 asks for 512; the parameters of SIZE, BODY, DSN, AUTH and
// SMTPUTF8 add up to less than the rest. RFC 1870 §3, 3461 §4, 4954 §3, 6531 §3.4.
const MaxCommandLine = 2048

// MaxAuthLine is the longest line of an AUTH exchange, in octets with CRLF. RFC
// 4954 §4.
const MaxAuthLine = 12288

// CommandError is a command that cannot be taken as it stands.
type CommandError struct {
	Reply Reply // what to answer
}

// Error returns the reply in one line.
func (e *CommandError) Error() string { return e.Reply.String() }

func badSyntax(text string) error {
	return &CommandError{Reply: NewReply(501, 5, 4, text)} // RFC 5321 §4.2.2; 5.5.4: invalid arguments
}

func badParameter(text string) error {
	return &CommandError{Reply: NewReply(555, 5, 4, text)} // RFC 5321 §4.1.1.11
}

// SplitCommand splits a command line, without its line end, into the verb in
// upper case and the rest without surrounding blanks. RFC 5321 §4.1.1.
func SplitCommand(line []byte) (verb, arg string) {
	line = bytes.TrimRight(line, " \t")
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		i = len(line)
	}
	return upper(line[:i]), strings.TrimLeft(string(line[i:]), " \t")
}

// verbs are the common verbs, so that splitting a command allocates nothing for
// them.
var verbs = map[string]string{"MAIL": "MAIL", "RCPT": "RCPT", "DATA": "DATA", "EHLO": "EHLO", "HELO": "HELO", "RSET": "RSET",
	"NOOP": "NOOP", "QUIT": "QUIT", "STARTTLS": "STARTTLS", "AUTH": "AUTH", "VRFY": "VRFY", "HELP": "HELP"}

// upper returns b with the letters of ASCII in upper case. Others stay: with
// Unicode's rules "RſET" would be RSET.
func upper(b []byte) string {
	if v, ok := verbs[string(b)]; ok {
		return v
	}
	u := make([]byte, len(b))
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		u[i] = c
	}
	return string(u)
}

// ParseMail parses the argument of MAIL: "FROM:<path> [parameters]". With utf8OK
// the path may hold UTF-8 where the parameters ask for SMTPUTF8. Errors are
// *CommandError. RFC 5321 §4.1.1.2.
func ParseMail(arg string, utf8OK bool) (Path, MailParams, error) {
	var p MailParams
	path, rest, err := parsePathArg(arg, "FROM:", true)
	if err != nil {
		return "", p, err
	}
	err = eachParam(rest, func(key, value string, hasValue bool) error { return p.set(key, value, hasValue, utf8OK) })
	if err != nil {
		return "", p, err
	}
	if path != NullPath {
		if err := ValidPath(string(path), p.SMTPUTF8); err != nil {
			return "", p, badPath(err, "sender", 7)
		}
	}
	return path, p, nil
}

// eachParam calls set for each parameter in rest, with its keyword in upper case.
// RFC 5321 §4.1.2.
func eachParam(rest string, set func(key, value string, hasValue bool) error) error {
	for done := ""; ; {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			return nil
		}
		param, after, _ := strings.Cut(rest, " ")
		key, value, hasValue := strings.Cut(param, "=")
		key = upper([]byte(key))
		if strings.Contains(done, " "+key+" ") {
			return badSyntax("parameter " + clean(key) + " is given twice")
		}
		if err := set(key, value, hasValue); err != nil {
			return err
		}
		if rest = after; rest != "" {
			done += " " + key + " "
		}
	}
}

// badPath says what is wrong with an address; detail is RFC 3463's for the role.
func badPath(err error, role string, detail int) error {
	if errors.Is(err, errNotASCII) {
		return &CommandError{Reply: NewReply(553, 6, 7, "the "+role+" address has non-ASCII characters and SMTPUTF8 was not asked for")} // RFC 6531 §3.2
	}
	return &CommandError{Reply: NewReply(501, 1, detail, "the "+role+" address is badly written: "+err.Error())} // RFC 3463 §3.2
}

// set takes one parameter of MAIL.
func (p *MailParams) set(key, value string, hasValue, utf8OK bool) error {
	switch key {
	case "SIZE": // RFC 1870 §3
		n, ok := parseSize(value)
		if !ok {
			return badSyntax("SIZE wants a number of octets")
		}
		p.Size = n
	case "BODY": // RFC 6152 §2
		switch b := BodyType(strings.ToUpper(value)); b {
		case Body7Bit, Body8BitMIME:
			p.Body = b
		default:
			return badSyntax("BODY is 7BIT or 8BITMIME")
		}
	case "SMTPUTF8": // RFC 6531 §3.4
		if hasValue {
			return badSyntax("SMTPUTF8 takes no value")
		}
		if !utf8OK {
			return badParameter("SMTPUTF8 is not offered here")
		}
		p.SMTPUTF8 = true
	case "RET": // RFC 3461 §4.3
		switch r := DSNReturn(strings.ToUpper(value)); r {
		case ReturnFull, ReturnHeaders:
			p.Return = r
		default:
			return badSyntax("RET is FULL or HDRS")
		}
	case "ENVID": // RFC 3461 §4.4: at most 100 characters
		id, err := DecodeXtext(value)
		if err != nil || id == "" || len(value) > 100 || !printable(id) || !Path(id).IsASCII() {
			return badSyntax("ENVID is not well-formed")
		}
		p.EnvelopeID = id
	case "AUTH": // RFC 4954 §5
		a, err := DecodeXtext(value)
		if err != nil || len(value) > 500 || a != "<>" && ValidPath(a, true) != nil {
			return badSyntax("AUTH wants an address or <>")
		}
		p.Auth = a
	default:
		return badParameter("parameter " + clean(key) + " is not known")
	}
	return nil
}

// parseSize parses 1 to 20 digits. A number that no int64 holds is the largest
// one: it is well-formed, and too large in any case. RFC 1870 §3.
func parseSize(s string) (int64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// ParseRcpt parses the argument of RCPT: "TO:<path> [parameters]". Errors are
// *CommandError. RFC 5321 §4.1.1.3.
func ParseRcpt(arg string, utf8OK bool) (Path, RcptParams, error) {
	var p RcptParams
	path, rest, err := parsePathArg(arg, "TO:", false)
	if err != nil {
		return "", p, err
	}
	if err := ValidPath(string(path), utf8OK); err != nil {
		return "", p, badPath(err, "recipient", 3)
	}
	err = eachParam(rest, func(key, value string, _ bool) error { return p.set(key, value) })
	return path, p, err
}

// set takes one parameter of RCPT.
func (p *RcptParams) set(key, value string) error {
	switch key {
	case "NOTIFY": // RFC 3461 §4.1
		n, err := parseNotify(value)
		if err != nil {
			return err
		}
		p.Notify = n
	case "ORCPT": // RFC 3461 §4.2: at most 500 characters
		kind, addr, ok := strings.Cut(value, ";")
		addr, err := DecodeXtext(addr)
		if !ok || !addressType(kind) || addr == "" || err != nil || len(value) > 500 || !printable(addr) {
			return badSyntax("ORCPT is not well-formed")
		}
		p.OriginalRecipient = kind + ";" + addr
	default:
		return badParameter("parameter " + clean(key) + " is not known")
	}
	return nil
}

// addressType reports whether s can be the type of an original recipient, an
// atom. RFC 3461 §4.2.
func addressType(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || !atext(s[i]) {
			return false
		}
	}
	return s != ""
}

func parseNotify(value string) (Notify, error) {
	var n Notify
	for _, w := range strings.Split(strings.ToUpper(value), ",") {
		switch w {
		case "NEVER":
			n |= NotifyNever
		case "SUCCESS":
			n |= NotifySuccess
		case "FAILURE":
			n |= NotifyFailure
		case "DELAY":
			n |= NotifyDelay
		default:
			return 0, badSyntax("NOTIFY is NEVER, or of SUCCESS, FAILURE and DELAY")
		}
	}
	if n&NotifyNever != 0 && n != NotifyNever {
		return 0, badSyntax("NOTIFY=NEVER stands alone")
	}
	return n, nil
}

// parsePathArg takes the keyword, the path in angle brackets and leaves the
// parameters. Blanks after the colon are taken: many clients write them, and
// nothing else can be meant.
func parsePathArg(arg, keyword string, nullOK bool) (Path, string, error) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", "", badSyntax("write " + keyword + "<address>")
	}
	rest := strings.TrimLeft(arg[len(keyword):], " ")
	if !strings.HasPrefix(rest, "<") {
		return "", "", badSyntax("the address must stand in angle brackets: " + keyword + "<address>")
	}
	end := closingBracket(rest)
	if end < 0 {
		return "", "", badSyntax("the angle bracket is not closed")
	}
	path, params := rest[1:end], rest[end+1:]
	if params != "" && params[0] != ' ' {
		return "", "", badSyntax("a blank must stand between address and parameters")
	}
	if strings.HasPrefix(path, "@") { // a source route, which is ignored; RFC 5321 §4.1.1.3
		i := strings.IndexByte(path, ':')
		if i < 0 {
			return "", "", badSyntax("the source route has no address")
		}
		path = path[i+1:]
	}
	if path == "" && !nullOK {
		return "", "", &CommandError{Reply: NewReply(501, 1, 3, "the recipient address is empty")}
	}
	return Path(path), params, nil
}

// closingBracket returns the index of the bracket that closes s[0], outside
// quoted strings, or -1.
func closingBracket(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == '>':
			return i
		case !quoted && s[i] == '<':
			return -1
		}
	}
	return -1
}

// AppendMail appends "MAIL FROM:<path>" and the parameters that are given, in
// wire form without line end. SIZE is written when it is greater than zero.
func AppendMail(dst []byte, from Path, p MailParams) []byte {
	dst = append(append(append(dst, "MAIL FROM:<"...), from...), '>')
	if p.Size > 0 {
		dst = strconv.AppendInt(append(dst, " SIZE="...), p.Size, 10)
	}
	if p.Body != "" {
		dst = append(append(dst, " BODY="...), p.Body...)
	}
	if p.SMTPUTF8 {
		dst = append(dst, " SMTPUTF8"...)
	}
	if p.Return != "" {
		dst = append(append(dst, " RET="...), p.Return...)
	}
	if p.EnvelopeID != "" {
		dst = append(append(dst, " ENVID="...), EncodeXtext(p.EnvelopeID)...)
	}
	if p.Auth != "" {
		dst = append(append(dst, " AUTH="...), EncodeXtext(p.Auth)...)
	}
	return dst
}

// AppendRcpt appends "RCPT TO:<path>" and the parameters that are given, in wire
// form without line end.
func AppendRcpt(dst []byte, to Path, p RcptParams) []byte {
	dst = append(append(append(dst, "RCPT TO:<"...), to...), '>')
	if p.Notify != 0 {
		dst = append(append(dst, " NOTIFY="...), p.Notify.String()...)
	}
	if kind, addr, ok := strings.Cut(p.OriginalRecipient, ";"); ok {
		dst = append(append(append(append(dst, " ORCPT="...), kind...), ';'), EncodeXtext(addr)...)
	}
	return dst
}
