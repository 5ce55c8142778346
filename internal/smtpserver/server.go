package smtpserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Handler decides what happens with logins, senders, recipients and messages. It
// is called by one goroutine a session, by many sessions at once.
type Handler interface {
	// Authenticate checks a login. With a nil reply it is good and account is the
	// name to send as; else the reply is given to the client.
	Authenticate(ctx context.Context, c *smtp.Client, user, password string) (account string, r *smtp.Reply)

	// Mail decides on t.From and t.Params; nil accepts.
	Mail(ctx context.Context, t *smtp.Transaction) *smtp.Reply

	// Rcpt decides on one more recipient; nil accepts, and it is then added to
	// t.Recipients.
	Rcpt(ctx context.Context, t *smtp.Transaction, r smtp.Recipient) *smtp.Reply

	// Data takes the message and answers for it. body returns io.EOF after the final
	// dot; any other error means that nothing may be kept. smtp.ErrTooLarge and
	// smtp.ErrBareLineEnd are answered by the session, whatever Data returns.
	Data(ctx context.Context, t *smtp.Transaction, body io.Reader) smtp.Reply
}

// Listener is how one listener treats its clients.
type Listener struct {
	Kind          smtp.ListenerKind
	Address       string         // as configured, for logs
	Allow         []netip.Prefix // relay and device: who may use it; for them no login is asked
	ProxyProtocol []netip.Prefix // balancers, which must send a PROXY header; nobody else may
	XClient       []netip.Prefix // proxies, which may say by XCLIENT who their client is; nobody else may
	LegacyTLS     bool           // TLS 1.0 and 1.1 as well
	PlaintextAuth bool           // AUTH and mail without TLS
	BareNewlines  bool           // a lone CR or LF ends a line too
	AllowGateway  bool           // an address may send without login although others may have it too

	Mechanisms []string       // SASL mechanisms; nil: DefaultMechanisms
	ClientCA   *x509.CertPool // certificates of clients are asked for and must come from it; nil: none are

	tls, legacy *tls.Config // set by Serve
}

// Timeouts bound the waits of a session. Zero fields take the values of
// DefaultTimeouts.
type Timeouts struct {
	Command   time.Duration // for the next command
	DataBlock time.Duration // for the next octets of message data
	Write     time.Duration // for the client to take a reply
	Handshake time.Duration // for the TLS handshake
	Header    time.Duration // for the whole PROXY header
	BeforeUse time.Duration // from connecting to the login, or to the first mail where none is needed
	Slow      time.Duration // the first slow-down after repeated failures; it doubles
}

// DefaultTimeouts are the waits that a server owes its clients. RFC 5321
// §4.5.3.2.
var DefaultTimeouts = Timeouts{
	Command:   5 * time.Minute,  // RFC 5321 §4.5.3.2.7
	DataBlock: 3 * time.Minute,  // RFC 5321 §4.5.3.2.5, as the client's own
	Write:     5 * time.Minute,  // as long as a command may take
	Handshake: time.Minute,      // an old device takes seconds for an RSA key exchange
	Header:    10 * time.Second, // it comes with the connection; a lost packet takes 3 s, says the specification
	BeforeUse: 10 * time.Minute, // two slow commands; then a stranger has had enough
	Slow:      time.Second,
}

// Config is what a Server needs. Hostname and Handler must be given.
type Config struct {
	Hostname              string
	TLS                   *tls.Config // nil: STARTTLS is not offered
	Handler               Handler
	MaxMessageSize        int64 // octets; 0: no limit
	MaxRecipients         int   // a message; 0: 100, the least that RFC 5321 §4.5.3.1.8 allows
	ConnectionsPerAddress int   // at once; 0: no limit; loopback and allowed peers are not counted
	MaxConnections        int   // at once in all; 0: DefaultMaxConnections
	Timeouts              Timeouts
	Log                   *slog.Logger            // nil: nothing is logged
	Room                  func(n int64) error     // asked at MAIL and DATA for n octets; an error answers 452 4.3.1; nil: always room
	Failed                func(f FailedSession)   // told of sessions that came to nothing; nil: nobody
	Ended                 func(s device.Session)  // told of every session that was begun; nil: nobody
	Devices               func() *device.Set      // the present devices; nil: there are none
	Shared                func(netip.Addr) string // why an address may be anybody's, "" when it is not; nil: never is

	// Exchange begins a login by a mechanism other than PLAIN and LOGIN; nil, or a nil
	// result: it is not known.
	Exchange func(c *smtp.Client, mechanism string) smtp.Exchange
	// SCRAMForAll reports whether every account can log in by SCRAM, which is offered
	// then where a listener does not say what it offers. nil: never.
	SCRAMForAll func() bool
}

// DefaultMaxConnections is far above what one machine serves well, and below what
// a default limit of open files lets in.
const DefaultMaxConnections = 2000

// FailedSession is a session that came to nothing for a reason that somebody
// should know: the scanner that speaks TLS 1.0 only, the browser on the mail port.
type FailedSession struct {
	SessionID string
	Listener  string
	Peer      netip.AddrPort
	State     string   // where in the protocol
	Cause     cause.ID // "" when none fits
	Text      string   // what was seen
}

// Server serves any number of listeners.
type Server struct {
	c      Config
	tls    *tls.Config // for ordinary listeners; nil: none
	legacy *tls.Config // for listeners with LegacyTLS

	mu         sync.Mutex             // guards the fields below
	listeners  map[net.Listener]bool  // open
	sessions   map[*session]bool      // under way
	perAddress map[netip.Addr]int     // sessions of addresses that are counted
	stopping   bool                   // Shutdown was called
	ended      map[chan struct{}]bool // waiters for the last session
}

// New returns a Server.
func New(c Config) *Server {
	c.Timeouts = withDefaults(c.Timeouts)
	if c.MaxRecipients == 0 {
		c.MaxRecipients = 100
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Room == nil {
		c.Room = func(int64) error { return nil }
	}
	if c.Failed == nil {
		c.Failed = func(FailedSession) {}
	}
	if c.Exchange == nil {
		c.Exchange = func(*smtp.Client, string) smtp.Exchange { return nil }
	}
	if c.SCRAMForAll == nil {
		c.SCRAMForAll = func() bool { return false }
	}
	if c.Ended == nil {
		c.Ended = func(device.Session) {}
	}
	if c.Devices == nil {
		c.Devices = func() *device.Set { return nil }
	}
	if c.Shared == nil {
		c.Shared = func(netip.Addr) string { return "" }
	}
	s := &Server{c: c, listeners: map[net.Listener]bool{}, sessions: map[*session]bool{}, perAddress: map[netip.Addr]int{}}
	if c.TLS != nil {
		s.tls = c.TLS.Clone()
		if s.tls.MinVersion == 0 {
			s.tls.MinVersion = tls.VersionTLS12
		}
		s.legacy = c.TLS.Clone()
		s.legacy.MinVersion = tls.VersionTLS10 // the floor of crypto/tls
		s.legacy.CipherSuites = legacySuites()
		watchCertificate(s.tls)
		watchCertificate(s.legacy)
	}
	return s
}

func withDefaults(t Timeouts) Timeouts {
	for _, f := range []struct{ have, want *time.Duration }{
		{&t.Command, &DefaultTimeouts.Command}, {&t.DataBlock, &DefaultTimeouts.DataBlock}, {&t.Write, &DefaultTimeouts.Write},
		{&t.Handshake, &DefaultTimeouts.Handshake}, {&t.Header, &DefaultTimeouts.Header}, {&t.BeforeUse, &DefaultTimeouts.BeforeUse}, {&t.Slow, &DefaultTimeouts.Slow},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	return t
}

// legacySuites are all cipher suites that crypto/tls has: what speaks TLS 1.0
// seldom knows the good ones.
func legacySuites() []uint16 {
	var ids []uint16
	for _, c := range tls.CipherSuites() {
		ids = append(ids, c.ID)
	}
	for _, c := range tls.InsecureCipherSuites() {
		ids = append(ids, c.ID)
	}
	return ids
}

// Serve takes connections from l until l is closed, ctx ends or Shutdown is
// called, and returns when its sessions have ended. When ctx ends the sessions are
// cut off; Shutdown is the orderly way.
func (s *Server) Serve(ctx context.Context, l net.Listener, spec Listener) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = true
	s.mu.Unlock()
	spec = s.secure(spec)
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()

	var wg sync.WaitGroup
	defer wg.Wait()
	for pause := 5 * time.Millisecond; ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
		case errors.Is(err, net.ErrClosed), ctx.Err() != nil:
			return nil
		default:
			// Out of descriptors, mostly: it passes when sessions end.
			s.c.Log.Error("accept", "listener", spec.Address, "error", err)
			if !wait(ctx, pause) {
				return nil
			}
			pause = min(2*pause, time.Second)
			continue
		}
		wg.Go(func() { s.serveConn(ctx, conn, spec) })
	}
}

// wait waits for d and reports whether ctx still lives.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serveConn serves one connection to its end.
func (s *Server) serveConn(ctx context.Context, conn net.Conn, spec Listener) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newSession(s, conn, spec)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if refusal := s.admit(c); refusal != nil {
		c.turnAway(*refusal)
		return
	}
	defer s.leave(c)
	if !c.readHeader() {
		return
	}
	if refusal := s.count(c); refusal != nil {
		c.turnAway(*refusal)
		return
	}
	c.run(ctx)
}

// admit enters c among the sessions, or returns why not.
func (s *Server) admit(c *session) (refusal *smtp.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return &replyShuttingDown
	case len(s.sessions) >= s.c.MaxConnections:
		return &replyTooMany
	}
	s.sessions[c] = true
	return nil
}

// count counts c among the sessions of its client's address, in place of an earlier
// one, or returns why it is one too many. Not counted are this machine itself, but
// not who only is said to be at a loopback address; allowed peers; and a proxy that
// has not said yet who its client is.
func (s *Server) count(c *session) (refusal *smtp.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncountLocked(c)
	addr := c.client.Addr.Addr()
	here := addr.IsLoopback() && !c.client.Via.IsValid()
	if s.c.ConnectionsPerAddress == 0 || here || c.allowed || c.xclient {
		return nil
	}
	if s.perAddress[addr] >= s.c.ConnectionsPerAddress {
		return &replyTooManyHere
	}
	s.perAddress[addr]++
	c.counted = addr
	return nil
}

func (s *Server) uncountLocked(c *session) {
	if !c.counted.IsValid() {
		return
	}
	if s.perAddress[c.counted]--; s.perAddress[c.counted] == 0 {
		delete(s.perAddress, c.counted)
	}
	c.counted = netip.Addr{}
}

// leave takes c out again.
func (s *Server) leave(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c)
	s.uncountLocked(c)
	if len(s.sessions) == 0 {
		for w := range s.ended {
			close(w)
		}
		s.ended = nil
	}
}

// Shutdown closes all listeners, answers 421 to sessions outside a mail
// transaction, and waits for the others to finish theirs. When ctx ends first
// they are cut off and ctx's error is returned. RFC 5321 §3.8.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	done := make(chan struct{}) // closed by leave
	if len(s.sessions) == 0 {
		close(done)
	} else {
		if s.ended == nil {
			s.ended = map[chan struct{}]bool{}
		}
		s.ended[done] = true
	}
	for c := range s.sessions {
		c.conn.interrupt()
	}
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.sessions {
		c.conn.Close()
	}
	s.mu.Unlock()
	return ctx.Err()
}
