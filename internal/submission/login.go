package submission

import (
	"context"
	"errors"
	"slices"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/smtp"
)

// The causes of refused logins, from the catalogue.
const (
	causeCredentials cause.ID = "auth.credentials-rejected"
	causeToken       cause.ID = "auth.oauth-token-rejected"
	causeSlowDown    cause.ID = "auth.too-many-logins"
	causeTemporary   cause.ID = "auth.server-failure"
	causeMalformed   cause.ID = "auth.malformed-exchange"
)

// Authenticate decides about a login. It returns the account's name, or the reply
// that refuses it. Each refusal is logged with account, peer and reason; the
// password is nowhere.
func (s *Service) Authenticate(ctx context.Context, c *smtp.Client, user, password string) (account string, r *smtp.Reply) {
	if s.o.Accounts == nil {
		return "", s.loginRefused(c, user, "credentials", causeCredentials, errors.New("there are no accounts"), &credentialsRejected)
	}
	a, err := s.o.Accounts.Login(ctx, c.Addr.Addr(), user, password)
	if err == nil {
		return a.Name, nil
	}
	return "", s.refuseLogin(c, user, err)
}

// refuseLogin returns the reply to a login that came to nothing.
func (s *Service) refuseLogin(c *smtp.Client, user string, err error) *smtp.Reply {
	var slow *auth.SlowDown
	var token *auth.TokenError
	switch {
	case errors.As(err, &token):
		return s.loginRefused(c, user, "credentials", causeToken, err, &tokenRefused)
	case errors.Is(err, auth.ErrInvalid):
		return s.loginRefused(c, user, "credentials", causeCredentials, err, &credentialsRejected)
	case errors.Is(err, auth.ErrMalformed):
		return s.loginRefused(c, user, "malformed", causeMalformed, err, &loginMalformed)
	case errors.As(err, &slow):
		return s.loginRefused(c, user, "slow-down", causeSlowDown, err, &slowDown)
	case errors.Is(err, auth.ErrBusy):
		return s.loginRefused(c, user, "busy", causeTemporary, err, &authUnavailable)
	}
	return s.loginRefused(c, user, "error", causeTemporary, err, &authUnavailable)
}

// Exchange begins a login by a mechanism other than PLAIN and LOGIN; nil when the
// mechanism is not known.
func (s *Service) Exchange(c *smtp.Client, mechanism string) smtp.Exchange {
	if s.o.Accounts == nil {
		return nil
	}
	x := s.o.Accounts.Exchange(mechanism, auth.Peer{Addr: c.Addr.Addr(), TLS: c.TLS, Certificate: c.Certificate,
		PlusOffered: slices.Contains(c.Mechanisms, auth.SCRAMPlus), Hostname: s.o.Hostname})
	if x == nil {
		return nil
	}
	return &exchange{s: s, c: c, x: x}
}

// exchange turns the outcome of a login into a reply.
type exchange struct {
	s *Service
	c *smtp.Client
	x auth.Exchange
}

// Next implements smtp.Exchange.
func (e *exchange) Next(ctx context.Context, response []byte) smtp.LoginStep {
	challenge, account, err := e.x.Next(ctx, response)
	switch {
	case err != nil:
		return smtp.LoginStep{Challenge: challenge, Refusal: e.s.refuseLogin(e.c, e.x.User(), err)}
	case account != nil:
		return smtp.LoginStep{Account: account.Name}
	}
	return smtp.LoginStep{Challenge: challenge}
}

func (s *Service) loginRefused(c *smtp.Client, user, reason string, id cause.ID, err error, r *smtp.Reply) *smtp.Reply {
	if len(user) > maxLoggedName {
		user = user[:maxLoggedName]
	}
	s.o.Log.Warn("login refused", "account", user, "peer", c.Addr.String(), "listener", c.Listener, "session", c.SessionID,
		"mechanism", c.Mechanism, "reason", reason, "cause", string(id), "error", err.Error(), "reply", r.String())
	if s.o.Hooks.LoginRefused != nil {
		s.o.Hooks.LoginRefused(reason)
	}
	return r
}

// maxLoggedName bounds what a client can write into our log, octets: a mailbox.
const maxLoggedName = 320
