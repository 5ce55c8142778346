package clienthello

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// hello returns what a client with these versions says first.
func hello(t *testing.T, lowest, highest uint16) []byte {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(client, &tls.Config{ServerName: "post.example.org", MinVersion: lowest, MaxVersion: highest}).Handshake()
	}()
	b := make([]byte, 16<<10)
	n, err := io.ReadAtLeast(server, b, 5)
	server.Close()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		lowest, highest uint16
		want            string
	}{
		{tls.VersionTLS10, tls.VersionTLS10, "TLS 1.0"},
		{tls.VersionTLS10, tls.VersionTLS11, "TLS 1.1, TLS 1.0"},
		{tls.VersionTLS12, tls.VersionTLS12, "TLS 1.2"},
		{tls.VersionTLS12, tls.VersionTLS13, "TLS 1.3, TLS 1.2"},
	} {
		b := hello(t, c.lowest, c.highest)
		h := Parse(b)
		if h == nil || strings.Join(h.Versions, ", ") != c.want || h.Best != c.highest || h.Name != "post.example.org" || h.Newest() != h.Versions[0] {
			t.Errorf("%+v, want %s", h, c.want)
		}
		if p := Peek(bufio.NewReaderSize(strings.NewReader(string(b)), 32<<10)); p == nil || p.Best != h.Best {
			t.Errorf("Peek: %+v, Parse: %+v", p, h)
		}
		for n := range b {
			Parse(b[:n]) // no panic
		}
	}
}

func TestParse_SSL3(t *testing.T) {
	b := []byte{22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0}
	b = append(append(b, make([]byte, 32)...), 0, 0, 2, 0, 5, 1, 0)
	if h := Parse(b); h == nil || h.Best != SSL3 || h.Newest() != "SSL 3.0" {
		t.Errorf("%+v", h)
	}
	if !IsSSL2([]byte{0x80, 0x2e, 1, 0, 2}) || IsSSL2([]byte("EHLO")) || IsSSL2(b) || !IsHandshake(b) {
		t.Error("SSL 2.0 and TLS are confounded")
	}
}

func FuzzHello(f *testing.F) {
	f.Add([]byte{1, 0, 0, 40, 3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h := parseMessage(b); h != nil && len(h.Versions) > len(names) {
			t.Errorf("%+v", h)
		}
	})
}
