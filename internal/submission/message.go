package submission

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// prepare makes the message of a transaction: its envelope, its recipients, its
// header block. rest is what is to be stored as body: the header section as it
// came, without the fields that must go, and then the body unread.
func (s *Service) prepare(t *smtp.Transaction, body *bufio.Reader) (m *spool.Message, rest io.Reader, r *smtp.Reply) {
	now := s.o.Now()
	who, r := s.sender(t.Client)
	if r != nil {
		return nil, nil, r
	}
	h, rest, err := readHeader(body)
	switch {
	case errors.Is(err, errHeaderTooLarge):
		return nil, nil, policy.Header(policy.MaxHeader + 1)
	case err != nil:
		return nil, nil, &cannotStore // of body: the engine answers
	}
	if r := policy.Hops(h.count("received")); r != nil {
		return nil, nil, r
	}
	if r := policy.From(who, h.bodies("from")); r != nil {
		return nil, nil, r
	}
	if d, ok := s.deviceSender(t.Client); ok {
		if r := policy.From(d, h.bodies("from")); r != nil {
			return nil, nil, r
		}
	}
	m = &spool.Message{ID: s.o.NewID(), Envelope: spool.Envelope{
		From: t.From, Params: t.Params, Received: now, Account: t.Client.Account, Listener: t.Client.Listener, Peer: peer(t.Client.Addr), Device: t.Client.Device,
	}}
	if m.Recipients, r = s.recipients(t, now); r != nil {
		return nil, nil, r
	}
	replaceSender := h.fix(who, t.From)
	var b bytes.Buffer
	writeReceived(&b, t, m, s.o.Hostname)
	writeFixes(&b, h, fixes{id: m.ID, hostname: s.o.Hostname, now: now, sender: replaceSender, from: t.From})
	m.Header = b.Bytes()
	return m, io.MultiReader(bytes.NewReader(h.remaining()), rest), nil
}

// recipients resolves all recipients once more: routes and aliases may have
// changed since RCPT. Two names for one mailbox are one recipient.
func (s *Service) recipients(t *smtp.Transaction, now time.Time) ([]spool.Recipient, *smtp.Reply) {
	set, routes := s.settings.Load(), s.o.Routes()
	all := make([]spool.Recipient, 0, len(t.Recipients))
	seen := make(map[string]int, len(t.Recipients))
	for _, given := range t.Recipients {
		rcpt, r := s.resolve(t, given, set, routes)
		if r != nil {
			return nil, r
		}
		key := rcpt.Path.Local() + "@" + rcpt.Path.Domain()
		if i, ok := seen[key]; ok {
			all[i].Params.Notify = both(all[i].Params.Notify, rcpt.Params.Notify)
			continue
		}
		seen[key] = len(all)
		all = append(all, rcpt)
	}
	for i := range all {
		n := all[i].Params.Notify
		if set.WarnAfter > 0 && n.WantsDelay() && !t.From.IsNull() {
			all[i].WarnAt = now.Add(set.WarnAfter)
		}
		if set.ExpireAfter > 0 {
			all[i].ExpireAt = now.Add(set.ExpireAfter)
		}
	}
	return all, nil
}

// both returns what is notified when one recipient was given twice: whatever
// either asks for. Not given stands for failure and delay; NEVER only where both
// say so. RFC 3461 §4.1.
func both(a, b smtp.Notify) smtp.Notify {
	switch {
	case a == b:
		return a
	case a == 0:
		a = smtp.NotifyFailure | smtp.NotifyDelay
	case b == 0:
		b = smtp.NotifyFailure | smtp.NotifyDelay
	}
	return (a | b) &^ smtp.NotifyNever
}

func peer(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().Unmap().String()
}

// store puts the message into the spool.
func (s *Service) store(ctx context.Context, m *spool.Message, body io.Reader) *smtp.Reply {
	err := s.o.Store.Accept(ctx, m, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, spool.ErrFull):
		s.o.Log.Warn("no room in the spool", "queue_id", string(m.ID))
		return &spoolFull
	case errors.Is(err, spool.ErrBroken), errors.Is(err, spool.ErrClosed):
		s.o.Log.Error("spool is not in service", "queue_id", string(m.ID), "error", err.Error())
		return &spoolBroken
	}
	s.o.Log.Warn("message not stored", "queue_id", string(m.ID), "error", err.Error())
	return &cannotStore
}

// fixes are the facts that missing fields are made of.
type fixes struct {
	id       spool.QueueID
	hostname string
	now      time.Time
	sender   bool      // Sender is to be added
	from     smtp.Path // the reverse-path
}

// writeFixes writes the fields that the message lacks. RFC 6409 §8.
func writeFixes(b *bytes.Buffer, h *header, f fixes) {
	if h.count("message-id") == 0 { // §8.3; RFC 5322 §3.6.4
		b.WriteString("Message-ID: <" + string(f.id) + "@" + f.hostname + ">\r\n")
	}
	if h.count("date") == 0 { // §8.2
		b.WriteString("Date: " + f.now.UTC().Format(dateForm) + "\r\n")
	}
	if h.count("from") == 0 && !f.from.IsNull() {
		// RFC 6409 does not speak of it, but RFC 5322 §3.6 demands From, and servers
		// refuse a message without. Scripts and printers forget it; the
		// reverse-path is the one address of theirs that we know and have checked.
		b.WriteString("From: <" + string(f.from) + ">\r\n")
	}
	if f.sender { // §8.1
		b.WriteString("Sender: <" + string(f.from) + ">\r\n")
	}
}

// dateForm is RFC 5322 §3.3.
const dateForm = "Mon, 02 Jan 2006 15:04:05 -0700"

// fix marks the fields that must go and reports whether Sender is to be added.
//
// Bcc and Resent-Bcc would show to all what was meant to be hidden (RFC 5322
// §3.6.3). Return-Path is written by the last server and by nobody else (RFC 5321
// §4.4). Sender says who really submits: it is added when we know that and From
// does not say it, and replaced when it names an address that the account does not
// own (RFC 6409 §8.1).
func (h *header) fix(who policy.Sender, from smtp.Path) (addSender bool) {
	h.remove("bcc")
	h.remove("resent-bcc")
	h.remove("return-path")
	if who.Account == "" || from.IsNull() {
		return false // nobody logged in, or nobody to name
	}
	if h.count("sender") > 0 {
		for _, f := range h.bodies("sender") {
			addresses, ok := policy.Mailboxes(f)
			for _, a := range addresses {
				ok = ok && who.Owns(a)
			}
			if !ok {
				h.remove("sender")
				return true
			}
		}
		return false
	}
	if h.count("from") == 0 {
		return false // From will be the reverse-path
	}
	for _, f := range h.bodies("from") {
		addresses, _ := policy.Mailboxes(f)
		for _, a := range addresses {
			if strings.EqualFold(string(a), string(from)) {
				return false
			}
		}
	}
	return true
}
