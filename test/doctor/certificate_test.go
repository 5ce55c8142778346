package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/peers"
)

// certificate makes a certificate for localhost and 127.0.0.1 that change alters
// before it is signed, by a CA of its own or, if self is set, by itself.
func certificate(t *testing.T, change func(*x509.Certificate)) peers.Certificate {
	t.Helper()
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(40 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(leaf)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Wellsent matrix CA"}, NotBefore: now.Add(-100 * 24 * time.Hour), NotAfter: now.Add(100 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, caKey := newKey(t), newKey(t)
	parent, signer := ca, caKey
	if leaf.IsCA { // it signs itself
		parent, signer = leaf, key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := peers.Certificate{CA: filepath.Join(dir, "ca.pem"), Chain: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{c.CA: {Type: "CERTIFICATE", Bytes: caDER}, c.Chain: {Type: "CERTIFICATE", Bytes: der}, c.Key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The changes.
func asItIs(*x509.Certificate) {}
func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-90*24*time.Hour), time.Now().Add(-26*time.Hour)
}
func notYet(c *x509.Certificate) { c.NotBefore = time.Now().Add(9 * 24 * time.Hour) }
func forAnother(c *x509.Certificate) {
	c.DNSNames, c.IPAddresses = []string{"mail.provider.example"}, nil
}
func signedByItself(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
