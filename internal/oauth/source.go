package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// How tokens are renewed.
const (
	tokenTimeout = 2 * time.Minute  // for one token, discovery and a second try included
	renewAhead   = 10 * time.Minute // before its end; of short lives a quarter of it
	spentAhead   = 30 * time.Second // a connection and a login take that long; of short lives a tenth
	unknownLife  = 10 * time.Minute // of a token whose provider does not say; a refused one is renewed anyway
	maxLife      = 24 * time.Hour   // Microsoft's longest is 28 hours; what is said beyond is not believed
	minAge       = 30 * time.Second // a refused token younger than that is not replaced
	leaveAlone   = 5 * time.Second  // the provider after a failure, where it does not say how long
	closeGrace   = 2 * time.Second  // for a request under way when the server stops
	maxWait      = 10 * time.Minute // that a provider may ask for
)

// Source gives out one route's tokens. Many goroutines may use it at once.
type Source struct {
	s     Settings // immutable
	c     *client
	store *store
	log   *slog.Logger
	now   func() time.Time
	turn  chan struct{} // capacity 1: whoever asks the provider holds it, for a refresh token may work once only

	mu      sync.Mutex // guards the fields below
	state   state
	seen    stamp // of the file that state was read from
	loaded  bool
	unsaved bool   // state is newer than the file, which could not be written
	base    string // with unsaved: the refresh token of the file that was replaced
	flights map[Audience]*flight
	failed  map[Audience]failure
	closed  bool
	wg      sync.WaitGroup
}

// flight is one request for a token, which all who want it await.
type flight struct {
	done   chan struct{} // closed when the fields below are set
	cancel context.CancelFunc
	access string
	err    error
}

// failure is an answer that stands for a moment.
type failure struct {
	err   error
	until time.Time
}

func newSource(s Settings, st *store, log *slog.Logger, now func() time.Time) *Source {
	src := &Source{s: s, store: st, log: log, now: now, turn: make(chan struct{}, 1), flights: map[Audience]*flight{}, failed: map[Audience]failure{}}
	src.c = newClient(&src.s, now)
	return src
}

// Settings returns what the source was made of.
func (s *Source) Settings() Settings { return s.s }

// Token returns an access token for a. refused is one that a server has just not
// taken, "" at first: then another is had, or the error is ErrFresh. The error is
// else ErrSignedOut, an *Error, or that of ctx, which ends the wait only.
func (s *Source) Token(ctx context.Context, a Audience, refused string) (string, error) {
	f, access, err := s.take(ctx, a, refused)
	if err != nil || f == nil {
		return access, err
	}
	select {
	case <-f.done:
		return f.access, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// take returns a token that is there, or the request that will have one.
func (s *Source) take(ctx context.Context, a Audience, refused string) (*flight, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadLocked(); err != nil {
		return nil, "", &Error{Err: err}
	}
	now := s.now()
	t := s.state.Tokens[a]
	fits := t.fits(now, s.scope(a))
	resting := now.Before(s.failed[a].until)
	switch {
	case refused != "" && refused == t.Access && fits && now.Sub(t.Received) < minAge:
		return nil, "", ErrFresh
	case fits && refused != t.Access && (now.Before(t.Renew) || resting || s.closed):
		return nil, t.Access, nil
	case fits && refused != t.Access:
		s.startLocked(ctx, a, "")
		return nil, t.Access, nil
	case resting:
		return nil, "", s.failed[a].err
	case s.closed:
		return nil, "", context.Canceled
	}
	return s.startLocked(ctx, a, refused), "", nil
}

func (s *Source) scope(a Audience) string { return strings.Join(s.s.scopes(a), " ") }

// loadLocked reads the state when the file is not the one read last.
func (s *Source) loadLocked() error {
	now, err := s.store.stamp(s.s.Route)
	if err != nil || s.loaded && now == s.seen {
		if s.unsaved {
			return nil // what is on disk is older
		}
		return err
	}
	st, err := s.store.read(s.s.Route)
	switch {
	case s.unsaved && (err != nil || s.isBase(&st)):
		return nil
	case err != nil:
		return err
	}
	s.unsaved = false // somebody has signed in or out
	if st.Binding != s.s.binding() {
		st = state{Version: stateVersion} // of other settings
	}
	if !s.loaded || st.Refresh != s.state.Refresh {
		clear(s.failed) // somebody has signed in
	}
	s.state, s.seen, s.loaded = st, now, true
	return nil
}

// isBase reports whether st, of the file, is what the unsaved state is to replace.
func (s *Source) isBase(st *state) bool { return st.Binding == s.s.binding() && st.Refresh == s.base }

// startLocked asks for a token for a, unless that is being done. What the caller
// cancels is its own wait only.
func (s *Source) startLocked(ctx context.Context, a Audience, refused string) *flight {
	if f := s.flights[a]; f != nil {
		return f
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
	f := &flight{done: make(chan struct{}), cancel: cancel, err: errors.New("the request for a token ended too soon")}
	s.flights[a] = f
	behind := refused == "" && s.state.Tokens[a].fits(s.now(), s.scope(a))
	s.wg.Go(func() {
		defer cancel()
		s.fly(ctx, a, refused, f)
		if behind && f.err != nil {
			s.log.Warn("renew a token ahead of time", "route", s.s.Route, "audience", string(a), "error", f.err)
		}
	})
	return f
}

// fly gets a token and ends the flight.
func (s *Source) fly(ctx context.Context, a Audience, refused string, f *flight) {
	defer func() {
		s.mu.Lock()
		delete(s.flights, a)
		if f.err != nil && ctx.Err() == nil {
			wait := leaveAlone
			var e *Error
			if errors.As(f.err, &e) && e.Wait > 0 {
				wait = e.Wait
			}
			s.failed[a] = failure{f.err, s.now().Add(wait)}
		} else {
			delete(s.failed, a)
		}
		s.mu.Unlock()
		close(f.done)
	}()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		f.err = ctx.Err()
		return
	}
	f.access, f.err = s.obtain(ctx, a, refused)
}

// anyway is a refused token that nobody has been given: a new one is wanted.
const anyway = "any"

// obtain asks the provider and keeps what it gives.
func (s *Source) obtain(ctx context.Context, a Audience, refused string) (string, error) {
	if s.s.Grant == RefreshToken {
		done, err := s.store.turn(ctx, s.s.Route)
		if err != nil {
			return "", &Error{Temporary: true, Err: err}
		}
		defer done()
	}
	s.mu.Lock()
	err := s.loadLocked()
	refresh, unsaved := s.state.Refresh, s.unsaved
	t := s.state.Tokens[a]
	renewed := t.fits(s.now(), s.scope(a)) && s.now().Before(t.Renew) && t.Access != refused && refused != anyway
	s.mu.Unlock()
	switch {
	case renewed && err == nil:
		return t.Access, nil // by another process, while this one waited for its turn
	case err != nil:
		return "", &Error{Err: err}
	case unsaved:
		// It must be on disk before it is used: the provider takes it once only, perhaps.
		if refresh, err = s.save(); err != nil {
			return "", &Error{Temporary: true, Err: err}
		}
	}
	if s.s.Grant == RefreshToken && refresh == "" {
		return "", s.signedOut()
	}
	ans, err := s.c.obtain(ctx, a, refresh)
	if err != nil {
		s.failing(ctx, refresh, err)
		return "", s.advise(err)
	}
	s.keep(a, ans, refresh)
	return ans.Access, nil
}

func (s *Source) signedOut() error {
	return &Error{Err: ErrSignedOut, Do: "sign in: wellsent route login " + s.s.Route}
}

// advise says what mends a refusal, where that is the same whatever the words.
func (s *Source) advise(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Code == "invalid_grant" && !e.Temporary && s.s.Grant == RefreshToken && e.Do == "" {
		e.Do = "sign in again: wellsent route login " + s.s.Route
	}
	return err
}

// newToken returns the token of an answer with its times, which are counted from
// its arrival.
func newToken(ans *answer, scope string) token {
	life := unknownLife
	if ans.ExpiresIn > 0 {
		life = time.Duration(min(ans.ExpiresIn, seconds(maxLife/time.Second))) * time.Second
	}
	return token{Access: ans.Access, Scopes: scope, Received: ans.received,
		Renew: ans.received.Add(life - min(renewAhead, life/4)),
		Spent: ans.received.Add(life - min(spentAhead, life/10))}
}

// keep puts a token into memory and on disk. used is the refresh token that it was
// had with.
func (s *Source) keep(a Audience, ans *answer, used string) {
	t := newToken(ans, s.scope(a))
	change := func(st *state) bool {
		if st.Refresh != used {
			return false // somebody has signed in or out meanwhile: this is of the old one
		}
		s.renewed(st, a, t, ans)
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	foreign := false
	wrote, err := s.store.update(s.s.Route, func(st *state) bool {
		if st.Binding != s.s.binding() {
			// Other settings' tokens give way, but not a sign-in: the operator may have made
			// it for the settings that the next reload brings.
			if foreign = used != "" || st.Refresh != ""; foreign {
				return false
			}
			*st = state{}
		}
		return change(st)
	})
	if err == nil {
		s.unsaved, s.loaded = false, true
		s.seen, _ = s.store.stamp(s.s.Route) // an error shows at the next use
		switch {
		case !foreign:
			s.state = wrote
		case used == "": // kept in memory alone
			s.ownLocked()
			s.renewed(&s.state, a, t, ans)
		default:
			s.state = state{Version: stateVersion}
		}
		return
	}
	s.log.Error("keep a token", "route", s.s.Route, "error", err)
	before := s.state.Refresh
	if change(&s.state) && s.state.Refresh != before {
		s.unsaved, s.base = true, before
	}
}

// ownLocked makes the state one of these settings.
func (s *Source) ownLocked() {
	if s.state.Binding != s.s.binding() {
		s.state = state{Version: stateVersion, Binding: s.s.binding()}
	}
}

// renewed puts a token into the state.
func (s *Source) renewed(st *state, a Audience, t token, ans *answer) {
	st.Binding = s.s.binding()
	if st.Tokens == nil {
		st.Tokens = map[Audience]token{}
	}
	st.Tokens[a] = t
	st.Renewed, st.Failing, st.FailingAt = ans.received, "", time.Time{}
	if s.s.Grant != RefreshToken {
		return
	}
	if ans.Refresh != "" {
		st.Refresh = ans.Refresh
	}
	st.RefreshUsed = ans.received
	if ans.RefreshExpires > 0 {
		st.RefreshExpires = ans.received.Add(time.Duration(min(ans.RefreshExpires, 100*365*86400)) * time.Second)
	} else if ans.Refresh != "" {
		st.RefreshExpires = time.Time{}
	}
}

// save writes a state that could not be written when it was new, unless somebody has
// signed in or out since. It returns the refresh token that is valid then.
func (s *Source) save() (refresh string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrote, err := s.store.update(s.s.Route, func(st *state) bool {
		if !s.isBase(st) {
			return false
		}
		*st = s.state
		return true
	})
	if err != nil {
		return "", err
	}
	s.unsaved = false
	if s.state = wrote; wrote.Binding != s.s.binding() {
		s.state = state{Version: stateVersion}
	}
	s.seen, err = s.store.stamp(s.s.Route)
	return s.state.Refresh, err
}

// failing notes on disk that a provider refuses, once for each reason: for the
// warning to others.
// used is the refresh token that it was asked with.
func (s *Source) failing(ctx context.Context, used string, why error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	since := s.state.FailingAt
	if s.state.Failing == "" {
		since = s.now()
	}
	if s.unsaved || s.state.Failing == why.Error() {
		s.state.Failing, s.state.FailingAt = why.Error(), since
		return
	}
	others := false
	st, err := s.store.update(s.s.Route, func(st *state) bool {
		if others = st.Refresh != used; others {
			return false // a sign-in that was made since, or for other settings: it is not what fails
		}
		if st.Binding != s.s.binding() {
			*st = state{Binding: s.s.binding()}
		}
		st.Failing, st.FailingAt = why.Error(), since
		return true
	})
	switch {
	case err != nil:
		s.log.Error("note that no token is had", "route", s.s.Route, "error", err)
	case others:
		s.ownLocked()
		s.state.Failing, s.state.FailingAt = why.Error(), since
	default:
		s.state = st
		s.seen, _ = s.store.stamp(s.s.Route)
	}
}

// close waits for what runs, for a moment, and cuts it off then. An answer that is
// on its way may hold the only refresh token that works from now on.
func (s *Source) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	cut := time.AfterFunc(closeGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, f := range s.flights {
			f.cancel()
		}
	})
	defer cut.Stop()
	s.wg.Wait()
	s.mu.Lock()
	unsaved := s.unsaved
	s.mu.Unlock()
	if !unsaved {
		return
	}
	if _, err := s.save(); err != nil {
		s.log.Error("keep a token: the next start needs another sign-in", "route", s.s.Route, "error", err)
	}
}

// SignOut forgets what is kept of the route. The provider is not told.
func (s *Source) SignOut() error { return s.store.remove(s.s.Route) }

// String returns the route's name.
func (s *Source) String() string { return fmt.Sprintf("tokens of route %s", s.s.Route) }
