package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// The bounds of one request to a provider.
const (
	askTimeout = 30 * time.Second // for the whole answer; a provider's slowest have taken 20 s
	maxAnswer  = 1 << 20          // octets
)

// client asks one route's provider.
type client struct {
	s    *Settings // immutable
	http *http.Client
	now  func() time.Time
	skew atomic.Int64 // the provider's clock less ours, ns; 0: not known

	found atomic.Pointer[endpoints] // nil: not yet
}

func newClient(s *Settings, now func() time.Time) *client {
	c := &client{s: s, now: now}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		DisableKeepAlives:   true, // once an hour
	}
	if s.Dial != nil && s.Grant != ManagedIdentity { // the machine's own is asked of the machine
		t.Proxy, t.DialContext = nil, s.Dial
	}
	c.http = &http.Client{
		Transport: &clock{c, t},
		// A secret is sent to the address that was configured or discovered, and nowhere
		// else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// clock notes the Date of each answer (RFC 9110 §6.6.1) and reads it whole, within
// bounds: not everybody who asks closes the body.
type clock struct {
	c    *client
	next http.RoundTripper
}

// RoundTrip sends the request and compares the answer's Date with our clock.
func (k *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	began := k.c.now()
	res, err := k.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		ended := k.c.now()
		// Date has whole seconds and was written some time between the two.
		middle := began.Add(ended.Sub(began) / 2)
		k.c.skew.Store(int64(date.Add(time.Second / 2).Sub(middle)))
	}
	return res, nil
}

// clockSkew returns the provider's clock less ours.
func (c *client) clockSkew() time.Duration { return time.Duration(c.skew.Load()) }

// endpoints are a provider's addresses.
type endpoints struct {
	token, auth, device string
	audience            []string // of signed assertions
	basic               bool     // the secret goes into the header, not into the form; RFC 6749 §2.3.1
}

// endpoints returns the provider's addresses: what is configured, then what is
// known of the provider, then what it publishes.
func (c *client) endpoints(ctx context.Context) (*endpoints, error) {
	if e := c.found.Load(); e != nil {
		return e, nil
	}
	s := c.s
	e := &endpoints{token: s.TokenURL, auth: s.AuthURL, device: s.DeviceURL}
	switch {
	case s.Issuer != "":
		if err := c.discover(ctx, e); err != nil {
			return nil, err
		}
	case s.Provider == Microsoft:
		base := "https://login.microsoftonline.com/" + url.PathEscape(s.Tenant) + "/oauth2/v2.0/"
		e.fill(base+"token", base+"authorize", base+"devicecode")
	case s.Provider == Google:
		e.fill("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/device/code")
	}
	e.audience = append([]string{}, e.audience...)
	if len(e.audience) == 0 {
		e.audience = []string{e.token}
	}
	if s.Audience != "" {
		e.audience = []string{s.Audience}
	}
	c.found.Store(e)
	return e, nil
}

// fill sets what is not configured.
func (e *endpoints) fill(token, auth, device string) {
	for _, x := range []struct {
		to   *string
		from string
	}{{&e.token, token}, {&e.auth, auth}, {&e.device, device}} {
		if *x.to == "" {
			*x.to = x.from
		}
	}
}

// discover reads what the issuer publishes. OpenID Connect Discovery 1.0 §4.
func (c *client) discover(ctx context.Context, e *endpoints) error {
	ctx = oidc.ClientContext(ctx, c.http)
	p, err := oidc.NewProvider(ctx, c.s.Issuer)
	if err != nil {
		return c.discoveryFailed(err)
	}
	var more struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&more); err != nil {
		return c.discoveryFailed(err)
	}
	found := p.Endpoint()
	for what, u := range map[string]string{"token_endpoint": found.TokenURL, "authorization_endpoint": found.AuthURL, "device_authorization_endpoint": found.DeviceAuthURL} {
		if u == "" {
			continue
		}
		if err := checkURL(u); err != nil {
			return c.discoveryFailed(fmt.Errorf("its %s: %w", what, err))
		}
	}
	e.fill(found.TokenURL, found.AuthURL, found.DeviceAuthURL)
	e.basic = len(more.Methods) == 0 || contains(more.Methods, "client_secret_basic") && !contains(more.Methods, "client_secret_post")
	e.audience = []string{c.s.Issuer, e.token}
	if c.s.Provider == Microsoft {
		e.audience = []string{e.token}
	}
	return nil
}

func contains(all []string, s string) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

// discoveryFailed returns the error of a provider whose addresses are not known.
// What is no answer about it may pass.
func (c *client) discoveryFailed(err error) error {
	e := &Error{Host: hostOf(c.s.Issuer), Temporary: true}
	var u *url.Error
	if errors.As(err, &u) {
		e.Err = u.Err
		return e
	}
	e.Words = clean("its configuration at " + strings.TrimSuffix(c.s.Issuer, "/") + "/.well-known/openid-configuration is not to be had: " + err.Error())
	for _, lasting := range []string{"400 ", "401 ", "403 ", "404 ", "410 ", "oidc: issuer", "its "} {
		// The package has no type for it; its errors begin with the status.
		if strings.HasPrefix(err.Error(), lasting) {
			e.Temporary, e.Do = false, "look at issuer in the route's oauth"
		}
	}
	return e
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// maxSeconds is the largest instant that is taken for one, in the year 8307: one
// beyond 9999 cannot be written as JSON.
const maxSeconds = 2e11

// seconds is a number that some providers put into a string.
type seconds int64

// UnmarshalJSON reads 3600, 3600.0 and "3600".
func (n *seconds) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > maxSeconds {
		return fmt.Errorf("%q is no number of seconds", clean(s))
	}
	*n = seconds(f)
	return nil
}

// answer is a token endpoint's. RFC 6749 §5.1, §5.2.
type answer struct {
	Access         string  `json:"access_token"`
	Type           string  `json:"token_type"`
	ExpiresIn      seconds `json:"expires_in"`
	ExpiresOn      seconds `json:"expires_on"` // managed identities: since 1970, by the provider's clock
	Refresh        string  `json:"refresh_token"`
	RefreshExpires seconds `json:"refresh_token_expires_in"` // Google's, and others'

	Code  string `json:"error"`
	Words string `json:"error_description"`

	received time.Time
}

// post sends a form to the token endpoint and returns the token, or an *Error.
// secrets are kept out of the error.
func (c *client) post(ctx context.Context, address string, form url.Values, header http.Header, secrets ...string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Error{Host: hostOf(address), Err: err}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.ask(req, secrets...)
}

// ask sends a request and reads the token of the answer.
func (c *client) ask(req *http.Request, secrets ...string) (*answer, error) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "wellsent")
	failure := &Error{Host: req.URL.Host, Temporary: true}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // it repeats the address, whose query may hold more than a log should
		if errors.As(err, &u) {
			err = u.Err
		}
		failure.Err = err
		return nil, failure
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		failure.Err = err
		return nil, failure
	}
	a := answer{received: c.now()}
	jsonErr := json.Unmarshal(body, &a)
	if res.StatusCode == http.StatusOK && jsonErr == nil && a.Access != "" && a.Code == "" {
		return &a, nil
	}
	failure.Status, failure.Code = res.StatusCode, clean(a.Code, secrets...)
	failure.Skew = c.clockSkew()
	failure.Wait = retryAfter(res.Header, c.now())
	switch {
	case a.Words != "":
		failure.Words = clean(a.Words, secrets...)
	case jsonErr != nil:
		failure.Words = "the answer is not what a token endpoint says; is the address right?"
	case a.Code == "" && res.StatusCode == http.StatusOK:
		failure.Words = "the answer holds no access token"
	}
	failure.Temporary = temporary(res.StatusCode, failure.Code, failure.Words)
	return nil, failure
}

// assertionSkew is by how much our assertions are dated otherwise than our clock
// says: by nothing, unless that is far from the provider's.
func (c *client) assertionSkew() time.Duration {
	if skew := c.clockSkew(); far(skew) {
		return skew
	}
	return 0
}
