package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"

	"github.com/xdg-go/scram"
)

// Exchange is the server's side of one login by a SASL mechanism. RFC 4422 §3.
type Exchange interface {
	// Next takes what the client says, nil when it has said nothing yet, and returns
	// the next challenge, or the account when the login is good, or the error when it
	// is not: ErrMalformed, or one that Login returns. An error with a challenge is told
	// by it, and the client's answer to it does not matter any more.
	Next(ctx context.Context, response []byte) (challenge []byte, account *Account, err error)
	// User returns the name that the client has given, for the log; "" before.
	User() string
}

// Peer is what is known of a client that logs in.
type Peer struct {
	Addr        netip.Addr
	TLS         *tls.ConnectionState // nil: clear text
	Certificate []byte               // DER of the certificate that was shown to it; nil: not known
	PlusOffered bool                 // it was offered SCRAM with channel binding
	Hostname    string               // ours
}

// The names of mechanisms. IANA's registry of SASL mechanisms.
const (
	Plain       = "PLAIN"              // RFC 4616
	LoginName   = "LOGIN"              // draft-murchison-sasl-login-00
	SCRAM       = "SCRAM-SHA-256"      // RFC 7677
	SCRAMPlus   = "SCRAM-SHA-256-PLUS" // RFC 7677
	CRAMMD5     = "CRAM-MD5"           // RFC 2195
	NTLM        = "NTLM"               // MS-SMTPNTLM
	External    = "EXTERNAL"           // RFC 4422 appendix A
	XOAUTH2     = "XOAUTH2"            // Google's, and Microsoft's
	OAuthBearer = "OAUTHBEARER"        // RFC 7628
)

// Mechanisms are all that a listener can offer, in the order in which they are
// offered: clients that take the first they know should take a good one.
var Mechanisms = []string{SCRAMPlus, SCRAM, External, OAuthBearer, XOAUTH2, Plain, LoginName, CRAMMD5, NTLM}

// ErrMalformed is a client that does not speak its mechanism. Reply 501 5.5.2; RFC
// 4954 §4.
var ErrMalformed = errors.New("the login data is not well-formed")

// Exchange begins a login by a mechanism of which the password is not sent in the
// clear, or none is needed. It returns nil for others.
func (a *Accounts) Exchange(mechanism string, p Peer) Exchange {
	switch mechanism {
	case SCRAM, SCRAMPlus:
		return &scramExchange{a: a, p: p, plus: mechanism == SCRAMPlus}
	case CRAMMD5:
		return &cramExchange{a: a, p: p}
	case NTLM:
		return &ntlmExchange{a: a, p: p}
	case External:
		return &externalExchange{a: a, p: p}
	case XOAUTH2, OAuthBearer:
		return &bearerExchange{a: a, p: p, xoauth2: mechanism == XOAUTH2}
	}
	return nil
}

// SCRAMForAll reports whether every account can log in by SCRAM. A client that
// prefers SCRAM and meets an account without its keys is told that its password is
// wrong, which is worse than not to be offered SCRAM.
func (a *Accounts) SCRAMForAll() bool {
	if len(a.outside()) > 0 {
		return false
	}
	a.mu.RLock()
	bare := a.bare
	a.mu.RUnlock()
	return !bare && (a.file == nil || a.file.scramForAll())
}

// scramModel returns what the salt and the count of made-up keys are to look like: those
// of some account.
func (a *Accounts) scramModel() (scram.KeyFactors, error) {
	a.mu.RLock()
	m := a.model
	a.mu.RUnlock()
	if m.Iters > 0 || a.file == nil {
		return m, nil
	}
	return a.file.scramModel()
}

// modelOf returns the factors of the first of accounts, by name, that has SCRAM keys;
// without one, those that new keys are made with.
func modelOf(accounts map[string]*Account, rounds int) scram.KeyFactors {
	m := scram.KeyFactors{Salt: strings.Repeat("x", newSalt), Iters: rounds}
	first := ""
	for name, account := range accounts {
		if keys, err := parseSCRAM(account.SCRAM); err == nil && (first == "" || name < first) {
			first, m = name, keys.KeyFactors
		}
	}
	return m
}

// slowed returns a *SlowDown when logins of this name from this address are not
// looked at for now.
func (a *Accounts) slowed(name string, from netip.Addr) error {
	if !from.IsValid() {
		return nil
	}
	if until := a.brake.refusedUntil(culpritOf(name, from), a.now()); !until.IsZero() {
		return &SlowDown{until}
	}
	return nil
}

// count notes how a login went that was looked at.
func (a *Accounts) count(name string, from netip.Addr, right bool) {
	switch who := culpritOf(name, from); {
	case !from.IsValid():
	case right:
		a.brake.right(who)
	default:
		a.brake.wrong(who, a.now())
	}
}
