package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// loginPatience is how long a person may take to sign in by browser. By device
// code the provider says so.
const loginPatience = 15 * time.Minute

// Prompt is what a person must be shown.
type Prompt struct {
	URL     string    // to open
	Code    string    // to enter there; "": none
	Expires time.Time // zero: not known
}

// Login is a person's sign-in for a route.
type Login struct {
	// Show is called once, when the person is to act.
	Show func(Prompt)
	// Port is the loopback port that the browser is sent back to; 0: any.
	Port int
}

// Device signs in by device code: the person enters a code on any device with a
// browser. RFC 8628.
func (s *Source) Device(ctx context.Context, l Login) error {
	cfg, ctx, opts, err := s.interactive(ctx)
	if err != nil {
		return err
	}
	if cfg.Endpoint.DeviceAuthURL == "" {
		return &Error{Words: "the provider has no sign-in by code; use: wellsent route login " + s.s.Route + " --browser"}
	}
	// Entra ID gives no code to a client that proves itself; the proof comes with
	// the token.
	d, err := cfg.DeviceAuth(ctx)
	if err != nil {
		return s.loginFailed(cfg.Endpoint.DeviceAuthURL, err)
	}
	l.Show(Prompt{URL: d.VerificationURI, Code: d.UserCode, Expires: d.Expiry})
	t, err := cfg.DeviceAccessToken(ctx, d, opts...)
	if err != nil {
		return s.loginFailed(cfg.Endpoint.TokenURL, err)
	}
	return s.signedInBy(t)
}

// Browser signs in by a browser on this machine, which is sent back to a listener
// on loopback. RFC 8252 §7.3, PKCE RFC 7636.
func (s *Source) Browser(ctx context.Context, l Login) error {
	cfg, ctx, opts, err := s.interactive(ctx)
	if err != nil {
		return err
	}
	if cfg.Endpoint.AuthURL == "" {
		return &Error{Words: "the provider's address for signing in is not known: give auth_url, or use: wellsent route login " + s.s.Route + " --device"}
	}
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	back, err := listenBack(l.Port)
	if err != nil {
		return err
	}
	defer back.close()
	cfg.RedirectURL = back.address(s.s.Provider)
	verifier := oauth2.GenerateVerifier()
	ask := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if s.s.User != "" {
		ask = append(ask, oauth2.SetAuthURLParam("login_hint", s.s.User))
	}
	if s.s.Provider == Google { // else a second sign-in brings no refresh token
		ask = append(ask, oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	l.Show(Prompt{URL: cfg.AuthCodeURL(back.state, ask...), Expires: s.now().Add(loginPatience)})
	code, err := back.wait(ctx)
	if err != nil {
		return s.loginFailed(cfg.Endpoint.AuthURL, err)
	}
	t, err := cfg.Exchange(ctx, code, append(opts, oauth2.VerifierOption(verifier))...)
	if err != nil {
		return s.loginFailed(cfg.Endpoint.TokenURL, err)
	}
	return s.signedInBy(t)
}

// interactive returns what x/oauth2 needs for a sign-in, and how the client proves
// itself.
func (s *Source) interactive(ctx context.Context) (*oauth2.Config, context.Context, []oauth2.AuthCodeOption, error) {
	if s.s.Grant != RefreshToken {
		return nil, nil, nil, &Error{Words: fmt.Sprintf("nobody signs in for route %s: its grant is %s", s.s.Route, s.s.Grant)}
	}
	e, err := s.c.endpoints(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	cfg := &oauth2.Config{ClientID: s.s.ClientID, Scopes: s.s.scopes(s.s.first()),
		Endpoint: oauth2.Endpoint{AuthURL: e.auth, TokenURL: e.token, DeviceAuthURL: e.device, AuthStyle: oauth2.AuthStyleInParams}}
	if e.basic && s.s.SecretFile != "" {
		cfg.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		if cfg.ClientSecret, err = readSecret(s.s.SecretFile); err != nil {
			return nil, nil, nil, &Error{Err: err}
		}
		return cfg, context.WithValue(ctx, oauth2.HTTPClient, s.c.http), nil, nil
	}
	form := url.Values{}
	if _, err := s.c.prove(e, form, http.Header{}); err != nil {
		return nil, nil, nil, err
	}
	form.Del("client_id")
	var opts []oauth2.AuthCodeOption
	for k, v := range form {
		opts = append(opts, oauth2.SetAuthURLParam(k, v[0]))
	}
	return cfg, context.WithValue(ctx, oauth2.HTTPClient, s.c.http), opts, nil
}

// loginFailed returns the failure of a sign-in without what is secret in it.
func (s *Source) loginFailed(address string, err error) error {
	e := &Error{Host: hostOf(address), Skew: s.c.clockSkew()}
	var said *oauth2.RetrieveError
	var u *url.Error
	switch {
	case errors.As(err, &said):
		e.Status, e.Code, e.Words = said.Response.StatusCode, clean(said.ErrorCode), clean(said.ErrorDescription)
		e.Temporary = temporary(e.Status, e.Code, e.Words)
		switch e.Code {
		case "access_denied", "authorization_declined":
			e.Do = "the sign-in was refused by the person or by a rule of the provider"
		case "expired_token", "code_expired":
			e.Do = "nobody signed in in time: begin again"
		}
	case errors.Is(err, context.DeadlineExceeded):
		e.Words = "nobody signed in in time: begin again"
	case errors.As(err, &u):
		e.Err, e.Temporary = u.Err, true
	default:
		e.Err = err
	}
	return e
}

// signedInBy keeps what a sign-in has brought.
func (s *Source) signedInBy(t *oauth2.Token) error {
	now := s.now()
	if t.RefreshToken == "" {
		return &Error{Words: "the provider gave no refresh token: let the client have it (scope offline_access, or access without the user) and sign in again"}
	}
	ans := &answer{Access: t.AccessToken, Refresh: t.RefreshToken, received: now, ExpiresIn: seconds(t.ExpiresIn)}
	switch n := t.Extra("refresh_token_expires_in").(type) {
	case float64:
		ans.RefreshExpires = seconds(n)
	case string:
		_ = ans.RefreshExpires.UnmarshalJSON([]byte(n)) // a provider's nonsense is no expiry
	}
	a := s.s.first()
	st := state{SignedIn: now}
	s.renewed(&st, a, newToken(ans, s.scope(a)), ans)
	err := s.store.put(s.s.Route, &st)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.unsaved, s.loaded = st, false, true
	clear(s.failed)
	s.seen, err = s.store.stamp(s.s.Route)
	return err
}

// back is the listener on loopback that the browser is sent back to.
type back struct {
	state string // which the provider repeats: nobody else's answer is taken
	l     net.Listener
	srv   *http.Server
	done  chan struct{}       // closed when the server has ended
	got   chan redirectAnswer // capacity 1: the first answer counts
}

type redirectAnswer struct {
	code string
	err  error
}

func listenBack(port int) (*back, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	b := &back{state: rand.Text(), l: l, done: make(chan struct{}), got: make(chan redirectAnswer, 1)}
	b.srv = &http.Server{Handler: b, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	go func() { // close waits for it
		defer close(b.done)
		_ = b.srv.Serve(l)
	}()
	return b, nil
}

// address is the redirect URI. Entra ID takes any port of "localhost" only; others
// want the address, which no resolver can bend. RFC 8252 §7.3, §8.3.
func (b *back) address(p Provider) string {
	host := "127.0.0.1"
	if p == Microsoft {
		host = "localhost"
	}
	return fmt.Sprintf("http://%s:%d", host, b.l.Addr().(*net.TCPAddr).Port)
}

// ServeHTTP takes the provider's answer. RFC 6749 §4.1.2.
func (b *back) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer")
	var a redirectAnswer
	switch {
	case q.Get("state") != b.state:
		http.Error(w, "This is not the sign-in that was begun.", http.StatusBadRequest)
		return
	case q.Get("error") != "":
		a.err = &oauth2.RetrieveError{Response: &http.Response{StatusCode: http.StatusOK}, ErrorCode: q.Get("error"), ErrorDescription: q.Get("error_description")}
		fmt.Fprintln(w, "The sign-in did not succeed. The terminal says why; this page may be closed.")
	case q.Get("code") == "":
		http.Error(w, "There is no code in this address.", http.StatusBadRequest)
		return
	default:
		a.code = q.Get("code")
		fmt.Fprintln(w, "Signed in. The terminal says how it goes on; this page may be closed.")
	}
	select {
	case b.got <- a:
	default: // the page was loaded again
	}
}

// wait returns the code.
func (b *back) wait(ctx context.Context) (string, error) {
	select {
	case a := <-b.got:
		return a.code, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (b *back) close() {
	end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if b.srv.Shutdown(end) != nil {
		b.srv.Close()
	}
	<-b.done
}

// HasDevice reports whether the provider signs in by device code. Google does, and
// not for mail.
func (s *Source) HasDevice(ctx context.Context) bool {
	if s.s.Provider == Google {
		return false
	}
	e, err := s.c.endpoints(ctx)
	return err == nil && e.device != ""
}
