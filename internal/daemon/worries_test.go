package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/worry"
)

// writeClientCertificate writes a certificate that ends then, and its key.
func writeClientCertificate(t *testing.T, dir string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"post.pem": {Type: "CERTIFICATE", Bytes: der}, "post.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorries_ClientCertificateOfARoute: it is looked at with a server and without
// one, and a renewed one is no worry any more.
func TestWorries_ClientCertificateOfARoute(t *testing.T) {
	dir := t.TempDir()
	writeClientCertificate(t, dir, time.Now().AddDate(0, 0, 10))
	file := filepath.Join(dir, "wellsent.toml")
	text := "hostname = \"post.example.org\"\ndata = \"data\"\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n" +
		"[[route]]\nname = \"exchange\"\nrecipients = [\"*\"]\nvia = [\"smtp://smtp.example.org:25\"]\nclient_certificate = \"post.pem\"\nclient_key = \"post.key\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(cfg, Options{Log: slog.New(slog.DiscardHandler), Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, look := range map[string]func() ([]worry.Worry, error){
		"with":    func() ([]worry.Worry, error) { return d.Worries(t.Context()) },
		"without": func() ([]worry.Worry, error) { return WorriesWithout(cfg) },
	} {
		all, err := look()
		if err != nil || len(all) != 1 || all[0].Kind != worry.Expiring || all[0].Subject != "exchange" || !strings.Contains(all[0].What, "client certificate") {
			t.Errorf("%s a spool: %+v, %v", name, all, err)
		}
	}
	writeClientCertificate(t, dir, time.Now().AddDate(1, 0, 0))
	if all, err := d.Worries(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("after its renewal: %+v, %v", all, err)
	}
}
