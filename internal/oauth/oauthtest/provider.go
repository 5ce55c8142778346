package oauthtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Who and what the provider knows.
const (
	User   = "relay@example.org" // the person, whose id in tokens it is too
	Mailer = "mailer"            // a public client of that person's
	Web    = "web"               // the same with a secret
	Secret = "s3cret-of-the-client"

	Program = "program" // a program with Secret
	Keyed   = "keyed"   // a program with a key
	KeyID   = "key-1"   // its name

	Scope = "smtp.send" // what allows sending
)

// devicePage is the path of the page for codes.
const devicePage = "/device"

// Provider is a running OpenID provider.
type Provider struct {
	Issuer string
	Roots  *x509.CertPool // of its certificate

	server  *httptest.Server
	storage *memory
}

// New runs a provider until the test ends.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{}
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.Issuer = p.server.URL
	p.Roots = x509.NewCertPool()
	p.Roots.AddCert(p.server.Certificate())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.storage = &memory{Storage: storage.NewStorageWithClients(person{}, map[string]*storage.Client{Mailer: storage.DeviceClient(Mailer, "")}), key: key, life: time.Hour, current: map[string]bool{}}
	config := &op.Config{
		CryptoKey: sha256.Sum256([]byte(rand.Text())), CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		SupportedScopes:     []string{"openid", "offline_access", Scope},
		DeviceAuthorization: op.DeviceAuthorizationConfig{Lifetime: time.Minute, PollInterval: time.Second, UserFormPath: devicePage, UserCode: op.UserCodeBase20},
	}
	p.storage.provider, err = op.NewProvider(config, p.storage, op.StaticIssuer(p.Issuer), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// KeyOf returns the private key of Keyed.
func (p *Provider) KeyOf() *rsa.PrivateKey { return p.storage.key }

// Client returns an HTTP client that trusts the provider, for the person's part.
func (p *Provider) Client() *http.Client { return p.server.Client() }

// Live sets how long tokens issued from now on live.
func (p *Provider) Live(life time.Duration) { p.storage.set(func(m *memory) { m.life = life }) }

// Clock sets by how much the provider's clock differs from ours.
func (p *Provider) Clock(skew time.Duration) { p.storage.set(func(m *memory) { m.skew = skew }) }

// Down makes the token endpoint answer with status; 0 ends that.
func (p *Provider) Down(status int) { p.storage.set(func(m *memory) { m.down = status }) }

// Asked returns how many requests for a token there were.
func (p *Provider) Asked() int {
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	return p.storage.asked
}

// Hold makes requests for a token wait until the function returned is called.
func (p *Provider) Hold() (release func()) {
	gate := make(chan struct{})
	p.storage.set(func(m *memory) { m.gate = gate })
	return sync.OnceFunc(func() {
		p.storage.set(func(m *memory) { m.gate = nil })
		close(gate)
	})
}

// Revoke ends every sign-in of the person: no refresh token works any more.
func (p *Provider) Revoke() {
	p.storage.set(func(m *memory) { clear(m.current) })
}

// Approve is the person who enters a code.
func (p *Provider) Approve(code string) error {
	return p.storage.CompleteDeviceAuthorization(context.Background(), strings.TrimSpace(code), User)
}

// Deny is the person who does not want it.
func (p *Provider) Deny(code string) error {
	return p.storage.DenyDeviceAuthorization(context.Background(), strings.TrimSpace(code))
}

// Verify returns the user of an access token that allows sending now, as a mail
// server would.
func (p *Provider) Verify(token string) (user string, err error) {
	v := op.NewAccessTokenVerifier(p.Issuer, &op.OpenIDKeySet{Storage: p.storage})
	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](context.Background(), token, v)
	if err != nil {
		return "", err
	}
	if !strings.Contains(" "+strings.Join(claims.Scopes, " ")+" ", " "+Scope+" ") {
		return "", fmt.Errorf("the token allows %v", claims.Scopes)
	}
	return claims.Subject, nil
}

// serve is the provider, and what the test has bolted on.
func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	m := p.storage
	m.mu.Lock()
	skew, down, gate := m.skew, m.down, m.gate
	if r.URL.Path == "/oauth/token" {
		m.asked++
	} else {
		gate, down = nil, 0
	}
	m.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
	switch {
	case down != 0:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "out of order", down)
	case r.URL.Path == "/login": // the person's page: signed in already, and willing
		id := r.URL.Query().Get("id")
		if err := m.CheckUsernamePassword(User, Secret, id); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, op.AuthCallbackURL(m.provider)(op.ContextWithIssuer(r.Context(), p.Issuer), id), http.StatusFound)
	case r.URL.Path == devicePage:
		p.devicePage(w, r)
	default:
		m.provider.ServeHTTP(w, r)
	}
}

// devicePage is where the person enters the code that a device shows. RFC 8628 §3.3.
func (p *Provider) devicePage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		fmt.Fprint(w, `<form method="post"><input name="user_code"><button>Continue</button></form>`)
		return
	}
	if err := p.Approve(r.PostFormValue("user_code")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, "You have signed in.")
}

// person is the one user of the provider.
type person struct{}

// GetUserByID returns the person.
func (person) GetUserByID(id string) *storage.User { return person{}.GetUserByUsername(id) }

// GetUserByUsername returns the person.
func (person) GetUserByUsername(name string) *storage.User {
	if name != User {
		return nil
	}
	return &storage.User{ID: User, Username: User, Password: Secret, Email: User, EmailVerified: true}
}

// ExampleClientID is of the example that the storage comes from.
func (person) ExampleClientID() string { return "example" }

// memory is the storage of the provider, with what tests need.
type memory struct {
	*storage.Storage
	provider *op.Provider    // immutable after New
	key      *rsa.PrivateKey // immutable

	mu      sync.Mutex // guards the fields below
	life    time.Duration
	skew    time.Duration
	down    int
	asked   int
	gate    chan struct{}
	current map[string]bool // refresh tokens that work
}

func (m *memory) set(change func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// CreateAccessToken issues one with the life that the test wants.
func (m *memory) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, _, err := m.Storage.CreateAccessToken(ctx, r)
	return id, m.expiry(), err
}

// CreateAccessAndRefreshTokens issues a refresh token in place of the one used.
func (m *memory) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, old string) (string, string, time.Time, error) {
	id, refresh, _, err := m.Storage.CreateAccessAndRefreshTokens(ctx, r, old)
	if err == nil {
		m.set(func(m *memory) { delete(m.current, old); m.current[refresh] = true })
	}
	return id, refresh, m.expiry(), err
}

// TokenRequestByRefreshToken refuses those revoked.
func (m *memory) TokenRequestByRefreshToken(ctx context.Context, refresh string) (op.RefreshTokenRequest, error) {
	m.mu.Lock()
	works := m.current[refresh]
	m.mu.Unlock()
	if !works {
		return nil, op.ErrInvalidRefreshToken
	}
	return m.Storage.TokenRequestByRefreshToken(ctx, refresh)
}

func (m *memory) expiry() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.life)
}

// GetClientByClientID knows the clients of the test.
func (m *memory) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c := &client{id: id, kind: op.ApplicationTypeNative} // native: any port of loopback
	switch id {
	case Mailer:
		c.method = oidc.AuthMethodNone
	case Web:
		c.method = oidc.AuthMethodBasic
	case Program:
		c.method = oidc.AuthMethodBasic
	case Keyed:
		c.method = oidc.AuthMethodPrivateKeyJWT
	default:
		return nil, fmt.Errorf("client %q is not known", id)
	}
	return c, nil
}

// AuthorizeClientIDSecret checks a client's secret.
func (m *memory) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if (id == Web || id == Program) && secret == Secret {
		return nil
	}
	return oidc.ErrInvalidClient().WithDescription("wrong secret")
}

// ClientCredentials checks a program's secret.
func (m *memory) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if id != Program || secret != Secret {
		return nil, oidc.ErrInvalidClient().WithDescription("wrong secret")
	}
	return m.GetClientByClientID(ctx, id)
}

// ClientCredentialsTokenRequest is for the mailbox whatever the program.
func (m *memory) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: User, Scopes: scopes, Audience: oidc.Audience{id}}, nil
}

// GetKeyByIDAndClientID returns the public key of Keyed, and of the user as whom a
// service account's assertion speaks.
func (m *memory) GetKeyByIDAndClientID(_ context.Context, keyID, id string) (*jose.JSONWebKey, error) {
	if keyID != KeyID || id != Keyed && id != User {
		return nil, fmt.Errorf("no key %q of %q", keyID, id)
	}
	return &jose.JSONWebKey{KeyID: keyID, Use: "sig", Key: m.key.Public()}, nil
}

// ValidateJWTProfileScopes allows what is asked for.
func (m *memory) ValidateJWTProfileScopes(_ context.Context, _ string, scopes []string) ([]string, error) {
	return scopes, nil
}

// GetPrivateClaimsFromScopes puts into a token what it allows. RFC 9068 §2.2.3.
func (m *memory) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " ")}, nil
}

// JWTProfileTokenType makes tokens for a service account readable as the others
// are.
func (m *memory) JWTProfileTokenType(context.Context, op.TokenRequest) (op.AccessTokenType, error) {
	return op.AccessTokenTypeJWT, nil
}

// SetUserinfoFromScopes adds nothing.
func (m *memory) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest adds nothing.
func (m *memory) SetUserinfoFromRequest(context.Context, *oidc.UserInfo, op.IDTokenRequest, []string) error {
	return nil
}

// client is one client of the provider.
type client struct {
	id     string
	method oidc.AuthMethod
	kind   op.ApplicationType
}

func (c *client) GetID() string                       { return c.id }
func (c *client) RedirectURIs() []string              { return []string{"http://127.0.0.1", "http://localhost"} }
func (c *client) PostLogoutRedirectURIs() []string    { return nil }
func (c *client) ApplicationType() op.ApplicationType { return c.kind }
func (c *client) AuthMethod() oidc.AuthMethod         { return c.method }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) LoginURL(id string) string            { return "/login?id=" + id }
func (c *client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (c *client) IDTokenLifetime() time.Duration       { return time.Hour }
func (c *client) DevMode() bool                        { return true }
func (c *client) IsScopeAllowed(s string) bool         { return s == Scope }
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c *client) ClockSkew() time.Duration             { return 0 }
func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}

// GrantTypes are all: what a client may do is the test's business.
func (c *client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode, oidc.GrantTypeClientCredentials, oidc.GrantTypeBearer}
}

// Certificate returns the provider's certificate, which is its own root.
func (p *Provider) Certificate() *x509.Certificate { return p.server.Certificate() }
