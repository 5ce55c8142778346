package lab

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// conversation is one client's visit. It is used by one goroutine.
type conversation struct {
	s      *Server
	id     int64
	ip     string
	raw    net.Conn // the TCP connection
	conn   net.Conn // raw, or TLS over it
	br     *bufio.Reader
	record *Conversation

	secure    bool
	helo      string // "": not introduced
	mechanism string // of the login in progress or last made
	triedUser string // the name in it
	user      string // "": not signed in
	from      string
	hasFrom   bool
	rcpt      string // the last one accepted
	rcpts     int
	to        []string // those accepted
	begun     time.Time
	counted   bool // among the account's connections
}

// serve speaks with one client.
func (s *Server) serve(conn net.Conn) {
	c := &conversation{s: s, raw: conn, conn: conn, br: bufio.NewReaderSize(conn, maxLine)}
	c.ip, _, _ = net.SplitHostPort(conn.RemoteAddr().String())
	c.record = s.script.begin(conn.RemoteAddr().String())
	c.id = c.record.Number
	defer c.end()
	s.meter.enter()
	c.counted = true
	stop := time.AfterFunc(maxConversation, func() { conn.Close() })
	defer stop.Stop()
	if s.scenario.b.implicit && !c.handshake() {
		return
	}
	if s.scenario.b.foreign != nil {
		s.scenario.b.foreign(c)
		return
	}
	c.smtp()
}

// end notes that the conversation has ended.
func (c *conversation) end() {
	c.raw.Close()
	c.uncount()
	c.remark("the connection is closed")
	c.s.script.note(c.record, func(r *Conversation) { r.Ended = true })
	if done := c.s.options.Done; done != nil {
		done(c.s.script.copy(c.record))
	}
}

// uncount takes the connection out of the count of the account's.
func (c *conversation) uncount() {
	if c.counted {
		c.counted = false
		c.s.meter.left()
	}
}

// handshake makes the connection a TLS connection and reports whether it did.
func (c *conversation) handshake() bool {
	conn := tls.Server(c.raw, c.s.tls)
	c.raw.SetDeadline(time.Now().Add(handshakeWait))
	if err := conn.HandshakeContext(c.s.ctx); err != nil {
		c.remark("no TLS: " + err.Error())
		return false
	}
	state := conn.ConnectionState()
	version := tls.VersionName(state.Version)
	c.remark(fmt.Sprintf("%s, %s, for %q", version, tls.CipherSuiteName(state.CipherSuite), state.ServerName))
	c.s.script.note(c.record, func(r *Conversation) { r.TLS = version })
	c.conn, c.secure = conn, true
	c.br = bufio.NewReaderSize(conn, maxLine) // what was said before is forgotten. RFC 3207 §4.2
	return true
}

// readLine reads one line, without its end; false when there is none to come.
func (c *conversation) readLine() (string, bool) {
	c.conn.SetReadDeadline(time.Now().Add(maxIdle))
	b, err := c.br.ReadSlice('\n')
	if err == nil {
		return strings.TrimRight(string(b), "\r\n"), true
	}
	switch {
	case len(b) > 0 && b[0] == 0x16 && !c.secure: // a handshake record. RFC 8446 §5.1
		c.remark("the client begins TLS where plain text is due")
	case err == bufio.ErrBufferFull:
		c.remark("the client sends a line without end")
	case len(b) > 0:
		c.remark(fmt.Sprintf("the client leaves in the middle of a line: %.40q", b))
	}
	return "", false
}

// heard notes a line of the client, as it may be shown.
func (c *conversation) heard(shown string) { c.s.script.line(c.record, "C", shown) }

// remark notes what is no line of either.
func (c *conversation) remark(text string) { c.s.script.line(c.record, "", text) }

// say writes lines parted by \n; false when the client has gone.
func (c *conversation) say(text string) bool {
	text = c.fill(text)
	for _, l := range strings.Split(text, "\n") {
		c.s.script.line(c.record, "S", l)
	}
	return c.send(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
}

func (c *conversation) send(octets string) bool {
	c.conn.SetWriteDeadline(time.Now().Add(maxIdle))
	_, err := io.WriteString(c.conn, octets)
	return err == nil
}

// wait waits as long as a scenario says, or as Options.Slow does, and reports
// whether the server still runs.
func (c *conversation) wait(d time.Duration) bool {
	switch {
	case d <= 0:
		return true
	case c.s.options.Slow > 0:
		return c.pause(c.s.options.Slow)
	}
	return c.pause(d)
}

// pause waits, and reports whether the server still runs.
func (c *conversation) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.s.ctx.Done():
		return false
	}
}

// leave closes the connection in order: the client gets to read what was said,
// even if it has sent more than was read.
func (c *conversation) leave() {
	c.conn.SetDeadline(time.Now().Add(lingerWait))
	if t, ok := c.conn.(*tls.Conn); ok {
		t.CloseWrite()
	}
	if t, ok := c.raw.(*net.TCPConn); ok {
		t.CloseWrite()
	}
	io.CopyN(io.Discard, c.raw, maxMessage)
	c.raw.Close()
}

// cut resets the connection.
func (c *conversation) cut() {
	c.remark("the connection is reset")
	if t, ok := c.raw.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.raw.Close()
}

// fallSilent reads and says nothing until the client goes.
func (c *conversation) fallSilent() {
	c.remark("nothing is said any more")
	c.raw.SetDeadline(time.Now().Add(maxConversation))
	io.Copy(io.Discard, c.raw)
}
