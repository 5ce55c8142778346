package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
)

// externalExchange is the server of EXTERNAL: the client's certificate says who it
// is. RFC 4422 appendix A.
type externalExchange struct {
	a     *Accounts
	p     Peer
	asked bool
	user  string // as the client gives it
}

// User implements Exchange.
func (e *externalExchange) User() string { return e.user }

var errNoCertificate = errors.New("the client has shown no certificate that is trusted here")

// Next takes the name to act as, which may be empty.
func (e *externalExchange) Next(_ context.Context, response []byte) ([]byte, *Account, error) {
	if response == nil && !e.asked {
		e.asked = true
		return []byte{}, nil, nil
	}
	if e.p.TLS == nil || len(e.p.TLS.VerifiedChains) == 0 {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, errNoCertificate)
	}
	wanted := Canonical(string(response))
	e.user = wanted
	for _, name := range certificateNames(e.p.TLS.VerifiedChains[0][0]) {
		if wanted != "" && Canonical(name) != wanted {
			continue
		}
		// Not one that is lent: whether it still may is known where it is kept, and a
		// certificate cannot be shown there.
		account, err := e.a.own(name)
		if err != nil {
			return nil, nil, err
		}
		if account != nil {
			return nil, account, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: the client's certificate is for %q, of which no account has the name", ErrInvalid, certificateNames(e.p.TLS.VerifiedChains[0][0]))
}

// certificateNames returns whom a certificate is for: its addresses, then its host
// names, then its common name.
func certificateNames(c *x509.Certificate) []string {
	names := append(append([]string{}, c.EmailAddresses...), c.DNSNames...)
	if c.Subject.CommonName != "" {
		names = append(names, c.Subject.CommonName)
	}
	return names
}
