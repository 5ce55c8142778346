package deliver

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// conversation is a Conversation over SMTP, with smart hosts or with the
// exchangers of one domain.
type conversation struct {
	d      *Deliverer
	route  *route.Route
	domain string
	client *smtpclient.Client // the last one; nil before the first, and perhaps closed
	api    carrier            // the last one, where the host is no SMTP server; nil: none
	spent  bool               // api has failed, and another host is to be asked
	host   host               // that client or api speaks to

	certificateAsked atomic.Bool // in the last handshake; that of an interface is in a goroutine of net/http
}

// Close ends the conversation with QUIT where a connection is open.
func (c *conversation) Close() error {
	return c.leave()
}

// Send delivers one message. A host that fails before the final dot is followed
// by the next one for the recipients that are left.
func (c *conversation) Send(ctx context.Context, r *Request) *Result {
	a := newAttempt(c, r)
	if c.ready() && c.d.standIns.due(c) {
		c.Close() // the preferred host is asked again
	}
	for len(a.left) > 0 {
		if !c.ready() {
			if err := c.open(ctx, a); err != nil {
				a.giveUp(err)
				break
			}
		}
		if !c.transact(ctx, a) {
			break
		}
	}
	return a.result(ctx)
}

// open opens a connection to the first host that may be asked in this attempt and
// answers. The error is that of the host that got furthest.
func (c *conversation) open(ctx context.Context, a *attempt) *evidence.Error {
	if a.hosts == nil {
		hosts, err := c.candidates(ctx)
		if err != nil {
			return err
		}
		a.hosts, a.known = c.d.standIns.order(c, hosts)
	}
	var failure *evidence.Error
	for {
		h, ok := a.next()
		if !ok {
			break
		}
		err := c.openHost(ctx, h)
		if err == nil {
			return nil
		}
		if failure == nil || tells(err) > tells(failure) {
			failure = err
		}
		a.failed(err, h)
		if ctx.Err() != nil {
			return err
		}
	}
	if failure == nil {
		return &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Err: errNoHostLeft}
	}
	return failure
}

// errNoHostLeft says that every host has been asked in this attempt.
var errNoHostLeft = errors.New("no host is left to ask")

// candidates returns the hosts in the order in which they are asked.
func (c *conversation) candidates(ctx context.Context) ([]host, *evidence.Error) {
	if c.route.IsMX() {
		return c.exchangers(ctx)
	}
	hosts := smartHosts(c.route)
	if len(hosts) == 0 {
		return nil, &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Err: errors.New("the route has no via")}
	}
	return hosts, nil
}

// openHost opens a connection to one host.
func (c *conversation) openHost(ctx context.Context, h host) *evidence.Error {
	c.leave()
	if h.isAPI() {
		c.api, c.host = c.openAPI(h), h
		return nil
	}
	found, err := c.addresses(ctx, h)
	if err != nil {
		c.client = nil
		return err
	}
	if err := c.certificateFault(h); err != nil {
		c.client = nil
		return err
	}
	o := smtpclient.Options{
		Hostname: c.d.o.Hostname, Host: h.name, Port: h.port, Addresses: found,
		Implicit: h.implicit, Policy: policy(c.route), TLSConfig: c.tlsConfig(), Roots: c.route.Roots,
		Dial: c.d.Dialer(c.route), ByName: c.byName(), Timeouts: c.d.o.Timeouts,
	}
	if h.login == loginToken+"-smtp" {
		return c.openByToken(ctx, h, o)
	}
	if h.smart && c.route.User != "" {
		o.User, o.PlaintextAuth = c.route.User, c.route.TLS == route.TLSNone
		var perr error
		if o.Password, perr = c.password(); perr != nil {
			c.client = nil
			return &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Host: h.name, Err: perr}
		}
	}
	return c.openWith(ctx, h, o)
}

// openWith opens a connection as o says.
func (c *conversation) openWith(ctx context.Context, h host, o smtpclient.Options) *evidence.Error {
	c.client, c.host = smtpclient.New(o), h
	if err := c.client.Open(ctx); err != nil {
		if h.smart && c.route.TLS == route.TLSVerified && verification(err) {
			err.Scope = evidence.ScopeRoute // the way it is set up, nothing goes out by it
		}
		if proxyLogin(err) {
			err.Scope = evidence.ScopeRoute // the same
		}
		if h.smart && c.certificateRefused(err) {
			err.Scope, err.Cause = evidence.ScopeRoute, "tls.client-certificate-required"
		}
		return err
	}
	return nil
}

func (c *conversation) password() (string, error) {
	if c.route.Password == nil {
		return "", errors.New("the route has a user and no password")
	}
	return c.route.Password()
}

// policy returns what the connection demands. A smart host's default is verified
// TLS, an exchanger's opportunistic.
func policy(r *route.Route) smtpclient.Policy {
	switch r.TLS {
	case route.TLSNone:
		return smtpclient.TLSNone
	case route.TLSOpportunistic:
		return smtpclient.TLSOpportunistic
	case route.TLSVerified:
		return smtpclient.TLSVerified
	}
	if r.IsMX() {
		return smtpclient.TLSOpportunistic
	}
	return smtpclient.TLSVerified
}
