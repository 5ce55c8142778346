package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/osfile"
)

// dirName is the directory of sealed files in the data directory.
const dirName = "oauth"

// stateVersion is the version of a route's state. 1: the first.
const stateVersion = 1

// state is what is kept of one route.
type state struct {
	Version int    `json:"version"`
	Binding string `json:"binding"` // whom and by whom it was issued; Settings.binding

	Refresh        string    `json:"refresh,omitempty"`
	SignedIn       time.Time `json:"signed_in,omitzero"`       // when a person last did
	RefreshUsed    time.Time `json:"refresh_used,omitzero"`    // when it last gave a token
	RefreshExpires time.Time `json:"refresh_expires,omitzero"` // zero: the provider does not say

	Tokens map[Audience]token `json:"tokens,omitempty"`

	Renewed   time.Time `json:"renewed,omitzero"`    // when a token was last had
	Failing   string    `json:"failing,omitempty"`   // why none is had; "": it works
	FailingAt time.Time `json:"failing_at,omitzero"` // since when
}

// token is one access token.
type token struct {
	Access   string    `json:"access"`
	Scopes   string    `json:"scopes"`   // asked for
	Received time.Time `json:"received"` // by the local clock
	Renew    time.Time `json:"renew"`    // from when a new one is asked for
	Spent    time.Time `json:"spent"`    // from when it is not given out
}

// fits reports whether t may be given out.
func (t token) fits(now time.Time, scopes string) bool {
	return t.Access != "" && t.Scopes == scopes && now.Before(t.Spent) && t.Received.Before(now.Add(time.Minute)) // else the clock was set back
}

// store keeps the state of routes in a directory. It may be used by many
// goroutines and processes at once.
type store struct {
	data string // the data directory

	mu   sync.Mutex // guards seal
	seal *sealer    // nil: not read yet
}

func (s *store) path(route string) string { return filepath.Join(s.data, dirName, route+".sealed") }

// sealer returns the keys, read at first use: a server without OAuth has none.
func (s *store) sealer(writes bool) (*sealer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seal != nil {
		return s.seal, nil
	}
	k, err := newSealer(s.data, writes)
	if err == nil && len(k.keys) > 0 {
		s.seal = k
	}
	return k, err
}

// anew reads the keys again.
func (s *store) anew() (*sealer, error) {
	s.mu.Lock()
	s.seal = nil
	s.mu.Unlock()
	return s.sealer(false)
}

// stamp changes whenever the file is replaced.
type stamp struct {
	size    int64
	changed time.Time
	inode   uint64
}

// stamp returns that of a route's file; the zero stamp where there is none.
func (s *store) stamp(route string) (stamp, error) {
	info, err := os.Stat(s.path(route))
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, fmt.Errorf("tokens of route %s: %w", route, err)
	}
	return stamp{info.Size(), info.ModTime(), osfile.Inode(info)}, nil
}

// read returns a route's state; an empty one where there is no file.
func (s *store) read(route string) (state, error) {
	none := state{Version: stateVersion}
	b, err := os.ReadFile(s.path(route))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("tokens of route %s: %w", route, err)
	}
	k, err := s.sealer(false)
	if err != nil {
		return none, err
	}
	plain, err := k.open(route, b)
	if errors.Is(err, errOtherKey) { // perhaps a key that was made since
		if k, err = s.anew(); err != nil {
			return none, err
		}
		plain, err = k.open(route, b)
	}
	if err != nil {
		return none, fmt.Errorf("tokens of route %s: %s: %w. Give the key back, or sign in again: wellsent route logout %s; wellsent route login %s", route, s.path(route), err, route, route)
	}
	var st state
	if err := json.Unmarshal(plain, &st); err != nil {
		return none, fmt.Errorf("tokens of route %s: %s cannot be read: %w", route, s.path(route), err)
	}
	if st.Version != stateVersion {
		return none, fmt.Errorf("tokens of route %s: %s is of version %d, which this program does not know", route, s.path(route), st.Version)
	}
	return st, nil
}

// update reads a route's state, has edit change it and writes it, under a lock
// that other processes respect. Durable on return. It returns the state as it is
// then; edit returns false to leave it.
func (s *store) update(route string, edit func(*state) bool) (state, error) {
	unlock, err := s.lock(route)
	if err != nil {
		return state{}, err
	}
	defer unlock()
	st, err := s.read(route)
	if err != nil || !edit(&st) {
		return st, err
	}
	return st, s.write(route, &st)
}

// put writes a route's state whatever was there, even what cannot be read.
func (s *store) put(route string, st *state) error {
	unlock, err := s.lock(route)
	if err != nil {
		return err
	}
	defer unlock()
	return s.write(route, st)
}

// turnPoll is how often a refresh token that another process uses is waited for.
const turnPoll = 50 * time.Millisecond

// turn waits for the right to use a route's refresh token, which one process has at
// a time: a provider that sees one used twice may end the whole sign-in. RFC 9700
// §4.14.2.
func (s *store) turn(ctx context.Context, route string) (done func(), err error) {
	dir := filepath.Join(s.data, dirName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tokens of route %s: %w", route, err)
	}
	tick := time.NewTicker(turnPoll)
	defer tick.Stop()
	for {
		done, ok, err := osfile.TryLock(filepath.Join(dir, route+".turn"))
		if err != nil {
			return nil, fmt.Errorf("tokens of route %s: %w", route, err)
		}
		if ok {
			return done, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *store) lock(route string) (unlock func(), err error) {
	dir := filepath.Join(s.data, dirName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tokens of route %s: %w", route, err)
	}
	if unlock, err = osfile.Lock(filepath.Join(dir, route+".lock")); err != nil {
		return nil, fmt.Errorf("tokens of route %s: %w", route, err)
	}
	return unlock, nil
}

func (s *store) write(route string, st *state) error {
	st.Version = stateVersion
	plain, err := json.Marshal(st)
	if err != nil {
		return err
	}
	k, err := s.sealer(true)
	if err != nil {
		return err
	}
	if err := osfile.Replace(s.path(route), k.seal(route, plain), 0o600); err != nil {
		return fmt.Errorf("tokens of route %s: %w", route, err)
	}
	return nil
}

// remove forgets a route's state.
func (s *store) remove(route string) error {
	// Not between the reading and the writing of others, who would put it back.
	unlock, unlocked := s.lock(route)
	if unlocked == nil {
		defer unlock()
	}
	err := os.Remove(s.path(route))
	if err == nil && unlocked != nil {
		return fmt.Errorf("tokens of route %s are removed, but a running server may put them back: %w", route, unlocked)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tokens of route %s: %w", route, err)
	}
	return nil
}
