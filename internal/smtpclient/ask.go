package smtpclient

import (
	"context"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Ask says one command on an open conversation and returns the reply, whatever it
// is. It is for questions that are no part of sending; line must not hold
// credentials. stage is where a broken connection is said to have broken.
func (c *Client) Ask(ctx context.Context, stage evidence.Stage, line string) (smtp.Reply, *evidence.Error) {
	if !c.Alive() {
		return noReply, c.local(stage, evidence.ScopeConnection, noReply, ErrClosed)
	}
	defer c.watch(ctx)()
	began := time.Now()
	defer c.step(stage, began)
	c.queue([]byte(strings.NewReplacer("\r", "", "\n", "").Replace(line)))
	if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
		return noReply, c.network(stage, evidence.ScopeConnection, err)
	}
	r, err := c.readReply(ctx, c.o.Timeouts.Command)
	if err != nil {
		return noReply, c.network(stage, evidence.ScopeConnection, err)
	}
	if r.Code == 421 {
		c.abort()
	}
	return r, nil
}

// Envelope asks whether the server would take mail from the sender for the
// recipients of m, and takes the question back with RSET. Nothing is sent. The
// Answer has the refusals of the recipients and in Err that of the sender.
// RFC 5321 §3.3, §4.1.1.5.
func (c *Client) Envelope(ctx context.Context, m *Mail) *Answer {
	t := &transaction{c: c, m: m, a: &Answer{Refused: make([]*evidence.Error, len(m.Recipients))}}
	if err := t.check(); err != nil {
		t.a.Err = err
		return t.a
	}
	defer c.watch(ctx)()
	began := time.Now()
	defer c.step(evidence.StageMail, began)
	r, err := c.Ask(ctx, evidence.StageMail, string(smtp.AppendMail(nil, m.From, t.params)))
	switch {
	case err != nil:
		t.a.Err = err
		return t.a
	case r.Code/100 != 2:
		t.a.Err = c.refused(evidence.StageMail, scopeOf(r, evidence.ScopeMessage), r)
		return t.a
	}
	c.dirty = true
	for i := range m.Recipients {
		r, err := c.Ask(ctx, evidence.StageRcpt, string(smtp.AppendRcpt(nil, m.Recipients[i].Path, smtp.RcptParams{})))
		switch {
		case err != nil:
			t.a.Err = err
			return t.a
		case r.Code/100 != 2:
			t.a.Refused[i] = c.refused(evidence.StageRcpt, scopeOf(r, evidence.ScopeRecipient), r)
		}
	}
	if c.Alive() {
		if r, err := c.Ask(ctx, evidence.StageMail, "RSET"); err == nil && r.Code/100 == 2 {
			c.dirty = false
		}
	}
	return t.a
}
