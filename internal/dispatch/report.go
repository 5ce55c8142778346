package dispatch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/dsn"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// maxHeader bounds what is read of the original's header section, in octets.
const maxHeader = 64 << 10

// reports returns the notifications that a settlement asks for. A notification
// that can go nowhere makes its recipient a dead letter instead of a failed one.
func (d *Dispatcher) reports(ctx context.Context, s *settlement) ([]spool.Report, error) {
	var due []dsn.Recipient
	for i := range s.outcomes {
		if action := d.notifies(s, i); action != "" {
			due = append(due, d.reported(s, i, action))
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	to := s.message.Envelope.From
	if to.IsNull() {
		// Never a bounce of a bounce. RFC 3461 §6.2, RFC 5321 §6.1.
		if to = d.o.Postmaster; to.IsNull() || toPostmaster(s.message, to) {
			return nil, d.bury(s)
		}
	}
	r, err := d.report(ctx, s, to, due)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, d.bury(s)
	}
	return []spool.Report{*r}, nil
}

// notifies returns the action to report of an outcome, "" for none. RFC 3461
// §5.2.
func (d *Dispatcher) notifies(s *settlement, i int) dsn.Action {
	o, v := &s.outcomes[i], &s.verdicts[i]
	n := v.recipient.Params.Notify
	switch o.State {
	case spool.StateFailed, spool.StateExpired:
		// A notification goes out with NOTIFY=NEVER, RFC 3461 §6.2, which is meant for
		// the next servers: here it must not vanish.
		if n.WantsFailure() || s.message.Envelope.From.IsNull() {
			return dsn.Failed
		}
	case spool.StateDelivered:
		switch {
		case s.message.Envelope.From.IsNull():
		case n.WantsSuccess() && v.final:
			return dsn.Delivered
		case n.WantsSuccess() && v.relayed:
			return dsn.Relayed
		}
	case spool.StateQueued:
		if v.recipient.WarnAt.IsZero() || !o.WarnAt.IsZero() || s.message.Envelope.From.IsNull() {
			return ""
		}
		if n.WantsDelay() {
			return dsn.Delayed
		}
	}
	return ""
}

// reported returns what the notification says of one recipient.
func (d *Dispatcher) reported(s *settlement, i int, action dsn.Action) dsn.Recipient {
	o, v := &s.outcomes[i], &s.verdicts[i]
	x := &v.recipient
	r := dsn.Recipient{Original: x.Params.OriginalRecipient, Final: string(x.Path), Action: action}
	last := v.attempt
	if last == nil {
		last = x.Last
	}
	switch action {
	case dsn.Delivered, dsn.Relayed:
		r.Status = smtp.EnhancedCode{Class: 2, Subject: 0, Detail: 0}
		r.LastAttempt = time.Now()
		return r
	case dsn.Delayed:
		r.Status = smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 7}
		r.WillRetryUntil = o.ExpireAt
	default:
		r.Status = smtp.EnhancedCode{Class: 5, Subject: 0, Detail: 0}
		if o.State == spool.StateExpired {
			r.Status = smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 7} // delivery time expired; RFC 3463 §3.5
		}
	}
	f := v.finding
	if last != nil {
		r.LastAttempt, r.RemoteMTA, r.Diagnostic = last.At, last.Host, last.Reply
		if reply, err := smtp.ParseReply(last.Reply); err == nil && !reply.Enhanced.IsZero() && reply.Enhanced.Class == r.Status.Class && o.State == spool.StateFailed {
			r.Status = reply.Enhanced
		}
		if f.Cause == "" {
			f = explainAttempt(last, s.message, x)
		}
	}
	r.CauseID, r.Title, r.Why, r.Do, r.Who = string(f.Cause), f.Title, f.Why, f.Do, string(f.Actor)
	return r
}

// report composes the notification to to; nil when no route takes it.
func (d *Dispatcher) report(ctx context.Context, s *settlement, to smtp.Path, due []dsn.Recipient) (*spool.Report, error) {
	table := d.o.Routes()
	now := time.Now()
	m := &spool.Message{ID: spool.NewQueueID(), Envelope: spool.Envelope{From: smtp.NullPath, Received: now}}
	x := spool.Recipient{Path: to, State: spool.StateQueued, ExpireAt: now.Add(d.o.ExpireAfter), Params: smtp.RcptParams{Notify: smtp.NotifyNever}}
	x.Destination = d.destination(table, m, &x)
	if x.Destination == "" {
		return nil, nil
	}
	m.Recipients = []spool.Recipient{x}
	e := &s.message.Envelope
	body, err := d.o.Store.Body(ctx, s.message.ID)
	switch {
	case errors.Is(err, spool.ErrClosed) || errors.Is(err, spool.ErrBroken):
		return nil, err
	case err != nil:
		// The sender is told all the same, with what there is of the message.
		d.log.Error("body of a message that is to be returned", "queue_id", string(s.message.ID), "error", err)
		body = io.NopCloser(strings.NewReader(""))
	}
	defer body.Close()
	content := bufio.NewReaderSize(body, maxHeader)
	header := append(bytes.Clone(s.message.Header), headerSection(content)...)
	b, err := dsn.Compose(&dsn.Report{
		ReportingMTA: d.o.Hostname,
		EnvelopeID:   e.Params.EnvelopeID,
		Arrival:      e.Received,
		From:         smtp.Path("MAILER-DAEMON@" + d.o.Hostname),
		To:           to,
		MessageID:    string(m.ID) + "@" + d.o.Hostname,
		Date:         now,
		QueueID:      string(s.message.ID),
		Recipients:   due,
		Header:       header,
		Body:         content,
		BodySize:     s.message.BodySize,
		ReturnFull:   e.Params.Return == smtp.ReturnFull,
		UTF8:         e.Params.SMTPUTF8,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range b {
		if c >= 0x80 {
			m.Envelope.Params.Body = smtp.Body8BitMIME
			break
		}
	}
	m.Envelope.Params.SMTPUTF8 = e.Params.SMTPUTF8 && !to.IsASCII()
	return &spool.Report{Message: m, Body: b}, nil
}

// headerSection reads the header section of a body, up to maxHeader octets, and
// leaves what follows the empty line.
func headerSection(r *bufio.Reader) []byte {
	var h []byte
	for len(h) < maxHeader {
		line, err := r.ReadSlice('\n')
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return h
		}
		h = append(h, line...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return h
		}
	}
	return h
}

// toPostmaster reports whether m is a notification that went to the postmaster
// already.
func toPostmaster(m *spool.Message, postmaster smtp.Path) bool {
	for i := range m.Recipients {
		if m.Recipients[i].Path == postmaster {
			return true
		}
	}
	return false
}

// bury keeps notifications that nobody can be given as dead letters.
func (d *Dispatcher) bury(s *settlement) error {
	for i := range s.outcomes {
		if st := s.outcomes[i].State; st == spool.StateFailed || st == spool.StateExpired {
			s.outcomes[i].State, s.outcomes[i].WarnAt, s.outcomes[i].ExpireAt = spool.StateDead, time.Time{}, time.Time{}
		}
	}
	return nil
}

// explainAttempt explains what the spool kept of an attempt.
func explainAttempt(a *spool.Attempt, m *spool.Message, x *spool.Recipient) explain.Finding {
	return explain.Known(a.Cause, explain.Facts{Stage: a.Stage, Host: a.Host, Sender: string(m.Envelope.From), Recipient: string(x.Path), FromServer: true},
		firstOf(a.Reply, a.Detail))
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
