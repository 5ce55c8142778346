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
	var told *outcome // of the last mechanism that said something about us, else of the last
	mechanisms := c.mechanisms(cred)
	for _, mechanism := range mechanisms {
		name, initial, err := mechanism.Start()
		if err != nil || !c.ext.offers(name) {
			continue
		}
		c.mechanism, c.password = name, cmp.Or(cred.Token, cred.Password)
		o, failure := c.exchange(ctx, mechanism, name, initial)
		switch {
		case failure != nil:
			return failure
		case o.reply.Code == 235 && o.err == nil:
			return nil
		}
		if told == nil || !o.unknown() {
			told = o
		}
		if !o.anotherMayDo() {
			break
		}
	}
	if told != nil {
		return c.loginFailed(told)
	}
	return c.local(evidence.StageAuth, evidence.ScopeRoute, noReply, &MechanismError{Offered: c.ext.Auth, Known: names(mechanisms)})
}

// outcome is how a login by one mechanism ended, on a connection that still stands.
type outcome struct {
	reply  smtp.Reply // that ended it
	said   string     // the server's reason, in a challenge before the reply
	err    error      // what is wrong with the server's side of it
	proved bool       // it was shown that we know the password, or the token itself was
}

// unknown reports whether the server does not know the mechanism after all, or does
// not take it.
func (o *outcome) unknown() bool { return o.reply.Code == 504 || o.reply.Code == 502 }

// anotherMayDo reports whether another mechanism may be tried. A password that was
// refused is never given again: it would count twice against the account.
func (o *outcome) anotherMayDo() bool {
	switch {
	case o.unknown():
		return true // RFC 4954 §4
	case !o.reply.Permanent():
		return false // temporary: it would be the same by another
	case o.said != "", errors.Is(o.err, errNotProved):
		return false
	case o.reply.Code == 500, o.reply.Code == 501:
		return true // it has not understood us, so it has judged nothing
	case o.reply.Code == 530, o.reply.Code == 538:
		return false // it wants TLS first
	}
	return !o.proved
}

// loginFailed returns the failure that an outcome is.
func (c *Client) loginFailed(o *outcome) *evidence.Error {
	switch {
	case errors.Is(o.err, errNotProved):
		return c.network(evidence.StageAuth, evidence.ScopeHost, o.err)
	case o.err != nil && !o.proved:
		return c.network(evidence.StageAuth, evidence.ScopeHost, o.err)
	case o.reply.Permanent() || o.said != "":
		e := c.refused(evidence.StageAuth, evidence.ScopeRoute, o.reply)
		if e.Err = o.err; o.said != "" {
			e.Err = &ChallengeError{Text: o.said}
		}
		return e
	}
	return c.refused(evidence.StageAuth, evidence.ScopeHost, o.reply)
}

// exchange makes one login and returns how it ended. The credentials are not
// recorded, nor where the server repeats them.
func (c *Client) exchange(ctx context.Context, mechanism sasl.Client, name string, initial []byte) (*outcome, *evidence.Error) {
	defer func() { c.secrets, c.password = nil, "" }()
	o, messages := &outcome{}, 0
	line, shown := "AUTH "+name, "AUTH "+name
	if initial != nil {
		line, shown = line+" "+c.secret(initial), shown+" ***"
		messages++
	}
	for range maxRounds {
		o.proved = messages >= proofAfter(name)
		r, failure := c.say(ctx, line, shown)
		if failure != nil {
			return nil, failure
		}
		if r.Code != 334 {
			o.reply = c.cleanReply(r)
			if s, ok := mechanism.(*scramMechanism); ok && r.Code == 235 && !s.proved() {
				o.err = errNotProved
			}
			return o, nil
		}
		challenge, err := base64.StdEncoding.DecodeString(r.Text())
		if err != nil && name == "NTLM" && messages == 0 {
			challenge, err = nil, nil // "334 ntlm supported"; MS-SMTPNTLM §2.2
		}
		if err != nil {
			return c.cancelAuth(ctx, o, fmt.Errorf("the challenge is not base64: %q", evidence.Clip(evidence.Printable(c.cleanReply(r).Text()), maxGarbage)))
		}
		if _, token := mechanism.(bearer); token { // the reason of a refusal; RFC 7628 §3.2.3
			o.said = evidence.Clip(evidence.Printable(string(c.withoutSecret(challenge))), maxGarbage)
		}
		response, err := mechanism.Next(challenge)
		switch {
		case errors.Is(err, sasl.ErrUnexpectedServerChallenge):
			return c.cancelAuth(ctx, o, fmt.Errorf("the server goes on where %s ends", name))
		case err != nil:
			return c.cancelAuth(ctx, o, fmt.Errorf("%s: %w", name, err))
		}
		messages++
		line, shown = "", "***"
		if len(response) > 0 {
			line = c.secret(response)
		}
	}
	return c.cancelAuth(ctx, o, errors.New("challenges without end"))
}

// say writes one line of a login and returns the reply.
func (c *Client) say(ctx context.Context, line, shown string) (smtp.Reply, *evidence.Error) {
	c.queueSecret(line, shown)
	if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
		return noReply, c.network(evidence.StageAuth, evidence.ScopeConnection, err)
	}
	r, err := c.readReply(ctx, c.o.Timeouts.Command)
	if err != nil {
		return noReply, c.network(evidence.StageAuth, evidence.ScopeConnection, err)
	}
	return r, nil
}

// cancelAuth ends a login that makes no sense. RFC 4954 §4. A server that lets go of
// it in order may be asked by another mechanism.
func (c *Client) cancelAuth(ctx context.Context, o *outcome, why error) (*outcome, *evidence.Error) {
	o.err = why
	c.queue([]byte("*"))
	err := c.flush(ctx, c.o.Timeouts.Leaving)
	if err == nil {
		o.reply, err = c.readReply(ctx, c.o.Timeouts.Leaving)
	}
	if err != nil || !o.reply.Permanent() {
		return nil, c.network(evidence.StageAuth, evidence.ScopeHost, why)
	}
	o.reply = c.cleanReply(o.reply)
	return o, nil
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
