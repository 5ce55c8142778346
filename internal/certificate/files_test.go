package certificate

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// issued is a certificate with its key, both in PEM.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// issue makes a certificate for name; issuer nil: signed by itself.
func issue(t *testing.T, name string, issuer *issued, notAfter time.Time) *issued {
	t.Helper()
	key, err := newECDSA()
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: notAfter.Add(-90 * 24 * time.Hour), NotAfter: notAfter,
		IsCA: issuer == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := tmpl, crypto.Signer(key)
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (i *issued) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

var inAMonth = time.Now().Add(30 * 24 * time.Hour)

func TestFiles_Mistakes(t *testing.T) {
	ca := issue(t, "CA", nil, inAMonth)
	good := issue(t, "mail.example.org", ca, inAMonth)
	other := issue(t, "other.example.org", ca, inAMonth)
	encrypted := []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	legacy := []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	for _, c := range []struct {
		name      string
		cert, key []byte // nil: no file
		want      []string
	}{
		{"certificate missing", nil, good.keyPEM(t), []string{"cert.pem does not exist", "check the path"}},
		{"key missing", good.pem, nil, []string{"key.pem does not exist"}},
		{"certificate is empty", []byte{}, good.keyPEM(t), []string{"cert.pem is not in PEM form"}},
		{"certificate in DER", good.cert.Raw, good.keyPEM(t), []string{"cert.pem is not in PEM form", "openssl x509"}},
		{"key is no PEM", good.pem, []byte("junk"), []string{"key.pem is not in PEM form", "openssl pkey"}},
		{"exchanged", good.keyPEM(t), good.pem, []string{"cert.pem holds a private key", "exchanged"}},
		{"key file holds a certificate", good.pem, good.pem, []string{"key.pem holds a certificate", "exchanged"}},
		{"key of another certificate", good.pem, other.keyPEM(t), []string{"key.pem is not the key of", "mail.example.org", "requested with"}},
		{"issuer first", join(ca.pem, good.pem), good.keyPEM(t), []string{"wrong order", "number 2"}},
		{"key with a passphrase", good.pem, encrypted, []string{"passphrase", "openssl pkey"}},
		{"old form of a key with a passphrase", good.pem, legacy, []string{"passphrase"}},
		{"damaged certificate", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.keyPEM(t), []string{"certificate 1 cannot be read"}},
		{"damaged key", good.pem, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), []string{"key.pem: the key cannot be read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			if c.cert != nil {
				write(t, cert, c.cert)
			}
			if c.key != nil {
				write(t, key, c.key)
			}
			_, err := Files(cert, key)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nlacks %q", err, w)
				}
			}
		})
	}
}

func TestUnreadable_SaysWhoMayNotRead(t *testing.T) {
	err := unreadable("key.pem", &fs.PathError{Op: "open", Path: "key.pem", Err: fs.ErrPermission})
	if !strings.Contains(err.Error(), fmt.Sprintf("may not be read by user id %d", os.Geteuid())) {
		t.Errorf("got %v", err)
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestFiles_Warnings(t *testing.T) {
	ca := issue(t, "CA", nil, inAMonth)
	good := issue(t, "mail.example.org", ca, inAMonth)
	expired := issue(t, "mail.example.org", ca, time.Now().Add(-48*time.Hour))
	soon := issue(t, "mail.example.org", ca, time.Now().Add(48*time.Hour))
	stranger := issue(t, "Other CA", nil, inAMonth)
	for _, c := range []struct {
		name  string
		leaf  *issued
		chain []byte
		want  string // "" for none
	}{
		{"good", good, join(good.pem, ca.pem), ""},
		{"leaf alone", good, good.pem, ""},
		{"expired", expired, expired.pem, "expired on"},
		{"expires soon", soon, soon.pem, "expires on"},
		{"an issuer that is not", good, join(good.pem, stranger.pem), "was not issued by certificate 2"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "both.pem")
		write(t, path, join(c.chain, c.leaf.keyPEM(t)))
		s, err := Files(path, path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := strings.Join(s.Warnings(), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want …%s…", c.name, got, c.want)
		}
	}
}

func TestFiles_ReadAgainWhenChanged(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(i *issued) {
		write(t, cert, i.pem)
		write(t, key, i.keyPEM(t))
	}
	first, second := issue(t, "one.example.org", nil, inAMonth), issue(t, "two.example.org", nil, inAMonth)
	put(first)
	var mu sync.Mutex
	now := time.Now()
	forward := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	s, err := files(cert, key, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s.SetLog(slog.New(slog.NewTextHandler(&log, nil)))
	served := func() string {
		t.Helper()
		state, err := handshake(t, s, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].DNSNames[0]
	}
	put(second)
	if got := served(); got != "one.example.org" {
		t.Errorf("within a second: %s", got)
	}
	forward(checkInterval)
	if got := served(); got != "two.example.org" {
		t.Errorf("after a second: %s", got)
	}

	// The certificate has been replaced and the key not yet: the old pair serves on.
	write(t, cert, first.pem)
	for range 3 {
		forward(checkInterval)
		if got := served(); got != "two.example.org" {
			t.Errorf("with a pair that does not fit: %s", got)
		}
	}
	if n := strings.Count(log.String(), "is not the key of"); n != 1 {
		t.Errorf("the fault is logged %d times:\n%s", n, &log)
	}
	if err := s.Reload(); err == nil {
		t.Error("Reload of a pair that does not fit returns no error")
	}
	write(t, key, first.keyPEM(t))
	forward(checkInterval)
	if got := served(); got != "one.example.org" {
		t.Errorf("after the key too: %s", got)
	}
}

// FuzzParse: no panic on any file, and a key that is read has a public part.
func FuzzParse(f *testing.F) {
	for _, data := range made() {
		f.Add(data)
	}
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := parseKey("key.pem", data); err == nil && key.Public() == nil {
			t.Fatal("a key without its public part")
		}
		if chain, err := parseChain("cert.pem", data); err == nil {
			_ = warnings("cert.pem", chain, time.Now())
		}
	})
}
