package smtpserver

import "github.com/wellsent/wellsent/internal/smtp"

// verb is one command: where it is permitted and who handles it.
type verb struct {
	permitted state                              // the states in which handle is called
	otherwise smtp.Reply                         // the answer in the others
	handle    func(s *session, arg string) event // writes its reply and returns what has happened
}

// verbs is the table of commands. RFC 5321 §4.5.1 asks for the first nine.
var verbs = map[string]verb{
	"EHLO":     {permitted: anyState, handle: (*session).ehlo},
	"HELO":     {permitted: anyState, handle: (*session).helo},
	"MAIL":     {permitted: stateGreeted, handle: (*session).mail},
	"RCPT":     {permitted: stateMail | stateRcpt, otherwise: replyMailFirst, handle: (*session).rcpt},
	"DATA":     {permitted: stateRcpt, otherwise: replyRcptFirst, handle: (*session).data},
	"RSET":     {permitted: anyState, handle: (*session).rset},
	"NOOP":     {permitted: anyState, handle: (*session).noop},
	"QUIT":     {permitted: anyState, handle: (*session).quit},
	"VRFY":     {permitted: anyState, handle: (*session).vrfy},
	"HELP":     {permitted: anyState, handle: (*session).help},
	"STARTTLS": {permitted: anyState, handle: (*session).startTLS},
	"AUTH":     {permitted: stateGreeted, handle: (*session).auth},
	"XCLIENT":  {permitted: anyState, handle: (*session).xclientCommand},
	"EXPN":     {permitted: anyState, handle: (*session).notOffered},
	"BDAT":     {permitted: anyState, handle: (*session).notOffered},
	"TURN":     {permitted: anyState, handle: (*session).notOffered},
	"ETRN":     {permitted: anyState, handle: (*session).notOffered},
}

// refusal is the answer to a verb in a state in which it is not permitted.
func (v verb) refusal(name string, s state) smtp.Reply {
	switch {
	case s == stateConnected:
		return replyHelloFirst
	case name == "MAIL":
		return replyMailTwice
	case name == "AUTH":
		return replyTLSInMail
	case name == "DATA" && s == stateGreeted:
		return replyMailFirst
	}
	return v.otherwise
}

// webVerbs are commands of HTTP: a browser or a scanner has come to the wrong
// port, or a web page is made to speak SMTP behind its reader's back.
var webVerbs = map[string]bool{"GET": true, "POST": true, "PUT": true, "HEAD": true, "OPTIONS": true, "CONNECT": true, "HOST:": true}
