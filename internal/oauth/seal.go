package oauth

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wellsent/wellsent/internal/osfile"
)

// sealHead begins a sealed file. On disk since the first version; must not change.
const sealHead = "wellsent oauth 1\n"

// The places of the key.
const (
	keyFile    = "oauth.key"    // in the data directory
	credential = "wellsent.key" // in $CREDENTIALS_DIRECTORY; systemd.exec(5)
)

// minKey is the least a key file may hold, octets.
const minKey = 16

// Why a sealed file is not opened.
var (
	errOtherKey = errors.New("it was sealed with another key, or is damaged")
	errNoKey    = errors.New("its key is missing")
)

// sealer encrypts what is kept on disk with the first of its keys, and reads what
// any of them wrote.
type sealer struct{ keys []cipher.AEAD }

// newSealer reads the keys. Where there is none at all it makes the key file for who
// is going to write; who only reads has none then, and can open nothing.
func newSealer(data string, writes bool) (*sealer, error) {
	var s sealer
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		if err := s.add(filepath.Join(dir, credential)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	path := filepath.Join(data, keyFile)
	err := s.add(path)
	if errors.Is(err, fs.ErrNotExist) && len(s.keys) == 0 && writes {
		if err = makeKey(path); err == nil {
			err = s.add(path)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &s, nil
}

// makeKey makes the key file. Of two that do so at once one prevails.
func makeKey(path string) error {
	key := make([]byte, 32)
	rand.Read(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	err := osfile.Make(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the key of tokens: %w", err)
	}
	return nil
}

// add reads one key. What it holds may have any form: the key is derived from it.
func (s *sealer) add(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the key of tokens: %w", err)
	}
	b = bytes.TrimSpace(b)
	if len(b) < minKey {
		return fmt.Errorf("read the key of tokens: %s holds %d octets, fewer than %d", path, len(b), minKey)
	}
	key, err := hkdf.Key(sha256.New, b, nil, "wellsent oauth tokens 1", 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	s.keys = append(s.keys, aead)
	return nil
}

// seal encrypts plain for the file of that name.
func (s *sealer) seal(name string, plain []byte) []byte {
	k := s.keys[0]
	nonce := make([]byte, k.NonceSize())
	rand.Read(nonce)
	return k.Seal(append([]byte(sealHead), nonce...), nonce, plain, []byte(sealHead+name))
}

// open decrypts what seal has made for the file of that name.
func (s *sealer) open(name string, sealed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(sealHead))
	if !ok {
		return nil, errors.New("it is no file of tokens")
	}
	if len(s.keys) == 0 {
		return nil, errNoKey
	}
	for _, k := range s.keys {
		if len(rest) < k.NonceSize() {
			break
		}
		if plain, err := k.Open(nil, rest[:k.NonceSize()], rest[k.NonceSize():], []byte(sealHead+name)); err == nil {
			return plain, nil
		}
	}
	return nil, errOtherKey
}
