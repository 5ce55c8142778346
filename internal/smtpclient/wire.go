package smtpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// The bounds of a reply. RFC 5321 §4.5.3.1.5 gives a line 512 octets; servers
// that quote addresses and URLs in their refusals go past it.
const (
	maxReplyLine  = 4 << 10  // octets of one line with its line end; the size of the read buffer
	maxReplyLines = 128      // lines of one reply
	maxReplySize  = 32 << 10 // octets of one reply
)

// The failures of a connection that have a name here; others are those of package
// net.
var (
	ErrClosed  = errors.New("the server closed the connection")
	ErrGivenUp = errors.New("given up") // the caller's context ended
)

// GarbageError is something that is no SMTP reply where one is due. Line is what
// came, printable and cut; it tells an IMAP server from a web server.
type GarbageError struct {
	Line string
	Why  string // what is wrong with it
}

// Error returns what came and what is wrong with it.
func (e *GarbageError) Error() string { return fmt.Sprintf("%s: %q", e.Why, e.Line) }

// maxGarbage is what a GarbageError keeps, in octets.
const maxGarbage = 200

func garbage(why string, line []byte) error {
	return &GarbageError{Line: evidence.Clip(evidence.Printable(string(line)), maxGarbage), Why: why}
}

// longAgo is a deadline that ends every read and write.
var longAgo = time.Unix(1, 0)

// watch makes the end of ctx end reads and writes of the connection, until stop
// is called.
func (c *Client) watch(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	conn := c.raw
	return context.AfterFunc(ctx, func() { conn.SetDeadline(longAgo) })
}

// flush writes the queued commands within the time given.
func (c *Client) flush(ctx context.Context, wait time.Duration) error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(ctx, c.out, wait)
	c.out = c.out[:0]
	return err
}

// write writes p within the time given.
func (c *Client) write(ctx context.Context, p []byte, wait time.Duration) error {
	c.conn.SetWriteDeadline(time.Now().Add(wait))
	if ctx.Err() != nil {
		return givenUp(ctx) // after the deadline was set, lest it undid what watch has set
	}
	if _, err := c.conn.Write(p); err != nil {
		return orCause(ctx, err)
	}
	return nil
}

// orCause returns err, or ErrGivenUp with its reason where the end of ctx is why
// an operation failed.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return givenUp(ctx)
	}
	return err
}

func givenUp(ctx context.Context) error { return fmt.Errorf("%w: %w", ErrGivenUp, context.Cause(ctx)) }

// queue appends a command line to what the next flush writes, and records it.
func (c *Client) queue(line []byte) {
	c.record(fromClient, line)
	c.out = append(append(c.out, line...), '\r', '\n')
}

// queueSecret is queue for a line with credentials; shown is recorded instead.
func (c *Client) queueSecret(line, shown string) {
	c.record(fromClient, []byte(shown))
	c.out = append(append(c.out, line...), '\r', '\n')
}

func (c *Client) record(side byte, line []byte) { c.rec.line(time.Since(c.began), side, line) }

// readReply reads one reply, within the time given. Errors are ErrClosed with
// io.EOF, a *GarbageError, or those of the connection.
func (c *Client) readReply(ctx context.Context, wait time.Duration) (smtp.Reply, error) {
	var r smtp.Reply
	err := c.read(ctx, wait, &r, false)
	return r, err
}

// read reads one reply into r. With brief, the text of a positive reply of one
// line is not kept: nobody reads it, and most replies are of that kind.
func (c *Client) read(ctx context.Context, wait time.Duration, r *smtp.Reply, brief bool) error {
	if c.br.Buffered() == 0 {
		c.conn.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return givenUp(ctx)
		}
	}
	size := 0
	for n := 0; ; n++ {
		line, err := c.readLine(ctx)
		if err != nil {
			return err
		}
		if brief && n == 0 && positiveOneLiner(line) {
			r.Code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
			return nil
		}
		code, enhanced, text, last, err := smtp.ParseReplyLine(line)
		size += len(line)
		switch {
		case err != nil:
			return garbage("not an SMTP reply", line)
		case n > 0 && code != r.Code && !last:
			return garbage("a reply with two codes", line)
		case n == maxReplyLines, size > maxReplySize:
			return garbage("a reply without end", line)
		}
		r.Add(code, enhanced, text)
		if last {
			return nil
		}
	}
}

// positiveOneLiner reports whether line is a whole 2yz or 3yz reply.
func positiveOneLiner(line []byte) bool {
	return len(line) >= 4 && line[3] == ' ' && (line[0] == '2' || line[0] == '3') &&
		line[1] >= '0' && line[1] <= '9' && line[2] >= '0' && line[2] <= '9'
}

// readLine reads one line, records it and returns it without its line end; it is
// good until the next read. A lone LF ends a line too: some servers write it.
func (c *Client) readLine(ctx context.Context) ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	switch {
	case err == nil:
		line = bytes.TrimRight(line, "\r\n")
		c.record(fromServer, c.withoutSecret(line))
		return line, nil
	case len(line) > 0 && ctx.Err() == nil: // cut off, too long or unfinished: evidence all the same
		c.record(fromServer, c.withoutSecret(line))
		if len(line) == maxReplyLine {
			return nil, garbage("a line without end", line)
		}
		if err == io.EOF {
			return nil, garbage("the server closed the connection in the middle of a line", line)
		}
		return nil, fmt.Errorf("after %q: %w", evidence.Clip(evidence.Printable(string(line)), maxGarbage), err)
	case err == io.EOF:
		return nil, fmt.Errorf("%w: %w", ErrClosed, io.EOF)
	}
	return nil, orCause(ctx, err)
}

// withoutSecret returns line without the credentials that were just sent: servers
// that do not know a command repeat it.
func (c *Client) withoutSecret(line []byte) []byte {
	for _, s := range c.secrets {
		line = bytes.ReplaceAll(line, []byte(s), []byte("***"))
	}
	return line
}
