package auth

import (
	"crypto/md5" // #nosec: CRAM-MD5 is defined by it; RFC 2195
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/xdg-go/scram"
	//lint:ignore SA1019 the NT hash is an MD4 digest, whatever is thought of MD4; MS-NLMP §3.3.2
	"golang.org/x/crypto/md4" // #nosec: as above
)

// Kept says what is kept of a password beside its argon2id hash, for mechanisms in
// which the password itself is never sent. Each of them is cheaper to guess from
// than argon2id, so that none is kept that no listener needs.
type Kept struct {
	SCRAM   bool // salted keys for SCRAM-SHA-256; RFC 5802 §3
	CRAMMD5 bool // the contexts of HMAC-MD5, which are as good as the password for CRAM-MD5
	NTLM    bool // the NT hash, which is as good as the password for NTLM
}

// scramIterations is the PBKDF2 count of new keys: eight times what RFC 7677 §4
// asks for at least, about 20 ms of a client.
const scramIterations = 32768

// The bounds of SCRAM keys that are read from a file that somebody edits.
const (
	minIterations = 4096 // RFC 7677 §4; clients refuse fewer
	maxIterations = 10_000_000
	scramKey      = 32 // octets of SHA-256
)

// secrets are what Kept asks for, in the form of the file.
type secrets struct{ scram, cramMD5, nt string }

// derive returns what is kept of a password; rounds are those of PBKDF2.
func (k Kept) derive(name, password string, rounds int) (s secrets, err error) {
	if k.SCRAM {
		if s.scram, err = scramKeysOf(name, password, rounds); err != nil {
			return secrets{}, err
		}
	}
	if k.CRAMMD5 {
		s.cramMD5 = hex.EncodeToString(cramContexts(password))
	}
	if k.NTLM {
		s.nt = hex.EncodeToString(ntHash(password))
	}
	return s, nil
}

// scramKeysOf returns fresh SCRAM-SHA-256 keys in the form of RFC 5803.
func scramKeysOf(name, password string, rounds int) (string, error) {
	salt := make([]byte, newSalt)
	_, _ = rand.Read(salt) // never fails
	c, err := scram.SHA256.NewClient(name, password, "")
	if err != nil {
		// SASLprep forbids something in it. Clients that do not prepare it get in.
		if c, err = scram.SHA256.NewClientUnprepped(name, password, ""); err != nil {
			return "", fmt.Errorf("derive SCRAM keys: %w", err)
		}
	}
	keys, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: rounds})
	if err != nil {
		return "", fmt.Errorf("derive SCRAM keys: %w", err)
	}
	b := base64.StdEncoding
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", keys.Iters, b.EncodeToString(salt), b.EncodeToString(keys.StoredKey), b.EncodeToString(keys.ServerKey)), nil
}

var errNotSCRAM = errors.New("not SCRAM-SHA-256 keys, which have the form SCRAM-SHA-256$32768:SALT$STOREDKEY:SERVERKEY; have them made by \"wellsent user passwd\"")

// CheckSCRAM reports what is wrong with stored keys, or nil.
func CheckSCRAM(keys string) error {
	_, err := parseSCRAM(keys)
	return err
}

// parseSCRAM reads keys in the form of RFC 5803.
func parseSCRAM(s string) (scram.StoredCredentials, error) {
	var none, keys scram.StoredCredentials
	parts := strings.Split(s, "$")
	if len(parts) != 3 || parts[0] != "SCRAM-SHA-256" {
		return none, errNotSCRAM
	}
	count, salt, ok1 := strings.Cut(parts[1], ":")
	stored, server, ok2 := strings.Cut(parts[2], ":")
	n, err := strconv.Atoi(count)
	if !ok1 || !ok2 || err != nil || n < minIterations || n > maxIterations {
		return none, errNotSCRAM
	}
	b := base64.StdEncoding.Strict()
	rawSalt, err1 := b.DecodeString(salt)
	storedKey, err2 := b.DecodeString(stored)
	serverKey, err3 := b.DecodeString(server)
	if errors.Join(err1, err2, err3) != nil || len(rawSalt) < minSalt || len(rawSalt) > maxSalt || len(storedKey) != scramKey || len(serverKey) != scramKey {
		return none, errNotSCRAM
	}
	keys.Salt, keys.Iters, keys.StoredKey, keys.ServerKey = string(rawSalt), n, storedKey, serverKey
	return keys, nil
}

// cramContexts returns the states of the outer and the inner MD5 after the block
// that is made of the password: what CRAM-MD5 needs of it. Dovecot keeps the same
// 32 octets.
func cramContexts(password string) []byte {
	key := make([]byte, md5.BlockSize)
	if len(password) > len(key) {
		sum := md5.Sum([]byte(password)) // RFC 2104 §2
		copy(key, sum[:])
	} else {
		copy(key, password)
	}
	var out []byte
	for _, pad := range []byte{0x5c, 0x36} { // outer, inner; RFC 2104 §2
		block := make([]byte, len(key))
		for i := range key {
			block[i] = key[i] ^ pad
		}
		h := md5.New()
		h.Write(block)
		state, _ := h.(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary() // never fails
		for i := len(md5Magic); i < len(md5Magic)+md5.Size; i += 4 {
			out = binary.LittleEndian.AppendUint32(out, binary.BigEndian.Uint32(state[i:]))
		}
	}
	return out
}

// md5Magic begins the marshalled state of crypto/md5; the four words of the state,
// the block in hand and the length follow.
const md5Magic = "md5\x01"

// cramDigest returns the HMAC-MD5 of a challenge from the contexts of a password.
func cramDigest(contexts, challenge []byte) []byte {
	sum := resume(contexts[md5.Size:], challenge)
	return resume(contexts[:md5.Size], sum)
}

// resume goes on with an MD5 whose state after one block is known.
func resume(state, data []byte) []byte {
	b := []byte(md5Magic)
	for i := 0; i < md5.Size; i += 4 {
		b = binary.BigEndian.AppendUint32(b, binary.LittleEndian.Uint32(state[i:]))
	}
	b = append(b, make([]byte, md5.BlockSize)...)
	b = binary.BigEndian.AppendUint64(b, md5.BlockSize)
	h := md5.New()
	if err := h.(interface{ UnmarshalBinary([]byte) error }).UnmarshalBinary(b); err != nil {
		panic(err) // the form is that of MarshalBinary, or crypto/md5 has changed
	}
	h.Write(data)
	return h.Sum(nil)
}

// ntHash returns the NT hash of a password. MS-NLMP §3.3.2, NTOWFv1.
func ntHash(password string) []byte {
	h := md4.New()
	h.Write(utf16le(password))
	return h.Sum(nil)
}

// utf16le returns s as Windows keeps texts.
func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// check reports what is wrong with secrets as they are in a file, or nil.
func (s secrets) check() error {
	if s.scram != "" {
		if _, err := parseSCRAM(s.scram); err != nil {
			return err
		}
	}
	if b, err := hex.DecodeString(s.cramMD5); s.cramMD5 != "" && (err != nil || len(b) != 2*md5.Size) {
		return errors.New("cram_md5 is not 64 hexadecimal digits; have it made by \"wellsent user passwd\"")
	}
	if b, err := hex.DecodeString(s.nt); s.nt != "" && (err != nil || len(b) != md4.Size) {
		return errors.New("nt_hash is not 32 hexadecimal digits; have it made by \"wellsent user passwd\"")
	}
	return nil
}
