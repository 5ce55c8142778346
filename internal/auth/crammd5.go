package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// cramExchange is the server of CRAM-MD5. RFC 2195.
type cramExchange struct {
	a         *Accounts
	p         Peer
	challenge []byte
	user      string // as the client gives it
}

// User implements Exchange.
func (e *cramExchange) User() string { return e.user }

// Next gives the challenge and takes "user digest".
func (e *cramExchange) Next(_ context.Context, response []byte) ([]byte, *Account, error) {
	if e.challenge == nil {
		if len(response) > 0 {
			return nil, nil, fmt.Errorf("%w: CRAM-MD5 begins with the server", ErrMalformed)
		}
		// Unlike any other for ever, in the form of a message id. RFC 2195 §2.
		e.challenge = fmt.Appendf(nil, "<%s@%s>", rand.Text(), e.p.Hostname)
		return e.challenge, nil, nil
	}
	at := strings.LastIndexByte(string(response), ' ') // a name may have blanks in it
	if at < 1 {
		return nil, nil, fmt.Errorf("%w: CRAM-MD5 wants a name and a digest", ErrMalformed)
	}
	user, hexDigest := string(response[:at]), string(response[at+1:])
	e.user = user
	digest, err := hex.DecodeString(hexDigest)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the digest is not hexadecimal", ErrMalformed)
	}
	name := Canonical(user)
	if len(user) > maxName {
		return nil, nil, ErrInvalid
	}
	if err := e.a.slowed(name, e.p.Addr); err != nil {
		return nil, nil, err
	}
	account, err := e.a.Lookup(user)
	if err != nil {
		return nil, nil, err
	}
	contexts := make([]byte, 32) // of nobody; the same work is done
	known := account != nil && account.CRAMMD5 != ""
	if known {
		if contexts, err = hex.DecodeString(account.CRAMMD5); err != nil {
			return nil, nil, fmt.Errorf("account %s: %w", account.Name, err)
		}
	}
	right := subtle.ConstantTimeCompare(cramDigest(contexts, e.challenge), digest) == 1 && known
	e.a.count(name, e.p.Addr, right)
	if !right {
		return nil, nil, ErrInvalid
	}
	return nil, account, nil
}
