package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

var errNoGreeting = errors.New("the server does not greet")

// client returns the conversation that stands, opened anew where it has ended.
func (r *run) client(ctx context.Context) (*smtpclient.Client, *Talk) {
	r.mu.Lock()
	t := r.f.settled(r.q)
	c := r.clients[t]
	r.mu.Unlock()
	if t == nil || c != nil && c.Alive() {
		return c, t
	}
	r.do(ctx, probe{kind: probeTalk, at: t.Endpoint, security: t.Security, why: string(talkAgain), name: t.Hello})
	r.mu.Lock()
	defer r.mu.Unlock()
	if again := r.f.talk(talkAgain); again.well() {
		return r.clients[again], again
	}
	return nil, t
}

// withhold notes why the login is not made.
func (r *run) withhold(why string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f.Withheld = why
	return why, false
}

// login makes one login, where that is safe.
func (r *run) login(ctx context.Context, p probe) (string, bool) {
	if !r.q.Typed {
		return r.withhold("the login was not sent to " + r.q.Host + ", because you did not name that server yourself and it is not known to belong to the address's provider")
	}
	if r.q.Password == "" && r.q.Token == "" {
		return r.withhold("there is no password to log in with: give --password-file")
	}
	if r.q.Token != "" {
		token := readToken(r.q.Token)
		r.mu.Lock()
		r.f.Token = token
		r.mu.Unlock()
		fit := *token
		if fit.appOnly() && r.q.Grant != nil {
			fit.Roles = nil // a right that Exchange Online itself gives to an app is not in its token
		}
		if why := fit.unfit(r.q.now()); why != "" {
			return r.withhold("the token was not sent: " + why)
		}
	}
	c, t := r.client(ctx)
	if c == nil {
		return r.withhold("the connection for the login could not be opened again")
	}
	if !c.Secure() || !t.Verified {
		return r.withhold("the login was not sent, because the connection is not under verified TLS")
	}
	done, why := r.budget(p.user)
	if why != "" {
		return r.withhold(why)
	}
	failure := c.Login(ctx, smtpclient.Credentials{User: p.user, Password: r.q.Password, Token: r.q.Token, Mechanism: r.q.Mechanism})
	done(failure)
	l := Login{User: p.user, Mechanism: c.Mechanism(), Failure: failure}
	var challenge *smtpclient.ChallengeError
	if failure != nil && errors.As(failure.Err, &challenge) {
		l.Challenge = challenge.Text
	}
	r.mu.Lock()
	r.f.Logins = append(r.f.Logins, l)
	t.Record = c.Record(failure)
	r.mu.Unlock()
	if failure != nil {
		return evidence.Clip(evidence.Printable(failure.Error()), 160), false
	}
	return "accepted by " + l.Mechanism, true
}

// grant asks the identity provider for the route's token.
func (r *run) grant(ctx context.Context) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(grantWait, 0.5))
	defer cancel()
	token, answer := r.q.Grant.Token(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f.Grant = &answer
	if token == "" {
		if answer.Words == "" {
			answer.Words = "no token came"
		}
		r.f.Withheld = "the login was not tried: there is no access token"
		return evidence.Clip(evidence.Printable(answer.Words), 160), false
	}
	r.q.Token, r.f.Token = token, readToken(token)
	if r.f.Token.Readable {
		return "issued, allows " + evidence.Clip(evidence.Printable(r.f.Token.allows()), 100), true
	}
	return "issued", true
}

// directory asks whether the provider has the tenant.
func (r *run) directory(ctx context.Context) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(experiment, 0.3))
	defer cancel()
	d := r.q.Grant.Directory(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f.Directory = &d
	switch {
	case !d.Asked:
		return "no answer", false
	case d.Exists:
		return "exists", true
	}
	return evidence.Clip(evidence.Printable(d.Words), 160), false
}

// askAuth begins a login without credentials, where TLS is not wanted: a server
// that wants it first says so.
func (r *run) askAuth(ctx context.Context) (string, bool) {
	r.withhold("the login was not sent, because it would go over a connection that is not encrypted")
	c, t := r.client(ctx)
	if c == nil {
		return "", false
	}
	reply, failure := c.Ask(ctx, evidence.StageAuth, "AUTH PLAIN")
	if failure == nil && reply.Code == 334 {
		_, _ = c.Ask(ctx, evidence.StageAuth, "*") // RFC 4954 §4: cancels it
	}
	if failure == nil && !reply.Positive() {
		failure = &evidence.Error{Reply: reply, Origin: evidence.OriginRemote, Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Host: r.q.Host}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Record = c.Record(failure)
	if failure != nil {
		r.f.Logins = append(r.f.Logins, Login{User: r.q.User, Failure: failure})
		return evidence.Printable(failure.Error()), false
	}
	return "it would take a password in clear text", true
}

// envelope asks whether sender and recipient are taken, and sends a message only
// where that was asked for.
func (r *run) envelope(ctx context.Context) (string, bool) {
	if g := r.q.Grant; g != nil && r.q.Host == "" {
		return r.sendByAPI(ctx, g)
	}
	c, t := r.client(ctx)
	e := &Envelope{From: r.q.From, To: r.q.To, Asked: r.q.From != "" || r.q.To != ""}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.f.Envelope = e
		if c != nil {
			t.Record = c.Record(e.failure())
		}
	}()
	if c == nil {
		e.Sender = &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StageMail, Scope: evidence.ScopeConnection, Host: r.q.Host, Err: smtpclient.ErrClosed}
		return "no connection", false
	}
	if e.From == "" {
		for _, a := range []string{r.q.Address, r.q.User, r.q.To} {
			if strings.Contains(a, "@") {
				e.From = a
				break
			}
		}
	}
	m := &smtpclient.Mail{From: smtp.Path(e.From)}
	if e.To != "" {
		m.Recipients = []smtp.Recipient{{Path: smtp.Path(e.To)}}
	}
	if r.q.Send && e.To != "" && (r.q.User == "" || r.loggedIn()) {
		m.Head = r.message(e)
		m.Size = int64(len(m.Head))
		a := c.Send(ctx, m)
		e.take(a)
		e.Sent = e.failure() == nil
	} else {
		e.take(c.Envelope(ctx, m))
	}
	if f := e.failure(); f != nil {
		return evidence.Clip(evidence.Printable(f.Error()), 160), false
	}
	if e.Sent {
		return "sent", true
	}
	return "taken", true
}

// sendByAPI sends a message by an HTTP API, which was asked for.
func (r *run) sendByAPI(ctx context.Context, g *Grant) (string, bool) {
	e := &Envelope{From: g.Mailbox, To: r.q.To, Asked: true}
	e.Message = g.Send(ctx, r.q.Token, r.q.To, r.message(e))
	e.Sent = e.Message == nil
	r.mu.Lock()
	r.f.Envelope = e
	r.mu.Unlock()
	if e.Message != nil {
		return evidence.Clip(evidence.Printable(e.Message.Error()), 160), false
	}
	return "sent", true
}

func (r *run) loggedIn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.f.Logins)
	return n > 0 && r.f.Logins[n-1].Failure == nil
}

// take notes an answer.
func (e *Envelope) take(a *smtpclient.Answer) {
	if len(a.Refused) > 0 {
		e.Rcpt = a.Refused[0]
	}
	switch {
	case a.Err == nil:
	case a.Err.Stage == evidence.StageData, a.Err.Stage == evidence.StagePostData:
		e.Message = a.Err
	case a.Err.Stage == evidence.StageRcpt:
		e.Rcpt = a.Err
	default:
		e.Sender = a.Err
	}
}

// failure returns the first failure, or nil.
func (e *Envelope) failure() *evidence.Error {
	for _, f := range []*evidence.Error{e.Sender, e.Rcpt, e.Message} {
		if f != nil {
			return f
		}
	}
	return nil
}

// message returns the test message.
func (r *run) message(e *Envelope) []byte {
	now := r.q.now()
	_, domain, _ := strings.Cut(e.From, "@")
	if domain == "" {
		domain = "localhost"
	}
	return fmt.Appendf(nil, "From: <%s>\r\nTo: <%s>\r\nSubject: Test of %s by wellsent doctor\r\nDate: %s\r\nMessage-ID: <doctor.%d@%s>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis message shows that mail goes out by %s.\r\n",
		e.From, e.To, r.q.subject(), now.Format(time.RFC1123Z), now.UnixNano(), domain, r.q.subject())
}
