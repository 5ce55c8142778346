package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one argon2id hash costs. RFC 9106 §3.1.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultCost is the cost of new hashes: memory and passes of the second
// recommended option of RFC 9106 §4, which costs a core about a tenth of a second.
// There is one lane instead of four, so that one hash occupies one core: the gate
// counts hashes, and a login must not take the whole machine.
var DefaultCost = Cost{MemoryKiB: 64 * 1024, Passes: 3, Lanes: 1}

// The bounds of hashes that are read. A hash comes from a file that somebody
// edits; a wrong digit in it must not eat the machine's memory at each login.
const (
	maxMemoryKiB = 512 * 1024
	maxPasses    = 32
	maxLanes     = 16
	minSalt      = 8 // RFC 9106 §3.1
	maxSalt      = 64
	minKey       = 16
	maxKey       = 64
	newSalt      = 16 // RFC 9106 §4
	newKey       = 32
)

// phc is a parsed hash.
type phc struct {
	cost Cost
	salt []byte
	key  []byte
}

var errNotPHC = errors.New(`not an argon2id hash, which has the form $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH; make one with "wellsent user add"`)

// CheckHash reports what is wrong with a stored hash, or nil.
func CheckHash(hash string) error {
	_, err := parsePHC(hash)
	return err
}

// parsePHC reads "$argon2id$v=19$m=65536,t=3,p=1$salt$key". Parameters may stand
// in any order, base64 has no padding.
func parsePHC(s string) (*phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return nil, errNotPHC
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, fmt.Errorf("argon2 version %q is not known: only v=%d is", parts[2], argon2.Version)
	}
	var m, t, p uint64
	for _, f := range strings.Split(parts[3], ",") {
		name, value, _ := strings.Cut(f, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("parameter %q of the hash is not a number", f)
		}
		switch name {
		case "m":
			m = n
		case "t":
			t = n
		case "p":
			p = n
		default:
			return nil, fmt.Errorf("parameter %q of the hash is not known", name)
		}
	}
	switch {
	case p < 1 || p > maxLanes:
		return nil, fmt.Errorf("the hash's p=%d is outside 1 to %d", p, maxLanes)
	case t < 1 || t > maxPasses:
		return nil, fmt.Errorf("the hash's t=%d is outside 1 to %d", t, maxPasses)
	case m < 8*p || m > maxMemoryKiB: // RFC 9106 §3.1
		return nil, fmt.Errorf("the hash's m=%d is outside %d to %d KiB", m, 8*p, maxMemoryKiB)
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < minSalt || len(salt) > maxSalt {
		return nil, fmt.Errorf("the hash's salt is not %d to %d bytes in base64 without padding", minSalt, maxSalt)
	}
	key, err := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("the hash itself is not %d to %d bytes in base64 without padding", minKey, maxKey)
	}
	return &phc{Cost{uint32(m), uint32(t), uint8(p)}, salt, key}, nil
}

func (h *phc) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes,
		b.EncodeToString(h.salt), b.EncodeToString(h.key))
}

// matches reports whether password has this hash, in a time that does not depend
// on how much of it is right.
func (h *phc) matches(password string) bool {
	got := argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.MemoryKiB, h.cost.Lanes, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1
}

// HashPassword returns the PHC string of password, with a fresh salt and cost. It
// takes a core for about a tenth of a second at DefaultCost.
func HashPassword(password string, cost Cost) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	h := phc{cost: cost, salt: make([]byte, newSalt)}
	_, _ = rand.Read(h.salt) // never fails
	h.key = argon2.IDKey([]byte(password), h.salt, cost.Passes, cost.MemoryKiB, cost.Lanes, newKey)
	return h.String(), nil
}
