package smtpserver

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// auth carries out a login. RFC 4954.
func (s *session) auth(arg string) event {
	mechanism, initial, hasInitial := strings.Cut(arg, " ")
	mechanism = strings.ToUpper(mechanism)
	switch {
	case !s.takesLogin():
		s.reply(replyAuthNotHere)
		return eventNone
	case s.client.Account != "":
		s.reply(replyAuthTwice)
		return eventNone
	case mechanism == "":
		s.reply(replyArgument)
		return eventNone
	case s.client.TLS == nil && (!s.lenient.PlaintextAuth || tokens[mechanism]):
		s.note("auth.encryption-required", "logs in without encryption")
		s.reply(replyAuthNeedsTLS)
		return eventNone
	}
	exchange := s.mechanism(mechanism)
	if exchange == nil {
		s.reply(replyAuthMechanism)
		return eventNone
	}
	s.client.Mechanism = mechanism
	account, r := s.exchange(exchange, strings.TrimSpace(initial), hasInitial)
	if r != nil {
		s.client.Mechanism = ""
		return s.loginRefused(*r)
	}
	s.client.Account = account
	if d := s.server.c.Devices().ByAccount(account); d != nil && d != s.device && (len(d.Listeners) == 0 || slices.Contains(d.Listeners, s.spec.Address)) {
		s.is(d)
	}
	if s.plain {
		s.log.Warn("password without encryption", "account", account, "cause", "auth.encryption-required")
	}
	s.conn.bound(time.Time{}) // no stranger any more
	s.reply(replyAuthOK)
	return eventNone
}

// DefaultMechanisms are what a listener offers that does not say: SCRAM where every
// account can use it, and its variant with channel binding under TLS.
var DefaultMechanisms = []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}

// tokens are the mechanisms by which a client sends a bearer token, which is good at
// more places than here and is never taken in the clear. RFC 6750 §5.3.
var tokens = map[string]bool{"OAUTHBEARER": true, "XOAUTH2": true}

// offered returns the mechanisms of this session as it is.
func (s *session) offered() []string {
	if !s.takesLogin() || s.client.TLS == nil && !s.lenient.PlaintextAuth {
		return nil
	}
	all, scram := s.spec.Mechanisms, true
	if all == nil {
		all, scram = DefaultMechanisms, s.server.c.SCRAMForAll()
	}
	var some []string
	for _, m := range all {
		switch {
		case strings.HasPrefix(m, "SCRAM-") && !scram:
		case strings.HasSuffix(m, "-PLUS") && s.client.TLS == nil:
		case tokens[m] && s.client.TLS == nil:
		case m == "EXTERNAL" && (s.client.TLS == nil || len(s.client.TLS.VerifiedChains) == 0):
		default:
			some = append(some, m)
		}
	}
	return some
}

// mechanism begins a login; nil when the mechanism is not offered.
func (s *session) mechanism(name string) smtp.Exchange {
	switch {
	case !slices.Contains(s.client.Mechanisms, name):
		return nil
	case name == "PLAIN":
		return &plainExchange{s: s}
	case name == "LOGIN":
		return &loginExchange{s: s}
	}
	return s.server.c.Exchange(&s.client, name)
}

// exchange carries the messages of a login over the wire. It returns the account
// when the login is good, else the reply to give; a zero reply means that the
// connection is gone.
func (s *session) exchange(x smtp.Exchange, initial string, hasInitial bool) (account string, no *smtp.Reply) {
	var response []byte
	if hasInitial {
		if response, no = decode(initial, true); no != nil {
			return "", no
		}
	}
	for {
		step := x.Next(s.ctx, response)
		if step.Account != "" || step.Refusal != nil && step.Challenge == nil {
			return step.Account, step.Refusal
		}
		s.reply(challenge(base64.StdEncoding.EncodeToString(step.Challenge)))
		line, err := s.readLine(smtp.MaxAuthLine)
		switch {
		case errors.Is(err, errLineTooLong):
			return "", &replyAuthLineLong
		case errors.Is(err, errBareLine):
			return "", &replyBareLine
		case err != nil:
			s.readFailed(err)
			return "", &smtp.Reply{}
		}
		if step.Refusal != nil {
			return "", step.Refusal // also of a client that answers "*"
		}
		if response, no = decode(string(line), false); no != nil {
			return "", no
		}
	}
}

// decode decodes one message of the client: "=" is an empty initial response, "*"
// gives up. The result is never nil, for nil asks a mechanism for its first
// challenge.
func decode(text string, initial bool) ([]byte, *smtp.Reply) {
	switch {
	case text == "*":
		return nil, &replyAuthCancelled
	case initial && text == "=":
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.AppendDecode([]byte{}, []byte(text))
	if err != nil {
		return nil, &replyAuthDecode
	}
	return b, nil
}

// loginRefused answers a login that failed. Repeated ones are slowed down, then
// the session ends.
func (s *session) loginRefused(r smtp.Reply) event {
	if r.IsZero() {
		return eventClose
	}
	if r.Code == 535 {
		s.logins++
		s.note("auth.credentials-rejected", "gives a user name or password that is wrong")
	}
	if s.logins >= maxLogins {
		s.reply(r)
		s.noted = nil // the whole says more than its first part
		s.fail("auth.too-many-logins", "gave a wrong user name or password too often")
		s.reply(replyTooManyLogins)
		return eventClose
	}
	if s.logins > 1 {
		s.slow(s.logins - 1)
	}
	return s.refused(r)
}

// check asks the handler about a password.
func (s *session) check(user, password string) smtp.LoginStep {
	s.plain = s.plain || s.client.TLS == nil
	account, r := s.server.c.Handler.Authenticate(s.ctx, &s.client, user, password)
	return smtp.LoginStep{Account: account, Refusal: r}
}

// plainExchange is the server of PLAIN, which can ask to act for somebody else. RFC
// 4616.
type plainExchange struct{ s *session }

// Next takes "identity NUL user NUL password".
func (x *plainExchange) Next(_ context.Context, response []byte) smtp.LoginStep {
	if response == nil {
		return smtp.LoginStep{}
	}
	parts := strings.Split(string(response), "\x00")
	switch {
	case len(parts) != 3:
		return smtp.LoginStep{Refusal: &replyAuthMalformed}
	case parts[0] != "" && parts[0] != parts[1]:
		return smtp.LoginStep{Refusal: &replyIdentity}
	}
	return x.s.check(parts[1], parts[2])
}

// loginExchange is the server of LOGIN, which no RFC describes: the client gives the
// user name, at once or when asked, and then the password.
type loginExchange struct {
	s       *session
	user    string
	gotUser bool
	asked   bool
}

// Next takes the client's next message.
func (x *loginExchange) Next(_ context.Context, response []byte) smtp.LoginStep {
	switch {
	case response == nil && !x.asked:
		x.asked = true
		return smtp.LoginStep{Challenge: []byte("Username:")}
	case !x.gotUser:
		x.gotUser, x.user = true, string(response)
		return smtp.LoginStep{Challenge: []byte("Password:")}
	}
	return x.s.check(x.user, string(response))
}
