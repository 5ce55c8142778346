package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Backend knows accounts that are kept elsewhere: in a directory, or by the server
// that the mail goes to. It is asked for names that neither the configuration nor
// the file has.
type Backend interface {
	// Check returns the account whose password this is, ErrInvalid where there is none
	// such, and another error when it cannot tell. It has a bound on how long it takes.
	Check(ctx context.Context, user, password string) (*Account, error)
}

// Lent returns the account of a name that is kept elsewhere. It may send as its name
// where that is an address and nothing that stands for more than one.
func Lent(name string) *Account {
	a := &Account{Name: Canonical(name), Addresses: []string{}}
	if IsAddress(a.Name) {
		a.Addresses = append(a.Addresses, a.Name)
	}
	return a
}

// IsAddress reports whether what another system says somebody may send as is one plain
// address: "*@example.org" there would be a whole domain here.
func IsAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsAny(s, "*:,; <>\"")
}

// The bounds of what is known of accounts that are kept elsewhere.
const (
	rememberOutside = time.Minute // that a password was wrong: it may have been set a moment ago
	maxLent         = 65536       // accounts that have logged in
	outsideAtOnce   = 16          // questions to backends at once
	outsideWaiting  = 256         // and those that wait for one of them
)

// SetOutside replaces the backends, asked in this order, and the verifier of tokens,
// nil for none. Accounts that are lent go when there is nobody left to lend them.
func (a *Accounts) SetOutside(backends []Backend, tokens TokenVerifier) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.backends, a.tokens = backends, tokens
	if len(backends) == 0 && tokens == nil {
		clear(a.lent)
	}
}

func (a *Accounts) outside() []Backend {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.backends
}

// lend keeps an account that is kept elsewhere for as long as its sessions may ask
// for it, and returns it. An account of ours of the same name comes first.
func (a *Accounts) lend(account *Account) (*Account, error) {
	own, err := a.own(account.Name)
	if err != nil || own != nil {
		return own, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	name := Canonical(account.Name)
	if a.lent[name] == nil && len(a.lent) >= maxLent {
		for k := range a.lent {
			delete(a.lent, k) // any: its next login brings it back
			break
		}
	}
	a.lent[name] = account
	return account, nil
}

// loginOutside asks the backends about a name that is not ours.
func (a *Accounts) loginOutside(ctx context.Context, from netip.Addr, user, password string, p proof) (*Account, error) {
	var account *Account
	var failure error
	err := a.outer.do(ctx, func() {
		for _, b := range a.outside() {
			found, err := b.Check(ctx, user, password)
			if err == nil {
				account = found
				return
			}
			if !errors.Is(err, ErrInvalid) && failure == nil {
				failure = err
			}
		}
	})
	name := Canonical(user)
	switch {
	case err != nil:
		return nil, err
	case account != nil:
		if account, err = a.lend(account); err != nil {
			return nil, err
		}
		a.memory.rememberRight(p, a.now())
		a.count(name, from, true)
		return account, nil
	case failure != nil:
		return nil, failure // another might have known the name; nobody is to blame
	}
	a.memory.rememberWrong(p, rememberOutside, a.now())
	a.count(name, from, false)
	return nil, ErrInvalid
}
