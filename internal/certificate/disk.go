package certificate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"

	"github.com/wellsent/wellsent/internal/osfile"
)

// writeFile replaces the file at path in one step that a crash cannot tear.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	if err := osfile.Replace(path, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeKey writes chain, PEM or empty, followed by key, for its owner alone.
func writeKey(path string, chain []byte, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	data := append(bytes.Clone(chain), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	return writeFile(path, data, 0o600)
}

// readKey reads one private key in PEM.
func readKey(path string) (crypto.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return parseKey(path, data)
}
