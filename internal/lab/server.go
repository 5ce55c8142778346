package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The bounds of a server.
const (
	maxConversations = 64               // at once; further connections are closed unheard
	maxConversation  = 10 * time.Minute // a client's whole visit; RFC 5321 §4.5.3.2.6's wait fits in
	maxIdle          = 5 * time.Minute  // RFC 5321 §4.5.3.2.7
	maxLine          = 16 << 10         // octets of a command; a token of OAuth fits in
	maxMessage       = 256 << 20        // octets read of one message; then the connection is closed
	handshakeWait    = 30 * time.Second
	lingerWait       = 2 * time.Second // for a client to read the last reply
)

// ErrUnknown is a scenario or a persona that does not exist.
var ErrUnknown = errors.New("unknown")

// Options say what to start.
type Options struct {
	Cause    string        // the id of a scenario, or a cause
	Persona  string        // "": the scenario's own
	Listen   string        // "": 127.0.0.1, at any free port or the one that the scenario needs
	Hostname string        // the name that clients are told and certificates bear; "": localhost where Listen is on the loopback, else its address
	Slow     time.Duration // how long a slow server waits; 0: as long as the scenario says

	// Token decides about logins by OAuth token, by many goroutines; nil: one token is
	// right, that of Settings.
	Token func(user, token string) bool

	Log func(Line) // called for each line, by many goroutines; may be nil

	Limits    *Limits          // what the account may do; nil: what the scenario says
	Now       func() time.Time // by which the limits are counted; nil: time.Now
	ClearAuth bool             // AUTH is offered without TLS too
	Stored    func(Stored)     // called for each message accepted, by many goroutines; may be nil

	// Done is called when a conversation has ended, by many goroutines; may be nil.
	Done func(Conversation)
}

// Server is one scenario, listening.
type Server struct {
	scenario Scenario
	persona  *Persona
	options  Options
	settings Settings
	tls      *tls.Config
	script   transcript

	listener net.Listener
	refusing *refusal     // in place of listener: nothing listens
	fetch    *http.Server // where the missing intermediate is

	ctx    context.Context // ends the server; stored because conversations outlive no call
	cancel context.CancelFunc
	wg     sync.WaitGroup

	meter meter

	mu       sync.Mutex // guards the fields below
	conns    map[net.Conn]bool
	password string // of the account; "": none is right
}

// Start starts a server. It stops when ctx ends or Close is called. The error is
// ErrUnknown, or one of the listener.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := newServer(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", s.scenario.ID, err)
	}
	if s.listener != nil {
		s.wg.Add(1)
		go s.accept()
	}
	s.wg.Add(1)
	go func() { // ends with the context, which Close cancels
		defer s.wg.Done()
		<-s.ctx.Done()
		s.shut()
	}()
	return s, nil
}

// New returns a server that listens nowhere and serves the connections that it is
// handed, in clear text: for tests in a bubble of their own time, where there are
// no sockets. A scenario whose trouble is in the network or in TLS has none here.
func New(ctx context.Context, o Options) (*Server, error) {
	s, err := newServer(ctx, o)
	if err != nil {
		return nil, err
	}
	s.settings = Settings{Host: o.Hostname, Security: "none", User: rightUser, Password: rightPassword, From: sender, To: recipient}
	s.tls = s.config(&chain{})
	return s, nil
}

// Serve serves one connection, until it ends or the server is closed.
func (s *Server) Serve(conn net.Conn) {
	s.wg.Add(1)
	defer s.wg.Done()
	if !s.hold(conn) {
		conn.Close()
		return
	}
	defer s.release(conn)
	s.serve(conn)
}

func newServer(ctx context.Context, o Options) (*Server, error) {
	scenario, ok := Find(o.Cause)
	if !ok {
		return nil, fmt.Errorf("%w scenario %q", ErrUnknown, o.Cause)
	}
	if o.Persona == "" {
		o.Persona = scenario.Persona
	}
	persona, ok := findPersona(o.Persona)
	if !ok {
		return nil, fmt.Errorf("%w persona %q", ErrUnknown, o.Persona)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{scenario: scenario, persona: persona, options: o, conns: map[net.Conn]bool{}, script: transcript{log: o.Log}, password: rightPassword}
	s.meter.limits = scenario.b.limits
	if o.Limits != nil {
		s.meter.limits = *o.Limits
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s, nil
}

// SetPassword makes word the account's password from now on; with "" every login
// is refused. Who has signed in stays so.
func (s *Server) SetPassword(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = word
}

// Usage returns what clients made of the limits.
func (s *Server) Usage() Usage { return s.meter.usageNow() }

// open opens what listens and makes the settings and the certificate.
func (s *Server) open() error {
	listen := s.options.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen at %q: %w", listen, err)
	}
	if port == "0" && s.scenario.Port != 0 {
		listen = net.JoinHostPort(host, strconv.Itoa(s.scenario.Port))
	}
	if s.scenario.b.closed {
		if s.refusing, err = refuse(listen); err != nil {
			return err
		}
	} else if s.listener, err = (&net.ListenConfig{}).Listen(s.ctx, "tcp", listen); err != nil {
		return err
	}
	s.settle(host)
	kind := s.scenario.b.cert
	if s.persona.oldTLS && kind == certGood {
		kind = certOld
	}
	var at net.Listener
	fetch := ""
	if kind == certIncomplete {
		if at, err = (&net.ListenConfig{}).Listen(s.ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(at.Addr().String())
		fetch = "http://" + net.JoinHostPort(s.settings.Host, port) + "/intermediate.cer"
	}
	made, err := newChain(kind, s.settings.Host, fetch)
	if err != nil {
		if at != nil {
			at.Close()
		}
		return err
	}
	s.settings.CA = string(made.root)
	s.tls = s.config(made)
	if at != nil {
		s.serveIssuer(at, made.intermediate)
	}
	return nil
}

// serveIssuer serves the certificate that the chain lacks. RFC 5280 §4.2.2.1.
func (s *Server) serveIssuer(at net.Listener, der []byte) {
	s.fetch = &http.Server{ReadHeaderTimeout: handshakeWait, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pkix-cert") // RFC 2585 §4.1
		w.Write(der)
	})}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.fetch.Serve(at) // until it is closed
	}()
}

// settle makes the settings that a client is told.
func (s *Server) settle(host string) {
	name := s.options.Hostname
	if name == "" {
		name = host
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() && ip.To4() != nil {
			name = "localhost"
		}
	}
	_, port, _ := net.SplitHostPort(s.Addr())
	s.settings = Settings{Host: name, Security: "starttls", User: rightUser, Password: rightPassword, From: sender, To: recipient}
	s.settings.Port, _ = strconv.Atoi(port)
	if s.scenario.b.implicit {
		s.settings.Security = "tls"
	}
	if s.scenario.b.told != nil {
		s.scenario.b.told(&s.settings)
	}
}

// config returns the server's side of TLS.
func (s *Server) config(made *chain) *tls.Config {
	config := &tls.Config{Certificates: []tls.Certificate{made.leaf}, MinVersion: tls.VersionTLS10}
	if s.persona.oldTLS {
		oldTLS(config)
	}
	if s.scenario.b.tls != nil {
		s.scenario.b.tls(config)
	}
	return config
}

// Scenario returns what the server plays.
func (s *Server) Scenario() Scenario { return s.scenario }

// Persona returns whose manners it has.
func (s *Server) Persona() Persona { return *s.persona }

// Addr returns the address it listens at, as host:port with a numeric host.
func (s *Server) Addr() string {
	if s.refusing != nil {
		return s.refusing.address
	}
	return s.listener.Addr().String()
}

// Settings returns what a client is told to use.
func (s *Server) Settings() Settings { return s.settings }

// Roots returns a pool with the root that makes the rest of TLS right. It is empty
// where no root does.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.settings.CA))
	return pool
}

// Conversations returns what clients did, oldest first.
func (s *Server) Conversations() []Conversation { return s.script.all() }

// Transcript returns the conversations as text, one line each as C: or S:.
func (s *Server) Transcript() string {
	var b strings.Builder
	for _, c := range s.Conversations() {
		fmt.Fprintf(&b, "-- %d, from %s\n", c.Number, c.Client)
		for _, l := range c.Lines {
			from := l.From
			if from == "" {
				from = "-"
			}
			fmt.Fprintf(&b, "%s: %s\n", from, l.Text)
		}
	}
	return b.String()
}

// Drop closes the open connections, as a provider does that moves its servers.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// Close stops the server and waits for its conversations to end, which it cuts
// off. It may be called twice.
func (s *Server) Close() error {
	s.cancel()
	s.shut()
	s.wg.Wait()
	return nil
}

// shut closes all that is open.
func (s *Server) shut() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.refusing != nil {
		s.refusing.close()
	}
	if s.fetch != nil {
		s.fetch.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// accept takes connections until the listener is closed.
func (s *Server) accept() {
	defer s.wg.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, or a client that left at once: the next may do.
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if !s.hold(conn) {
			conn.Close()
			continue
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer s.release(conn)
			s.serve(conn)
		}()
	}
}

// hold notes an open connection; false when there is no room or the server stops.
func (s *Server) hold(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.conns) >= maxConversations {
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Server) release(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}
