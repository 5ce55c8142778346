package oidcauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/wellsent/wellsent/internal/auth"
)

// provider starts a provider that serves its metadata and keys over HTTP.
func provider(t *testing.T) *mockoidc.MockOIDC {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Shutdown() })
	return m
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// claims are those of a good token, changed.
func claims(m *mockoidc.MockOIDC, now time.Time, change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"iss": m.Issuer(), "aud": []string{"https://post.example.org"}, "sub": "42", "email": "Ann@example.org",
		"scope": "openid smtp.send", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix()}
	maps.Copy(c, change)
	return c
}

func verifier(t *testing.T, o Options) *Verifier {
	t.Helper()
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	o := Options{Issuer: m.Issuer(), Audiences: []string{"wellsent", "https://post.example.org"}, Scopes: []string{"smtp.send"}, Now: c.Now}
	v := verifier(t, o)
	for _, x := range []struct {
		name   string
		change jwt.MapClaims
		status string // "": let in as ann@example.org
	}{
		{"good", nil, ""},
		{"scopes as a list", jwt.MapClaims{"scope": nil, "scp": []string{"smtp.send"}}, ""},
		{"one audience", jwt.MapClaims{"aud": "wellsent"}, ""},
		{"verified address", jwt.MapClaims{"email_verified": true}, ""},
		{"for another service", jwt.MapClaims{"aud": "https://graph.example.org"}, "invalid_token"},
		{"no audience", jwt.MapClaims{"aud": nil}, "invalid_token"},
		{"scope missing", jwt.MapClaims{"scope": "openid smtp.send.other"}, "insufficient_scope"},
		{"run out", jwt.MapClaims{"exp": c.Now().Add(-time.Minute).Unix()}, "invalid_token"},
		{"not yet good", jwt.MapClaims{"nbf": c.Now().Add(time.Hour).Unix()}, "invalid_token"},
		{"another issuer", jwt.MapClaims{"iss": "https://login.example.net"}, "invalid_token"},
		{"about nobody", jwt.MapClaims{"email": ""}, "invalid_token"},
		{"a claim of another kind", jwt.MapClaims{"email": 7}, "invalid_token"},
		{"unverified address", jwt.MapClaims{"email_verified": false}, "invalid_token"},
	} {
		token, err := m.Keypair.SignJWT(claims(m, c.Now(), x.change))
		if err != nil {
			t.Fatal(err)
		}
		account, err := v.Verify(t.Context(), token)
		var no *auth.TokenError
		switch {
		case x.status == "" && (err != nil || account.Name != "ann@example.org" || account.Addresses[0] != "ann@example.org"):
			t.Errorf("%s: got %v, %v", x.name, account, err)
		case x.status != "" && (!errors.As(err, &no) || no.Status != x.status || no.Scope != "smtp.send" || !strings.HasPrefix(no.Configuration, m.Issuer())):
			t.Errorf("%s: got %v, %v, want %s", x.name, account, err, x.status)
		}
	}
	o.Claim = "preferred_username"
	token, _ := m.Keypair.SignJWT(claims(m, c.Now(), jwt.MapClaims{"preferred_username": "scanner"}))
	if account, err := verifier(t, o).Verify(t.Context(), token); err != nil || account.Name != "scanner" || len(account.Addresses) != 0 {
		t.Errorf("by another claim: %v, %v", account, err)
	}
}

// TestVerify_Forged: tokens whose signature is not by a key of the provider.
func TestVerify_Forged(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	v := verifier(t, Options{Issuer: m.Issuer(), Audiences: []string{"https://post.example.org"}, Now: c.Now})
	good, _ := m.Keypair.SignJWT(claims(m, c.Now(), nil))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := mockoidc.NewKeypair(key)
	signed, _ := foreign.SignJWT(claims(m, c.Now(), nil))
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, claims(m, c.Now(), nil)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	public, _ := m.Keypair.JWKS()
	hmac, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(m, c.Now(), nil)).SignedString(public)
	for name, token := range map[string]string{"another key": signed, "no signature": none, "by the public key": hmac,
		"cut off": good[:len(good)-4], "opaque": "ya29.a0Af", "empty": "", "dots": "..", "long": strings.Repeat("x", maxToken+1)} {
		var no *auth.TokenError
		if account, err := v.Verify(t.Context(), token); account != nil || !errors.As(err, &no) {
			t.Errorf("%s: got %v, %v", name, account, err)
		}
	}
}

// TestVerify_TwoPayloads: a token in JSON form whose signature is good, and which has
// other claims where a token in compact form has its own. With a library that reads the
// one and verifies the other, any token of the provider would be every other.
func TestVerify_TwoPayloads(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	v := verifier(t, Options{Issuer: m.Issuer(), Audiences: []string{"https://post.example.org"}, Now: c.Now})
	good, _ := m.Keypair.SignJWT(claims(m, c.Now(), nil)) // refused for its form alone
	evil, _ := m.Keypair.SignJWT(claims(m, c.Now(), jwt.MapClaims{"email": "boss@example.org"}))
	part, other := strings.Split(good, "."), strings.Split(evil, ".")
	for _, form := range []string{
		`{"protected":"%[1]s","payload":"%[2]s","signature":"%[3]s","x":".%[4]s."}`,
		` {"x":".%[4]s.","payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"%[3]s"}]}`,
		"%[1]s.%[2]s\n.%[3]s", "%[1]s.%[2]s=.%[3]s", "%[1]s .%[2]s.%[3]s",
	} {
		token := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(form, "%[1]s", part[0]), "%[2]s", part[1]), "%[3]s", part[2]), "%[4]s", other[1])
		var no *auth.TokenError
		if account, err := v.Verify(t.Context(), token); account != nil || !errors.As(err, &no) {
			t.Errorf("%.40s: got %+v, %v", token, account, err)
		}
	}
}

// TestVerify_NewKey: the provider signs by another key from one day to the next.
func TestVerify_NewKey(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	v := verifier(t, Options{Issuer: m.Issuer(), Audiences: []string{"https://post.example.org"}, Now: c.Now})
	token, _ := m.Keypair.SignJWT(claims(m, c.Now(), nil))
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if m.Keypair, err = mockoidc.NewKeypair(key); err != nil {
		t.Fatal(err)
	}
	c.forward(askPause)
	if token, err = m.Keypair.SignJWT(claims(m, c.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("after the change: %v", err)
	}
}

// TestVerify_ProviderAway: that is nobody's fault who logs in, and it passes.
func TestVerify_ProviderAway(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	token, _ := m.Keypair.SignJWT(claims(m, c.Now(), nil))
	m.Shutdown()
	v := verifier(t, Options{Issuer: m.Issuer(), Audiences: []string{"https://post.example.org"}, Now: c.Now})
	var no *auth.TokenError
	if _, err := v.Verify(t.Context(), token); err == nil || errors.As(err, &no) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v.asking <- struct{}{}
	if _, err := v.Verify(ctx, token); !errors.Is(err, context.Canceled) {
		t.Errorf("while another login asks: %v", err)
	}
}

// TestVerify_KeysAway: a token by a key that we do not know is not judged while nobody
// can be asked for the key, and one by a key that we know is.
func TestVerify_KeysAway(t *testing.T) {
	m, c := provider(t), &clock{now: time.Now()}
	v := verifier(t, Options{Issuer: m.Issuer(), Audiences: []string{"https://post.example.org"}, Now: c.Now})
	token, _ := m.Keypair.SignJWT(claims(m, c.Now(), nil))
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	next, err := mockoidc.NewKeypair(key)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := next.SignJWT(claims(m, c.Now(), nil))
	m.Shutdown()
	c.forward(askPause)
	var no *auth.TokenError
	if _, err := v.Verify(t.Context(), other); err == nil || errors.As(err, &no) {
		t.Errorf("by a key not known yet: %v", err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("by a key that is known: %v", err)
	}
}

func TestNew_Mistakes(t *testing.T) {
	for _, o := range []Options{
		{Issuer: "http://login.example.org", Audiences: []string{"x"}},
		{Issuer: "login.example.org", Audiences: []string{"x"}},
		{Issuer: "https://login.example.org"},
		{Issuer: "https://login.example.org", Audiences: []string{""}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
