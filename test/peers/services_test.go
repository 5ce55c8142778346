package peers

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// firstLine connects, says what is to be said and returns the first line heard.
func firstLine(t *testing.T, address, say string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, say)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v after %q", address, err, line)
	}
	return line
}

func TestServices_Answer(t *testing.T) {
	tree := NeedServices(t)
	cert, err := NewCertificate(t.TempDir(), "mail.test")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		start func() (*Server, error)
		say   string
		want  string
	}{
		{"nginx", func() (*Server, error) { return tree.StartNginx(t.Context(), Certificate{}) }, "EHLO x\r\n", "HTTP/1.1 400"},
		{"sshd", func() (*Server, error) { return tree.StartSSH(t.Context()) }, "", "SSH-2.0-OpenSSH"},
		{"tinyproxy", func() (*Server, error) { return tree.StartTinyproxy(t.Context(), "443") }, "CONNECT 127.0.0.1:587 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 403"},
		{"opensmtpd", func() (*Server, error) {
			return tree.StartOpenSMTPD(t.Context(), ServerOptions{Relay: "127.0.0.1:1"})
		}, "", "220 opensmtpd.test ESMTP OpenSMTPD"},
		{"dovecot", func() (*Server, error) {
			d, err := tree.StartDovecot(t.Context(), ServerOptions{Certificate: cert.Chain, Key: cert.Key, User: "ann@example.org", Password: "secret"})
			if err != nil {
				return nil, err
			}
			return d.Server, nil
		}, "", "* OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.start()
			s = Run(t, s, err)
			if got := firstLine(t, s.Address, c.say); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestDovecot_LogsIn(t *testing.T) {
	tree := NeedServices(t)
	cert, err := NewCertificate(t.TempDir(), "mail.test")
	if err != nil {
		t.Fatal(err)
	}
	d, err := tree.StartDovecot(t.Context(), ServerOptions{Certificate: cert.Chain, Key: cert.Key, User: "ann@example.org", Password: "secret"})
	if err != nil {
		Run(t, nil, err)
	}
	Run(t, d.Server, nil)
	ca, err := os.ReadFile(cert.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	c, err := tls.Dial("tcp", d.IMAPS, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewScanner(c)
	fmt.Fprint(c, "a LOGIN ann@example.org secret\r\n")
	for r.Scan() {
		if strings.HasPrefix(r.Text(), "a ") {
			break
		}
	}
	if !strings.HasPrefix(r.Text(), "a OK") {
		t.Errorf("%q %v", r.Text(), r.Err())
	}
}
