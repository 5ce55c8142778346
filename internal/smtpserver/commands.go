package smtpserver

import (
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// maxNameLength bounds the client's name, in octets; a domain has at most 255.
const maxNameLength = 255

// ehlo greets and lists the extensions. RFC 5321 §4.1.1.1.
func (s *session) ehlo(arg string) event {
	if !s.hello(arg) {
		return eventNone
	}
	s.client.ESMTP = true
	lines := []string{s.server.c.Hostname, "PIPELINING", "SIZE " + strconv.FormatInt(s.server.c.MaxMessageSize, 10),
		"8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"}
	if s.client.TLS == nil && s.server.tls != nil {
		lines = append(lines, "STARTTLS")
	}
	if len(s.client.Mechanisms) > 0 {
		lines = append(lines, "AUTH "+strings.Join(s.client.Mechanisms, " "))
	}
	if s.xclient {
		lines = append(lines, "XCLIENT "+strings.Join(xclientNames, " "))
	}
	lines = append(lines, "HELP")
	s.reply(smtp.NewReply(250, noEnhanced, 0, lines...))
	return eventHello
}

// helo greets a client without extensions. RFC 5321 §4.1.1.1.
func (s *session) helo(arg string) event {
	if !s.hello(arg) {
		return eventNone
	}
	s.client.ESMTP = false
	s.reply(smtp.NewReply(250, noEnhanced, 0, s.server.c.Hostname))
	return eventHello
}

// hello takes the client's name. Any name will do: containers and devices have
// odd ones, nothing depends on it, and a refusal here is the hardest to explain.
func (s *session) hello(arg string) bool {
	if (arg == "" || len(arg) > maxNameLength) && s.lenient.AnyHello {
		s.overlook("HELO without a usable name")
		arg = "unknown"
	}
	if arg == "" || len(arg) > maxNameLength {
		s.note("sender.bad-helo", "greets without a usable name")
		s.reply(replyHelloWantsName)
		return false
	}
	s.client.Name, s.client.Mechanisms = arg, s.offered()
	return true
}

// startTLS puts TLS on. RFC 3207.
func (s *session) startTLS(arg string) event {
	switch {
	case s.server.tls == nil:
		s.reply(replyNotOffered)
		return eventNone
	case arg != "":
		s.reply(replyNoArgument)
		return eventNone
	case s.client.TLS != nil:
		s.reply(replyTLSTwice)
		return eventNone
	case s.state.inTransaction():
		s.reply(replyTLSInMail)
		return eventNone
	case s.client.Account != "":
		// Nothing that came in the clear may count under TLS: whoever was between could
		// log in as himself and leave the rest of the session to the client. RFC 3207 §4.2.
		s.reply(replyTLSAfterAuth)
		return eventNone
	case s.r.Buffered() > 0:
		// What was sent in clear text would be taken for a command that came over
		// TLS. Discarding it would hide an attack, so the session ends.
		s.fail("protocol.synchronisation", "commands followed STARTTLS in clear text")
		s.reply(replyAfterSTARTTLS)
		return eventClose
	}
	s.reply(replyReadyForTLS)
	if s.w.Flush() != nil {
		return eventClose
	}
	s.conn.expect(s.server.c.Timeouts.Handshake, false)
	if !s.handshake() {
		return eventClose
	}
	// Nothing that the client said before counts any more. RFC 3207 §4.2.
	s.client.Name, s.client.ESMTP, s.client.Mechanisms = "", false, nil
	s.tx = smtp.Transaction{}
	return eventTLS
}

// rset ends the mail transaction. RFC 5321 §4.1.1.5.
func (s *session) rset(arg string) event {
	if arg != "" {
		s.reply(replyNoArgument)
		return eventNone
	}
	s.reply(replyOK)
	return eventReset
}

// noop does nothing. RFC 5321 §4.1.1.9.
func (s *session) noop(string) event {
	s.reply(replyOK)
	return eventNone
}

// quit ends the session. RFC 5321 §4.1.1.10.
func (s *session) quit(arg string) event {
	if arg != "" {
		s.reply(replyNoArgument)
		return eventNone
	}
	s.reply(replyBye)
	return eventClose
}

// vrfy confirms nobody: whoever wants to know sends mail. RFC 5321 §3.5.3.
func (s *session) vrfy(arg string) event {
	if strings.TrimSpace(arg) == "" {
		s.reply(replyArgument)
		return eventNone
	}
	s.reply(replyVerify)
	return eventNone
}

// help lists the commands. RFC 5321 §4.1.1.8.
func (s *session) help(string) event {
	s.reply(replyHelp)
	return eventNone
}

// notOffered answers commands that are known and not offered. RFC 5321 §4.2.4.
func (s *session) notOffered(string) event {
	s.reply(replyNotOffered)
	return eventNone
}
