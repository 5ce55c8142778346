package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// TokenVerifier decides about access tokens.
type TokenVerifier interface {
	// Verify returns the account that a token is for. It returns a *TokenError when
	// the token is no good, and another error when it cannot tell.
	Verify(ctx context.Context, token string) (*Account, error)
}

// TokenError is a token that is refused, as a client is told of it. RFC 7628
// §3.2.2.
type TokenError struct {
	Status        string // "invalid_token" or "insufficient_scope"; RFC 6750 §3.1
	Scope         string // what is asked for; may be empty
	Configuration string // URL of the provider's metadata; may be empty
	Err           error  // why, for the log
}

// Error returns why the token is refused.
func (e *TokenError) Error() string { return "the token is refused: " + e.Err.Error() }

// Unwrap returns why.
func (e *TokenError) Unwrap() error { return e.Err }

// bearerExchange is the server of XOAUTH2 and of OAUTHBEARER. RFC 7628.
type bearerExchange struct {
	a       *Accounts
	p       Peer
	xoauth2 bool
	user    string // as the client gives it
}

// User implements Exchange.
func (e *bearerExchange) User() string { return e.user }

// Next takes the token. A refusal comes with its reason.
func (e *bearerExchange) Next(ctx context.Context, response []byte) ([]byte, *Account, error) {
	if response == nil {
		return []byte{}, nil, nil
	}
	user, token, err := parseBearer(string(response), e.xoauth2)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e.user = user
	account, err := e.a.loginByToken(ctx, e.p, user, token)
	if err == nil {
		return nil, account, nil
	}
	var no *TokenError
	if !errors.As(err, &no) {
		return nil, nil, err
	}
	said, _ := json.Marshal(struct { // of texts alone; never fails
		Status        string `json:"status"`
		Schemes       string `json:"schemes,omitempty"`
		Scope         string `json:"scope,omitempty"`
		Configuration string `json:"openid-configuration,omitempty"`
	}{no.Status, "bearer", no.Scope, no.Configuration})
	return said, nil, err
}

// loginByToken decides about one token.
func (a *Accounts) loginByToken(ctx context.Context, p Peer, user, token string) (*Account, error) {
	a.mu.RLock()
	verifier := a.tokens
	a.mu.RUnlock()
	if verifier == nil {
		return nil, fmt.Errorf("%w: no provider of tokens is configured", ErrInvalid)
	}
	if len(user) > maxName {
		return nil, ErrInvalid
	}
	name, now := Canonical(user), a.now()
	proof := a.memory.proof(nil, name, "token\x00"+token)
	// A token that was refused a moment ago is looked at again, for its reason is told,
	// but is counted once: it may be a device that repeats it all day.
	_, counted := a.memory.recall(proof, now)
	if !counted {
		if err := a.slowed(name, p.Addr); err != nil {
			return nil, err
		}
	}
	account, err := verifier.Verify(ctx, token)
	if err == nil && name != "" && name != Canonical(account.Name) {
		err = &TokenError{Status: "invalid_token", Err: fmt.Errorf("it is for %s, and the client says %s", account.Name, user)}
	}
	var no *TokenError
	switch {
	case errors.As(err, &no):
		if !counted {
			a.memory.rememberWrong(proof, rememberFor, a.now())
			a.count(name, p.Addr, false)
		}
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case err != nil:
		return nil, err
	}
	a.count(name, p.Addr, true)
	return a.lend(account)
}

// parseBearer reads the client's message: user and token. XOAUTH2 has
// "user=NAME ^A auth=Bearer TOKEN ^A ^A", OAUTHBEARER a header as in RFC 7628 §3.1.
func parseBearer(s string, xoauth2 bool) (user, token string, err error) {
	head, rest, ok := strings.Cut(s, "\x01")
	if !ok {
		return "", "", errors.New("there is no ^A in it")
	}
	if xoauth2 {
		if user, ok = strings.CutPrefix(head, "user="); !ok {
			return "", "", errors.New(`it does not begin with "user="`)
		}
	} else {
		parts := strings.Split(head, ",") // gs2-header; RFC 5801 §4
		if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" || parts[2] != "" {
			return "", "", errors.New("its GS2 header is not n,a=NAME,")
		}
		if parts[1] != "" {
			if user, ok = strings.CutPrefix(parts[1], "a="); !ok {
				return "", "", errors.New("its GS2 header is not n,a=NAME,")
			}
			user = unescapeName(user)
		}
	}
	for _, pair := range strings.Split(rest, "\x01") {
		key, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(key, "auth") {
			continue
		}
		scheme, t, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "bearer") || strings.TrimSpace(t) == "" {
			return "", "", errors.New("it has no bearer token")
		}
		token = strings.TrimSpace(t)
	}
	if token == "" {
		return "", "", errors.New("it has no auth field")
	}
	return user, token, nil
}

// unescapeName reads a name as RFC 5801 §4 and RFC 5802 §5.1 write it.
func unescapeName(s string) string {
	return strings.NewReplacer("=2C", ",", "=2c", ",", "=3D", "=", "=3d", "=").Replace(s)
}
