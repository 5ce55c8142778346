package doctor

import (
	"crypto/x509"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// silentPort makes a port from which nothing comes back: its queue of connections
// is full, and the system drops what comes.
func silentPort(t *testing.T, e Endpoint) Endpoint {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	sa := &syscall.SockaddrInet4{Port: e.Port}
	copy(sa.Addr[:], net.ParseIP(e.Host).To4())
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, sa); err != nil {
		t.Skip("cannot listen on", e, err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	e.Port = at.(*syscall.SockaddrInet4).Port
	for range 16 {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), 150*time.Millisecond)
		if err != nil {
			return e
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the queue of connections does not get full here")
	return e
}

func TestRun_SilentPorts(t *testing.T) {
	t.Parallel()
	const target, control = "127.0.7.1", "127.0.7.2"
	a := newAuthority(t)
	good := func(t *testing.T, host, port string) {
		s := well(t, a)
		s.config.Certificates[0] = a.leaf(t, nil, "mail.example.org")
		s.start(t, net.JoinHostPort(host, port))
	}
	q := Question{Host: target, Port: 587, Roots: a.pool, Timeout: 3 * time.Second}
	t.Run("one port, other ports refuse", func(t *testing.T) {
		e := silentPort(t, Endpoint{target, 0})
		ask(t, Question{Host: e.Host, Port: e.Port, Timeout: 3 * time.Second}, "net.timeout")
	})
	t.Run("the control is silent on this port and answers on another", func(t *testing.T) {
		silentPort(t, Endpoint{target, 587})
		silentPort(t, Endpoint{control, 587})
		good(t, control, "465")
		q := q
		q.Controls = []Endpoint{{control, 587}}
		r := ask(t, q, "net.port-blocked")
		if r.Findings[0].Confidence != "likely" {
			t.Errorf("confidence %s", r.Findings[0].Confidence)
		}
		q.Controls = []Endpoint{{control, 465}}
		ask(t, q, "net.port-blocked")
	})
	t.Run("all ports are silent and the control answers", func(t *testing.T) {
		for _, port := range submissionPorts {
			silentPort(t, Endpoint{target, port})
		}
		good(t, control, "587")
		q := q
		q.Controls = []Endpoint{{control, 587}}
		ask(t, q, "net.host-down")
	})
	t.Run("another port works and the control answers on this one", func(t *testing.T) {
		silentPort(t, Endpoint{target, 587})
		s := well(t, a)
		s.implicit = true
		s.config.Certificates[0] = a.leaf(t, func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, net.ParseIP(target)) })
		s.start(t, net.JoinHostPort(target, "465"))
		good(t, control, "587")
		q := q
		q.Controls = []Endpoint{{control, 587}}
		r := ask(t, q, "service.wrong-port")
		if r.Works.Port != 465 || r.Findings[0].Confidence != "likely" {
			t.Errorf("works %+v, %s", r.Works, r.Findings[0].Confidence)
		}
	})
	t.Run("the usual port is silent and another works", func(t *testing.T) {
		silentPort(t, Endpoint{target, 587})
		s := well(t, a)
		s.config.Certificates[0] = a.leaf(t, func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, net.ParseIP(target)) })
		s.start(t, net.JoinHostPort(target, "2525"))
		q := q
		q.Port, q.User, q.Password = 0, testUser, testPassword
		r := ask(t, q, "")
		if r.Works.Port != 2525 || r.Works.User != testUser || r.Target.Port != 2525 {
			t.Errorf("works %+v, target %+v", r.Works, r.Target)
		}
	})
}

func TestRun_IPv6Stalls(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	e := s.start(t)
	q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool, Timeout: 9 * time.Second}
	q.at(zone(t, "mail.example.org. A 127.0.0.1\nmail.example.org. AAAA ::1\n"))
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	sa := &syscall.SockaddrInet6{Port: e.Port}
	sa.Addr[15] = 1
	if err := syscall.Bind(fd, sa); err != nil {
		t.Skip("no IPv6 here:", err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		c, err := net.DialTimeout("tcp", net.JoinHostPort("::1", strconv.Itoa(e.Port)), 150*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { c.Close() })
	}
	ask(t, q, "net.ipv6-broken")
}
