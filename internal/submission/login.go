package submission

import (
	"context"
	"errors"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/smtp"
)

// The causes of refused logins, from the catalogue.
const (
	causeCredentials cause.ID = "auth.credentials-rejected"
	causeSlowDown    cause.ID = "auth.too-many-logins"
	causeTemporary   cause.ID = "auth.server-failure"
)

// Authenticate decides about a login. It returns the account's name, or the reply
// that refuses it. Each refusal is logged with account, peer and reason; the
// password is nowhere.
func (s *Service) Authenticate(ctx context.Context, c *smtp.Client, user, password string) (account string, r *smtp.Reply) {
	if s.o.Accounts == nil {
		return "", s.loginRefused(c, user, "credentials", causeCredentials, errors.New("there are no accounts"), &credentialsRejected)
	}
	a, err := s.o.Accounts.Login(ctx, c.Addr.Addr(), user, password)
	var slow *auth.SlowDown
	switch {
	case err == nil:
		return a.Name, nil
	case errors.Is(err, auth.ErrInvalid):
		return "", s.loginRefused(c, user, "credentials", causeCredentials, err, &credentialsRejected)
	case errors.As(err, &slow):
		return "", s.loginRefused(c, user, "slow-down", causeSlowDown, err, &slowDown)
	case errors.Is(err, auth.ErrBusy):
		return "", s.loginRefused(c, user, "busy", causeTemporary, err, &authUnavailable)
	}
	return "", s.loginRefused(c, user, "error", causeTemporary, err, &authUnavailable)
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
