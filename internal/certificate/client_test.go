package certificate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestClient_FollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func(c *issued, k *issued) {
		t.Helper()
		for path, b := range map[string][]byte{cert: c.pem, key: k.keyPEM(t)} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ca := issue(t, "CA", nil, inAMonth)
	first, second := issue(t, "first.example.org", ca, inAMonth), issue(t, "the-second-one.example.org", ca, time.Now().Add(60*24*time.Hour))
	if _, err := ForServers(cert, key); err == nil || !strings.Contains(err.Error(), "cert.pem does not exist") {
		t.Errorf("without files: %v", err)
	}
	write(first, first)
	c, err := ForServers(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		t.Helper()
		got, err := c.Get()
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.DNSNames[0]
	}
	if n := name(); n != "first.example.org" {
		t.Errorf("at first: %s", n)
	}
	write(second, first) // half a renewal
	if n := name(); n != "first.example.org" {
		t.Errorf("with a key that does not fit: %s", n)
	}
	write(second, second)
	if n := name(); n != "the-second-one.example.org" {
		t.Errorf("after the renewal: %s", n)
	}
	if at, err := c.NotAfter(); err != nil || !at.Equal(second.cert.NotAfter) {
		t.Errorf("expires at %v, %v", at, err)
	}
	if w := c.Warnings(14 * 24 * time.Hour); len(w) > 0 {
		t.Errorf("warnings %q", w)
	}
	if w := c.Warnings(90 * 24 * time.Hour); len(w) != 1 || !strings.Contains(w[0], "expires on") {
		t.Errorf("warnings %q", w)
	}
	c.now = func() time.Time { return second.cert.NotAfter.Add(time.Hour) }
	if w := c.Warnings(0); len(w) != 1 || !strings.Contains(w[0], "expired on") {
		t.Errorf("warnings %q", w)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(); err == nil || !strings.Contains(err.Error(), "key.pem does not exist") {
		t.Errorf("expired and without its key: %v", err)
	}
}
