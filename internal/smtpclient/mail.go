package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxPipelined bounds the commands of one write and so the replies that the
// server must be able to send before we read: 200 of them fit into any TCP window
// with room to spare. RFC 2920 §3.1.
const maxPipelined = 200

// Mail is one message for one mail transaction.
type Mail struct {
	From       smtp.Path
	Params     smtp.MailParams // what the sender asked for; what is not offered is left out
	Recipients []smtp.Recipient
	Head       []byte    // the content, or its first part; the spare capacity behind it may be used
	Body       io.Reader // the rest of the content; nil: there is none
	Size       int64     // octets of the content; 0: not known
	EightBit   bool      // the content has octets beyond ASCII
	UTF8       bool      // the header section needs SMTPUTF8; addresses are looked at by Send
}

// Answer is what became of a message.
type Answer struct {
	Refused  []*evidence.Error // one for each recipient of the Mail, in its order; nil: the recipient was not refused by itself
	Reply    smtp.Reply        // to the final dot; zero: there was none
	Err      *evidence.Error   // what kept the message from the recipients that were not refused; nil: they have it
	Answered bool              // the server replied to some command of this transaction
}

// Uncertain reports whether the message may have been accepted although Err says
// otherwise: the final dot was sent and no reply to it came.
func (a *Answer) Uncertain() bool {
	return a.Err != nil && a.Err.Stage == evidence.StagePostData && a.Err.Reply.IsZero()
}

// transaction is one mail transaction in progress. RFC 5321 §3.3.
type transaction struct {
	c        *Client
	m        *Mail
	params   smtp.MailParams
	a        *Answer
	pending  []command       // sent or queued, not yet answered
	mail     *evidence.Error // MAIL was refused
	accepted int             // recipients
	data     smtp.Reply      // to DATA
	leaving  smtp.Reply      // the 421 that announced the end of the connection
}

// stageRset marks the RSET before a transaction. Nobody sees it: a failure there
// is one of MAIL, whose transaction it begins.
const stageRset evidence.Stage = "rset"

// command is one command that awaits its reply.
type command struct {
	stage evidence.Stage
	index int // of the recipient; for RCPT
}

// Send carries one message. Cancelling ctx ends it before the final dot; after
// that the reply is awaited up to Timeouts.DataDot. When the connection is not
// Alive afterwards, Open must come before the next Send.
func (c *Client) Send(ctx context.Context, m *Mail) *Answer {
	t := &transaction{c: c, m: m, a: &Answer{Refused: make([]*evidence.Error, len(m.Recipients))}}
	if err := t.check(); err != nil {
		t.a.Err = err
		return t.a
	}
	stop := c.watch(ctx)
	defer stop()
	c.sent++
	began := time.Now()
	err := t.envelope(ctx)
	c.step(evidence.StageMail, began)
	switch {
	case err != nil:
		t.a.Err = err
	case t.data.Code == 354 && t.accepted > 0 && t.mail == nil:
		t.a.Err = t.content(ctx, stop)
	case t.data.Code == 354:
		t.loneDot(ctx)
		t.a.Err = t.mail
	default:
		t.a.Err = t.undone()
	}
	if t.leaving.Code != 0 || t.a.Reply.Code == 421 || t.data.Code == 421 {
		c.abort()
	}
	return t.a
}

// undone returns why there was no 354 for recipients that were accepted.
func (t *transaction) undone() *evidence.Error {
	c := t.c
	c.dirty = t.mail == nil
	switch {
	case t.mail != nil:
		return t.mail
	case t.leaving.Code != 0:
		return c.refused(evidence.StageRcpt, evidence.ScopeHost, t.leaving)
	case t.accepted == 0:
		return nil // each recipient has its own refusal
	case t.data.Positive():
		return c.network(evidence.StageData, evidence.ScopeConnection, fmt.Errorf("the reply to DATA was %d, not 354", t.data.Code))
	}
	return c.refused(evidence.StageData, evidence.ScopeMessage, t.data)
}

// check decides what of the parameters is sent, and refuses here what the server
// has said that it cannot take.
func (t *transaction) check() *evidence.Error {
	c, m := t.c, t.m
	if !c.Alive() {
		return c.local(evidence.StageConnect, evidence.ScopeConnection, noReply, ErrClosed)
	}
	utf8 := m.UTF8 || !m.From.IsASCII()
	for _, r := range m.Recipients {
		utf8 = utf8 || !r.Path.IsASCII()
		if strings.ContainsAny(string(r.Path), "\r\n") {
			return c.local(evidence.StageRcpt, evidence.ScopeMessage, smtp.NewReply(501, 1, 3, "a recipient address has a line end in it"), nil)
		}
	}
	switch {
	case strings.ContainsAny(string(m.From), "\r\n"):
		return c.local(evidence.StageMail, evidence.ScopeMessage, smtp.NewReply(501, 1, 7, "the sender address has a line end in it"), nil)
	case utf8 && !c.ext.SMTPUTF8: // RFC 6531 §3.2
		return c.local(evidence.StageMail, evidence.ScopeMessage,
			smtp.NewReply(550, 6, 7, "the next server takes no addresses or header fields with non-ASCII characters (SMTPUTF8)"), nil)
	case c.ext.MaxSize > 0 && m.Size > c.ext.MaxSize: // RFC 1870 §6.1
		return c.local(evidence.StageMail, evidence.ScopeMessage,
			smtp.NewReply(552, 3, 4, fmt.Sprintf("the message has %d octets, and the next server takes at most %d", m.Size, c.ext.MaxSize)), nil)
	}
	t.params = smtp.MailParams{SMTPUTF8: utf8}
	if c.ext.Size {
		t.params.Size = m.Size
	}
	if c.ext.EightBitMIME && (m.EightBit || m.Params.Body == smtp.Body8BitMIME) {
		t.params.Body = smtp.Body8BitMIME
	}
	if c.ext.DSN {
		t.params.Return, t.params.EnvelopeID = m.Params.Return, m.Params.EnvelopeID
	}
	return nil
}

// envelope sends MAIL, RCPT and DATA: in one write where the server takes
// pipelining, else one by one. The error is one of the connection.
func (t *transaction) envelope(ctx context.Context) *evidence.Error {
	c := t.c
	var line [1024]byte
	if c.dirty {
		c.queue([]byte("RSET"))
		if err := t.expect(ctx, command{stage: stageRset}); err != nil {
			return err
		}
		c.dirty = false
	}
	c.queue(smtp.AppendMail(line[:0], t.m.From, t.params))
	if err := t.expect(ctx, command{stage: evidence.StageMail}); err != nil {
		return err
	}
	for i := range t.m.Recipients {
		if t.mail != nil || t.leaving.Code != 0 {
			return nil // known before the rest was sent
		}
		r := &t.m.Recipients[i]
		var params smtp.RcptParams
		if c.ext.DSN {
			params = r.Params
		}
		c.queue(smtp.AppendRcpt(line[:0], r.Path, params))
		if err := t.expect(ctx, command{stage: evidence.StageRcpt, index: i}); err != nil {
			return err
		}
	}
	if len(t.pending) == 0 && (t.mail != nil || t.accepted == 0 || t.leaving.Code != 0) {
		return nil
	}
	c.queue([]byte("DATA"))
	t.pending = append(t.pending, command{stage: evidence.StageData})
	return t.sync(ctx)
}

// expect notes that a queued command awaits its reply, and waits for it where it
// may not wait.
func (t *transaction) expect(ctx context.Context, cmd command) *evidence.Error {
	t.pending = append(t.pending, cmd)
	if t.c.ext.Pipelining && len(t.pending) < maxPipelined {
		return nil
	}
	return t.sync(ctx)
}

// sync sends what is queued and reads all replies that are due.
func (t *transaction) sync(ctx context.Context) *evidence.Error {
	c := t.c
	if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
		// The server may have said why before it hung up.
		if errors.Is(err, ErrGivenUp) || !t.parting(ctx) {
			return t.broken(t.pending[0], err)
		}
	}
	for len(t.pending) > 0 {
		cmd := t.pending[0]
		var r smtp.Reply
		if err := c.read(ctx, t.wait(cmd.stage), &r, true); err != nil {
			return t.broken(cmd, err)
		}
		t.pending = t.pending[1:]
		t.a.Answered = t.a.Answered || cmd.stage != stageRset
		t.answer(cmd, r)
	}
	return nil
}

// parting reports whether something can still be read after a write has failed.
func (t *transaction) parting(ctx context.Context) bool {
	t.c.raw.SetReadDeadline(time.Now().Add(t.c.o.Timeouts.Leaving))
	_, err := t.c.br.Peek(1)
	return err == nil && ctx.Err() == nil
}

// wait returns how long the reply to a command may take.
func (t *transaction) wait(stage evidence.Stage) time.Duration {
	w := &t.c.o.Timeouts
	switch {
	case t.leaving.Code != 0:
		return w.Leaving
	case stage == evidence.StageMail:
		return w.Mail
	case stage == evidence.StageRcpt:
		return w.Rcpt
	case stage == evidence.StageData:
		return w.DataInit
	}
	return w.Command
}

// answer takes one reply.
func (t *transaction) answer(cmd command, r smtp.Reply) {
	c := t.c
	if r.Code == 421 { // RFC 5321 §3.8: the server is about to close
		t.leaving = r
	}
	switch cmd.stage {
	case evidence.StageMail:
		if r.Code/100 != 2 {
			t.mail = c.refused(cmd.stage, scopeOf(r, evidence.ScopeMessage), r)
		}
	case evidence.StageRcpt:
		switch {
		case r.Code/100 == 2:
			t.accepted++
		case t.mail == nil: // else a consequence of MAIL, whose refusal says more
			t.a.Refused[cmd.index] = c.refused(cmd.stage, scopeOf(r, evidence.ScopeRecipient), r)
		}
	case evidence.StageData:
		t.data = r
	}
}

// scopeOf returns what a refusal condemns: 421 is about the connection, whatever
// it was said to.
func scopeOf(r smtp.Reply, scope evidence.Scope) evidence.Scope {
	if r.Code == 421 {
		return evidence.ScopeHost
	}
	return scope
}

// broken returns the failure of a connection in the middle of the envelope, at
// the command whose reply did not come. What was answered before stands.
func (t *transaction) broken(cmd command, err error) *evidence.Error {
	c := t.c
	stage := cmd.stage
	if stage == stageRset {
		stage = evidence.StageMail
	}
	switch {
	case t.mail != nil:
		c.abort()
		return t.mail
	case t.leaving.Code != 0:
		c.abort()
		return c.refused(stage, evidence.ScopeHost, t.leaving)
	}
	return c.network(stage, evidence.ScopeConnection, err)
}
