package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// The words of RFC 7523 §2.
const (
	grantJWTBearer      = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionTypeBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// obtain gets an access token for a by the grant of the settings. refresh is what
// it is renewed with, "" where the grant needs none.
func (c *client) obtain(ctx context.Context, a Audience, refresh string) (*answer, error) {
	ans, err := c.grant(ctx, a, refresh)
	if e, ok := err.(*Error); ok && !e.Temporary && far(e.Skew) && c.dated() {
		// The assertion was dated by a clock that is wrong. Now the provider's is known.
		ans, err = c.grant(ctx, a, refresh)
	}
	return ans, err
}

// dated reports whether requests hold a time of ours.
func (c *client) dated() bool { return c.s.KeyFile != "" || c.s.ServiceAccountFile != "" }

func (c *client) grant(ctx context.Context, a Audience, refresh string) (*answer, error) {
	scope := strings.Join(c.s.scopes(a), " ")
	switch c.s.Grant {
	case TokenCommand:
		return c.command(ctx, a)
	case ManagedIdentity:
		return c.managed(ctx, a)
	case JWTBearer:
		return c.bearer(ctx, scope)
	case ClientCredentials:
		return c.signedIn(ctx, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	case RefreshToken:
		// The scope says for which resource; RFC 6749 §6 lets it be repeated.
		return c.signedIn(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {scope}}, refresh)
	}
	return nil, &Error{Words: fmt.Sprintf("the grant %q is not known", c.s.Grant)}
}

// signedIn sends form to the token endpoint with the client's own proof.
func (c *client) signedIn(ctx context.Context, form url.Values, secrets ...string) (*answer, error) {
	e, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	more, err := c.prove(e, form, header)
	if err != nil {
		return nil, err
	}
	return c.post(ctx, e.token, form, header, append(secrets, more...)...)
}

// prove adds the client's id and what proves it to a request, and returns what of
// it is secret. RFC 6749 §2.3.1, RFC 7523 §2.2.
func (c *client) prove(e *endpoints, form url.Values, header http.Header) (secrets []string, err error) {
	form.Set("client_id", c.s.ClientID)
	switch {
	case c.s.KeyFile != "" && c.s.Grant != JWTBearer:
		sg, err := certificateSigner(c.s)
		if err != nil {
			return nil, &Error{Err: err}
		}
		signed, err := sg.sign(map[string]any{"iss": c.s.ClientID, "sub": c.s.ClientID, "aud": audience(e.audience)}, c.now().Add(c.assertionSkew()))
		if err != nil {
			return nil, &Error{Err: err}
		}
		form.Set("client_assertion_type", assertionTypeBearer)
		form.Set("client_assertion", signed)
		return []string{signed}, nil
	case c.s.SecretFile != "":
		secret, err := readSecret(c.s.SecretFile)
		if err != nil {
			return nil, &Error{Err: err}
		}
		if e.basic {
			form.Del("client_id")
			r := http.Request{Header: header}
			r.SetBasicAuth(url.QueryEscape(c.s.ClientID), url.QueryEscape(secret))
			return []string{secret}, nil
		}
		form.Set("client_secret", secret)
		return []string{secret}, nil
	}
	return nil, nil
}

// audience is the claim "aud", which is a text where there is one only: some
// providers read no list.
func audience(all []string) any {
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// bearer gets a token for the route's user by a service account's assertion. RFC
// 7523 §2.1.
func (c *client) bearer(ctx context.Context, scope string) (*answer, error) {
	var sg *signer
	claims := map[string]any{"scope": scope}
	var e *endpoints
	var err error
	if c.s.ServiceAccountFile != "" {
		var a *serviceAccount
		if a, sg, err = readServiceAccount(c.s.ServiceAccountFile); err != nil {
			return nil, &Error{Err: err}
		}
		e = &endpoints{token: c.s.TokenURL}
		e.fill(a.TokenURL, "", "")
		e.fill("https://oauth2.googleapis.com/token", "", "")
		e.audience = []string{e.token}
		if c.s.Audience != "" {
			e.audience = []string{c.s.Audience}
		}
		claims["iss"], claims["sub"] = a.Email, c.s.User
	} else {
		if e, err = c.endpoints(ctx); err != nil {
			return nil, err
		}
		if sg, err = certificateSigner(c.s); err != nil {
			return nil, &Error{Err: err}
		}
		claims["iss"], claims["sub"] = c.s.ClientID, c.s.User
	}
	claims["aud"] = audience(e.audience)
	signed, err := sg.sign(claims, c.now().Add(c.assertionSkew()))
	if err != nil {
		return nil, &Error{Err: err}
	}
	form := url.Values{"grant_type": {grantJWTBearer}, "assertion": {signed}}
	if c.s.ServiceAccountFile == "" {
		form.Set("scope", scope)
	}
	return c.post(ctx, e.token, form, nil, signed)
}

// readSecret reads a file with one secret. One line end after it is not part of
// it.
func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("%s is empty: put the secret into it", path)
	}
	return secret, nil
}
