package smtpclient

import (
	"cmp"
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
	Known   []string // what we could have used
}

// Error lists what the server offers.
func (e *MechanismError) Error() string {
	return "the server offers only " + strings.Join(e.Offered, ", ") + " for the login, and we can use " + strings.Join(e.Known, ", ")
}

// Credentials are who logs in, and with what.
type Credentials struct {
	User      string
	Password  string
	Token     string // an OAuth access token; with it only XOAUTH2 and OAUTHBEARER are used
	Mechanism string // the one SASL mechanism to use; "": the best that both sides know
}

// Login logs in on an open conversation that was opened without a user. The
// connection stays open where the server has refused. RFC 4954.
func (c *Client) Login(ctx context.Context, cred Credentials) *evidence.Error {
	if !c.Alive() {
		return c.local(evidence.StageAuth, evidence.ScopeConnection, noReply, ErrClosed)
	}
	defer c.watch(ctx)()
	return c.auth(ctx, cred)
}

// Mechanism returns the SASL mechanism that the last login used, or "".
func (c *Client) Mechanism() string { return c.mechanism }

// auth logs in by the best mechanism that both sides know. RFC 4954.
func (c *Client) auth(ctx context.Context, cred Credentials) *evidence.Error {
	began := time.Now()
	defer c.step(evidence.StageAuth, began)
	switch {
	case len(c.ext.Auth) == 0:
		return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, ErrAuthNotOffered)
	case !c.Secure() && !c.o.PlaintextAuth:
		return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, ErrAuthClearText)
	}
	var last *evidence.Error
	mechanisms := cred.mechanisms()
	for _, mechanism := range mechanisms {
		name, initial, err := mechanism.Start()
		if err != nil || !c.ext.offers(name) {
			continue
		}
		c.mechanism, c.password = name, cmp.Or(cred.Token, cred.Password)
		r, said, failure := c.exchange(ctx, mechanism, name, initial)
		switch {
		case failure != nil:
			return failure
		case r.Code/100 != 2 && said != "":
			refused := c.refused(evidence.StageAuth, evidence.ScopeRoute, r)
			refused.Err = &ChallengeError{Text: said}
			return refused
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
	return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, &MechanismError{Offered: c.ext.Auth, Known: names(mechanisms)})
}

// exchange makes one login and returns the reply that ended it. The credentials
// are not recorded, nor where the server repeats them.
func (c *Client) exchange(ctx context.Context, mechanism sasl.Client, name string, initial []byte) (smtp.Reply, string, *evidence.Error) {
	defer func() { c.secrets, c.password = nil, "" }()
	said := ""
	line, shown := "AUTH "+name, "AUTH "+name
	if initial != nil {
		line, shown = line+" "+c.secret(initial), shown+" ***"
	}
	for range maxRounds {
		c.queueSecret(line, shown)
		if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
			return noReply, "", c.network(evidence.StageAuth, evidence.ScopeConnection, err)
		}
		r, err := c.readReply(ctx, c.o.Timeouts.Command)
		if err != nil {
			return noReply, "", c.network(evidence.StageAuth, evidence.ScopeConnection, err)
		}
		if r.Code != 334 {
			return c.cleanReply(r), said, nil
		}
		challenge, err := base64.StdEncoding.DecodeString(r.Text())
		if err != nil {
			return c.cancelAuth(ctx, fmt.Errorf("the challenge is not base64: %q", evidence.Clip(evidence.Printable(c.cleanReply(r).Text()), maxGarbage)))
		}
		if _, token := mechanism.(bearer); token { // the reason of a refusal; RFC 7628 §3.2.3
			said = evidence.Clip(evidence.Printable(string(c.withoutSecret(challenge))), maxGarbage)
		}
		response, err := mechanism.Next(challenge)
		if err != nil {
			return c.cancelAuth(ctx, fmt.Errorf("the server goes on where %s ends", name))
		}
		line, shown = "", "***"
		if len(response) > 0 {
			line = c.secret(response)
		}
	}
	return c.cancelAuth(ctx, errors.New("challenges without end"))
}

// cancelAuth ends a login that makes no sense. RFC 4954 §4.
func (c *Client) cancelAuth(ctx context.Context, why error) (smtp.Reply, string, *evidence.Error) {
	c.queue([]byte("*"))
	if c.flush(ctx, c.o.Timeouts.Leaving) == nil {
		c.readReply(ctx, c.o.Timeouts.Leaving)
	}
	return noReply, "", c.network(evidence.StageAuth, evidence.ScopeHost, why)
}

// secret returns a response in wire form and has it kept out of the record.
func (c *Client) secret(response []byte) string {
	s := base64.StdEncoding.EncodeToString(response)
	if s == "" {
		return "=" // RFC 4954 §4: an empty initial response
	}
	c.secrets = append(c.secrets, s)
	if len(c.password) >= minHidden && len(c.secrets) == 1 {
		c.secrets = append(c.secrets, c.password)
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
