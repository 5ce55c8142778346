package oauth

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// keepAlive is how long a refresh token may lie unused: Microsoft forgets one
// after 90 days, others after less.
const keepAlive = 24 * time.Hour

// Sources are the sources of all routes of one data directory.
type Sources struct {
	store *store
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex // guards the fields below
	byName map[string]*Source
	old    []*Source // of earlier settings; closed with the others
	closed bool
}

// Options are what few need.
type Options struct {
	Log *slog.Logger     // nil: slog.Default()
	Now func() time.Time // nil: time.Now
}

// New returns the sources of the data directory data. It makes and reads nothing
// yet.
func New(data string, o Options) *Sources {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sources{store: &store{data: data}, log: o.Log, now: o.Now, byName: map[string]*Source{}}
}

// Source returns the source of a route: the same one while its settings are the
// same.
func (s *Sources) Source(set Settings) *Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.byName[set.Route]; src != nil {
		if same(&src.s, &set) {
			return src
		}
		s.old = append(s.old, src)
	}
	src := newSource(set, s.store, s.log, s.now)
	src.closed = s.closed
	s.byName[set.Route] = src
	return src
}

// same reports whether a source of a does for b.
func same(a, b *Settings) bool {
	if a.binding() != b.binding() || a.SecretFile != b.SecretFile || a.CertificateFile != b.CertificateFile || a.KeyFile != b.KeyFile || a.KeyID != b.KeyID ||
		a.AuthURL != b.AuthURL || a.DeviceURL != b.DeviceURL || a.Audience != b.Audience || a.Proxy != b.Proxy || !a.SecretExpires.Equal(b.SecretExpires) || len(a.Scopes) != len(b.Scopes) || len(a.Audiences) != len(b.Audiences) {
		return false
	}
	for i := range a.Scopes {
		if a.Scopes[i] != b.Scopes[i] {
			return false
		}
	}
	for i := range a.Audiences {
		if a.Audiences[i] != b.Audiences[i] {
			return false
		}
	}
	return a.Roots == b.Roots || a.Roots != nil && a.Roots.Equal(b.Roots)
}

// Keep forgets the sources of routes that are not among names any more. What is on
// disk of them stays.
func (s *Sources) Keep(names map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, src := range s.byName {
		if !names[name] {
			s.old = append(s.old, src)
			delete(s.byName, name)
		}
	}
}

// All returns the sources of the present settings.
func (s *Sources) All() []*Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Source
	for _, src := range s.byName {
		all = append(all, src)
	}
	return all
}

// KeepAlive renews each refresh token that has lain for a day, so that none is
// forgotten by its provider while a route has no mail. Failures are logged.
func (s *Sources) KeepAlive(ctx context.Context) {
	for _, src := range s.All() {
		if src.s.Grant != RefreshToken {
			continue
		}
		st := src.Status()
		wait := keepAlive
		for _, e := range st.Expires {
			if e.What == ExpiryRefreshToken {
				wait = min(wait, e.At.Sub(e.From)/4) // some live for hours only
			}
		}
		// A use in the future was noted by a clock that was ahead: it tells nothing.
		if age := s.now().Sub(st.RefreshUsed); !st.SignedIn || age > -time.Hour && age < wait {
			continue
		}
		if err := src.renew(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("use a refresh token lest it is forgotten", "route", src.s.Route, "error", err)
		}
	}
}

// renew has a new token whatever the age of the old.
func (s *Source) renew(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return context.Canceled
	}
	f := s.startLocked(ctx, s.s.first(), anyway)
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends what runs and waits for it. Sources give out what they have then.
func (s *Sources) Close() {
	s.mu.Lock()
	s.closed = true
	all := append([]*Source{}, s.old...)
	for _, src := range s.byName {
		all = append(all, src)
	}
	s.mu.Unlock()
	for _, src := range all {
		src.close()
	}
}
