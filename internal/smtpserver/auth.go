package smtpserver

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

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
	case s.client.TLS == nil && !s.lenient.PlaintextAuth:
		s.note("auth.encryption-required", "logs in without encryption")
		s.reply(replyAuthNeedsTLS)
		return eventNone
	}
	login := &login{s: s}
	var mech sasl.Server
	switch mechanism {
	case sasl.Plain:
		mech = sasl.NewPlainServer(login.plain)
	case sasl.Login:
		mech = &loginServer{check: login.check}
	default:
		s.reply(replyAuthMechanism)
		return eventNone
	}
	if r := s.exchange(mech, strings.TrimSpace(initial), hasInitial, login); r != nil {
		return s.loginRefused(*r)
	}
	s.client.Account, s.client.Mechanism = login.account, mechanism
	if d := s.server.c.Devices().ByAccount(login.account); d != nil && d != s.device && (len(d.Listeners) == 0 || slices.Contains(d.Listeners, s.spec.Address)) {
		s.is(d)
	}
	if s.plain {
		s.log.Warn("password without encryption", "account", login.account, "cause", "auth.encryption-required")
	}
	s.conn.bound(time.Time{}) // no stranger any more
	s.reply(replyAuthOK)
	return eventNone
}

// exchange carries the messages of mech over the wire. It returns nil when the
// login is good, else the reply to give; a zero reply means that the connection
// is gone.
func (s *session) exchange(mech sasl.Server, initial string, hasInitial bool, l *login) *smtp.Reply {
	var response []byte
	if hasInitial {
		var no *smtp.Reply
		if response, no = decode(initial, true); no != nil {
			return no
		}
	}
	for {
		question, done, err := mech.Next(response)
		switch {
		case l.refusal != nil:
			return l.refusal
		case err != nil:
			return &replyAuthMalformed
		case done:
			return nil
		}
		s.reply(challenge(base64.StdEncoding.EncodeToString(question)))
		line, err := s.readLine(smtp.MaxAuthLine)
		switch {
		case errors.Is(err, errLineTooLong):
			return &replyAuthLineLong
		case errors.Is(err, errBareLine):
			return &replyBareLine
		case err != nil:
			s.readFailed(err)
			return &smtp.Reply{}
		}
		var no *smtp.Reply
		if response, no = decode(string(line), false); no != nil {
			return no
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

// login asks the handler about one login and keeps its answer.
type login struct {
	s       *session
	account string
	refusal *smtp.Reply
}

var errRefused = errors.New("login refused")

func (l *login) check(user, password string) error {
	l.s.plain = l.s.plain || l.s.client.TLS == nil
	l.account, l.refusal = l.s.server.c.Handler.Authenticate(l.s.ctx, &l.s.client, user, password)
	if l.refusal != nil {
		return errRefused
	}
	return nil
}

// plain is check for PLAIN, which can ask to act for somebody else. RFC 4616.
func (l *login) plain(identity, user, password string) error {
	if identity != "" && identity != user {
		l.refusal = &replyIdentity
		return errRefused
	}
	return l.check(user, password)
}

// loginServer is the server side of LOGIN, which no RFC describes: the client
// gives the user name, at once or when asked, and then the password.
type loginServer struct {
	check   func(user, password string) error
	user    string
	gotUser bool
	asked   bool
}

// Next takes the client's next message.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case !l.gotUser:
		l.gotUser, l.user = true, string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}
