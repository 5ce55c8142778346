package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/deliver/gmail"
	"github.com/wellsent/wellsent/internal/deliver/graph"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// carrier takes mail for a mailbox over HTTPS.
type carrier interface {
	speaker
	Send(ctx context.Context, m *api.Mail) *api.Answer
}

var (
	_ carrier = (*graph.Client)(nil)
	_ carrier = (*gmail.Client)(nil)
)

// speaker is a conversation with one host, of whatever kind.
type speaker interface {
	Address() string // "" before any
	Record(failure *evidence.Error) *evidence.Record
	Close() error
}

var _ speaker = (*smtpclient.Client)(nil)

// speaker returns the conversation with the host, nil before any.
func (c *conversation) speaker() speaker {
	switch {
	case c.api != nil:
		return c.api
	case c.client != nil:
		return c.client
	}
	return nil
}

// ready reports whether the next message can be sent without another host's being
// asked.
func (c *conversation) ready() bool {
	if c.api != nil {
		return !c.spent
	}
	return c.client != nil && c.client.Alive()
}

// leave ends what conversation there is, for another host is asked.
func (c *conversation) leave() error {
	if c.api != nil {
		c.api.Close()
	}
	c.api, c.spent = nil, false
	if c.client == nil {
		return nil
	}
	return c.client.Close()
}

// offersDSN reports whether the host tells the sender of what becomes of a message
// there. RFC 3461.
func (c *conversation) offersDSN() bool { return c.api == nil && c.client.Extensions().DSN }

// openAPI returns a conversation with h. Nothing is asked yet.
func (c *conversation) openAPI(h host) carrier {
	o := api.Options{
		Host: h.name, Port: h.port, User: c.route.User, Roots: c.route.Roots, TLSConfig: c.tlsConfig(),
		Dial: c.d.Dialer(c.route), ByName: c.byName(), Answers: c.d.o.Timeouts.DataDot,
		Addresses: func(ctx context.Context, name string) ([]netip.Addr, error) {
			found, err := c.addresses(ctx, host{name: name, lookUp: name, port: h.port})
			if err != nil {
				return nil, err
			}
			return found, nil
		},
	}
	if c.route.Token != nil {
		o.Token = func(ctx context.Context, refused string) (string, error) {
			token, err := c.route.Token(ctx, h.scheme, refused)
			switch {
			case errors.Is(err, oauth.ErrFresh):
				return refused, nil // another would be refused as well
			case err != nil:
				return "", tokenFailed(ctx, err)
			}
			return token, nil
		}
	}
	if h.scheme == route.SchemeGmail {
		return gmail.New(o)
	}
	return graph.New(o)
}

// hand gives the message to an interface for those that are left. It reports
// whether another transaction may serve those that are left then.
func (c *conversation) hand(ctx context.Context, a *attempt) bool {
	batch := a.left
	if a.few > 0 && len(batch) > a.few {
		batch = batch[:a.few]
	}
	if a.begun > 0 && a.r.Again != nil && !a.r.Again(len(batch)) {
		a.holdBack()
		return false
	}
	m := c.mail(a, batch)
	release, err := c.d.room(ctx, m.Size)
	if err != nil {
		a.giveUp(err)
		return false
	}
	a.begun++
	answer := func() *api.Answer {
		defer release()
		return c.api.Send(ctx, m)
	}()
	if answer.Err != nil && opening(answer.Err.Stage) {
		a.begun-- // the message was not looked at
	}
	if answer.Err != nil && proxyLogin(answer.Err) {
		answer.Err.Scope = evidence.ScopeRoute // the way it is set up, nothing goes out by it
	}
	a.wait = max(a.wait, answer.RetryAfter)
	if answer.Err == nil {
		a.notes = append(a.notes, answer.Notes...)
	}
	a.said = a.said || answer.Err == nil || !opening(answer.Err.Stage)
	if n := fewer(answer.Err, len(batch)); n > 0 {
		a.few = n
		return true
	}
	got := &smtpclient.Answer{Refused: make([]*evidence.Error, len(batch)), Reply: answer.Reply, Err: answer.Err, Answered: true}
	if len(batch) == 1 && answer.Err != nil && answer.Err.Stage == evidence.StageRcpt {
		got.Refused[0], got.Err = answer.Err, nil // it says nothing of the others
	}
	a.take(batch, got)
	if answer.Err != nil && aboutNextHop(answer.Err.Scope) {
		c.spent = c.api != nil
	}
	return len(a.left) > 0
}

// An interface is given a message from memory, whole: with a few big ones at once
// that is some hundred megabytes, with fifty it would be too much.
const (
	bigMessage = 4 << 20 // octets
	bigAtOnce  = 4
)

// room waits until a message of size octets may be held in memory.
func (d *Deliverer) room(ctx context.Context, size int64) (release func(), err *evidence.Error) {
	if size < bigMessage {
		return func() {}, nil
	}
	select {
	case d.big <- struct{}{}:
		return func() { <-d.big }, nil
	case <-ctx.Done():
		return nil, &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageConnect, Scope: evidence.ScopeConnection, Err: smtpclient.ErrGivenUp}
	}
}

// fewer returns to how many recipients a message may go at once after a refusal
// that concerns some of its n recipients and does not say which; 0 when it is about
// all, or there is but one. One address that cannot be must not keep the others
// from their mail.
func fewer(err *evidence.Error, n int) int {
	switch {
	case err == nil || n < 2 || err.Stage != evidence.StageRcpt || err.Origin != evidence.OriginRemote:
		return 0
	case tooManyRecipients(err):
		return n / 2
	}
	return 1
}

// mail returns the message for the recipients at the positions given.
func (c *conversation) mail(a *attempt, positions []int) *api.Mail {
	msg := a.r.Message
	m := &api.Mail{Size: int64(len(msg.Header)) + msg.BodySize, Recipients: make([]smtp.Path, len(positions))}
	for i, pos := range positions {
		m.Recipients[i] = msg.Recipients[pos].Path
	}
	rule := rewriting(c.route, msg)
	m.Content = func() (io.ReadCloser, error) {
		body, err := a.r.Body()
		if err != nil {
			return nil, err
		}
		header := msg.Header
		if rule.From {
			if header, body, _, err = rewritten(rule, msg, body); err != nil {
				return nil, err
			}
		}
		return &remainder{io.MultiReader(bytes.NewReader(header), body), body}, nil
	}
	return m
}
