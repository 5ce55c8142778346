package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/osfile"
)

// The files of the private CA in its directory. Users' scripts rely on CAFile.
const (
	CAFile    = "ca.pem"        // the CA's certificate, for everybody
	caKeyFile = "ca-key.pem"    // its key, 0600
	ecdsaFile = "tls-ecdsa.pem" // leaf and key in one file, 0600: one rename replaces both
	rsaFile   = "tls-rsa.pem"   // the same for RSA
	lockFile  = "tls.lock"      // held while any of them is made
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour // the longest that clients take; CA/Browser Forum Baseline Requirements §6.3.2
	renewAt  = leafLife / 3         // a leaf with less than this left is renewed
	backdate = time.Hour            // for clients whose clock is slow
)

// Private returns a source with certificates of a private CA in dir, which it
// makes when there is none: an ECDSA and an RSA leaf for hostname, localhost,
// 127.0.0.1 and ::1. Leaves live at most 397 days and are renewed when a third of
// that is left, or when hostname has changed. dir must exist. Many processes may
// call it at once: the first one makes the files, the others read them.
func Private(dir, hostname string) (*Source, error) {
	return private(dir, hostname, time.Now)
}

func private(dir, hostname string, now func() time.Time) (*Source, error) {
	p := &privateCA{dir: dir, hostname: strings.TrimSuffix(strings.ToLower(hostname), ".")}
	return newSource(p.refresh, now)
}

// CACertificate returns the certificate of the private CA in dir, in PEM.
func CACertificate(dir string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, CAFile)) }

// privateCA makes and renews the leaves of one directory.
type privateCA struct {
	dir      string
	hostname string
}

// refresh returns old as long as its leaves are young enough, which costs no look
// at the disk; else it reads or makes leaves under the lock.
func (p *privateCA) refresh(old *set, now time.Time) (*set, error) {
	if old != nil && fresh(old.leaves, now) {
		return old, nil
	}
	path := filepath.Join(p.dir, lockFile)
	unlock, err := osfile.Lock(path)
	if err != nil {
		return nil, fmt.Errorf("private CA: %w", unreadable(path, err))
	}
	defer unlock()
	ca, err := p.authority(now)
	if err != nil {
		return nil, err
	}
	e, err := p.leaf(ca, ecdsaFile, newECDSA, now)
	if err != nil {
		return nil, err
	}
	r, err := p.leaf(ca, rsaFile, newRSA, now)
	if err != nil {
		return nil, err
	}
	return &set{leaves: []tls.Certificate{*e, *r}}, nil
}

func fresh(leaves []tls.Certificate, now time.Time) bool {
	for _, l := range leaves {
		if l.Leaf.NotAfter.Sub(now) < renewAt || now.Before(l.Leaf.NotBefore) {
			return false
		}
	}
	return true
}

func newECDSA() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
func newRSA() (crypto.Signer, error)   { return rsa.GenerateKey(rand.Reader, 2048) }

// authority is the CA: its certificate and its key.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// authority reads the CA, or makes it. Its key is RSA, because a client that
// knows only RSA must verify the CA's signature too; 2048 bits, because the same
// old devices know no more, and because the CA signs for one host only.
//
// The key is written before the certificate. A crash between the two leaves a key
// without a certificate, which gets one at the next start. A certificate without
// its key is an error: clients trust it, and another CA would not be trusted.
func (p *privateCA) authority(now time.Time) (*authority, error) {
	keyPath, certPath := filepath.Join(p.dir, caKeyFile), filepath.Join(p.dir, CAFile)
	key, keyErr := readKey(keyPath)
	certPEM, certErr := os.ReadFile(certPath)
	switch {
	case keyErr != nil && !errors.Is(keyErr, fs.ErrNotExist):
		return nil, keyErr
	case certErr != nil && !errors.Is(certErr, fs.ErrNotExist):
		return nil, unreadable(certPath, certErr)
	case keyErr != nil && certErr == nil:
		return nil, fmt.Errorf("%s is missing, the key of the private CA %s: restore it from a backup, or remove %s to have a new CA made, which clients must then be told to trust", keyPath, certPath, certPath)
	case keyErr != nil:
		var err error
		if key, err = newRSA(); err != nil {
			return nil, fmt.Errorf("private CA: make key: %w", err)
		}
		if err := writeKey(keyPath, nil, key); err != nil {
			return nil, err
		}
	}
	if certErr == nil {
		certs, err := parseChain(certPath, certPEM)
		if err != nil {
			return nil, err
		}
		if !samePublicKey(certs[0].PublicKey, key.Public()) {
			return nil, fmt.Errorf("%s is not the key of %s: restore the pair from a backup, or remove both to have a new CA made", keyPath, certPath)
		}
		// A CA that will not outlive a new leaf is replaced, with the same key and
		// name, so that clients that trust the key's old certificate find the new one.
		if certs[0].NotAfter.Sub(now) > leafLife {
			return &authority{certs[0], key}, nil
		}
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Wellsent private CA of " + p.name(), Organization: []string{"Wellsent"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("private CA: sign %s: %w", CAFile, err)
	}
	if err := writeFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("private CA: %w", err)
	}
	return &authority{cert, key}, nil
}

func (p *privateCA) name() string {
	if p.hostname == "" {
		return "localhost"
	}
	return p.hostname
}

// names returns what the leaves are for.
func (p *privateCA) names() (dns []string, ips []net.IP) {
	ips = []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
	dns = []string{"localhost"}
	switch ip := net.ParseIP(strings.Trim(p.hostname, "[]")); {
	case ip != nil && !ip.Equal(ips[0]) && !ip.Equal(ips[1]):
		ips = append(ips, ip)
	case ip == nil && p.hostname != "" && p.hostname != "localhost":
		dns = append([]string{p.hostname}, dns...)
	}
	return dns, ips
}

// leaf reads one leaf, or makes it when it is missing, spoilt, old, of another CA
// or for other names. What it makes anew needs no question: nobody pins a leaf.
func (p *privateCA) leaf(ca *authority, file string, newKey func() (crypto.Signer, error), now time.Time) (*tls.Certificate, error) {
	path := filepath.Join(p.dir, file)
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if c, err := tls.X509KeyPair(data, data); err == nil && p.usable(ca, &c, now) {
			return &c, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, unreadable(path, err)
	}
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("private CA: make key of %s: %w", file, err)
	}
	dns, ips := p.names()
	usage := x509.KeyUsageDigitalSignature
	if _, ok := key.(*rsa.PrivateKey); ok {
		usage |= x509.KeyUsageKeyEncipherment // old clients exchange keys by RSA itself
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: dns[0]},
		DNSNames:              dns,
		IPAddresses:           ips,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife - backdate),
		KeyUsage:              usage,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("private CA: sign %s: %w", file, err)
	}
	var chain bytes.Buffer
	_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der})         // a Buffer takes all
	_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}) // so that a client can be told what to trust
	if err := writeKey(path, chain.Bytes(), key); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("private CA: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// usable reports whether a leaf found on disk still serves.
func (p *privateCA) usable(ca *authority, c *tls.Certificate, now time.Time) bool {
	if c.Leaf == nil || !fresh([]tls.Certificate{*c}, now) || c.Leaf.CheckSignatureFrom(ca.cert) != nil {
		return false
	}
	if len(c.Certificate) != 2 || !bytes.Equal(c.Certificate[1], ca.cert.Raw) {
		return false
	}
	dns, ips := p.names()
	for _, n := range dns {
		if c.Leaf.VerifyHostname(n) != nil {
			return false
		}
	}
	for _, ip := range ips {
		if c.Leaf.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

// serial returns 127 random bits. RFC 5280 §4.1.2.2.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
