package deliver

import (
	"bytes"
	"io"
	"sync"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// memory is what of a message is held in memory, in octets. Most messages fit and
// go from the spool to the wire in one copy.
const memory = 64 << 10

// spare is what is left free behind the content for the final dot.
const spare = 16

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, memory); return &b }}

// prepare returns the message for one transaction with the recipients at the
// positions given. release must be called when it was sent.
func (c *conversation) prepare(a *attempt, positions []int) (*smtpclient.Mail, func(), *evidence.Error) {
	msg := a.r.Message
	m := &smtpclient.Mail{From: msg.Envelope.From, Params: msg.Envelope.Params, Size: int64(len(msg.Header)) + msg.BodySize}
	rule := rewriting(c.route, msg)
	m.From = rule.ReversePath(m.From)
	m.Recipients = make([]smtp.Recipient, len(positions))
	for i, pos := range positions {
		m.Recipients[i] = smtp.Recipient{Path: msg.Recipients[pos].Path, Params: msg.Recipients[pos].Params}
	}
	body, err := a.r.Body()
	if err != nil {
		return nil, nil, unreadable(err)
	}
	header := msg.Header
	if rule.From {
		var grown int64
		if header, body, grown, err = rewritten(rule, msg, body); err != nil {
			return nil, nil, unreadable(err)
		}
		m.Size += grown
	}
	buf := buffers.Get().(*[]byte)
	b := append((*buf)[:0], header...)
	release := func() {
		body.Close()
		if cap(b) == memory {
			*buf = b[:0]
		}
		buffers.Put(buf)
	}
	for {
		if len(b) >= cap(b)-spare {
			m.Body = body
			break
		}
		n, err := body.Read(b[len(b) : cap(b)-spare])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			release()
			return nil, nil, unreadable(err)
		}
	}
	m.Head = b
	if !c.client.Extensions().EightBitMIME {
		if err := c.sevenBit(a, m); err != nil {
			release()
			return nil, nil, err
		}
	}
	return m, release, nil
}

// sevenBit converts a message for a server that does not offer 8BITMIME. It is
// held in memory whole for that, whatever its size: such servers are rare.
func (c *conversation) sevenBit(a *attempt, m *smtpclient.Mail) *evidence.Error {
	whole := m.Head
	if m.Body != nil {
		rest, err := io.ReadAll(m.Body)
		if err != nil {
			return unreadable(err)
		}
		whole = append(bytes.Clone(m.Head), rest...)
	}
	converted, note := downgrade(whole)
	if note != "" {
		a.notes = append(a.notes, note)
	}
	m.Head, m.Body, m.Size = converted, nil, int64(len(converted))
	if note == "" {
		m.Params.Body = "" // it is 7-bit now
	}
	return nil
}

// unreadable is a message that the spool does not give. It is our fault and
// passes or is mended; the message waits.
func unreadable(err error) *evidence.Error {
	return &evidence.Error{Reply: smtp.NewReply(451, 3, 0, "the message could not be read here"), Origin: evidence.OriginLocal,
		Stage: evidence.StageData, Scope: evidence.ScopeMessage, Err: err}
}
