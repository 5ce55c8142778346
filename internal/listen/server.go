package listen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// The bounds of one session.
const (
	maxSessions  = 50               // at once; more are closed unheard
	maxCommands  = 1000             // of one session
	maxLine      = 64 << 10         // octets of one line; longer ones are cut
	maxContent   = 64 << 20         // octets of one message
	maxDialogue  = 400              // lines that are kept
	idleTimeout  = 2 * time.Minute  // for the next command; devices are slow, people wait
	totalTimeout = 10 * time.Minute // for the whole session
)

// Options are what a Server needs.
type Options struct {
	Hostname string        // our name
	TLS      *tls.Config   // with a certificate; versions and ciphers are ours to choose
	Wait     time.Duration // for the first octet, before the greeting: who speaks first?; 0: 300 ms
	Line     func(peer string, l Line)
	Session  func(s *Session) // when it has ended, with its remarks
}

// Server takes sessions.
type Server struct {
	o   Options
	tls *tls.Config
}

// New returns a Server.
func New(o Options) *Server {
	if o.Wait == 0 {
		o.Wait = 300 * time.Millisecond
	}
	c := o.TLS.Clone()
	// Everything that a device may still speak: to refuse it is a provider's
	// business, to name it is ours.
	c.MinVersion = tls.VersionTLS10
	c.CipherSuites = nil
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	}
	return &Server{o: o, tls: c}
}

// Serve takes connections from l until ctx ends, and returns when every session
// has ended. It closes l. The error is that of l, nil after the end of ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, maxSessions) // one for each session
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			s.serve(ctx, conn)
		})
	}
}

// serve listens to one connection.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	h := &hearing{
		server: s, raw: conn, conn: conn, r: bufio.NewReaderSize(conn, maxLine), until: time.Now().Add(totalTimeout),
		s: &Session{Version: SessionVersion, At: time.Now(), Peer: conn.RemoteAddr().String(), Logins: []Login{}, To: []Address{}, Unknown: []string{}, Dialogue: []Line{}, Remarks: []Remark{}},
	}
	h.run(ctx)
	h.s.Remarks = Judge(h.s)
	if s.o.Session != nil {
		s.o.Session(h.s)
	}
}
