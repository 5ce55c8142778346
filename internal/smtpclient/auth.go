package smtpclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxRounds bounds the challenges of one login. No mechanism needs more than
// three.
const maxRounds = 8

// minHidden is the length from which a password is looked for in replies. To take
// out a shorter one would show where it stood.
const minHidden = 4

// The failures of a login that are ours to decide.
var (
	ErrAuthNotOffered = errors.New("the server offers no login (AUTH)")
	ErrAuthClearText  = errors.New("the connection is not encrypted, so the password was not sent")
)

// MechanismError is a server with which we have no SASL mechanism in common.
type MechanismError struct {
	Offered []string
}

// Error lists what the server offers.
func (e *MechanismError) Error() string {
	return "the server offers only " + strings.Join(e.Offered, ", ") + " for the login, and we know PLAIN and LOGIN"
}

// auth logs in by the best mechanism that both sides know. RFC 4954.
func (c *Client) auth(ctx context.Context) *evidence.Error {
	began := time.Now()
	defer c.step(evidence.StageAuth, began)
	switch {
	case len(c.ext.Auth) == 0:
		return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, ErrAuthNotOffered)
	case !c.Secure() && !c.o.PlaintextAuth:
		return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, ErrAuthClearText)
	}
	var last *evidence.Error
	for _, mechanism := range []sasl.Client{sasl.NewPlainClient("", c.o.User, c.o.Password), &login{user: c.o.User, password: c.o.Password}} {
		name, initial, err := mechanism.Start()
		if err != nil || !c.ext.offers(name) {
			continue
		}
		r, failure := c.exchange(ctx, mechanism, name, initial)
		switch {
		case failure != nil:
			return failure
		case r.Code == 235:
			return nil
		case r.Code == 504, r.Code == 502: // offered and not known after all; the next one may be
			last = c.refused(evidence.StageAuth, evidence.ScopeRoute, r)
			continue
		case r.Permanent():
			return c.refused(evidence.StageAuth, evidence.ScopeRoute, r)
		}
		return c.refused(evidence.StageAuth, evidence.ScopeHost, r)
	}
	if last != nil {
		return last
	}
	return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, &MechanismError{Offered: c.ext.Auth})
}

// exchange makes one login and returns the reply that ended it. The credentials
// are not recorded, nor where the server repeats them.
func (c *Client) exchange(ctx context.Context, mechanism sasl.Client, name string, initial []byte) (smtp.Reply, *evidence.Error) {
	defer func() { c.secrets = nil }()
	line, shown := "AUTH "+name, "AUTH "+name
	if initial != nil {
		line, shown = line+" "+c.secret(initial), shown+" ***"
	}
	for range maxRounds {
		c.queueSecret(line, shown)
		if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
			return noReply, c.network(evidence.StageAuth, evidence.ScopeConnection, err)
		}
		r, err := c.readReply(ctx, c.o.Timeouts.Command)
		if err != nil {
			return noReply, c.network(evidence.StageAuth, evidence.ScopeConnection, err)
		}
		if r.Code != 334 {
			return c.cleanReply(r), nil
		}
		challenge, err := base64.StdEncoding.DecodeString(r.Text())
		if err != nil {
			return c.cancelAuth(ctx, fmt.Errorf("the challenge is not base64: %q", evidence.Clip(evidence.Printable(c.cleanReply(r).Text()), maxGarbage)))
		}
		response, err := mechanism.Next(challenge)
		if err != nil {
			return c.cancelAuth(ctx, fmt.Errorf("the server goes on where %s ends", name))
		}
		line, shown = c.secret(response), "***"
	}
	return c.cancelAuth(ctx, errors.New("challenges without end"))
}

// cancelAuth ends a login that makes no sense. RFC 4954 §4.
func (c *Client) cancelAuth(ctx context.Context, why error) (smtp.Reply, *evidence.Error) {
	c.queue([]byte("*"))
	if c.flush(ctx, c.o.Timeouts.Leaving) == nil {
		c.readReply(ctx, c.o.Timeouts.Leaving)
	}
	return noReply, c.network(evidence.StageAuth, evidence.ScopeHost, why)
}

// secret returns a response in wire form and has it kept out of the record.
func (c *Client) secret(response []byte) string {
	s := base64.StdEncoding.EncodeToString(response)
	if s == "" {
		return "=" // RFC 4954 §4: an empty initial response
	}
	c.secrets = append(c.secrets, s)
	if len(c.o.Password) >= minHidden && len(c.secrets) == 1 {
		c.secrets = append(c.secrets, c.o.Password)
	}
	return s
}

// cleanReply returns r without the credentials that it may repeat.
func (c *Client) cleanReply(r smtp.Reply) smtp.Reply {
	for i, l := range r.Lines {
		r.Lines[i] = string(c.withoutSecret([]byte(l)))
	}
	return r
}

// login is the client of the LOGIN mechanism. It answers the first question with
// the user and the second with the password, whatever the words: servers word
// them in many ways. draft-murchison-sasl-login-00.
type login struct {
	user, password string
	asked          int
}

// Start begins without an initial response, which some servers do not take.
func (l *login) Start() (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers one question.
func (l *login) Next([]byte) ([]byte, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.password), nil
	}
	return nil, sasl.ErrUnexpectedServerChallenge
}
