package smtpserver

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/wellsent/wellsent/internal/smtp"
)

// mail begins a mail transaction. RFC 5321 §4.1.1.2.
func (s *session) mail(arg string) event {
	if s.needsLogin() && s.client.Account == "" {
		switch {
		case s.shared != "" && !s.needsLoginKind():
			s.note("relay.denied", "is known by its address only, and may be anybody: "+s.shared)
			if s.noted.Cause == "relay.denied" {
				s.noted.Do = "Let it log in with an account, or let the clients' own addresses through: Docker and NAT in docs/devices.md. Where this address really is the one client that is meant: allow_gateway = true on the listener."
			}
			s.log.Warn("relaying by address refused", "why", s.shared, "do", "see docs/devices.md, or allow_gateway = true on the listener if this is meant")
			s.reply(replyShared(s.client.Addr.Addr().String()))
		case s.client.TLS == nil && !s.lenient.PlaintextAuth:
			s.note("auth.encryption-required", "sends mail without encryption and login")
			s.reply(replyNeedTLS)
		default:
			s.note("auth.required", "did not log in")
			s.reply(replyNeedAuth)
		}
		return eventNone
	}
	if !s.needsLogin() && !s.allowed { // a proxy that has not said who its client is
		s.reply(replyNotAllowed)
		return eventNone
	}
	from, params, err := smtp.ParseMail(s.bracketed(arg, "FROM:"), s.client.ESMTP)
	if err != nil {
		s.note("sender.address-invalid", "gives a sender that is not written as it must be")
		s.replyError(err)
		return eventNone
	}
	limit := s.server.c.MaxMessageSize
	if limit > 0 && params.Size > limit {
		s.reply(replyTooLarge(limit))
		return eventNone
	}
	if s.server.c.Room(params.Size) != nil {
		s.reply(replyNoRoom)
		return eventNone
	}
	s.tx = smtp.Transaction{Client: &s.client, From: from, Params: params, Recipients: s.tx.Recipients[:0]}
	if r := s.server.c.Handler.Mail(s.ctx, &s.tx); r != nil {
		return s.refused(*r)
	}
	s.reply(replySenderOK)
	return eventMail
}

// rcpt adds a recipient. RFC 5321 §4.1.1.3.
func (s *session) rcpt(arg string) event {
	to, params, err := smtp.ParseRcpt(s.bracketed(arg, "TO:"), s.tx.Params.SMTPUTF8)
	if err != nil {
		s.note("recipient.address-syntax", "gives a recipient that is not written as it must be")
		s.replyError(err)
		return eventNone
	}
	if len(s.tx.Recipients) >= s.server.c.MaxRecipients {
		// No error of the client, who cannot know the bound and sends the rest in
		// another transaction: counted as one, a long list would end the session before
		// its DATA, each time anew.
		s.put(replyTooManyRcpts)
		return eventNone
	}
	r := smtp.Recipient{Path: to, Params: params}
	if no := s.server.c.Handler.Rcpt(s.ctx, &s.tx, r); no != nil {
		return s.refused(*no)
	}
	s.tx.Recipients = append(s.tx.Recipients, r)
	s.reply(replyRecipientOK)
	return eventRcpt
}

// bracketed returns the argument of MAIL or RCPT with the angle brackets that are
// overlooked for this client.
func (s *session) bracketed(arg, keyword string) string {
	if !s.lenient.MissingBrackets {
		return arg
	}
	arg, changed := smtp.AddBrackets(arg, keyword)
	if changed {
		s.overlook("missing angle brackets")
	}
	return arg
}

// data takes the message. RFC 5321 §4.1.1.4.
func (s *session) data(arg string) event {
	if arg != "" {
		s.reply(replyNoArgument)
		return eventNone
	}
	if s.server.c.Room(s.tx.Params.Size) != nil {
		s.reply(replyNoRoom)
		return eventNone
	}
	s.reply(replySendData)
	if s.w.Flush() != nil {
		s.failure = "connection lost before the data"
		return eventClose
	}
	s.state = next(s.state, eventData)
	s.conn.expect(s.server.c.Timeouts.DataBlock, false)
	limit := s.server.c.MaxMessageSize
	body := &dataReader{d: smtp.NewDotReader(s.r, smtp.DotOptions{MaxBytes: limit, Lenient: s.lenient.BareNewlines, BareDot: s.lenient.BareNewlines && s.bare})}
	answer := s.server.c.Handler.Data(s.ctx, &s.tx, body)
	s.tx.Recipients = nil // the handler may have kept them
	if body.err == nil {  // the handler has made up its mind before the end
		io.Copy(io.Discard, body)
	}
	switch {
	case body.err == io.EOF:
	case errors.Is(body.err, smtp.ErrTooLarge), errors.Is(body.err, smtp.ErrBareLineEnd):
		answer = replyBareData
		if errors.Is(body.err, smtp.ErrTooLarge) {
			answer = replyTooLarge(limit)
			s.note("message.too-large", "sends a message that is too large")
		} else {
			s.note("message.bare-lf", "ends lines of its message with a lone CR or LF")
		}
		s.log.Warn("message refused", "reply", answer.String(), "from", string(s.tx.From), "account", s.client.Account)
		if err := body.d.Drain(limit + oversizeAllowance); err != nil {
			s.reply(answer)
			s.failure = "a refused message did not end: " + err.Error()
			return eventClose
		}
	case isTimeout(body.err) && s.lenient.BareNewlines && !s.bare:
		s.fail("message.bare-lf", "does not end its message by CRLF.CRLF, though its commands end in CRLF")
		return eventClose
	default:
		s.fail("net.connection-lost", "the connection ended within the message: "+body.err.Error())
		return eventClose
	}
	if answer.Positive() {
		s.messages++
		s.errors = 0
	}
	s.reply(answer)
	if answer.Code == 421 || s.state == stateClosed {
		return eventClose
	}
	return eventDataDone
}

// dataReader remembers how reading ended, which the handler may hide.
type dataReader struct {
	d   *smtp.DotReader
	err error
}

func (r *dataReader) Read(p []byte) (int, error) {
	n, err := r.d.Read(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// refused gives a handler's refusal; with 421 the session ends.
func (s *session) refused(r smtp.Reply) event {
	s.reply(r)
	if r.Code == 421 || s.state == stateClosed {
		return eventClose
	}
	return eventNone
}

// replyError answers a command that package smtp could not parse.
func (s *session) replyError(err error) {
	var e *smtp.CommandError
	if errors.As(err, &e) {
		s.reply(e.Reply)
		return
	}
	s.reply(replyArgument)
}

// size returns n octets in the words of a person.
func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return fmt.Sprintf("%d octets", n)
}
