package traffic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// idField is the header field of a message's id.
const idField = "X-Traffic-ID"

// Load is a stream of messages to one server.
type Load struct {
	Address     string          // host:port
	Name        string          // begins every id, so that two loads have no id in common
	Connections int             // at once; at least 1
	Messages    int             // in all; 0: until the context ends
	Size        int             // octets of a message, about; at least 300
	From, To    string          // addresses; "" ann@sender.test and bob@recipient.test
	Accepted    func(id string) // called when an id was answered 250; may be nil
	Refused     func(r Reply)   // called for each other reply to a message; may be nil
	Patient     bool            // dial again when a connection cannot be made or breaks, send again when refused
}

// Reply is what a server said to one command.
type Reply struct {
	Code int
	Text string // all lines, joined by a line end
}

// Result is what came of a Load.
type Result struct {
	Accepted int           // answered 250
	Refused  int           // answered otherwise
	Broken   int           // connections that ended before their time
	Elapsed  time.Duration // from the first dial to the last reply
}

// The pause before a patient load dials again: long enough not to spin, short
// beside the start of a server.
const redial = 20 * time.Millisecond

// How long a server may take for one reply.
const replyLimit = 60 * time.Second

// Run sends the load and returns when all messages are answered or ctx has ended,
// which is no error. Unless the load is patient, the first connection that breaks
// and the first refused message end it with an error.
func (l Load) Run(ctx context.Context) (Result, error) {
	if l.From == "" {
		l.From = "ann@sender.test"
	}
	if l.To == "" {
		l.To = "bob@recipient.test"
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &generator{Load: l, body: body(l.Size)}
	start := time.Now()
	var wait sync.WaitGroup
	for range max(1, l.Connections) {
		wait.Go(func() {
			if err := g.worker(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	r := Result{Accepted: int(g.accepted.Load()), Refused: int(g.refused.Load()), Broken: int(g.broken.Load()), Elapsed: time.Since(start)}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return r, err
	}
	return r, nil
}

// body returns the message text that follows the header block, of lines as mail
// has them.
func body(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and the mail goes on its way.\r\n"
	n := max(1, (size-250)/len(line)) // 250: the header block
	return "\r\n" + strings.Repeat(line, n) + ".\r\n"
}

// generator is a running Load.
type generator struct {
	Load
	body string

	ids      atomic.Int64 // given out
	taken    atomic.Int64 // of the messages to send: answered or in hand
	accepted atomic.Int64
	refused  atomic.Int64
	broken   atomic.Int64
}

func (g *generator) worker(ctx context.Context) error {
	for ctx.Err() == nil {
		done, err := g.connection(ctx)
		if done || ctx.Err() != nil {
			return nil
		}
		if err != nil && !g.Patient {
			return err
		}
		g.broken.Add(1)
		pause(ctx, redial)
	}
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// connection sends messages on one connection until there are none, which is
// done, or the connection ends.
func (g *generator) connection(ctx context.Context) (done bool, err error) {
	c, err := dial(ctx, g.Address)
	if err != nil {
		return false, err
	}
	defer c.close()
	pending := "" // an id that was given out and not yet answered
	for {
		if pending == "" {
			if n := g.taken.Add(1); g.Messages > 0 && n > int64(g.Messages) {
				g.taken.Add(-1)
				c.quit()
				return true, nil
			}
			pending = fmt.Sprintf("%s-%d", g.Name, g.ids.Add(1))
		}
		if ctx.Err() != nil {
			return true, nil
		}
		r, err := c.send(g.From, g.To, pending, g.body)
		switch {
		case err != nil:
			// What became of it nobody knows: the id is never used again, and
			// another message makes up for it.
			g.taken.Add(-1)
			return false, err
		case r.Code == 250:
			g.accepted.Add(1)
			if g.Accepted != nil {
				g.Accepted(pending)
			}
			pending = ""
		default:
			g.refused.Add(1)
			if g.Refused != nil {
				g.Refused(r)
			}
			if !g.Patient {
				return false, fmt.Errorf("message refused: %d %s", r.Code, r.Text)
			}
			if r.Code == 421 { // the server closes. RFC 5321 §3.8
				g.taken.Add(-1)
				return false, nil
			}
			pause(ctx, redial)
		}
	}
}

// client is one plain SMTP connection.
type client struct {
	conn       net.Conn
	stop       func() bool
	r          *bufio.Reader
	w          *bufio.Writer
	pipelining bool
}

func dial(ctx context.Context, address string) (*client, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 4<<10), w: bufio.NewWriterSize(conn, 32<<10)}
	c.stop = context.AfterFunc(ctx, func() { conn.Close() })
	if r, err := c.read(); err != nil || r.Code != 220 {
		c.close()
		return nil, fmt.Errorf("greeting: %d %s: %w", r.Code, r.Text, orNoSMTP(err))
	}
	r, err := c.ask("EHLO load.test\r\n")
	if err != nil || r.Code != 250 {
		c.close()
		return nil, fmt.Errorf("EHLO: %d %s: %w", r.Code, r.Text, orNoSMTP(err))
	}
	c.pipelining = strings.Contains("\n"+r.Text+"\n", "\nPIPELINING\n")
	return c, nil
}

func orNoSMTP(err error) error {
	if err == nil {
		return errNoSMTP
	}
	return err
}

func (c *client) close() {
	c.stop()
	c.conn.Close()
}

func (c *client) quit() { c.ask("QUIT\r\n") }

// send runs one mail transaction and returns the reply that decided it.
func (c *client) send(from, to, id, body string) (Reply, error) {
	commands := [3]string{"MAIL FROM:<" + from + ">\r\n", "RCPT TO:<" + to + ">\r\n", "DATA\r\n"}
	if c.pipelining { // RFC 2920 §3.1: DATA is the last of a group
		for _, s := range commands {
			c.w.WriteString(s)
		}
	}
	refused, data := Reply{}, 0
	for _, s := range commands {
		if !c.pipelining {
			if refused.Code != 0 {
				break
			}
			c.w.WriteString(s)
		}
		r, err := c.flushed()
		if err != nil {
			return r, err
		}
		data = r.Code
		if r.Code/100 > 3 && refused.Code == 0 {
			refused = r
		}
	}
	if refused.Code != 0 {
		if data == 354 { // a pipelined DATA that was let in without a recipient
			c.w.WriteString(".\r\n")
			if r, err := c.flushed(); err != nil {
				return r, err
			}
		}
		r, err := c.ask("RSET\r\n")
		if err != nil {
			return r, err
		}
		return refused, nil
	}
	fmt.Fprintf(c.w, "From: <%s>\r\nTo: <%s>\r\nSubject: traffic\r\nMessage-ID: <%s@load.test>\r\n"+
		"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n%s: %s\r\n", from, to, id, idField, id)
	c.w.WriteString(body)
	return c.flushed()
}

func (c *client) ask(command string) (Reply, error) {
	c.w.WriteString(command)
	return c.flushed()
}

// flushed writes what waits and reads one reply.
func (c *client) flushed() (Reply, error) {
	if c.w.Buffered() > 0 {
		c.conn.SetWriteDeadline(time.Now().Add(replyLimit))
		if err := c.w.Flush(); err != nil {
			return Reply{}, err
		}
	}
	return c.read()
}

// read reads one reply. RFC 5321 §4.2.1.
func (c *client) read() (Reply, error) {
	var r Reply
	for {
		if c.r.Buffered() == 0 {
			c.conn.SetReadDeadline(time.Now().Add(replyLimit))
		}
		line, err := c.r.ReadString('\n')
		if err != nil {
			return r, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return r, fmt.Errorf("%w: reply %q", errNoSMTP, line)
		}
		if _, err := fmt.Sscanf(line[:3], "%d", &r.Code); err != nil {
			return r, fmt.Errorf("%w: reply %q", errNoSMTP, line)
		}
		if r.Text != "" {
			r.Text += "\n"
		}
		if len(line) > 4 {
			r.Text += line[4:]
		}
		if len(line) == 3 || line[3] != '-' {
			return r, nil
		}
	}
}
