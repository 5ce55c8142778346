package smtptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Patience is how long one step may wait for the other side: long enough for a
// loaded machine, short enough to see which step it is that nobody answers.
const Patience = 20 * time.Second

// PlayClient plays the client's side on conn: it says C and expects S. tc is for
// T: and may be nil when the script has none. The connection is left open, unless
// the script closes it or fails.
func (s *Script) PlayClient(t testing.TB, conn net.Conn, tc *tls.Config) {
	t.Helper()
	s.play(t, conn, client, func(c net.Conn) *tls.Conn { return tls.Client(c, tc) })
}

// PlayServer plays the server's side on conn: it says S and expects C. tc is for
// T: and may be nil when the script has none. The connection is left open, unless
// the script closes it or fails.
func (s *Script) PlayServer(t testing.TB, conn net.Conn, tc *tls.Config) {
	t.Helper()
	s.play(t, conn, server, func(c net.Conn) *tls.Conn { return tls.Server(c, tc) })
}

// player is one play of a script.
type player struct {
	conn    net.Conn
	r       *bufio.Reader
	secured func(net.Conn) *tls.Conn
}

func (s *Script) play(t testing.TB, conn net.Conn, self verb, secured func(net.Conn) *tls.Conn) {
	t.Helper()
	p := &player{conn: conn, r: bufio.NewReader(conn), secured: secured}
	for i := 0; i < len(s.steps); {
		st := s.steps[i]
		n := 1
		var err error
		if st.verb == self {
			n, err = p.say(s.steps[i:], self)
		} else {
			err = p.do(st)
		}
		if err != nil {
			t.Errorf("%s:%d: %v", s.name, st.line, err)
			p.conn.Close()
			return
		}
		i += n
	}
	if n := p.r.Buffered(); n > 0 {
		rest, _ := p.r.Peek(n)
		t.Errorf("%s: after the end came %q", s.name, rest)
		p.conn.Close()
		return
	}
	p.conn.SetDeadline(time.Time{})
}

// say writes the steps of this side that follow one another, at once, and returns
// how many they are.
func (p *player) say(steps []step, self verb) (int, error) {
	var out strings.Builder
	n := 0
	for n < len(steps) && steps[n].verb == self {
		out.WriteString(steps[n].spoken())
		n++
	}
	p.conn.SetDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(p.conn, out.String()); err != nil {
		return 0, fmt.Errorf("saying %q: %w", short(out.String()), err)
	}
	return n, nil
}

// do carries out a step that is not said.
func (p *player) do(st step) error {
	p.conn.SetDeadline(time.Now().Add(Patience))
	switch st.verb {
	case handshake:
		return p.handshake()
	case closing:
		return p.conn.Close()
	case closed:
		return p.expectEnd()
	}
	return p.expect(st)
}

// handshake puts TLS on the connection. What was received in clear text and not
// expected before would be lost, so it is a difference.
func (p *player) handshake() error {
	if n := p.r.Buffered(); n > 0 {
		rest, _ := p.r.Peek(n)
		return fmt.Errorf("before the TLS handshake came %q", rest)
	}
	c := p.secured(p.conn)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	p.conn = c
	p.r.Reset(c)
	return nil
}

// expectEnd waits for the other side to close. A reset is a close too: it is what
// TCP says when the last words crossed.
func (p *player) expectEnd() error {
	line, err := p.r.ReadString('\n')
	switch {
	case line != "":
		return fmt.Errorf("the connection should be closed; instead came %q", line)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the connection is still open after %v", Patience)
	}
	return nil
}

// expect reads what st says and compares.
func (p *player) expect(st step) error {
	got, err := p.read(st)
	switch {
	case st.rest && strings.HasPrefix(got, st.text) && strings.HasSuffix(got, "\n"):
		return nil
	case !st.rest && got == st.text:
		return nil
	case got != "":
		return fmt.Errorf("got  %q\nwant %q", got, st.text)
	case err == io.EOF:
		return fmt.Errorf("the connection ended; want %q", st.text)
	}
	return fmt.Errorf("%w; want %q", err, st.text)
}

// read reads one line, or as many octets as st has when it is no line.
func (p *player) read(st step) (string, error) {
	if st.rest || strings.Count(st.text, "\n") == 1 && strings.HasSuffix(st.text, "\r\n") {
		return p.r.ReadString('\n')
	}
	b := make([]byte, len(st.text))
	n, err := io.ReadFull(p.r, b)
	return string(b[:n]), err
}

// short returns s fit for a message.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
