package oidcauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wellsent/wellsent/internal/auth"
)

// Options are the provider and what its tokens must say.
type Options struct {
	Issuer    string   // URL, as the tokens have it
	Audiences []string // one of them must be the token's
	Scopes    []string // all of them must be the token's
	Claim     string   // with the account's name; "": email

	Roots *x509.CertPool   // nil: the system's
	Now   func() time.Time // nil: time.Now
}

// The bounds of what a provider is asked.
const (
	askTimeout = 10 * time.Second
	askPause   = 10 * time.Second // between two questions for the same thing
	maxAnswer  = 1 << 20          // octets of metadata or keys
	maxToken   = 12 << 10         // octets; an AUTH line has no more; RFC 4954 §4
)

// Verifier verifies the tokens of one provider.
type Verifier struct {
	o      Options      // immutable
	client *http.Client // immutable

	asking chan struct{} // one token: whoever asks for the metadata

	mu   sync.Mutex         // guards the field below
	keys *oidc.RemoteKeySet // nil: the provider was not asked yet
}

var _ auth.TokenVerifier = (*Verifier)(nil)

// New returns a Verifier, or what is wrong with the options. Nothing is asked yet.
func New(o Options) (*Verifier, error) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, fmt.Errorf("issuer %q is not an https URL, such as https://login.example.org", o.Issuer)
	case len(o.Audiences) == 0 || slices.Contains(o.Audiences, ""):
		return nil, errors.New("audience is missing: without it a token for any other service of this provider would let its owner in")
	}
	if o.Claim == "" {
		o.Claim = "email"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute}
	return &Verifier{o: o, asking: make(chan struct{}, 1),
		client: &http.Client{Timeout: askTimeout, Transport: &patient{next: transport, now: o.Now, last: map[string]answer{}}}}, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Verify implements auth.TokenVerifier.
func (v *Verifier) Verify(ctx context.Context, token string) (*auth.Account, error) {
	if err := v.plausible(token); err != nil {
		return nil, v.refuse("invalid_token", err)
	}
	keys, err := v.metadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", v.o.Issuer, err)
	}
	var away *url.Error
	if _, err := keys.VerifySignature(ctx, token); errors.As(err, &away) {
		return nil, fmt.Errorf("provider %s: %w", v.o.Issuer, err)
	} else if err != nil {
		return nil, v.refuse("invalid_token", err)
	}
	// The signature is good. Audiences are ours to judge: there may be several.
	verifier := oidc.NewVerifier(v.o.Issuer, keys, &oidc.Config{InsecureSkipSignatureCheck: true, SkipClientIDCheck: true, Now: v.o.Now})
	t, err := verifier.Verify(ctx, token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return nil, v.refuse("invalid_token", fmt.Errorf("it ran out at %s", expired.Expiry.UTC().Format(time.RFC3339)))
	case err != nil:
		return nil, v.refuse("invalid_token", err)
	}
	claims := map[string]any{}
	if err := t.Claims(&claims); err != nil {
		return nil, v.refuse("invalid_token", err)
	}
	return v.judge(t.Audience, claims)
}

// judge decides on the claims of a token whose signature is good.
func (v *Verifier) judge(audience []string, claims map[string]any) (*auth.Account, error) {
	ours := func(a string) bool { return slices.Contains(v.o.Audiences, a) }
	if !slices.ContainsFunc(audience, ours) {
		return nil, v.refuse("invalid_token", fmt.Errorf("it is for %q, which is not our audience", audience))
	}
	have := append(words(claims["scope"]), words(claims["scp"])...) // RFC 9068 §2.2.3; Microsoft
	for _, s := range v.o.Scopes {
		if !slices.Contains(have, s) {
			return nil, v.refuse("insufficient_scope", fmt.Errorf("it lacks the scope %s", s))
		}
	}
	name, _ := claims[v.o.Claim].(string)
	switch {
	case name == "":
		return nil, v.refuse("invalid_token", fmt.Errorf("it has no claim %s, which would name the account", v.o.Claim))
	case auth.CheckName(name) != nil:
		return nil, v.refuse("invalid_token", fmt.Errorf("its claim %s cannot be the name of an account: %w", v.o.Claim, auth.CheckName(name)))
	case v.o.Claim == "email" && (claims["email_verified"] == false || claims["email_verified"] == "false"):
		return nil, v.refuse("invalid_token", errors.New("its address is not verified by the provider"))
	}
	return auth.Lent(name), nil
}

// words returns the texts of a claim that is one text with blanks, or a list.
func words(claim any) []string {
	switch c := claim.(type) {
	case string:
		return strings.Fields(c)
	case []any:
		var all []string
		for _, x := range c {
			if s, ok := x.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// refuse returns the error of a token that is no good.
func (v *Verifier) refuse(status string, why error) error {
	return &auth.TokenError{Status: status, Scope: strings.Join(v.o.Scopes, " "), Err: why,
		Configuration: strings.TrimSuffix(v.o.Issuer, "/") + "/.well-known/openid-configuration"}
}

// compact are the characters of a JWT, which has no other serialisation than the
// compact one. A library that also takes JWS in JSON might verify one payload and read
// another. RFC 7519 §3, 7515 §7.1.
const compact = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// plausible looks at a token before anybody is asked about it.
func (v *Verifier) plausible(token string) error {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || strings.Trim(token, compact) != "" {
		return errors.New("it is not a JWT, so it cannot be verified here")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return errors.New("it is not a JWT, so it cannot be verified here")
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return errors.New("its claims cannot be read")
	}
	if c.Issuer != v.o.Issuer {
		return fmt.Errorf("it was issued by %q, not by %q", c.Issuer, v.o.Issuer)
	}
	return nil
}

// metadata returns the keys of the provider; where they are is asked at the first
// login.
func (v *Verifier) metadata(ctx context.Context) (*oidc.RemoteKeySet, error) {
	if known := v.known(); known != nil {
		return known, nil
	}
	select {
	case v.asking <- struct{}{}:
		defer func() { <-v.asking }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if known := v.known(); known != nil {
		return known, nil
	}
	// Not ctx: the provider keeps it for reading its keys, long after this login.
	lasting := oidc.ClientContext(context.WithoutCancel(ctx), v.client)
	p, err := oidc.NewProvider(lasting, v.o.Issuer)
	if err != nil {
		return nil, err
	}
	var where struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&where); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = oidc.NewRemoteKeySet(lasting, where.Keys)
	return v.keys, nil
}

func (v *Verifier) known() *oidc.RemoteKeySet {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys
}

// patient gives the last answer again when it is asked for the same thing within
// askPause, whether it was good or not.
type patient struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex // guards last
	last map[string]answer
}

type answer struct {
	at     time.Time
	status int
	header http.Header
	body   []byte
	err    error
}

// RoundTrip implements http.RoundTripper for GET.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.URL.String()
	p.mu.Lock()
	a, ok := p.last[key]
	p.mu.Unlock()
	if !ok || p.now().Sub(a.at) >= askPause || p.now().Before(a.at) {
		a = answer{at: p.now()}
		resp, err := p.next.RoundTrip(r)
		if err == nil {
			a.status, a.header = resp.StatusCode, resp.Header
			a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
			resp.Body.Close()
		}
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%s answers %s", key, resp.Status)
		}
		a.err = err
		p.mu.Lock()
		if len(p.last) > 16 { // metadata and keys are two; redirects may be some more
			clear(p.last)
		}
		p.last[key] = a
		p.mu.Unlock()
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r}, nil
}
