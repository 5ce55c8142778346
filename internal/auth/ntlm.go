package auth

import (
	"context"
	"crypto/des" // #nosec: NTLMv1 is defined by it; MS-NLMP §3.3.1
	"crypto/hmac"
	"crypto/md5" // #nosec: NTLMv2 is defined by it; MS-NLMP §3.3.2
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ntlmExchange is the server of NTLM, which Windows calls "secure password
// authentication". NTLMv2 is taken, and under TLS the first version too, which is all
// that many programs know: in the clear, whoever hears such a response has the
// password's hash in a day. MS-NLMP, MS-SMTPNTLM.
type ntlmExchange struct {
	a         *Accounts
	p         Peer
	challenge *ntlmChallenge // nil: not given yet
	user      string         // as the client gives it
}

// User implements Exchange.
func (e *ntlmExchange) User() string { return e.user }

var (
	errNTLMv1      = errors.New("the client answers by NTLMv1, which is taken under TLS only")
	errNTLMNobody  = errors.New("the client gives no name (NTLM's anonymous login)")
	errNTLMUnknown = errors.New("no such account, or one without an NT hash, or the wrong password")
)

// Next takes NEGOTIATE, gives CHALLENGE, takes AUTHENTICATE.
func (e *ntlmExchange) Next(_ context.Context, response []byte) ([]byte, *Account, error) {
	switch {
	case response == nil:
		return []byte{}, nil, nil // MS-SMTPNTLM §3.2.4.2: the client begins when it is asked
	case e.challenge == nil:
		flags, err := parseNegotiate(response)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		c := &ntlmChallenge{flags: flags, target: e.p.Hostname}
		_, _ = rand.Read(c.nonce[:]) // never fails
		e.challenge = c
		return c.encode(), nil, nil
	}
	m, err := parseAuthenticate(response, e.challenge.flags)
	e.user = m.user
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	case m.user == "":
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, errNTLMNobody)
	case len(m.user)+len(m.domain) >= maxName:
		return nil, nil, ErrInvalid
	}
	account, err := e.find(m)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range m.names() {
		if err := e.a.slowed(Canonical(name), e.p.Addr); err != nil {
			return nil, nil, err
		}
	}
	version1 := len(m.nt) < ntProofLength+ntBlobHead
	if version1 && e.p.TLS == nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, errNTLMv1)
	}
	hash := make([]byte, md5.Size) // of nobody; the same work is done
	known := account != nil && account.NTHash != ""
	if known {
		if hash, err = hex.DecodeString(account.NTHash); err != nil {
			return nil, nil, fmt.Errorf("account %s: %w", account.Name, err)
		}
	}
	var right bool
	if nonce := e.challenge.nonce[:]; version1 {
		if m.flags&ntlmExtended != 0 && len(m.lm) >= len(nonce) {
			nonce = sessionNonce(nonce, m.lm[:len(nonce)])
		}
		right = subtle.ConstantTimeCompare(ntlmv1Response(hash, nonce), m.nt) == 1
	} else {
		proof := ntlmv2Proof(hash, m.user, m.domain, nonce, m.nt[ntProofLength:])
		right = subtle.ConstantTimeCompare(proof, m.nt[:ntProofLength]) == 1
	}
	right = right && known
	for _, name := range m.names() {
		e.a.count(Canonical(name), e.p.Addr, right)
	}
	if !right {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, errNTLMUnknown)
	}
	return nil, account, nil
}

// names returns whom a client may mean. Windows cuts a user name at its "@" or sends
// it whole, and puts into the domain what the user has entered, or the name of the
// machine. The login counts for both, known or not: else the slow-down would tell.
func (m *ntlmAuthenticate) names() []string { return []string{m.user, m.user + "@" + m.domain} }

// find looks up the account that a client means, nil when there is none.
func (e *ntlmExchange) find(m ntlmAuthenticate) (*Account, error) {
	for _, name := range m.names() {
		account, err := e.a.Lookup(name)
		if err != nil || account != nil {
			return account, err
		}
	}
	return nil, nil
}

// ntlmv2Proof returns NTProofStr. MS-NLMP §3.3.2.
func ntlmv2Proof(ntHash []byte, user, domain string, nonce, blob []byte) []byte {
	key := hmac.New(md5.New, ntHash)
	key.Write(utf16le(strings.ToUpper(user) + domain))
	proof := hmac.New(md5.New, key.Sum(nil))
	proof.Write(nonce)
	proof.Write(blob)
	return proof.Sum(nil)
}

// ntlmv1Response encrypts the challenge thrice by parts of the NT hash. MS-NLMP
// §3.3.1, DESL.
func ntlmv1Response(ntHash, nonce []byte) []byte {
	hash := append(slices.Clone(ntHash), make([]byte, 5)...) // to 21 octets
	response := make([]byte, 24)
	for i := range 3 {
		var bits uint64 // seven octets, which go into eight: the lowest bit of each is parity
		for _, x := range hash[7*i : 7*i+7] {
			bits = bits<<8 | uint64(x)
		}
		key := make([]byte, 8)
		for j := range key {
			key[j] = byte(bits>>(49-7*j)) & 0x7f << 1
		}
		c, err := des.NewCipher(key)
		if err != nil {
			panic(err) // the key has eight octets
		}
		c.Encrypt(response[8*i:], nonce)
	}
	return response
}

// sessionNonce is what is encrypted in place of the challenge where a client has put a
// challenge of its own into the LM response. MS-NLMP §3.3.1.
func sessionNonce(server, client []byte) []byte {
	sum := md5.Sum(slices.Concat(server, client))
	return sum[:8]
}
