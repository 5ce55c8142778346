package auth

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/xdg-go/scram"
)

// Accounts are all accounts of a server: those of the configuration and those of
// the file that `wellsent user` keeps. It implements Authenticator.
type Accounts struct {
	file   *File // nil: none
	now    func() time.Time
	gate   *gate
	outer  *gate // of questions to backends
	memory *memory
	brake  *brake

	mu         sync.RWMutex        // guards the fields below
	configured map[string]*Account // by canonical name
	backends   []Backend
	tokens     TokenVerifier       // nil: none
	lent       map[string]*Account // by canonical name: kept elsewhere, and have logged in
	naming     []byte              // of namingSecret; nil: not read yet
	bare       bool                // a configured account has no SCRAM keys
	model      scram.KeyFactors    // of configured accounts; no Iters: those of the file's
}

var _ Authenticator = (*Accounts)(nil)

// New returns the accounts of file, which may be nil, and of the configuration. An
// account that is in both is an error: which password holds would be a guess.
func New(file *File, configured []Account) (*Accounts, error) {
	a := &Accounts{file: file, now: time.Now, gate: newGate(), outer: boundedGate(outsideAtOnce, outsideWaiting),
		memory: newMemory(), brake: newBrake(), lent: map[string]*Account{}}
	if err := a.SetConfigured(configured); err != nil {
		return nil, err
	}
	return a, nil
}

// SetConfigured replaces the accounts of the configuration, as on reload. When it
// returns an error nothing has changed.
func (a *Accounts) SetConfigured(configured []Account) error {
	m := make(map[string]*Account, len(configured))
	for i := range configured {
		c := configured[i]
		name := Canonical(c.Name)
		if m[name] != nil {
			return fmt.Errorf("account %s is configured twice: remove one", c.Name)
		}
		m[name] = &c
	}
	if a.file != nil {
		kept, err := a.file.List()
		if err != nil {
			return err
		}
		for _, k := range kept {
			if m[Canonical(k.Name)] != nil {
				return fmt.Errorf("account %s is in the configuration and in %s: remove one, for example with: wellsent user remove %s", k.Name, a.file.path, k.Name)
			}
		}
	}
	bare := slices.ContainsFunc(configured, func(c Account) bool { return c.SCRAM == "" })
	rounds := 0
	if a.file == nil {
		rounds = scramIterations
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.configured, a.bare, a.model = m, bare, modelOf(m, rounds)
	return nil
}

// Lookup returns the account of this name, or nil when there is none. An account
// of the configuration comes before one that was added to the file later, and both
// before one that is kept elsewhere, which is known once it has logged in.
func (a *Accounts) Lookup(name string) (*Account, error) {
	own, err := a.own(name)
	if own != nil || err != nil {
		return own, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.lent[Canonical(name)], nil
}

// own is Lookup among the accounts that are kept here.
func (a *Accounts) own(name string) (*Account, error) {
	name = Canonical(name)
	a.mu.RLock()
	found := a.configured[name]
	a.mu.RUnlock()
	if found != nil || a.file == nil {
		return found, nil
	}
	return a.file.lookup(name)
}

// List returns all accounts, sorted by name.
func (a *Accounts) List() ([]Account, error) {
	var all []Account
	if a.file != nil {
		kept, err := a.file.List()
		if err != nil {
			return nil, err
		}
		all = kept
	}
	a.mu.RLock()
	for _, c := range a.configured {
		all = append(all, *c)
	}
	a.mu.RUnlock()
	slices.SortFunc(all, func(x, y Account) int { return cmp.Compare(Canonical(x.Name), Canonical(y.Name)) })
	return all, nil
}

// Authenticate implements Authenticator. It does not slow anybody down, as it does
// not know who asks; a server calls Login.
func (a *Accounts) Authenticate(ctx context.Context, user, password string) (*Account, error) {
	return a.Login(ctx, netip.Addr{}, user, password)
}

// Login checks a login from the address from. It returns ErrInvalid, ErrBusy, a
// *SlowDown, the error of ctx, or that of an accounts file that cannot be read.
//
// A login that was seen lately, right or wrong, is answered from memory; it is not
// counted against anybody, so that a device with a stale password does not lock
// out its owner. An unknown name costs the same time as a wrong password.
func (a *Accounts) Login(ctx context.Context, from netip.Addr, user, password string) (*Account, error) {
	if len(user) > maxName || len(password) > maxPassword || password == "" {
		return nil, ErrInvalid
	}
	account, err := a.own(user)
	if err != nil {
		return nil, err
	}
	name, now := Canonical(user), a.now()
	p := a.memory.proof(account, name, password)
	switch right, wrong := a.memory.recall(p, now); {
	case right && account != nil:
		return account, nil
	case right && len(a.outside()) > 0:
		if lent, err := a.Lookup(user); lent != nil || err != nil {
			return lent, err
		}
	case wrong:
		return nil, ErrInvalid
	}
	if err := a.slowed(name, from); err != nil {
		return nil, err
	}
	if account == nil && len(a.outside()) > 0 {
		return a.loginOutside(ctx, from, user, password, p)
	}
	h := a.dummy()
	if account != nil {
		if h, err = parsePHC(account.Hash); err != nil {
			return nil, fmt.Errorf("account %s: %w", account.Name, err)
		}
	}
	matched := false
	if err := a.gate.do(ctx, func() { matched = h.matches(password) }); err != nil {
		return nil, err
	}
	right := matched && account != nil
	a.memory.remember(p, right, a.now())
	a.count(name, from, right)
	if !right {
		return nil, ErrInvalid
	}
	return account, nil
}

// dummy returns a hash for a name that is unknown. It costs what the first account
// costs, so that the time of the answer does not tell known names from unknown.
func (a *Accounts) dummy() *phc {
	h := &phc{cost: DefaultCost, salt: make([]byte, newSalt), key: make([]byte, newKey)}
	all, err := a.List()
	if err != nil || len(all) == 0 {
		return h
	}
	if known, err := parsePHC(all[0].Hash); err == nil {
		h.cost = known.cost
	}
	return h
}
