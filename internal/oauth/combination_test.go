package oauth_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
)

// full makes the directory of tokens one that cannot be written, not even by root,
// and returns what ends that.
func full(t *testing.T, data string) (mend func()) {
	t.Helper()
	lock := filepath.Join(data, "oauth", "m365.lock")
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
	}
}

// unsaved returns a source whose refresh token was replaced while the disk was full.
// The disk has room again.
func unsaved(t *testing.T, p *oauthtest.Provider, data string, clock *clocked) *oauth.Source {
	t.Helper()
	s := open(t, data, clock).Source(person(p))
	signIn(t, p, s)
	mend := full(t, data)
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
	mend()
	clock.forward(2 * time.Hour)
	return s
}

// TestSignOut_IsNotUndoneByATokenThatWaitsForTheDisk: whoever signs a route out
// wants it out.
func TestSignOut_IsNotUndoneByATokenThatWaitsForTheDisk(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	s := unsaved(t, p, data, clock)
	if err := open(t, data, clock).Source(person(p)).SignOut(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), oauth.SMTP, ""); !errors.Is(err, oauth.ErrSignedOut) {
		t.Errorf("signed out: %v", err)
	}
	if st := open(t, data, clock).Source(person(p)).Status(); st.SignedIn {
		t.Errorf("it is back: %+v", st)
	}
}

// TestSignIn_IsNotOverwrittenByATokenThatWaitsForTheDisk: the newer one is the
// person's.
func TestSignIn_IsNotOverwrittenByATokenThatWaitsForTheDisk(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	s := unsaved(t, p, data, clock)
	anew := open(t, data, clock).Source(person(p))
	signIn(t, p, anew)
	want := anew.Status().SignedInAt
	token(t, p, s, "")
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
	if st := open(t, data, clock).Source(person(p)).Status(); !st.SignedInAt.Equal(want) {
		t.Errorf("signed in at %v, want %v", st.SignedInAt, want)
	}
}

// TestClose_KeepsWhatWaitsForTheDisk: the provider may take nothing older any more.
func TestClose_KeepsWhatWaitsForTheDisk(t *testing.T) {
	p := oauthtest.New(t)
	data, clock := t.TempDir(), &clocked{}
	all := open(t, data, clock)
	s := all.Source(person(p))
	signIn(t, p, s)
	mend := full(t, data)
	clock.forward(2 * time.Hour)
	token(t, p, s, "")
	mend()
	all.Close()
	clock.forward(2 * time.Hour)
	token(t, p, open(t, data, clock).Source(person(p)), "")
}

// TestSignIn_IsNotSpoiltByTheSettingsBeforeTheReload: the operator goes from client
// credentials to a sign-in, signs in and then reloads; until then the server asks by
// the old settings, which work or do not.
func TestSignIn_IsNotSpoiltByTheSettingsBeforeTheReload(t *testing.T) {
	for what, secret := range map[string]string{"works": oauthtest.Secret, "refused": "another secret"} {
		t.Run(what, func(t *testing.T) {
			p := oauthtest.New(t)
			data, clock := t.TempDir(), &clocked{}
			old := person(p)
			old.Grant, old.ClientID, old.SecretFile = oauth.ClientCredentials, oauthtest.Program, file(t, secret)
			server := open(t, data, clock).Source(old)
			_, before := server.Token(t.Context(), oauth.SMTP, "")
			signIn(t, p, open(t, data, clock).Source(person(p)))
			clock.forward(2 * time.Hour)
			if _, err := server.Token(t.Context(), oauth.SMTP, ""); (err == nil) != (before == nil) {
				t.Errorf("the old settings: %v, before %v", err, before)
			}
			if asked := p.Asked(); before == nil {
				if _, err := server.Token(t.Context(), oauth.SMTP, ""); err != nil || p.Asked() != asked {
					t.Errorf("a token for each who asks: %v", err)
				}
			}
			if st := open(t, data, clock).Source(person(p)).Status(); !st.SignedIn || st.Failing != "" {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestKeepAlive_AClockThatWasAheadDoesNotEndIt: the provider forgets a refresh token
// that nobody uses, whatever our clock has said.
func TestKeepAlive_AClockThatWasAheadDoesNotEndIt(t *testing.T) {
	p := oauthtest.New(t)
	clock := &clocked{}
	all := open(t, t.TempDir(), clock)
	clock.forward(365 * 24 * time.Hour)
	signIn(t, p, all.Source(person(p)))
	clock.forward(-365 * 24 * time.Hour)
	before := p.Asked()
	all.KeepAlive(t.Context())
	all.KeepAlive(t.Context())
	if n := p.Asked() - before; n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}
