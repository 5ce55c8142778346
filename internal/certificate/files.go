package certificate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/osfile"
)

// expiresSoon is how long before its end a certificate of files is warned about:
// long enough for a person to act, short enough not to warn about the last days of
// a 90-day certificate whose renewal runs by itself 30 days ahead.
const expiresSoon = 14 * 24 * time.Hour

// Files returns a source with the certificate chain and the key of two files in
// PEM, which may be the same file. They are read again when they change. An error
// says which file, what is wrong with it and what to do.
func Files(cert, key string) (*Source, error) { return files(cert, key, time.Now) }

func files(cert, key string, now func() time.Time) (*Source, error) {
	return newSource(func(old *set, now time.Time) (*set, error) {
		stamp := pairStamp{stampOf(cert), stampOf(key), now.Truncate(24 * time.Hour)}
		if old != nil && old.stamp == any(stamp) {
			return old, nil
		}
		next, err := load(cert, key, now)
		if err != nil {
			return nil, err
		}
		next.stamp = stamp
		return next, nil
	}, now)
}

// pairStamp tells one state of the two files from another. The day is part of it
// so that the warnings about expiry are made anew.
type pairStamp struct {
	cert, key fileStamp
	day       time.Time
}

// fileStamp changes whenever a file is written or replaced.
type fileStamp struct {
	size    int64
	changed time.Time
	inode   uint64
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{size: -1}
	}
	return fileStamp{size: info.Size(), changed: info.ModTime(), inode: osfile.Inode(info)}
}

func load(certPath, keyPath string, now time.Time) (*set, error) {
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return nil, unreadable(certPath, err)
	}
	chain, err := parseChain(certPath, certPEM)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, err
	}
	if !samePublicKey(chain[0].PublicKey, key.Public()) {
		for i, c := range chain[1:] {
			if samePublicKey(c.PublicKey, key.Public()) {
				return nil, fmt.Errorf("%s: the certificates are in the wrong order: the one that fits the key is number %d, and must be the first, followed by its issuer", certPath, i+2)
			}
		}
		return nil, fmt.Errorf("%s is not the key of the certificate %s (%s): give the key that the certificate was requested with", keyPath, certPath, subject(chain[0]))
	}
	c := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return &set{leaves: []tls.Certificate{c}, warnings: warnings(certPath, chain, now)}, nil
}

// warnings tells what some or all clients will object to, though it can be
// served.
func warnings(path string, chain []*x509.Certificate, now time.Time) []string {
	var w []string
	leaf := chain[0]
	const day = "2006-01-02"
	switch {
	case now.After(leaf.NotAfter):
		w = append(w, fmt.Sprintf("%s expired on %s: clients will refuse it; put a renewed certificate in its place, it is then used without a restart", path, leaf.NotAfter.Format(day)))
	case leaf.NotAfter.Sub(now) < expiresSoon:
		w = append(w, fmt.Sprintf("%s expires on %s: put a renewed certificate in its place, it is then used without a restart", path, leaf.NotAfter.Format(day)))
	case now.Before(leaf.NotBefore):
		w = append(w, fmt.Sprintf("%s is valid from %s only: check the clock of this machine", path, leaf.NotBefore.Format(day)))
	}
	for i := 1; i < len(chain); i++ {
		if chain[i-1].CheckSignatureFrom(chain[i]) != nil {
			w = append(w, fmt.Sprintf("%s: certificate %d (%s) was not issued by certificate %d (%s): put each certificate's issuer right behind it", path, i, subject(chain[i-1]), i+1, subject(chain[i])))
			break
		}
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		w = append(w, path+" names no host (no subject alternative name): clients will refuse it; request one that names this server")
	}
	return w
}

// parseChain returns the certificates of PEM data, at least one.
func parseChain(path string, data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	other := ""
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			other = b.Type
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d cannot be read (%v): get the file again from its issuer", path, len(chain)+1, err)
		}
		chain = append(chain, c)
	}
	switch {
	case len(chain) > 0:
		return chain, nil
	case other != "":
		return nil, fmt.Errorf("%s holds a %s, not a certificate: are certificate and key exchanged?", path, strings.ToLower(other))
	}
	return nil, fmt.Errorf("%s is not in PEM form, which begins with -----BEGIN CERTIFICATE-----: convert it, for example with: openssl x509 -inform der -in FILE", path)
}

// parseKey returns the first private key of PEM data.
func parseKey(path string, data []byte) (crypto.Signer, error) {
	other := ""
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		var key any
		var err error
		switch b.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			if other == "" || strings.Contains(b.Type, "KEY") {
				other = b.Type
			}
			continue
		}
		if b.Headers["DEK-Info"] != "" {
			other = "ENCRYPTED PRIVATE KEY"
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the key cannot be read (%v): get the file again", path, err)
		}
		s, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%s: a key of this kind cannot sign: use an RSA or ECDSA key", path)
		}
		return s, nil
	}
	switch {
	case other == "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%s is protected by a passphrase, which a server cannot type: store it without one, for example with: openssl pkey -in FILE", path)
	case other != "":
		return nil, fmt.Errorf("%s holds a %s, not a private key: are certificate and key exchanged?", path, strings.ToLower(other))
	}
	return nil, fmt.Errorf("%s is not in PEM form, which begins with -----BEGIN PRIVATE KEY-----: convert it, for example with: openssl pkey -inform der -in FILE", path)
}

// unreadable explains why a file cannot be read, in words that say what to do.
// It wraps err.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist: check the path, which is relative to the configuration file: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be read by user id %d: give that user the right to read it, for example by its group: %w", path, os.Geteuid(), err)
	}
	return fmt.Errorf("read %s: %w", path, err)
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func subject(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.String()
}
