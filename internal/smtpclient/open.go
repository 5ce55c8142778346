package smtpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// noReply stands where no server has said anything.
var noReply smtp.Reply

// ErrNoAddress is a host without an address to try.
var ErrNoAddress = errors.New("the host has no address to connect to")

// Open opens the conversation: connection, TLS, greeting, EHLO and login. Each
// address is tried in turn until one gets as far as that, or until a failure that
// all would share. The error of several addresses is that of the one that got
// furthest. Open may be called again when the connection is closed.
func (c *Client) Open(ctx context.Context) *evidence.Error {
	c.abort()
	c.began, c.rec, c.dials, c.tls, c.greet, c.steps = time.Now(), recorder{ring: c.rec.ring}, nil, nil, "", c.steps[:0]
	furthest := c.local(evidence.StageConnect, evidence.ScopeHost, noReply, ErrNoAddress)
	for i, address := range c.targets() {
		err := c.openAt(ctx, address, c.o.Policy)
		if err != nil && c.o.Policy == TLSOpportunistic && !c.o.Implicit && clearTextMayDo(err) && ctx.Err() == nil {
			// STARTTLS was offered and failed. Clear text is what a server without it would
			// get too; RFC 3207 §4.1. It needs a new connection.
			err = c.openAt(ctx, address, TLSNone)
		}
		if err == nil {
			return nil
		}
		c.leave()
		if i == 0 || rank(err.Stage) > rank(furthest.Stage) {
			furthest = err
		}
		if ctx.Err() != nil || !nextAddress(err) {
			return err
		}
	}
	return furthest
}

// targets returns what is dialled, in order.
func (c *Client) targets() []string {
	if c.o.ByName {
		return []string{net.JoinHostPort(serverName(c.o.Host), strconv.Itoa(c.o.Port))}
	}
	all := make([]string, 0, len(c.o.Addresses))
	for _, a := range c.o.Addresses {
		all = append(all, hostPort(a, c.o.Port))
	}
	return all
}

// leave closes a connection that is not wanted after all, with QUIT where it still
// stands: a server that has said 554 waits for it. RFC 5321 §3.1, §4.1.1.10. Its
// answer is not awaited.
func (c *Client) leave() {
	if c.raw == nil {
		return
	}
	c.queue([]byte("QUIT"))
	_ = c.flush(context.Background(), c.o.Timeouts.Quit) // what becomes of it changes nothing
	c.abort()
}

// openAt opens the conversation at one address.
func (c *Client) openAt(ctx context.Context, address string, policy Policy) *evidence.Error {
	if err := c.dial(ctx, address); err != nil {
		return err
	}
	defer c.watch(ctx)()
	if c.o.Implicit {
		if err := c.handshake(ctx, policy); err != nil {
			return err
		}
	}
	if err := c.greeting(ctx); err != nil {
		return err
	}
	if err := c.hello(ctx); err != nil {
		return err
	}
	if !c.o.Implicit {
		if err := c.startTLS(ctx, policy); err != nil {
			return err
		}
	}
	if c.o.User == "" {
		return nil
	}
	return c.auth(ctx, Credentials{User: c.o.User, Password: c.o.Password, Token: c.o.Token})
}

// clearTextMayDo reports whether a failure was one of STARTTLS itself.
func clearTextMayDo(err *evidence.Error) bool {
	return err.Stage == evidence.StageTLS || err.Stage == evidence.StageStartTLS
}

// nextAddress reports whether another address of the same host may do better.
func nextAddress(err *evidence.Error) bool {
	switch {
	case err.Scope == evidence.ScopeRoute:
		return false // the same credentials would be refused there; and each try counts against us
	case err.Stage == evidence.StageAuth && err.Origin == evidence.OriginRemote:
		return false
	}
	return true
}

// rank orders the stages of opening.
func rank(s evidence.Stage) int {
	for i, x := range []evidence.Stage{evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting, evidence.StageEHLO, evidence.StageStartTLS, evidence.StageAuth} {
		if s == x {
			return i
		}
	}
	return -1
}

// dial opens the connection to one address.
func (c *Client) dial(ctx context.Context, address string) *evidence.Error {
	began := time.Now()
	wait, cancel := context.WithTimeout(ctx, c.o.Timeouts.Connect)
	defer cancel()
	conn, err := c.o.Dial(wait, "tcp", address)
	d := evidence.Dial{Address: address, Took: time.Since(began)}
	if err != nil {
		d.Error = err.Error()
	}
	c.dials = append(c.dials, d)
	c.address = address
	c.step(evidence.StageConnect, began)
	if err != nil {
		return c.network(evidence.StageConnect, evidence.ScopeHost, orCause(ctx, err))
	}
	c.raw, c.conn = conn, conn
	c.dirty, c.sent, c.ext, c.esmtp = false, 0, Extensions{}, false
	c.reader()
	return nil
}

// reader begins to read from the connection anew; what was buffered is forgotten.
func (c *Client) reader() {
	if c.br == nil {
		c.br = bufio.NewReaderSize(c.conn, maxReplyLine)
		return
	}
	c.br.Reset(c.conn)
}

// greeting reads the server's first reply. RFC 5321 §3.1, §4.2.
func (c *Client) greeting(ctx context.Context) *evidence.Error {
	began := time.Now()
	r, err := c.readReply(ctx, c.o.Timeouts.Greeting)
	c.step(evidence.StageGreeting, began)
	if err != nil {
		var g *GarbageError
		if errors.As(err, &g) {
			c.greet = g.Line
		}
		return c.network(evidence.StageGreeting, evidence.ScopeHost, err)
	}
	c.greet = evidence.Printable(r.String())
	if r.Code != 220 {
		return c.refused(evidence.StageGreeting, evidence.ScopeHost, r)
	}
	return nil
}

// hello introduces us: EHLO, and HELO where that is refused for good. RFC 5321
// §3.2.
func (c *Client) hello(ctx context.Context) *evidence.Error {
	began := time.Now()
	defer c.step(evidence.StageEHLO, began)
	var refusal smtp.Reply // of EHLO
	for _, verb := range []string{"EHLO ", "HELO "} {
		c.queue(append([]byte(verb), c.o.Hostname...))
		err := c.flush(ctx, c.o.Timeouts.Command)
		var r smtp.Reply
		if err == nil {
			r, err = c.readReply(ctx, c.o.Timeouts.Command)
		}
		switch {
		case err != nil && !refusal.IsZero() && !errors.Is(err, ErrGivenUp):
			c.abort()
			return c.refused(evidence.StageEHLO, evidence.ScopeHost, refusal) // it hung up after a reason, which says more
		case err != nil:
			return c.network(evidence.StageEHLO, evidence.ScopeHost, err)
		case r.Code/100 == 2 && verb == "EHLO ":
			c.ext, c.esmtp = parseExtensions(r), true
			return nil
		case r.Code/100 == 2:
			c.ext, c.esmtp = Extensions{}, false
			return nil
		case !r.Permanent() || verb == "HELO ":
			return c.refused(evidence.StageEHLO, evidence.ScopeHost, r)
		}
		refusal = r
	}
	return nil
}

// startTLS secures the connection as policy demands. RFC 3207.
func (c *Client) startTLS(ctx context.Context, policy Policy) *evidence.Error {
	switch {
	case policy == TLSNone:
		return nil
	case !c.ext.StartTLS && policy == TLSOpportunistic:
		return nil
	case !c.ext.StartTLS:
		return c.local(evidence.StageStartTLS, evidence.ScopeHost, noReply, ErrNoStartTLS)
	}
	began := time.Now()
	c.queue([]byte("STARTTLS"))
	if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
		return c.network(evidence.StageStartTLS, evidence.ScopeHost, err)
	}
	r, err := c.readReply(ctx, c.o.Timeouts.Command)
	c.step(evidence.StageStartTLS, began)
	switch {
	case err != nil:
		return c.network(evidence.StageStartTLS, evidence.ScopeHost, err)
	case r.Code != 220 && policy == TLSOpportunistic && r.Code != 421:
		return nil // RFC 3207 §4.1: the client decides whether to go on; the session stands as it was
	case r.Code != 220:
		return c.refused(evidence.StageStartTLS, evidence.ScopeHost, r)
	}
	// Whatever stands in the buffer was sent in clear text, by the server or by
	// somebody between, to be taken for the answer to what is said under TLS.
	if n := c.br.Buffered(); n > 0 {
		extra, _ := c.br.Peek(min(n, maxGarbage))
		c.record(fromServer, bytes.TrimRight(extra, "\r\n"))
		return c.network(evidence.StageStartTLS, evidence.ScopeHost, ErrInjection)
	}
	if err := c.handshake(ctx, policy); err != nil {
		return err
	}
	return c.hello(ctx) // RFC 3207 §4.2: what was offered before is forgotten
}

// The failures of STARTTLS that are ours to decide.
var (
	ErrNoStartTLS = errors.New("the server does not offer STARTTLS")
	ErrInjection  = errors.New("something was sent in clear text after the reply to STARTTLS")
)
