package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// maxIncomingLine bounds a line of an incoming server, in octets.
const maxIncomingLine = 4 << 10

// incoming tries the login of SMTP at a server for reading mail, once. Success says
// that user name and password are right; failure says nothing, for the two may want
// different ones.
func (r *run) incoming(ctx context.Context, p probe) (string, bool) {
	l := IncomingLogin{Incoming: p.incoming}
	ctx, cancel := context.WithTimeout(ctx, r.share(commandWait, 0.4))
	defer cancel()
	l.OK, l.Tried, l.Said = r.readMail(ctx, p.incoming)
	l.Said = scrub(evidence.Clip(evidence.Printable(l.Said), 200), r.q.secrets())
	r.mu.Lock()
	r.f.Incoming = append(r.f.Incoming, l)
	r.mu.Unlock()
	return l.Said, l.OK
}

// readMail logs in and out. The password goes over verified TLS only.
func (r *run) readMail(ctx context.Context, in Incoming) (ok, tried bool, said string) {
	ways := []Security{in.Security}
	switch {
	case in.Security != Auto && in.Security != "":
	case in.Port == 143 || in.Port == 110:
		ways = []Security{StartTLS}
	default:
		ways = []Security{Implicit, StartTLS}
	}
	for _, way := range ways {
		s, err := r.openIncoming(ctx, in, way)
		if err != nil {
			said = err.Error()
			continue
		}
		defer s.conn.Close()
		done, why := r.budgetAt(in.Endpoint, r.q.User)
		if why != "" {
			return false, false, why
		}
		ok, said = s.login(r.q.User, r.q.Password)
		if ok {
			done(nil)
		}
		return ok, true, said
	}
	return false, false, said
}

// incomingSession is a conversation with an IMAP or POP3 server.
type incomingSession struct {
	conn     net.Conn
	br       *bufio.Reader
	protocol string
	tags     int
}

// openIncoming connects, reads the greeting and stands under verified TLS when it
// returns. RFC 3501 §6.2.1, 2595 §4.
func (r *run) openIncoming(ctx context.Context, in Incoming, way Security) (*incomingSession, error) {
	addresses := r.addressesOf(ctx, in.Host)
	if r.q.Proxy != nil {
		addresses = r.working(ctx, "")
	}
	if len(addresses) == 0 {
		return nil, errors.New(in.Host + " has no address")
	}
	conn, _, outcome := r.race(ctx, in.Endpoint, addresses, connectOther)
	if conn == nil {
		return nil, fmt.Errorf("%s: %s", in.Endpoint, outcome)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	s := &incomingSession{conn: conn, protocol: in.Protocol}
	config := &tls.Config{ServerName: strings.Trim(in.Host, "[]"), RootCAs: r.q.Roots, MinVersion: tls.VersionTLS12, Time: r.q.Now}
	err := s.open(ctx, config, way)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, fmt.Errorf("%s: %w", in.Endpoint, err)
	}
	return s, nil
}

func (s *incomingSession) open(ctx context.Context, config *tls.Config, way Security) error {
	secure := func() error {
		c := tls.Client(s.conn, config)
		if err := c.HandshakeContext(ctx); err != nil {
			return err
		}
		s.conn, s.br = c, bufio.NewReaderSize(c, maxIncomingLine)
		return nil
	}
	s.br = bufio.NewReaderSize(s.conn, maxIncomingLine)
	if way == Implicit {
		if err := secure(); err != nil {
			return err
		}
	}
	greeting, err := s.line()
	if err != nil {
		return err
	}
	if p := identify([]byte(greeting)); p == ProtoIMAP != (s.protocol == "imap") || p == ProtoPOP3 != (s.protocol == "pop3") {
		return fmt.Errorf("it is no %s server: %q", strings.ToUpper(s.protocol), evidence.Clip(evidence.Printable(greeting), 80))
	}
	if way == Implicit {
		return nil
	}
	if way == Clear {
		return errors.New("the login is not sent without TLS")
	}
	verb := "STARTTLS"
	if s.protocol == "pop3" {
		verb = "STLS"
	}
	ok, said, err := s.command(verb)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("it does not begin TLS: " + said)
	}
	return secure()
}

// login logs in and out.
func (s *incomingSession) login(user, password string) (ok bool, said string) {
	var err error
	if s.protocol == "pop3" {
		if ok, said, err = s.command("USER " + user); err != nil || !ok {
			return false, errorOr(err, said)
		}
		ok, said, err = s.command("PASS " + password)
	} else {
		ok, said, err = s.command("LOGIN " + quoted(user) + " " + quoted(password))
	}
	if err != nil {
		return false, err.Error()
	}
	if s.protocol == "pop3" {
		_, _, _ = s.command("QUIT")
	} else {
		_, _, _ = s.command("LOGOUT")
	}
	return ok, said
}

func errorOr(err error, said string) string {
	if err != nil {
		return err.Error()
	}
	return said
}

// quoted returns an IMAP quoted string. RFC 3501 §4.3.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s) + `"`
}

// command says one command and returns whether it was taken.
func (s *incomingSession) command(line string) (ok bool, said string, err error) {
	tag := ""
	if s.protocol == "imap" {
		s.tags++
		tag = fmt.Sprintf("w%d ", s.tags)
	}
	if _, err := s.conn.Write([]byte(tag + strings.NewReplacer("\r", "", "\n", "").Replace(line) + "\r\n")); err != nil {
		return false, "", err
	}
	for range 64 { // untagged lines before the answer
		l, err := s.line()
		if err != nil {
			return false, "", err
		}
		if s.protocol == "pop3" {
			return strings.HasPrefix(l, "+OK"), l, nil
		}
		if rest, mine := strings.CutPrefix(l, tag); mine {
			return strings.HasPrefix(strings.ToUpper(rest), "OK"), rest, nil
		}
	}
	return false, "", errors.New("no answer to the command among 64 lines")
}

func (s *incomingSession) line() (string, error) {
	l, err := s.br.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(l), "\r\n"), nil
}
