package deliver

import (
	"context"
	"errors"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// errTokenInClear is a route that would give its token to whoever answers.
var errTokenInClear = errors.New("a token is sent over verified TLS only: remove the route's tls")

// openByToken opens a connection to a smart host and logs in by an OAuth token. A
// token that the host refuses is replaced once: it may have been revoked, or spent
// on the way.
func (c *conversation) openByToken(ctx context.Context, h host, o smtpclient.Options) *evidence.Error {
	c.client, c.host = nil, h
	if o.Policy != smtpclient.TLSVerified {
		return &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Host: h.name, Err: errTokenInClear}
	}
	var err error
	if o.Token, err = c.route.Token(ctx, route.SchemeSMTP, ""); err != nil {
		return tokenFailed(ctx, err)
	}
	o.User = c.route.User
	refusal := c.openWith(ctx, h, o)
	if !tokenRefused(refusal) {
		return refusal
	}
	switch o.Token, err = c.route.Token(ctx, route.SchemeSMTP, o.Token); {
	case errors.Is(err, oauth.ErrFresh):
		return refusal // another token would be refused as well
	case err != nil:
		return tokenFailed(ctx, err)
	}
	return c.openWith(ctx, h, o)
}

// tokenRefused reports that the server has answered the token with no.
func tokenRefused(err *evidence.Error) bool {
	return err != nil && err.Stage == evidence.StageAuth && err.Origin == evidence.OriginRemote && err.Reply.Permanent()
}

// tokenFailed returns what a token that cannot be had means for the route. An
// outage passes; a refusal stays until somebody acts, and pauses the lane. Nothing
// was said about any message in either case.
func tokenFailed(ctx context.Context, err error) *evidence.Error {
	e := &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Err: err}
	if ctx.Err() != nil {
		e.Scope, e.Err = evidence.ScopeConnection, smtpclient.ErrGivenUp
		return e
	}
	var of *oauth.Error
	if errors.As(err, &of) {
		e.Host = of.Host
		switch {
		case of.Host != "" || of.Temporary || errors.Is(err, oauth.ErrSignedOut):
		case of.Err != nil:
			e.Cause = "client.bad-configuration" // a file that cannot be read, a key that is none
		default:
			e.Cause = "auth.oauth-refresh-failed" // the operator's own command says no
		}
	}
	if oauth.IsTemporary(err) {
		e.Origin, e.Scope = evidence.OriginNetwork, evidence.ScopeHost
		if of != nil && of.Err == nil {
			e.Cause = "auth.server-failure" // it answers, and cannot now
		}
	}
	return e
}

// ofToken reports a failure to have a token, as opposed to one of the server that
// wants it.
func ofToken(err *evidence.Error) bool {
	var of *oauth.Error
	return errors.As(err, &of)
}
