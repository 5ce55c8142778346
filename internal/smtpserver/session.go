package smtpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Limits of a session. They are generous to a clumsy client and small to a
// hostile one.
const (
	readBuffer        = 32 << 10 // octets; a message of ordinary size comes in one read
	writeBuffer       = 4 << 10  // octets; all replies of an envelope fit
	maxErrors         = 20       // 4yz and 5yz replies before the session is ended
	slowAfter         = 5        // such replies before each one more takes longer
	maxLogins         = 5        // refused logins before the session is ended
	maxStrangerLines  = 100      // commands of a client that must log in and has not
	maxSlow           = 16 * time.Second
	oversizeAllowance = 1 << 20 // octets read on after a message was too large or broken, beyond the limit of size
)

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}
)

// session is one connection. All fields but conn are owned by the goroutine of
// run.
type session struct {
	server  *Server
	spec    Listener
	conn    *timedConn
	allowed bool           // relay and device: the client may use this listener
	xclient bool           // the peer may say who its client is
	told    bool           // it has, so that what it shows in TLS is its own and not its client's
	unknown bool           // a balancer's client, of which the balancer does not know the address
	counted netip.Addr     // the address that it is counted under; zero: none. Guarded by server.mu
	shared  string         // why a rule for the peer's address does not hold; "" when it does
	device  *device.Device // whose the connection is; nil: of none
	lenient device.Leniency
	log     *slog.Logger

	ctx    context.Context // of this session; kept here because handlers of verbs are table entries
	r      *bufio.Reader
	w      *bufio.Writer
	out    []byte // scratch for replies
	state  state
	client smtp.Client
	tx     smtp.Transaction

	bare     bool // the last line ended in LF alone
	lines    int  // commands read
	errors   int  // 4yz and 5yz replies given
	logins   int  // logins refused
	messages int  // messages accepted
	failure  string
	plain    bool            // a password came without TLS
	quirks   []string        // what was overlooked
	noted    *device.Failure // what stands in the way of mail; nil: nothing yet
}

func newSession(s *Server, conn net.Conn, spec Listener) *session {
	c := &session{server: s, spec: spec, conn: &timedConn{Conn: conn, write: s.c.Timeouts.Write, read: s.c.Timeouts.Command}, state: stateConnected}
	var id [6]byte
	rand.Read(id[:])
	c.client = smtp.Client{SessionID: hex.EncodeToString(id[:]), Listener: spec.Address, Kind: spec.Kind,
		Addr: addrPort(conn.RemoteAddr()), Local: addrPort(conn.LocalAddr())}
	c.asPeer()
	return c
}

// asPeer begins the log of who the client is now, and finds out what it may.
func (s *session) asPeer() {
	s.log = s.server.c.Log.With("session", s.client.SessionID, "peer", s.client.Addr.Addr().String(), "listener", s.spec.Address)
	if s.client.Via.IsValid() {
		s.log = s.log.With("via", s.client.Via.Addr().String())
	}
	s.identify()
}

// identify finds out by the peer's address which device it is and whether it may
// send without login, or may say who its client is. An address that others may have
// too says neither of the first two.
func (s *session) identify() {
	addr := s.client.Addr.Addr()
	s.allowed, s.shared, s.device, s.client.Device, s.xclient = false, "", nil, "", !s.unknown && within(s.spec.XClient, s.client.Addr)
	s.lenient = device.Leniency{LegacyTLS: s.spec.LegacyTLS, PlaintextAuth: s.spec.PlaintextAuth, BareNewlines: s.spec.BareNewlines}
	d := s.server.c.Devices().ByAddress(s.spec.Address, addr)
	named := d != nil
	for _, p := range s.spec.Allow {
		named = named || p.Contains(addr)
	}
	if !named {
		return
	}
	if s.unknown {
		s.shared = "it is that of a balancer, which does not say who its client is"
		return
	}
	if !s.spec.AllowGateway {
		if s.shared = s.server.c.Shared(addr); s.shared != "" {
			return
		}
	}
	s.allowed = !s.needsLoginKind()
	if d != nil {
		s.is(d)
	}
}

// is makes d the device of the session.
func (s *session) is(d *device.Device) {
	s.device, s.client.Device, s.lenient = d, d.Name, s.lenient.With(d.Leniency)
	s.log = s.log.With("device", d.Name)
}

// addrPort returns a as a value, IPv4 addresses as such also when they came by an
// IPv6 socket.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// needsLoginKind reports whether this listener takes mail only after a login.
func (s *session) needsLoginKind() bool {
	return s.spec.Kind == smtp.KindSubmission || s.spec.Kind == smtp.KindSubmissions
}

// needsLogin reports whether this client may send mail only after a login.
func (s *session) needsLogin() bool { return s.needsLoginKind() || s.shared != "" }

// takesLogin reports whether this client may log in: it must, or it is a device
// with an account, of which many refuse to send without.
func (s *session) takesLogin() bool {
	return s.needsLogin() || s.device != nil && s.device.Account != ""
}

// turnAway answers a connection that is not served. With TLS from the first octet
// nobody could read an answer, and a handshake is work.
func (s *session) turnAway(r smtp.Reply) {
	if s.spec.Kind != smtp.KindSubmissions {
		s.conn.write = time.Second
		s.conn.Write(r.Append(nil))
	}
	s.log.Warn("connection refused", "reply", r.String())
}

// run serves the session to its end.
func (s *session) run(ctx context.Context) {
	s.ctx = ctx
	s.r, s.w = readers.Get().(*bufio.Reader), writers.Get().(*bufio.Writer)
	s.r.Reset(s.conn)
	s.w.Reset(s.conn)
	defer func() {
		s.r.Reset(nil)
		s.w.Reset(nil)
		readers.Put(s.r)
		writers.Put(s.w)
	}()
	defer s.report()
	defer s.recovered()
	if s.needsLogin() {
		s.conn.bound(time.Now().Add(s.server.c.Timeouts.BeforeUse))
	}
	if s.spec.Kind == smtp.KindSubmissions {
		s.conn.expect(s.server.c.Timeouts.Handshake, false)
		if !s.handshake() {
			return
		}
	}
	if !s.needsLogin() && !s.allowed && !s.xclient {
		s.note("relay.denied", "may not use the listener "+s.spec.Address)
		s.fail("relay.denied", "peer is not allowed on this listener")
		s.reply(replyNotAllowed)
		s.w.Flush()
		return
	}
	s.reply(greeting(s.server.c.Hostname))
	for s.state != stateClosed {
		s.step()
	}
	s.w.Flush()
	s.log.Debug("session ended", "messages", s.messages, "errors", s.errors, "reason", s.failure)
}

// recovered ends a session whose handler panicked.
func (s *session) recovered() {
	if p := recover(); p != nil {
		s.log.Error("panic in a session", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		s.reply(replyInternal)
		s.w.Flush()
	}
}

// step reads one command and answers it.
func (s *session) step() {
	line, err := s.readLine(smtp.MaxAuthLine)
	if err == nil && len(line)+2 > smtp.MaxCommandLine && !isAuth(line) {
		err = errLineTooLong
	}
	switch {
	case err == nil:
	case errors.Is(err, errLineTooLong):
		s.reply(replyLineTooLong)
		return
	case errors.Is(err, errBareLine):
		s.note("message.bare-lf", "ends its lines with a lone CR or LF")
		s.reply(replyBareLine)
		return
	default:
		s.readFailed(err)
		return
	}
	s.lines++
	if s.needsLogin() && s.client.Account == "" && s.lines > maxStrangerLines {
		s.note("auth.required", "did not log in")
		s.fail("", "too many commands before login")
		s.reply(replyTooMuchBefore)
		s.state = next(s.state, eventClose)
		return
	}
	name, arg := smtp.SplitCommand(line)
	v, known := verbs[name]
	if s.lenient.AnyHello && s.state == stateConnected && name == "MAIL" {
		s.overlook("no HELO")
		s.state = next(s.state, eventHello)
	}
	switch {
	case webVerbs[name]:
		s.fail("service.wrong-protocol-http", "speaks HTTP, as a browser does, to a mail server")
		s.reply(replyNotSMTP)
		s.state = next(s.state, eventClose)
	case name == "PROXY" && s.state == stateConnected:
		s.fail("", "a PROXY header from an address that proxy_protocol does not name")
		s.reply(replyNoProxy)
		s.state = next(s.state, eventClose)
	case !known:
		s.reply(replyUnknown)
	case s.state&v.permitted == 0:
		s.reply(v.refusal(name, s.state))
	default:
		s.state = next(s.state, v.handle(s, arg))
	}
}

// isAuth reports whether a line is AUTH, whose initial response may be long: a token
// has some thousand octets. RFC 4954 §4.
func isAuth(line []byte) bool {
	return len(line) > 5 && bytes.EqualFold(line[:5], []byte("AUTH "))
}

var (
	errLineTooLong = errors.New("line too long")
	errBareLine    = errors.New("bare line end")
)

// tlsHello is the first octet of a TLS handshake record, which no command begins
// with.
const tlsHello = 0x16

// readLine returns the next line without its CRLF; it is valid until the next
// read. Output is flushed before it waits. After errLineTooLong and errBareLine
// the line is read to its end.
func (s *session) readLine(limit int) ([]byte, error) {
	if !s.lineBuffered() {
		s.conn.expect(s.server.c.Timeouts.Command, !s.state.inTransaction())
		if s.conn.stopping() && !s.state.inTransaction() {
			return nil, errInterrupted
		}
		if err := s.w.Flush(); err != nil {
			return nil, err
		}
	}
	// Looked at before the line is whole: a hello need not have an LF in it, and its
	// client says nothing more before it has an answer.
	if first, err := s.r.Peek(1); err == nil && first[0] == tlsHello {
		return nil, errTLSHello
	}
	line, err := s.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || err == nil && len(line) > limit {
		for errors.Is(err, bufio.ErrBufferFull) {
			if _, err = s.r.ReadSlice('\n'); s.conn.stopping() {
				return nil, errInterrupted
			}
		}
		if err != nil {
			return nil, err
		}
		return nil, errLineTooLong
	}
	if err != nil {
		return nil, err
	}
	s.bare = false
	switch {
	case len(line) >= 2 && line[len(line)-2] == '\r':
		line = line[:len(line)-2]
	case s.lenient.BareNewlines:
		s.overlook("bare newlines")
		s.bare = true
		line = line[:len(line)-1]
	default:
		return nil, errBareLine
	}
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, errBareLine
	}
	return line, nil
}

var errTLSHello = errors.New("TLS at once on a port that begins in plain text")

// lineBuffered reports whether a whole further line has come already, so that the
// reply can wait for the next ones. RFC 2920 §3.2.
func (s *session) lineBuffered() bool {
	n := s.r.Buffered()
	if n == 0 {
		return false
	}
	b, _ := s.r.Peek(n)
	return bytes.IndexByte(b, '\n') >= 0
}

// readFailed ends the session after a read that brought no line.
func (s *session) readFailed(err error) {
	inHand := s.state.inTransaction()
	state := s.state
	s.state = next(s.state, eventClose)
	switch {
	case errors.Is(err, errInterrupted):
		s.reply(replyShuttingDown)
	case errors.Is(err, errTLSHello):
		s.fail("tls.implicit-on-starttls-port", "speaks TLS at once on a port that begins in plain text")
	case isTimeout(err):
		s.fail("protocol.idle-timeout", "no command in time, "+state.String())
		s.reply(replyIdle)
	case errors.Is(err, io.EOF) && !inHand:
		s.failure = "closed without QUIT"
	default:
		s.failure = "connection lost, " + state.String()
	}
}

// reply writes r to the output buffer, slows down a client that has had many
// refusals, and ends the session after too many.
func (s *session) reply(r smtp.Reply) {
	s.put(r)
	if r.Positive() || r.Code == 421 {
		return
	}
	var id causeID
	if r.Enhanced.Subject == 3 && r.Enhanced.Detail == 1 {
		id = "server.insufficient-storage" // ours: nothing is wrong with the client. RFC 3463 §3.4
	}
	s.note(id, "was refused: "+r.String())
	s.errors++
	if s.state == stateClosed {
		return
	}
	if s.errors >= maxErrors {
		s.fail("", fmt.Sprintf("too many errors, the last: %s", r))
		s.put(replyTooManyErrors)
		s.state = stateClosed
		return
	}
	if over := s.errors - slowAfter; over > 0 {
		s.slow(over)
	}
}

// put writes r to the output buffer and counts nothing.
func (s *session) put(r smtp.Reply) {
	s.out = r.Append(s.out[:0])
	s.w.Write(s.out) // an error stays in the writer and comes back at Flush
}

// slow keeps the client waiting: the n-th time twice as long as the time before.
func (s *session) slow(n int) {
	if s.w.Flush() != nil {
		return
	}
	d := s.server.c.Timeouts.Slow
	for ; n > 1 && d < maxSlow; n-- {
		d *= 2
	}
	wait(s.ctx, min(d, maxSlow))
}

// fail records why the session came to nothing.
func (s *session) fail(id causeID, text string) {
	s.failure = text
	s.note(id, text)
	s.log.Warn("session failed", "state", s.state.String(), "cause", string(id), "text", text, "helo", s.client.Name)
	s.server.c.Failed(FailedSession{SessionID: s.client.SessionID, Listener: s.spec.Address, Peer: s.client.Addr,
		State: s.state.String(), Cause: id, Text: text})
}

// handshake puts TLS on the connection and reports whether it did.
func (s *session) handshake() bool {
	config := s.spec.tls
	if s.lenient.LegacyTLS {
		config = s.spec.legacy
	}
	if config == nil {
		s.fail("tls.server-unavailable", "no certificate for TLS")
		return false
	}
	first := &firstOctets{Conn: s.conn}
	c := tls.Server(first, config)
	if err := c.HandshakeContext(s.ctx); err != nil {
		s.fail(explainHandshake(err, first.octets, s.lenient.LegacyTLS))
		return false
	}
	first.done()
	cs := c.ConnectionState()
	if s.told {
		cs = *withoutPeer(&cs)
	}
	s.client.TLS, s.client.Certificate = &cs, first.shown
	if cs.Version < tls.VersionTLS12 {
		s.log.Warn("weak encryption", "tls", tls.VersionName(cs.Version), "cipher", tls.CipherSuiteName(cs.CipherSuite), "cause", "tls.protocol-version")
	}
	s.r.Reset(c)
	s.w.Reset(c)
	return true
}
