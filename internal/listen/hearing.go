package listen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/clienthello"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// hearing is one session in progress. Owned by its goroutine.
type hearing struct {
	server *Server
	raw    net.Conn
	conn   net.Conn // raw, or TLS over it
	r      *bufio.Reader
	until  time.Time
	s      *Session
	mail   bool // MAIL was taken
}

// noEnhanced leaves the enhanced status code out; RFC 2034 §4.
const noEnhanced = -1

// run hears the client out.
func (h *hearing) run(ctx context.Context) {
	h.raw.SetReadDeadline(time.Now().Add(h.server.o.Wait))
	first, err := h.r.Peek(1)
	switch {
	case err == nil && clienthello.IsHandshake(first):
		h.s.Implicit = true
		if !h.handshake(ctx) {
			return
		}
	case err == nil && first[0]&0x80 != 0:
		h.s.Protocol = "SSL 2"
		h.s.Ended = "not answered: it speaks SSL 2"
		return
	case err == nil:
		h.s.Early = true
	case !errors.Is(err, os.ErrDeadlineExceeded):
		h.ended(err, "before anything was said")
		return
	}
	h.reply(smtp.NewReply(220, noEnhanced, 0, h.server.o.Hostname+" ESMTP: nothing is sent on"))
	for n := 0; ; n++ {
		line, err := h.line()
		if err != nil {
			h.ended(err, "while it was to give a command")
			return
		}
		if n >= maxCommands {
			h.reply(smtp.NewReply(421, 7, 0, "that is enough"))
			h.s.Ended = "closed here after too many commands"
			return
		}
		if !h.command(ctx, line) {
			return
		}
	}
}

// handshake puts TLS on. It reports false where the session ends with it.
func (h *hearing) handshake(ctx context.Context) bool {
	h.raw.SetDeadline(h.deadline())
	h.s.Hello = clienthello.Peek(h.r)
	c := tls.Server(&peeked{h.raw, h.r}, h.server.tls)
	if err := c.HandshakeContext(ctx); err != nil {
		h.s.TLSError = evidence.Clip(evidence.Printable(err.Error()), 300)
		h.s.Ended = "broke off in the TLS handshake"
		return false
	}
	h.s.TLS = tls.VersionName(c.ConnectionState().Version)
	h.conn, h.r = c, bufio.NewReaderSize(c, maxLine)
	h.note("S", "(TLS is on: "+h.s.TLS+")")
	return true
}

// peeked is a connection of which some octets were read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

func (h *hearing) deadline() time.Time {
	if t := time.Now().Add(idleTimeout); t.Before(h.until) {
		return t
	}
	return h.until
}

// line reads one line of the client without its end. A longer one is cut.
func (h *hearing) line() ([]byte, error) {
	h.raw.SetDeadline(h.deadline())
	b, err := h.r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = h.r.ReadSlice('\n')
	}
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	if !bytes.HasSuffix(b, []byte("\r")) {
		h.s.BareLF = true
	}
	return bytes.Clone(bytes.TrimSuffix(b, []byte("\r"))), nil
}

// note keeps a line of the dialogue.
func (h *hearing) note(from, text string) {
	l := Line{from, evidence.Clip(evidence.Printable(text), 300)}
	if len(h.s.Dialogue) < maxDialogue {
		h.s.Dialogue = append(h.s.Dialogue, l)
	}
	if h.server.o.Line != nil {
		h.server.o.Line(h.s.Peer, l)
	}
}

func (h *hearing) reply(r smtp.Reply) {
	b := r.Append(nil)
	for line := range bytes.Lines(b) {
		h.note("S", strings.TrimRight(string(line), "\r\n"))
	}
	h.raw.SetDeadline(h.deadline())
	_, _ = h.conn.Write(b) // the next read tells
}

// ended notes how the session ended.
func (h *hearing) ended(err error, where string) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		h.s.Ended = "nothing came any more " + where
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		h.s.Ended = "closed by the client " + where
	default:
		h.s.Ended = "broke off " + where + ": " + evidence.Clip(evidence.Printable(err.Error()), 200)
	}
}

// command takes one command. It reports false where the session ends with it.
func (h *hearing) command(ctx context.Context, line []byte) bool {
	verb, arg := smtp.SplitCommand(line)
	if verb != "AUTH" {
		h.note("C", string(line))
	}
	switch verb {
	case "EHLO":
		h.s.Verb, h.s.Name = verb, evidence.Printable(arg)
		h.reply(smtp.NewReply(250, noEnhanced, 0, h.extensions()...))
	case "HELO":
		h.s.Verb, h.s.Name = verb, evidence.Printable(arg)
		h.reply(smtp.NewReply(250, noEnhanced, 0, h.server.o.Hostname))
	case "STARTTLS":
		if h.s.TLS != "" {
			h.reply(smtp.NewReply(503, 5, 1, "TLS is on already"))
			return true
		}
		h.reply(smtp.NewReply(220, 0, 0, "go ahead"))
		return h.handshake(ctx)
	case "AUTH":
		return h.auth(arg)
	case "MAIL":
		h.s.From, h.mail = address(arg, "FROM", smtp.ParseMail), true
		h.s.Body8 = strings.Contains(strings.ToUpper(arg), "BODY=8BITMIME")
		h.reply(smtp.NewReply(250, 1, 0, "ok"))
	case "RCPT":
		if len(h.s.To) < 100 {
			h.s.To = append(h.s.To, *address(arg, "TO", smtp.ParseRcpt))
		}
		h.reply(smtp.NewReply(250, 1, 5, "ok"))
	case "DATA":
		return h.data()
	case "RSET", "NOOP", "VRFY", "HELP":
		h.reply(smtp.NewReply(250, 0, 0, "ok"))
	case "QUIT":
		h.reply(smtp.NewReply(221, 0, 0, "bye"))
		h.s.Ended = "QUIT"
		return false
	case "GET", "POST", "HEAD", "OPTIONS", "CONNECT", "PUT":
		h.s.Protocol, h.s.Ended = "HTTP", "closed here: it speaks HTTP"
		return false
	default:
		if len(h.s.Unknown) < 20 {
			h.s.Unknown = append(h.s.Unknown, evidence.Clip(evidence.Printable(string(line)), 100))
		}
		h.reply(smtp.NewReply(500, 5, 1, "no such command"))
	}
	return true
}

func (h *hearing) extensions() []string {
	lines := []string{h.server.o.Hostname, "PIPELINING", "SIZE 0", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"}
	if h.s.TLS == "" {
		lines = append(lines, "STARTTLS")
	}
	// Offered in the clear too: whether a client would give its password away is
	// one of the questions.
	return append(lines, "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER NTLM", "HELP")
}

// address reads the argument of MAIL or RCPT as it should be, and else as it is.
func address[P any](arg, keyword string, parse func(string, bool) (smtp.Path, P, error)) *Address {
	a := &Address{Raw: evidence.Clip(evidence.Printable(arg), 300)}
	path, _, err := parse(arg, true)
	if err == nil {
		a.Path = string(path)
		if rest, ok := cutKeyword(arg, keyword); ok && strings.HasPrefix(rest, " ") {
			a.Fault = "there is a blank between the colon and the address"
		}
		return a
	}
	a.Fault = err.Error()
	var refused *smtp.CommandError
	if errors.As(err, &refused) {
		a.Fault = refused.Reply.Text()
	}
	rest, _ := cutKeyword(arg, keyword)
	a.Path = evidence.Clip(evidence.Printable(strings.Trim(strings.TrimSpace(rest), "<>")), 300)
	return a
}

func cutKeyword(arg, keyword string) (rest string, ok bool) {
	n := len(keyword) + 1
	if len(arg) < n || !strings.EqualFold(arg[:n], keyword+":") {
		return arg, false
	}
	return arg[n:], true
}

// data takes a message and keeps what is to be seen of it.
func (h *hearing) data() bool {
	if !h.mail || len(h.s.To) == 0 {
		h.reply(smtp.NewReply(503, 5, 1, "MAIL and RCPT first"))
		return true
	}
	h.reply(smtp.NewReply(354, noEnhanced, 0, "go ahead; nothing of it is kept"))
	w := newWatcher()
	for {
		h.raw.SetDeadline(h.deadline())
		b, err := h.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			h.s.Content = w.content()
			h.ended(err, fmt.Sprintf("in the message, after %d octets, without the final dot", w.c.Octets))
			return false
		}
		if w.atLineStart && (string(b) == ".\r\n" || string(b) == ".\n") {
			break
		}
		if w.add(b); w.c.Octets > maxContent {
			h.s.Content, h.s.Ended = w.content(), "closed here: the message is too large for this look at it"
			return false
		}
	}
	h.s.Content = w.content()
	h.s.Mails++
	h.note("C", fmt.Sprintf("(the message, %d octets)", w.c.Octets))
	h.reply(smtp.NewReply(250, 0, 0, "seen; it was not sent on and not kept"))
	h.mail = false
	return true
}
