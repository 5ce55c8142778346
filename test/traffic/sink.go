package traffic

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"time"
)

// SinkOptions say what a Sink offers and keeps.
type SinkOptions struct {
	Address      string              // host:port to listen on; "" a free port of 127.0.0.1
	Keep         bool                // keep whole messages, for Messages
	NoPipelining bool                // do not offer PIPELINING
	No8BitMIME   bool                // do not offer 8BITMIME
	Refuse       func(to string) int // a reply code for RCPT TO:<to>; 0 or a nil func: 250
}

// Message is one message as a Sink was given it.
type Message struct {
	ID   string // of X-Traffic-ID, "" without that field
	Mail string // what stood after "MAIL FROM:", the parameters too
	To   []string
	EHLO string
	Data []byte // without dot-stuffing; nil unless the sink keeps messages
}

// Sink is an SMTP server that takes every message and counts it.
type Sink struct {
	o        SinkOptions
	listener net.Listener
	wait     sync.WaitGroup // the accept loop and every session

	mu       sync.Mutex // guards the fields below
	changed  chan struct{}
	messages int
	kept     []Message
	seen     map[string]int // times each id was given
	conns    map[net.Conn]struct{}
	dialled  int
}

// NewSink opens a sink that takes mail until Close.
func NewSink(o SinkOptions) (*Sink, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("open the sink: %w", err)
	}
	s := &Sink{o: o, listener: l, changed: make(chan struct{}), seen: map[string]int{}, conns: map[net.Conn]struct{}{}}
	s.wait.Go(s.accept)
	return s, nil
}

// Addr returns the host and port that the sink listens on.
func (s *Sink) Addr() string { return s.listener.Addr().String() }

// Close ends all connections and returns when the sink's goroutines have ended.
func (s *Sink) Close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wait.Wait()
}

// Count returns how many messages were taken, duplicates too.
func (s *Sink) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

// Connections returns how many connections were ever made.
func (s *Sink) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialled
}

// Seen returns how often each id was given. The map is the caller's.
func (s *Sink) Seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen)
}

// Messages returns the messages kept so far, in the order of their arrival.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.kept...)
}

// Wait returns when done is true of the sink, or with ctx's error. done is called
// whenever a message was taken.
func (s *Sink) Wait(ctx context.Context, done func(*Sink) bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done(s) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitCount returns when at least n messages were taken, or with ctx's error.
func (s *Sink) WaitCount(ctx context.Context, n int) error {
	return s.Wait(ctx, func(s *Sink) bool { return s.Count() >= n })
}

func (s *Sink) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		open := s.conns != nil
		if open {
			s.conns[c] = struct{}{}
			s.dialled++
		}
		s.mu.Unlock()
		if !open {
			c.Close()
			return
		}
		s.wait.Go(func() {
			defer s.forget(c)
			(&session{sink: s, conn: c, r: bufio.NewReaderSize(c, 64<<10), w: bufio.NewWriterSize(c, 4<<10)}).run()
		})
	}
}

func (s *Sink) forget(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// take counts m before its sender is answered.
func (s *Sink) take(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	if m.ID != "" {
		s.seen[m.ID]++
	}
	if s.o.Keep {
		s.kept = append(s.kept, m)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// idle bounds how long a sink waits for a peer that says nothing.
const idle = 5 * time.Minute // RFC 5321 §4.5.3.2.7

// session is one connection to a sink.
type session struct {
	sink *Sink
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	m    Message
	data []byte
}

var errNoSMTP = errors.New("not SMTP")

func (c *session) run() {
	c.w.WriteString("220 sink.test ESMTP\r\n")
	for {
		if c.r.Buffered() == 0 && c.w.Flush() != nil { // one write answers a pipelined batch
			return
		}
		c.conn.SetDeadline(time.Now().Add(idle))
		line, err := c.r.ReadSlice('\n')
		if err != nil || !c.command(string(bytes.TrimRight(line, "\r\n"))) {
			c.w.Flush()
			return
		}
	}
}

// command answers one command and reports whether another may follow.
func (c *session) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "LHLO":
		c.m = Message{EHLO: arg}
		c.w.WriteString("250-sink.test\r\n")
		if !c.sink.o.NoPipelining {
			c.w.WriteString("250-PIPELINING\r\n")
		}
		if !c.sink.o.No8BitMIME {
			c.w.WriteString("250-8BITMIME\r\n")
		}
		c.w.WriteString("250 ENHANCEDSTATUSCODES\r\n")
	case "HELO":
		c.m = Message{EHLO: arg}
		c.w.WriteString("250 sink.test\r\n")
	case "MAIL":
		c.m = Message{EHLO: c.m.EHLO, Mail: trimKeyword(arg, "FROM:")}
		c.w.WriteString("250 2.1.0 ok\r\n")
	case "RCPT":
		c.rcpt(trimKeyword(arg, "TO:"))
	case "DATA":
		if len(c.m.To) == 0 {
			c.w.WriteString("554 5.5.1 no valid recipients\r\n")
			return true
		}
		c.w.WriteString("354 go on\r\n")
		if c.w.Flush() != nil || c.readData() != nil {
			return false
		}
		c.sink.take(c.m)
		c.m = Message{EHLO: c.m.EHLO}
		c.w.WriteString("250 2.0.0 taken\r\n")
	case "RSET":
		c.m = Message{EHLO: c.m.EHLO}
		c.w.WriteString("250 2.0.0 ok\r\n")
	case "NOOP":
		c.w.WriteString("250 2.0.0 ok\r\n")
	case "QUIT":
		c.w.WriteString("221 2.0.0 bye\r\n")
		return false
	default:
		c.w.WriteString("502 5.5.1 not here\r\n")
	}
	return true
}

func (c *session) rcpt(to string) {
	to, _, _ = strings.Cut(to, " ")
	to = strings.Trim(to, "<>")
	code := 0
	if c.sink.o.Refuse != nil {
		code = c.sink.o.Refuse(to)
	}
	if code != 0 {
		fmt.Fprintf(c.w, "%d %d.7.0 refused by the test\r\n", code, code/100)
		return
	}
	c.m.To = append(c.m.To, to)
	c.w.WriteString("250 2.1.5 ok\r\n")
}

func trimKeyword(arg, keyword string) string {
	if len(arg) >= len(keyword) && strings.EqualFold(arg[:len(keyword)], keyword) {
		return strings.TrimSpace(arg[len(keyword):])
	}
	return arg
}

// readData reads to the final dot. RFC 5321 §4.5.2.
func (c *session) readData() error {
	c.data = c.data[:0]
	inHeader := true
	for start := true; ; {
		line, err := c.r.ReadSlice('\n')
		whole := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if start && whole {
			if string(line) == ".\r\n" {
				break
			}
			if inHeader {
				if v, ok := bytes.CutPrefix(line, []byte(idField+": ")); ok {
					c.m.ID = string(bytes.TrimSpace(v))
				}
				inHeader = string(line) != "\r\n"
			}
		}
		if start && line[0] == '.' {
			line = line[1:]
		}
		if c.sink.o.Keep {
			c.data = append(c.data, line...)
		}
		start = whole
	}
	if c.sink.o.Keep {
		c.m.Data = bytes.Clone(c.data)
	}
	return nil
}
