package auth

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/xdg-go/scram"

	"github.com/wellsent/wellsent/internal/osfile"
)

// FileName is the name of the file of accounts in the data directory.
const FileName = "accounts.toml"

// File is the file of accounts that `wellsent user` keeps in the data directory.
// It is looked at on each use and read again when it has changed, so that a
// running server sees a change at once.
type File struct {
	path string // immutable
	cost Cost   // of new hashes; immutable
	kept Kept   // beside new hashes; immutable once in use

	rounds int // of PBKDF2 for new SCRAM keys; immutable

	mu       sync.Mutex
	seen     stamp // of the file as read
	accounts map[string]*Account
	scram    bool             // every account has SCRAM keys
	model    scram.KeyFactors // of SCRAM keys
}

// stamp changes whenever the file is written or replaced.
type stamp struct {
	size    int64
	changed time.Time
	inode   uint64
}

// fileForm is the form on disk, the same as in the configuration. On disk since
// the first version; must not change.
type fileForm struct {
	User []fileUser `toml:"user"`
}

type fileUser struct {
	Name      string   `toml:"name"`
	Password  string   `toml:"password"`
	Addresses []string `toml:"addresses"`
	SCRAM     string   `toml:"scram_sha_256,omitempty"`
	CRAMMD5   string   `toml:"cram_md5,omitempty"`
	NTHash    string   `toml:"nt_hash,omitempty"`
}

const fileHead = "# Accounts of this server. Change them with: wellsent user add|passwd|remove\n\n"

// OpenFile opens the file of accounts at path. A file that does not exist is one
// without accounts; it is made by Add, readable by its owner only.
func OpenFile(path string) (*File, error) {
	f := &File{path: path, cost: DefaultCost, kept: Kept{SCRAM: true}, rounds: scramIterations}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	return f, nil
}

// Keep sets what is kept of new passwords beside their hash; SCRAM keys unless said
// otherwise. It is called before the file is used.
func (f *File) Keep(k Kept) { f.kept = k }

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// List returns the accounts, sorted by name.
func (f *File) List() ([]Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	return f.listLocked(), nil
}

func (f *File) listLocked() []Account {
	all := make([]Account, 0, len(f.accounts))
	for _, a := range f.accounts {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(x, y Account) int { return cmp.Compare(Canonical(x.Name), Canonical(y.Name)) })
	return all
}

// lookup returns the account of a canonical name, or nil.
func (f *File) lookup(name string) (*Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	return f.accounts[name], nil
}

// scramForAll reports whether every account has SCRAM keys.
func (f *File) scramForAll() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readLocked() == nil && f.scram
}

// scramModel returns what salt and count of SCRAM keys look like here.
func (f *File) scramModel() (scram.KeyFactors, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.readLocked()
	return f.model, err
}

// Add adds an account with this password. Without addresses it may send as its
// name. Durable on return; ErrExists when the name is taken.
func (f *File) Add(name, password string, addresses []string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if len(addresses) == 0 {
		addresses = []string{name}
	}
	account, err := f.account(name, password, slices.Clone(addresses))
	if err != nil {
		return err
	}
	return f.change(func() error {
		if f.accounts[Canonical(name)] != nil {
			return fmt.Errorf("%s: %w", name, ErrExists)
		}
		f.accounts[Canonical(name)] = account
		return nil
	})
}

// account returns an account with this password.
func (f *File) account(name, password string, addresses []string) (*Account, error) {
	hash, err := HashPassword(password, f.cost)
	if err != nil {
		return nil, err
	}
	s, err := f.kept.derive(name, password, f.rounds)
	if err != nil {
		return nil, err
	}
	return &Account{Name: name, Hash: hash, Addresses: addresses, SCRAM: s.scram, CRAMMD5: s.cramMD5, NTHash: s.nt}, nil
}

// Remove removes an account. Durable on return; ErrUnknown when there is none.
func (f *File) Remove(name string) error {
	return f.change(func() error {
		if f.accounts[Canonical(name)] == nil {
			return fmt.Errorf("%s: %w", name, ErrUnknown)
		}
		delete(f.accounts, Canonical(name))
		return nil
	})
}

// SetPassword gives an account another password. Durable on return; ErrUnknown
// when there is none.
func (f *File) SetPassword(name, password string) error {
	account, err := f.account(name, password, nil)
	if err != nil {
		return err
	}
	return f.change(func() error {
		a := f.accounts[Canonical(name)]
		if a == nil {
			return fmt.Errorf("%s: %w", name, ErrUnknown)
		}
		account.Name, account.Addresses = a.Name, a.Addresses
		f.accounts[Canonical(name)] = account
		return nil
	})
}

// change reads the file, lets edit change the accounts and writes them, all under
// a lock that other processes respect too. Nothing has changed when it returns an
// error, but after one of the last step, the sync of the directory.
func (f *File) change(edit func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The lock is on a file of its own, because the file of accounts is replaced.
	unlock, err := osfile.Lock(f.path + ".lock")
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	defer unlock()
	f.seen = stamp{} // another process may have written within one tick of the clock
	if err := f.readLocked(); err != nil {
		return err
	}
	if err := edit(); err != nil {
		f.seen = stamp{size: -1}
		return err
	}
	f.seen = stamp{size: -1} // read again whatever comes
	return f.writeLocked()
}

// readLocked reads the file when it is not the one read last.
func (f *File) readLocked() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.accounts, f.seen, f.scram = map[string]*Account{}, stamp{}, true
		f.model = modelOf(nil, f.rounds)
		return nil
	}
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	now := stamp{size: info.Size(), changed: info.ModTime(), inode: osfile.Inode(info)}
	if now == f.seen && f.accounts != nil {
		return nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	accounts, err := parseFile(f.path, data)
	if err != nil {
		return err
	}
	f.accounts, f.seen, f.scram, f.model = accounts, now, true, modelOf(accounts, f.rounds)
	for _, a := range accounts {
		f.scram = f.scram && a.SCRAM != ""
	}
	return nil
}

// parseFile reads the file's form. An error names line and account.
func parseFile(path string, data []byte) (map[string]*Account, error) {
	var form fileForm
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&form); err != nil {
		var at *toml.DecodeError
		var unknown *toml.StrictMissingError
		line := 0
		switch {
		case errors.As(err, &unknown) && len(unknown.Errors) > 0:
			line, _ = unknown.Errors[0].Position()
		case errors.As(err, &at):
			line, _ = at.Position()
		}
		return nil, fmt.Errorf("accounts: %s:%d: %w", path, line, err)
	}
	accounts := make(map[string]*Account, len(form.User))
	for _, u := range form.User {
		if err := CheckName(u.Name); err != nil {
			return nil, fmt.Errorf("accounts: %s: account %q: %w", path, u.Name, err)
		}
		if err := CheckHash(u.Password); err != nil {
			return nil, fmt.Errorf("accounts: %s: account %s: %w", path, u.Name, err)
		}
		if err := (secrets{u.SCRAM, u.CRAMMD5, u.NTHash}).check(); err != nil {
			return nil, fmt.Errorf("accounts: %s: account %s: %w", path, u.Name, err)
		}
		if accounts[Canonical(u.Name)] != nil {
			return nil, fmt.Errorf("accounts: %s: account %s is there twice: remove one", path, u.Name)
		}
		accounts[Canonical(u.Name)] = &Account{Name: u.Name, Hash: u.Password, Addresses: u.Addresses, SCRAM: u.SCRAM, CRAMMD5: u.CRAMMD5, NTHash: u.NTHash}
	}
	return accounts, nil
}

// writeLocked replaces the file in one step that a crash cannot tear.
func (f *File) writeLocked() error {
	var form fileForm
	for _, a := range f.listLocked() {
		form.User = append(form.User, fileUser{a.Name, a.Hash, a.Addresses, a.SCRAM, a.CRAMMD5, a.NTHash})
	}
	data, err := toml.Marshal(form)
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	if err := osfile.Replace(f.path, append([]byte(fileHead), data...), 0o600); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}
