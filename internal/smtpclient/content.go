package smtpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// blockSize is the size of the writes of a message that does not fit into one, in
// octets: the content of four TLS records.
const blockSize = 64 << 10

var blocks = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, blockSize) }}

// content sends the message after 354 and reads the reply to the final dot. Up to
// the last write nothing has been accepted; stop ends the watch over ctx before
// it, as from then on the reply must be awaited. RFC 5321 §4.1.1.4.
func (t *transaction) content(ctx context.Context, stop func() bool) *evidence.Error {
	c := t.c
	began := time.Now()
	n, err := t.write(ctx, stop)
	c.record(fromClient, strconv.AppendInt([]byte("(content, octets: "), n, 10))
	c.step(evidence.StageData, began)
	if err != nil {
		return t.cutOff(ctx, err)
	}
	c.record(fromClient, []byte("."))
	began = time.Now()
	r, err := c.readReply(context.WithoutCancel(ctx), c.o.Timeouts.DataDot)
	c.step(evidence.StagePostData, began)
	switch {
	case err != nil:
		return c.network(evidence.StagePostData, evidence.ScopeConnection, err)
	case r.Code/100 == 2:
		t.a.Reply = r
		return nil
	case r.Positive(): // neither accepted nor refused; what comes next cannot be understood
		return c.network(evidence.StagePostData, evidence.ScopeConnection, fmt.Errorf("the reply to the message was %d", r.Code))
	}
	t.a.Reply = r
	return c.refused(evidence.StagePostData, scopeOf(r, evidence.ScopeMessage), r)
}

// errReadContent is a Mail.Body that failed.
var errReadContent = errors.New("the content could not be read")

// cutOff returns the failure of content that was not sent to its end. It was not
// accepted: the final dot is the last octet of the last write, and a write that
// fails has not written its last octet.
func (t *transaction) cutOff(ctx context.Context, err error) *evidence.Error {
	c := t.c
	switch {
	case errors.Is(err, errReadContent):
		c.abort() // without the dot: a message cut short must not be taken for a whole one
		return c.local(evidence.StageData, evidence.ScopeMessage, smtp.NewReply(451, 3, 0, "the message could not be read here"), err)
	case errors.Is(err, ErrGivenUp):
		return c.network(evidence.StageData, evidence.ScopeConnection, err)
	}
	// Some servers answer in the middle of the content, and hang up.
	if t.parting(ctx) {
		if r, rerr := c.readReply(ctx, c.o.Timeouts.Leaving); rerr == nil && !r.Positive() {
			c.abort()
			return c.refused(evidence.StageData, scopeOf(r, evidence.ScopeMessage), r)
		}
	}
	return c.network(evidence.StageData, evidence.ScopeConnection, err)
}

var (
	stuffed  = []byte("\n.")
	finalDot = []byte("\r\n.\r\n")
)

// write sends the content and the final dot and returns how many octets the
// content has. A message in memory that needs no dots goes out in one write.
func (t *transaction) write(ctx context.Context, stop func() bool) (int64, error) {
	c, m := t.c, t.m
	head := m.Head
	if m.Body == nil && (len(head) == 0 || head[0] != '.') && !bytes.Contains(head, stuffed) {
		end := finalDot
		if len(head) == 0 || bytes.HasSuffix(head, finalDot[:2]) {
			end = finalDot[2:]
		}
		if !stop() && ctx.Err() != nil {
			return 0, givenUp(ctx)
		}
		out := append(head, end...)
		return int64(len(head)), c.write(context.WithoutCancel(ctx), out, blockWait(len(out), c.o.Timeouts.DataBlock))
	}
	b := blocks.Get().(*bufio.Writer)
	defer blocks.Put(b)
	defer b.Reset(nil)
	until := ctx // while the content is sent
	b.Reset(writerFunc(func(p []byte) (int, error) {
		if err := c.write(until, p, blockWait(len(p), c.o.Timeouts.DataBlock)); err != nil {
			return 0, err
		}
		return len(p), nil
	}))
	dots := smtp.NewDotWriter(b)
	if _, err := dots.Write(head); err != nil {
		return 0, err
	}
	n := int64(len(head))
	if m.Body != nil {
		var chunk [8 << 10]byte
		for {
			k, err := m.Body.Read(chunk[:])
			n += int64(k)
			if _, werr := dots.Write(chunk[:k]); werr != nil {
				return n, werr
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return n, fmt.Errorf("%w: %w", errReadContent, err)
			}
		}
	}
	if b.Available() < len(finalDot) { // so that the dot is in the write that stop comes before
		if err := b.Flush(); err != nil {
			return n, err
		}
	}
	if !stop() && ctx.Err() != nil {
		return n, givenUp(ctx)
	}
	until = context.WithoutCancel(ctx)
	if err := dots.Close(); err != nil {
		return n, err
	}
	return n, b.Flush()
}

// blockWait gives a large write the time of all its blocks: RFC 5321 §4.5.3.2.5
// is about one.
func blockWait(octets int, block time.Duration) time.Duration {
	return block * time.Duration(1+octets/blockSize)
}

// writerFunc is an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// loneDot ends a transaction whose DATA was answered 354 although nobody was
// accepted: nothing is sent, and nothing counts as delivered whatever the reply.
// RFC 2920 §3.1.
func (t *transaction) loneDot(ctx context.Context) {
	c := t.c
	c.queue([]byte("."))
	if err := c.flush(ctx, c.o.Timeouts.Command); err != nil {
		c.abort()
		return
	}
	if _, err := c.readReply(ctx, c.o.Timeouts.DataDot); err != nil {
		c.abort()
	}
}
