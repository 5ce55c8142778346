package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeIMAP is an IMAP server with TLS at once that knows one password.
type fakeIMAP struct {
	config   *tls.Config
	password string
	echo     bool // a refusal repeats the command
	logins   atomic.Int32
	running  sync.WaitGroup
}

func (s *fakeIMAP) start(t *testing.T) Endpoint {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		l.Close()
		s.running.Wait()
	})
	s.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
				s.serve(c)
			})
		}
	})
	a := l.Addr().(*net.TCPAddr)
	return Endpoint{a.IP.String(), a.Port}
}

func (s *fakeIMAP) serve(c net.Conn) {
	c.Write([]byte("* OK IMAP4rev1 ready\r\n"))
	br := bufio.NewReader(c)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.HasPrefix(command, "LOGIN"):
			s.logins.Add(1)
			switch {
			case strings.Contains(command, `"`+s.password+`"`):
				c.Write([]byte(tag + " OK logged in\r\n"))
			case s.echo:
				c.Write([]byte(tag + " NO what is " + command + "\r\n"))
			default:
				c.Write([]byte(tag + " NO [AUTHENTICATIONFAILED] wrong\r\n"))
			}
		default:
			c.Write([]byte(tag + " OK\r\n"))
		}
	}
}
