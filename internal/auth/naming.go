package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wellsent/wellsent/internal/osfile"
)

// namingFile is beside the accounts and holds the secret of namingSecret.
const namingFile = "accounts.salt"

// namingSecret returns the secret from which salts for unknown names are made. It
// outlives the process: a salt that is another after each start would tell an
// unknown name from a known one. RFC 5802 §9.
func (a *Accounts) namingSecret() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.naming != nil {
		return a.naming, nil
	}
	if a.file == nil {
		a.naming = newSecret()
		return a.naming, nil
	}
	path := filepath.Join(filepath.Dir(a.file.path), namingFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeNaming(path)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("accounts: %w", err)
	case len(b) < newSecretLength:
		return nil, fmt.Errorf("accounts: %s is cut off: remove it, and another is made", path)
	}
	a.naming = b
	return b, nil
}

const newSecretLength = 32 // octets

func newSecret() []byte {
	b := make([]byte, newSecretLength)
	_, _ = rand.Read(b) // never fails
	return b
}

// makeNaming writes a new secret, or returns the one that another process has
// written meanwhile.
func makeNaming(path string) ([]byte, error) {
	b := newSecret()
	if err := osfile.Make(path, b); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
