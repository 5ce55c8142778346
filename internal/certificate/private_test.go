package certificate

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const testHost = "post.example.org"

// made is a directory with a private CA, made once: keys take their time.
var made = sync.OnceValue(func() map[string][]byte {
	dir, err := os.MkdirTemp("", "certificate")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if _, err := Private(dir, testHost); err != nil {
		panic(err)
	}
	files := map[string][]byte{}
	for _, n := range []string{CAFile, caKeyFile, ecdsaFile, rsaFile} {
		if files[n], err = os.ReadFile(filepath.Join(dir, n)); err != nil {
			panic(err)
		}
	}
	return files
})

// madeDir returns a fresh copy of it.
func madeDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range made() {
		write(t, filepath.Join(dir, name), data)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func rootsOf(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	data, err := CACertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatal("ca.pem holds no certificate")
	}
	return pool
}

// handshake runs a TLS handshake over a real socket and returns what the client
// saw.
func handshake(t *testing.T, s *Source, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		tc := tls.Server(c, s.TLSConfig())
		if tc.Handshake() == nil {
			_, _ = io.Copy(io.Discard, tc)
		}
	}()
	defer func() { <-done }()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	return c.ConnectionState(), nil
}

func TestPrivate_ServesEachClientALeafItKnows(t *testing.T) {
	dir := madeDir(t)
	s, err := Private(dir, testHost)
	if err != nil {
		t.Fatal(err)
	}
	roots := rootsOf(t, dir)
	ecdsaSuites := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	rsaSuites := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	oldSuites := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	for _, c := range []struct {
		name    string
		client  *tls.Config
		wantRSA bool
	}{
		{"TLS 1.3", &tls.Config{ServerName: testHost}, false},
		{"TLS 1.2, anything", &tls.Config{ServerName: testHost, MaxVersion: tls.VersionTLS12}, false},
		{"TLS 1.2, ECDSA only", &tls.Config{ServerName: testHost, MaxVersion: tls.VersionTLS12, CipherSuites: ecdsaSuites}, false},
		{"TLS 1.2, RSA only", &tls.Config{ServerName: testHost, MaxVersion: tls.VersionTLS12, CipherSuites: rsaSuites}, true},
		{"by localhost", &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: rsaSuites}, true},
		{"by 127.0.0.1", &tls.Config{ServerName: "127.0.0.1"}, false},
		{"by ::1", &tls.Config{ServerName: "::1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.client.RootCAs = roots
			state, err := handshake(t, s, c.client)
			if err != nil {
				t.Fatal(err)
			}
			leaf := state.PeerCertificates[0]
			if _, isRSA := leaf.PublicKey.(*rsa.PublicKey); isRSA != c.wantRSA {
				t.Errorf("leaf key is %T", leaf.PublicKey)
			}
		})
	}
	t.Run("a name it does not have is the client's to refuse", func(t *testing.T) {
		_, err := handshake(t, s, &tls.Config{RootCAs: roots, ServerName: "other.example.org"})
		if err == nil || !strings.Contains(err.Error(), "not other.example.org") {
			t.Errorf("got %v", err)
		}
		state, err := handshake(t, s, &tls.Config{InsecureSkipVerify: true, ServerName: "other.example.org", MaxVersion: tls.VersionTLS12, CipherSuites: rsaSuites})
		if err != nil {
			t.Fatalf("an RSA-only client with another name gets no certificate it can use: %v", err)
		}
		if _, isRSA := state.PeerCertificates[0].PublicKey.(*rsa.PublicKey); !isRSA {
			t.Error("not the RSA leaf")
		}
	})
	t.Run("TLS 1.1 is refused", func(t *testing.T) {
		if _, err := handshake(t, s, &tls.Config{RootCAs: roots, ServerName: testHost, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, CipherSuites: oldSuites}); err == nil {
			t.Error("it was spoken")
		}
	})
}

func TestPrivate_WhatIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	before := time.Now()
	s, err := Private(dir, testHost)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{CAFile: 0o644, caKeyFile: 0o600, ecdsaFile: 0o600, rsaFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), mode)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	leaves := s.current.Load().leaves
	if len(leaves) != 2 {
		t.Fatalf("%d leaves", len(leaves))
	}
	if k, ok := leaves[0].PrivateKey.(*ecdsa.PrivateKey); !ok || k.Curve.Params().Name != "P-256" {
		t.Errorf("first leaf: %T", leaves[0].PrivateKey)
	}
	if k, ok := leaves[1].PrivateKey.(*rsa.PrivateKey); !ok || k.N.BitLen() != 2048 {
		t.Errorf("second leaf: %T", leaves[1].PrivateKey)
	}
	for _, l := range leaves {
		if life := l.Leaf.NotAfter.Sub(l.Leaf.NotBefore); life > 397*24*time.Hour {
			t.Errorf("a leaf lives %v, which clients refuse", life)
		}
		if l.Leaf.NotBefore.After(before) {
			t.Error("a client whose clock is slow refuses the leaf")
		}
	}
	ca, err := x509.ParseCertificate(leaves[0].Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	if !ca.IsCA || ca.NotAfter.Sub(before) < 3600*24*time.Hour {
		t.Errorf("CA: IsCA %t, until %v", ca.IsCA, ca.NotAfter)
	}
	if !s.NotAfter().Equal(leaves[0].Leaf.NotAfter) && !s.NotAfter().Equal(leaves[1].Leaf.NotAfter) {
		t.Errorf("NotAfter is %v", s.NotAfter())
	}
}

// leafSerials tells leaves apart.
func leafSerials(s *Source) string {
	var b strings.Builder
	for _, l := range s.current.Load().leaves {
		b.WriteString(l.Leaf.SerialNumber.String() + " ")
	}
	return b.String()
}

func TestPrivate_SecondStartKeepsTheLeaves(t *testing.T) {
	dir := madeDir(t)
	a, err := Private(dir, testHost)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Private(dir, testHost)
	if err != nil {
		t.Fatal(err)
	}
	if leafSerials(a) != leafSerials(b) {
		t.Error("the leaves are new")
	}
}

func TestPrivate_LeavesAreMadeAnew(t *testing.T) {
	for _, c := range []struct {
		name     string
		hostname string
		spoil    func(t *testing.T, dir string)
	}{
		{"for another host name", "mail.example.net", func(*testing.T, string) {}},
		{"when one is damaged", testHost, func(t *testing.T, dir string) { write(t, filepath.Join(dir, ecdsaFile), []byte("junk")) }},
		{"when one is gone", testHost, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, rsaFile)) }},
		{"when the CA's certificate is gone", testHost, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, CAFile)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := madeDir(t)
			before, err := Private(dir, testHost)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			after, err := Private(dir, c.hostname)
			if err != nil {
				t.Fatal(err)
			}
			if leafSerials(before) == leafSerials(after) {
				t.Error("the leaves are the same")
			}
			if _, err := handshake(t, after, &tls.Config{RootCAs: rootsOf(t, dir), ServerName: c.hostname}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPrivate_ACAWithoutItsKeyIsNotReplaced(t *testing.T) {
	dir := madeDir(t)
	if err := os.Remove(filepath.Join(dir, caKeyFile)); err != nil {
		t.Fatal(err)
	}
	_, err := Private(dir, testHost)
	if err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("got %v", err)
	}
	dir = madeDir(t)
	key, err := newECDSA()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeKey(filepath.Join(dir, caKeyFile), nil, key); err != nil {
		t.Fatal(err)
	}
	_, err = Private(dir, testHost)
	if err == nil || !strings.Contains(err.Error(), "is not the key of") {
		t.Errorf("got %v", err)
	}
}

func TestPrivate_RenewsAheadOfTimeWhileRunning(t *testing.T) {
	dir := madeDir(t)
	roots := rootsOf(t, dir)
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	forward := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	s, err := private(dir, testHost, clock)
	if err != nil {
		t.Fatal(err)
	}
	first := leafSerials(s)
	client := &tls.Config{RootCAs: roots, ServerName: testHost, Time: clock}
	forward(200 * 24 * time.Hour)
	if _, err := handshake(t, s, client); err != nil {
		t.Fatal(err)
	}
	if leafSerials(s) != first {
		t.Error("renewed with half of the time left")
	}
	forward(100 * 24 * time.Hour)
	if _, err := handshake(t, s, client); err != nil {
		t.Fatal(err)
	}
	if leafSerials(s) == first {
		t.Error("not renewed with 97 days left")
	}
	if left := s.NotAfter().Sub(clock()); left < 390*24*time.Hour {
		t.Errorf("the new leaf ends in %v", left)
	}
	// Nine years on: the CA itself is near its end, and gets a new certificate with
	// the same key and name. Clients that fetched the new ca.pem trust it.
	forward(9 * 365 * 24 * time.Hour)
	if _, err := handshake(t, s, &tls.Config{RootCAs: rootsOf(t, dir), ServerName: testHost, Time: clock}); err != nil {
		// The handshake renewed the CA; ca.pem was read before it.
		if _, err := handshake(t, s, &tls.Config{RootCAs: rootsOf(t, dir), ServerName: testHost, Time: clock}); err != nil {
			t.Error(err)
		}
	}
}

// TestMain is also the process of TestPrivate_ProcessesAtOnce.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CERTIFICATE_TEST_DIR"); dir != "" {
		s, err := Private(dir, testHost)
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(leafSerials(s))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestPrivate_ProcessesAtOnce(t *testing.T) {
	dir := t.TempDir()
	const processes = 3
	out := make([]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "CERTIFICATE_TEST_DIR="+dir)
			b, err := cmd.Output()
			if err != nil {
				t.Errorf("process %d: %v %s", i, err, b)
			}
			out[i] = string(b)
		})
	}
	wg.Wait()
	for i := range out {
		if out[i] != out[0] || out[i] == "" {
			t.Errorf("process %d has leaves %q, process 0 has %q", i, out[i], out[0])
		}
	}
}

func TestPrivate_DirectoryThatIsMissing(t *testing.T) {
	_, err := Private(filepath.Join(t.TempDir(), "nowhere"), testHost)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}
