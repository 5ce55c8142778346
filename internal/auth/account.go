package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Account is somebody who may log in. A value of it is never changed once it can
// be seen by others.
type Account struct {
	Name      string   // as written; compared without regard to case
	Hash      string   // argon2id in PHC form; "" for an account that is kept elsewhere
	Addresses []string // what it may send as: "ann@example.org", "*@example.org"

	// What mechanisms need that do not send the password; each "" where it is not kept.
	SCRAM   string // salted keys in the form of RFC 5803
	CRAMMD5 string // contexts of HMAC-MD5, hexadecimal
	NTHash  string // NT hash, hexadecimal
}

// Authenticator decides whether a user name and password belong together. It
// returns ErrInvalid when they do not, ErrBusy when it is too busy to say, and
// another error when it cannot tell.
type Authenticator interface {
	Authenticate(ctx context.Context, user, password string) (*Account, error)
}

// The errors that callers branch on.
var (
	ErrInvalid = errors.New("user name or password is wrong")        // reply 535 5.7.8; RFC 4954 §6
	ErrBusy    = errors.New("too many logins are waiting")           // reply 454 4.7.0
	ErrExists  = errors.New("an account of this name exists")        // from File.Add
	ErrUnknown = errors.New("there is no account of this name")      // from File.Remove and File.SetPassword
	errEmpty   = errors.New("the password is empty: give one")       //
	errLong    = errors.New("the password is longer than 256 bytes") //
)

// A SlowDown is the error of a login that is refused without a look at the
// password, because too many wrong ones came before. Reply 454 4.7.0.
type SlowDown struct {
	Until time.Time // when the next login is looked at
}

func (s *SlowDown) Error() string {
	return "too many wrong passwords; logins are looked at again from " + s.Until.Format(time.TimeOnly)
}

// maxName and maxPassword bound what a client can make us keep and hash, octets.
const (
	maxName     = 320 // a mailbox: 64 + 1 + 255; RFC 5321 §4.5.3.1
	maxPassword = 256
)

// Canonical returns the form of a user name by which names are compared: lower
// case, without regard to the language, and without white space at either end.
// Telephones write the first letter large, and programs add a blank; no two people
// are told apart by either. Nothing else is folded: "ann" and "ann@example.org"
// are two names.
func Canonical(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// CheckName reports what is wrong with a name for an account, or nil.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("the name is empty: give one, such as ann@example.org")
	case len(name) > maxName:
		return fmt.Errorf("the name is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case name != strings.TrimSpace(name):
		return errors.New("the name begins or ends with white space: leave it out")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return errors.New("the name holds a control character: leave it out")
		}
	}
	return nil
}

// CheckPassword reports what is wrong with a new password, or nil. Its strength is
// not judged.
func CheckPassword(password string) error {
	switch {
	case password == "":
		return errEmpty
	case len(password) > maxPassword:
		return errLong
	case strings.ContainsAny(password, "\x00\r\n"):
		// NUL separates the fields of SASL PLAIN. RFC 4616 §2.
		return errors.New("the password holds a line end or a NUL, which mail programs cannot send: leave it out")
	}
	return nil
}
