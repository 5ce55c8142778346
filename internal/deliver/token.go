package deliver

import (
	"context"
	"errors"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
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
	case errors.Is(err, oauth.ErrFresh): // another token would be refused as well
	case err != nil:
		return tokenFailed(ctx, err)
	default:
		refusal = c.openWith(ctx, h, o)
	}
	if tokenRefused(refusal) && refusal.Cause == "" {
		refusal.Cause = refusedToken(refusal)
	}
	return refusal
}

// refusedToken names the refusal of a token. The challenge has the reason, where the
// server gives one; the reply after it is often that to a wrong password, and
// Exchange Online knows no other.
func refusedToken(err *evidence.Error) cause.ID {
	said := err.Reply.String()
	var challenge *smtpclient.ChallengeError
	if errors.As(err, &challenge) {
		said = challenge.Text + "\n" + said
	}
	found := explain.Text(said, explain.Facts{Stage: evidence.StageAuth, Origin: evidence.OriginRemote, Host: err.Host})
	if len(found) == 0 || found[0].Cause == "" || found[0].Cause == "auth.credentials-rejected" {
		return "auth.oauth-token-rejected"
	}
	return found[0].Cause
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
