package smtp

import (
	"bytes"
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

func upper(b []byte) string {
	if v, ok := verbs[string(b)]; ok {
		return v
	}
	return strings.ToUpper(string(b))
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
	seen := map[string]bool{}
	for _, f := range strings.Fields(rest) {
		key, value, hasValue := strings.Cut(f, "=")
		key = strings.ToUpper(key)
		if seen[key] {
			return "", p, badSyntax("parameter " + key + " is given twice")
		}
		seen[key] = true
		if err := p.set(key, value, hasValue, utf8OK); err != nil {
			return "", p, err
		}
	}
	if path != NullPath {
		if err := ValidPath(string(path), p.SMTPUTF8); err != nil {
			return "", p, &CommandError{Reply: NewReply(501, 1, 7, "the sender address is badly written: "+err.Error())}
		}
	}
	return path, p, nil
}

// set takes one parameter of MAIL.
func (p *MailParams) set(key, value string, hasValue, utf8OK bool) error {
	switch key {
	case "SIZE": // RFC 1870 §3
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || len(value) > 20 {
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
		if err != nil || id == "" || len(value) > 100 || !printable(id) {
			return badSyntax("ENVID is not well-formed")
		}
		p.EnvelopeID = id
	case "AUTH": // RFC 4954 §5
		a, err := DecodeXtext(value)
		if err != nil || value == "" || len(value) > 500 {
			return badSyntax("AUTH wants an address or <>")
		}
		p.Auth = a
	default:
		return badParameter("parameter " + clean(key) + " is not known")
	}
	return nil
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
		return "", p, &CommandError{Reply: NewReply(501, 1, 3, "the recipient address is badly written: "+err.Error())}
	}
	seen := map[string]bool{}
	for _, f := range strings.Fields(rest) {
		key, value, _ := strings.Cut(f, "=")
		key = strings.ToUpper(key)
		if seen[key] {
			return "", p, badSyntax("parameter " + key + " is given twice")
		}
		seen[key] = true
		switch key {
		case "NOTIFY": // RFC 3461 §4.1
			if p.Notify, err = parseNotify(value); err != nil {
				return "", p, err
			}
		case "ORCPT": // RFC 3461 §4.2: at most 500 characters
			kind, addr, ok := strings.Cut(value, ";")
			addr, err := DecodeXtext(addr)
			if !ok || kind == "" || addr == "" || err != nil || len(value) > 500 || !printable(kind) || !printable(addr) {
				return "", p, badSyntax("ORCPT is not well-formed")
			}
			p.OriginalRecipient = kind + ";" + addr
		default:
			return "", p, badParameter("parameter " + clean(key) + " is not known")
		}
	}
	return path, p, nil
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
