package oauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the provider's own
	goleak.VerifyTestMain(m)
}

// person are the settings of a route for which somebody signs in.
func person(p *oauthtest.Provider) oauth.Settings {
	return oauth.Settings{Route: "m365", User: oauthtest.User, Audiences: []oauth.Audience{oauth.SMTP}, Provider: oauth.Custom, Grant: oauth.RefreshToken,
		ClientID: oauthtest.Mailer, Issuer: p.Issuer, Scopes: []string{"openid", "offline_access", oauthtest.Scope}, Roots: p.Roots}
}

// clocked is a clock that a test moves.
type clocked struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clocked) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clocked) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// open returns the sources of a data directory.
func open(t *testing.T, data string, c *clocked) *oauth.Sources {
	t.Helper()
	o := oauth.Options{Log: slog.New(slog.DiscardHandler)}
	if c != nil {
		o.Now = c.now
	}
	s := oauth.New(data, o)
	t.Cleanup(s.Close)
	return s
}

// browse is the person's browser: it follows the provider back to the listener.
func browse(t *testing.T, p *oauthtest.Provider, address string) {
	t.Helper()
	res, err := p.Client().Get(address)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); !strings.Contains(string(b), "Signed in") {
		t.Errorf("the browser shows %s: %s", res.Status, b)
	}
}

// signIn signs in by browser.
func signIn(t *testing.T, p *oauthtest.Provider, s *oauth.Source) {
	t.Helper()
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := s.Browser(ctx, oauth.Login{Show: func(x oauth.Prompt) {
		go func() {
			defer close(done)
			browse(t, p, x.URL)
			if t.Failed() {
				cancel()
			}
		}()
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-done
}

// token wants a token that the provider itself takes.
func token(t *testing.T, p *oauthtest.Provider, s *oauth.Source, refused string) string {
	t.Helper()
	got, err := s.Token(t.Context(), oauth.SMTP, refused)
	if err != nil {
		t.Fatal(err)
	}
	if user, err := p.Verify(got); err != nil || user != oauthtest.User {
		t.Fatalf("the token is of %q: %v", user, err)
	}
	return got
}

func TestDevice_PersonEntersTheCode(t *testing.T) {
	p := oauthtest.New(t)
	data := t.TempDir()
	s := open(t, data, nil).Source(person(p))
	if _, err := s.Token(t.Context(), oauth.SMTP, ""); !errors.Is(err, oauth.ErrSignedOut) || !strings.Contains(err.Error(), "wellsent route login m365") {
		t.Fatalf("before: %v", err)
	}
	err := s.Device(t.Context(), oauth.Login{Show: func(x oauth.Prompt) {
		if !strings.HasPrefix(x.URL, p.Issuer) || x.Code == "" || x.Expires.IsZero() {
			t.Errorf("shown: %+v", x)
		}
		if err := p.Approve(x.Code); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	token(t, p, s, "")
	if st := s.Status(); !st.SignedIn || st.SignedInAt.IsZero() || len(st.Tokens) != 1 || st.Tokens[0].Claims == nil {
		t.Errorf("%+v", st)
	}
	// What is on disk shows nothing, and is nobody else's to read.
	for _, name := range []string{"oauth/m365.sealed", "oauth.key"} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestDevice_PersonRefuses(t *testing.T) {
	p := oauthtest.New(t)
	s := open(t, t.TempDir(), nil).Source(person(p))
	err := s.Device(t.Context(), oauth.Login{Show: func(x oauth.Prompt) {
		if err := p.Deny(x.Code); err != nil {
			t.Error(err)
		}
	}})
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || e.Temporary {
		t.Errorf("%v", err)
	}
}

func TestBrowser_CodeWithPKCEComesBackOverLoopback(t *testing.T) {
	p := oauthtest.New(t)
	s := open(t, t.TempDir(), nil).Source(person(p))
	signIn(t, p, s)
	token(t, p, s, "")
}

func TestBrowser_AnotherSitesAnswerIsNotTaken(t *testing.T) {
	p := oauthtest.New(t)
	s := open(t, t.TempDir(), nil).Source(person(p))
	done := make(chan struct{})
	err := s.Browser(t.Context(), oauth.Login{Show: func(x oauth.Prompt) {
		go func() {
			defer close(done)
			u, err := url.Parse(x.URL)
			if err != nil {
				t.Error(err)
				return
			}
			if q := u.Query(); q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("login_hint") != oauthtest.User {
				t.Errorf("asked with %v", q)
			}
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := c.Get(u.Query().Get("redirect_uri") + "/?state=guessed&code=stolen")
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("answered %s", res.Status)
			}
			browse(t, p, x.URL)
		}()
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestRefresh_RenewedAheadAndReplacedTokenIsKept(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	all := open(t, data, clock)
	s := all.Source(person(p))
	signIn(t, p, s)
	first := token(t, p, s, "")
	before := p.Asked()
	if again := token(t, p, s, ""); again != first || p.Asked() != before {
		t.Error("a fresh token was renewed")
	}
	clock.forward(55 * time.Minute) // due, not spent: it is given out and renewed meanwhile
	if got, err := s.Token(t.Context(), oauth.SMTP, ""); err != nil || got != first {
		t.Errorf("got %v, another token: %v", err, got != first)
	}
	all.Close() // waits for the renewal
	if p.Asked() != before+1 {
		t.Errorf("the provider was asked %d times", p.Asked()-before)
	}
	// Another process finds what was renewed, and renews with the refresh token that
	// took the place of the first.
	s = open(t, data, clock).Source(person(p))
	second := token(t, p, s, "")
	if second == first {
		t.Error("the renewed token was not kept")
	}
	clock.forward(2 * time.Hour)
	if third := token(t, p, s, ""); third == second {
		t.Error("a spent token was given out")
	}
}

func TestToken_ManyWantOneAndTheProviderIsAskedOnce(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	s := open(t, t.TempDir(), clock).Source(person(p))
	signIn(t, p, s)
	old := token(t, p, s, "")
	clock.forward(2 * time.Hour)
	release := p.Hold()
	before := p.Asked()
	var all sync.WaitGroup
	got := make([]string, 50)
	ready := make(chan struct{}, len(got))
	for i := range got {
		all.Go(func() {
			ready <- struct{}{}
			var err error
			if got[i], err = s.Token(t.Context(), oauth.SMTP, ""); err != nil {
				t.Error(err)
			}
		})
	}
	for range got {
		<-ready
	}
	// One that will not wait goes; the request goes on.
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Token(impatient, oauth.SMTP, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	release()
	all.Wait()
	for _, g := range got {
		if g == "" || g == old || g != got[0] {
			t.Fatal("they got different tokens, or the old one")
		}
	}
	if n := p.Asked() - before; n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestToken_RefusedOneIsReplacedOnce(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	s := open(t, t.TempDir(), clock).Source(person(p))
	signIn(t, p, s)
	first := token(t, p, s, "")
	clock.forward(5 * time.Minute)
	second := token(t, p, s, first)
	if second == first {
		t.Fatal("the refused token was given out again")
	}
	before := p.Asked()
	if got := token(t, p, s, first); got != second {
		t.Error("who was refused the old one did not get the new one")
	}
	if _, err := s.Token(t.Context(), oauth.SMTP, second); !errors.Is(err, oauth.ErrFresh) {
		t.Errorf("the new one is refused too: %v", err)
	}
	if p.Asked() != before {
		t.Errorf("the provider was asked %d times more", p.Asked()-before)
	}
}

func TestRefresh_RevokedStaysUntilSomebodySignsIn(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	s := open(t, data, clock).Source(person(p))
	signIn(t, p, s)
	token(t, p, s, "")
	p.Revoke()
	clock.forward(2 * time.Hour)
	_, err := s.Token(t.Context(), oauth.SMTP, "")
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != "invalid_grant" || oauth.IsTemporary(err) || !strings.Contains(err.Error(), "sign in again: wellsent route login m365") {
		t.Fatalf("%v", err)
	}
	asked := p.Asked()
	if _, err := s.Token(t.Context(), oauth.SMTP, ""); err == nil || p.Asked() != asked {
		t.Errorf("the provider was asked again at once: %v", err)
	}
	if st := s.Status(); st.Failing == "" || st.FailingSince.IsZero() {
		t.Errorf("%+v", st)
	}
	// Another process signs in; this one sees it at once.
	signIn(t, p, open(t, data, clock).Source(person(p)))
	token(t, p, s, "")
	if st := s.Status(); st.Failing != "" {
		t.Errorf("%+v", st)
	}
}

func TestRefresh_OutageMayPass(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	s := open(t, t.TempDir(), clock).Source(person(p))
	signIn(t, p, s)
	clock.forward(2 * time.Hour)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway} {
		p.Down(status)
		_, err := s.Token(t.Context(), oauth.SMTP, "")
		if err == nil || !oauth.IsTemporary(err) {
			t.Fatalf("%d: %v", status, err)
		}
		clock.forward(time.Minute)
	}
	p.Down(0)
	token(t, p, s, "")
}

func TestToken_WrongClockDoesNoHarm(t *testing.T) {
	for _, c := range []struct {
		name string
		skew time.Duration // the provider's clock less ours
	}{{"ours is three hours fast", -3 * time.Hour}, {"ours is three hours slow", 3 * time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			p := oauthtest.New(t)
			clock := &clocked{ahead: -c.skew}
			set := person(p)
			set.Grant, set.ClientID, set.KeyFile, set.KeyID = oauth.JWTBearer, oauthtest.User, keyFile(t, p), oauthtest.KeyID
			s := open(t, t.TempDir(), clock).Source(set)
			first := token(t, p, s, "")
			if again := token(t, p, s, ""); again != first {
				t.Error("the token was taken for spent")
			}
			clock.forward(2 * time.Hour)
			if again, err := s.Token(t.Context(), oauth.SMTP, ""); err != nil || again == first {
				t.Errorf("the token was not taken for spent: %v", err)
			}
		})
	}
}

// keyFile writes the private key of the provider's client.
func keyFile(t *testing.T, p *oauthtest.Provider) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.KeyOf())
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClientCredentials_BySecret(t *testing.T) {
	p := oauthtest.New(t)
	set := person(p)
	set.Grant, set.ClientID, set.SecretFile = oauth.ClientCredentials, oauthtest.Program, file(t, oauthtest.Secret+"\n")
	token(t, p, open(t, t.TempDir(), nil).Source(set), "")

	set.SecretFile = file(t, "expired-secret-of-old")
	_, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, "")
	if err == nil || oauth.IsTemporary(err) || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "expired-secret-of-old") {
		t.Errorf("%v", err)
	}
}

func TestRefresh_ClientProvesItselfByAssertion(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	set := person(p)
	set.ClientID, set.KeyFile, set.KeyID = oauthtest.Keyed, keyFile(t, p), oauthtest.KeyID
	s := open(t, t.TempDir(), clock).Source(set)
	signIn(t, p, s)
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
}

func TestRefresh_ClientProvesItselfBySecret(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	set := person(p)
	set.ClientID, set.SecretFile = oauthtest.Web, file(t, oauthtest.Secret)
	s := open(t, t.TempDir(), clock).Source(set)
	signIn(t, p, s)
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
}

func TestJWTBearer_SpeaksForTheUser(t *testing.T) {
	p := oauthtest.New(t)
	set := person(p)
	set.Grant, set.ClientID, set.KeyFile, set.KeyID = oauth.JWTBearer, oauthtest.User, keyFile(t, p), oauthtest.KeyID
	token(t, p, open(t, t.TempDir(), nil).Source(set), "")
}

func TestStore_OtherSettingsDoNotGetTheRefreshToken(t *testing.T) {
	p, thief := oauthtest.New(t), oauthtest.New(t)
	data := t.TempDir()
	signIn(t, p, open(t, data, nil).Source(person(p)))
	for name, change := range map[string]func(*oauth.Settings){
		"issuer": func(s *oauth.Settings) { s.Issuer, s.Roots = thief.Issuer, thief.Roots },
		"client": func(s *oauth.Settings) { s.ClientID = oauthtest.Web },
		"user":   func(s *oauth.Settings) { s.User = "eve@example.org" },
	} {
		set := person(p)
		change(&set)
		if _, err := open(t, data, nil).Source(set).Token(t.Context(), oauth.SMTP, ""); !errors.Is(err, oauth.ErrSignedOut) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if thief.Asked() != 0 {
		t.Error("the other provider was asked")
	}
	token(t, p, open(t, data, nil).Source(person(p)), "")
}

func TestStore_SealedFileShowsNothingAndAnotherKeyReadsNothing(t *testing.T) {
	p := oauthtest.New(t)
	data := t.TempDir()
	s := open(t, data, nil).Source(person(p))
	signIn(t, p, s)
	access := token(t, p, s, "")
	b, err := os.ReadFile(filepath.Join(data, "oauth", "m365.sealed"))
	if err != nil || strings.Contains(string(b), access) || strings.Contains(string(b), "refresh") {
		t.Errorf("%v: %q", err, b)
	}
	// A file of another route is not taken for this one's.
	if err := os.WriteFile(filepath.Join(data, "oauth", "other.sealed"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	set := person(p)
	set.Route = "other"
	if st := open(t, data, nil).Source(set).Status(); st.SignedIn || st.Problem == "" {
		t.Errorf("%+v", st)
	}
	// Who only looks makes no key in place of one that is lost.
	if err := os.Remove(filepath.Join(data, "oauth.key")); err != nil {
		t.Fatal(err)
	}
	if st := open(t, data, nil).Source(person(p)).Status(); !strings.Contains(st.Problem, "its key is missing") {
		t.Errorf("%+v", st)
	}
	if _, err := os.Stat(filepath.Join(data, "oauth.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	if err := os.WriteFile(filepath.Join(data, "oauth.key"), []byte(strings.Repeat("x", 44)), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, data, nil).Source(person(p))
	if st := s.Status(); st.SignedIn || !strings.Contains(st.Problem, "another key") {
		t.Errorf("%+v", st)
	}
	if _, err := s.Token(t.Context(), oauth.SMTP, ""); err == nil || oauth.IsTemporary(err) {
		t.Errorf("%v", err)
	}
}

// TestStore_CredentialOfTheServiceManagerTakesOver: the server has it, the operator
// who signs in beside the server has not.
func TestStore_CredentialOfTheServiceManagerTakesOver(t *testing.T) {
	p := oauthtest.New(t)
	data, dir, clock := t.TempDir(), t.TempDir(), &clocked{}
	if err := os.WriteFile(filepath.Join(dir, "wellsent.key"), []byte("a secret of the service manager\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	server := open(t, data, clock).Source(person(p))
	signIn(t, p, server)
	token(t, p, server, "")
	if _, err := os.Stat(filepath.Join(data, "oauth.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key file was made beside the credential: %v", err)
	}

	t.Setenv("CREDENTIALS_DIRECTORY", "")
	operator := open(t, data, clock).Source(person(p))
	if st := operator.Status(); st.Problem == "" {
		t.Errorf("it was read without the credential: %+v", st)
	}
	signIn(t, p, operator)

	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	clock.forward(2 * time.Hour)
	token(t, p, server, "")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if st := open(t, data, clock).Source(person(p)).Status(); st.Problem == "" {
		t.Errorf("the server has not sealed it anew: %+v", st)
	}
}

// TestRefresh_TwoProcessesDoNotUseOneTwice: the provider takes each refresh token once.
func TestRefresh_TwoProcessesDoNotUseOneTwice(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	one, other := open(t, data, clock).Source(person(p)), open(t, data, clock).Source(person(p))
	signIn(t, p, one)
	token(t, p, one, "")
	token(t, p, other, "")
	for range 5 {
		clock.forward(2 * time.Hour)
		asked := p.Asked()
		var both sync.WaitGroup
		got := make([]string, 2)
		for i, s := range []*oauth.Source{one, other} {
			both.Go(func() {
				var err error
				if got[i], err = s.Token(t.Context(), oauth.SMTP, ""); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if got[0] != got[1] || p.Asked() != asked+1 {
			t.Fatalf("the same token: %v; the provider was asked %d times", got[0] == got[1], p.Asked()-asked)
		}
	}
}

// TestStore_NewRefreshTokenIsNotUsedUntilItIsOnDisk: its access token is.
func TestStore_NewRefreshTokenIsNotUsedUntilItIsOnDisk(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	s := open(t, data, clock).Source(person(p))
	signIn(t, p, s)
	lock := filepath.Join(data, "oauth", "m365.lock")
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil { // nothing can be written now, not even by root
		t.Fatal(err)
	}
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
	asked := p.Asked()
	clock.forward(2 * time.Hour)
	if _, err := s.Token(t.Context(), oauth.SMTP, ""); err == nil || !oauth.IsTemporary(err) || p.Asked() != asked {
		t.Errorf("%v, asked %d times more", err, p.Asked()-asked)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	clock.forward(time.Minute)
	token(t, p, s, "")
	clock.forward(2 * time.Hour)
	token(t, p, open(t, data, clock).Source(person(p)), "") // what is on disk works
}

func TestKeepAlive_UsesWhatHasLainForADay(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	all := open(t, t.TempDir(), clock)
	s := all.Source(person(p))
	signIn(t, p, s)
	before := p.Asked()
	all.KeepAlive(t.Context())
	if p.Asked() != before {
		t.Error("it was used at once")
	}
	clock.forward(25 * time.Hour)
	all.KeepAlive(t.Context())
	if p.Asked() != before+1 || !s.Status().RefreshUsed.After(clock.now().Add(-time.Minute)) {
		t.Errorf("asked %d times: %+v", p.Asked()-before, s.Status())
	}
}
