package submission

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// Accounts is what a Service asks of the accounts; *auth.Accounts has it.
type Accounts interface {
	// Login checks a login from an address: nil error, auth.ErrInvalid,
	// auth.ErrBusy, *auth.SlowDown, or another error when it cannot be checked.
	Login(ctx context.Context, from netip.Addr, user, password string) (*auth.Account, error)
	// Exchange begins a login by another mechanism; nil when it is not known.
	Exchange(mechanism string, p auth.Peer) auth.Exchange
	// Lookup returns the account of this name, nil when there is none any more.
	Lookup(name string) (*auth.Account, error)
}

// Options are what a Service is made of.
type Options struct {
	Hostname string               // in Received, and in the Message-ID it adds
	Store    spool.Store          //
	Routes   func() *route.Table  // the present routes; asked for each recipient
	Accounts Accounts             // nil: nobody can log in
	Settings Settings             // the first ones; SetSettings replaces them
	Log      *slog.Logger         // nil: none
	Now      func() time.Time     // nil: time.Now
	NewID    func() spool.QueueID // nil: spool.NewQueueID
	Hooks    Hooks
}

// Settings are what a reload may change. Immutable once given.
type Settings struct {
	Senders      map[string][]string  // by Listener of the client: what relay and device peers may send as; empty: anything
	Devices      map[string][]string  // every device, by Device of the client: what it may send as, within what its account may; empty: what its listener or account may
	Aliases      map[string]smtp.Path // by local name in lower case: where mail for it goes
	AliasDefault smtp.Path            // where mail for other local names goes; "" refuses it
	WarnAfter    time.Duration        // when the sender is told of a delay; 0: never
	ExpireAfter  time.Duration        // when a message is given up; 0: never
}

// Hooks are told of events, without a lock held. Each may be nil and must return
// at once.
type Hooks struct {
	Accepted     func(recipients int, size int64)
	Refused      func(r smtp.Reply)  // a MAIL, RCPT or message was refused
	LoginRefused func(reason string) // "credentials", "malformed", "slow-down", "busy", "error"
}

// Service takes mail transactions from the server engine and puts messages into
// the spool. It is called by one session at a time each, by many sessions at once.
type Service struct {
	o        Options // immutable after New
	settings atomic.Pointer[Settings]
}

// New returns a Service. Store and Routes are required.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = spool.NewQueueID
	}
	s := &Service{o: o}
	s.SetSettings(o.Settings)
	return s
}

// SetSettings replaces the settings. Transactions in hand go on with the old ones
// or the new ones.
func (s *Service) SetSettings(n Settings) { s.settings.Store(&n) }

// Mail decides about the reverse-path of a transaction. RFC 6409 §6.1.
func (s *Service) Mail(_ context.Context, t *smtp.Transaction) *smtp.Reply {
	who, r := s.sender(t.Client)
	if r == nil {
		r = policy.ReversePath(who, t.From)
	}
	if d, ok := s.deviceSender(t.Client); ok && r == nil {
		r = policy.ReversePath(d, t.From)
	}
	if r != nil {
		s.refused(t, "mail", r)
	}
	return r
}

// sender returns who submits. An account that has been removed since it logged in
// may not send. A device that has been removed since it came is no device any more,
// and what it is instead is found out when it comes again.
func (s *Service) sender(c *smtp.Client) (policy.Sender, *smtp.Reply) {
	if _, known := s.settings.Load().Devices[c.Device]; !known && c.Device != "" {
		return policy.Sender{}, &deviceGone
	}
	if c.Account == "" {
		if d, ok := s.deviceSender(c); ok {
			return d, nil // it is known better than by its listener
		}
		return policy.Sender{Patterns: s.settings.Load().Senders[c.Listener]}, nil
	}
	if s.o.Accounts == nil {
		return policy.Sender{}, &accountGone
	}
	a, err := s.o.Accounts.Lookup(c.Account)
	switch {
	case err != nil:
		s.o.Log.Error("accounts cannot be read", "session", c.SessionID, "error", err.Error())
		return policy.Sender{}, &accountsUnreadable
	case a == nil:
		return policy.Sender{}, &accountGone
	}
	return policy.Sender{Account: a.Name, Patterns: a.Addresses}, nil
}

// deviceSender returns what a device of its own senders may send as; ok is false
// for others.
func (s *Service) deviceSender(c *smtp.Client) (d policy.Sender, ok bool) {
	if c.Device == "" {
		return d, false
	}
	patterns := s.settings.Load().Devices[c.Device]
	return policy.Sender{Account: c.Account, Patterns: patterns}, len(patterns) > 0
}

// Rcpt decides about one recipient.
func (s *Service) Rcpt(_ context.Context, t *smtp.Transaction, rcpt smtp.Recipient) *smtp.Reply {
	_, r := s.resolve(t, rcpt, s.settings.Load(), s.o.Routes())
	if r != nil {
		s.refused(t, "rcpt", r, "rcpt", string(rcpt.Path))
	}
	return r
}

// resolve returns the recipient as it goes into the spool: with its alias applied,
// and with its destination.
func (s *Service) resolve(t *smtp.Transaction, rcpt smtp.Recipient, set *Settings, routes *route.Table) (spool.Recipient, *smtp.Reply) {
	path, params := rcpt.Path, rcpt.Params
	if path.Domain() == "" {
		target, ok := set.Aliases[strings.ToLower(path.Local())]
		if !ok {
			target = set.AliasDefault
		}
		if target == "" {
			return spool.Recipient{}, noSuchLocalName(path)
		}
		// So that a notification names the address that was given. RFC 3461 §5.2.4.
		if params.OriginalRecipient == "" {
			params.OriginalRecipient = "rfc822;" + path.Local() + "@" + s.o.Hostname
		}
		path = target
	}
	c := t.Client
	r := routes.For(route.Question{Recipient: path, Sender: t.From, Account: c.Account, Listener: c.Listener, Device: c.Device})
	switch {
	case r == nil:
		return spool.Recipient{}, noRoute(path)
	case r.IsMX() && strings.HasPrefix(path.Domain(), "["):
		return spool.Recipient{}, noLiterals(path)
	}
	return spool.Recipient{Path: path, Params: params, State: spool.StateQueued, Destination: spool.Destination(r.Lane(path))}, nil
}

// refused logs what a client was refused.
func (s *Service) refused(t *smtp.Transaction, stage string, r *smtp.Reply, more ...any) {
	args := append([]any{"stage", stage, "from", string(t.From), "account", t.Client.Account,
		"peer", t.Client.Addr.String(), "listener", t.Client.Listener, "session", t.Client.SessionID, "reply", r.String()}, more...)
	s.o.Log.Info("refused", append(args, ofDevice(t.Client)...)...)
	if s.o.Hooks.Refused != nil {
		s.o.Hooks.Refused(*r)
	}
}

// ofDevice names the device in a line of the log, and what is weak about it there.
func ofDevice(c *smtp.Client) []any {
	if c.Device == "" {
		return nil
	}
	args := []any{"device", c.Device}
	switch {
	case c.TLS == nil:
		args = append(args, "tls", "none")
	case c.TLS.Version < tls.VersionTLS12:
		args = append(args, "tls", tls.VersionName(c.TLS.Version))
	}
	return args
}

// readers are the buffers that messages pass through: 16 KiB, the size of a TLS
// record.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}

// Data reads one message, puts its header block right and stores it. When it
// answers 250 the message survives a crash. An error of body is the engine's to
// answer; nothing is stored then.
func (s *Service) Data(ctx context.Context, t *smtp.Transaction, body io.Reader) smtp.Reply {
	buffered := readers.Get().(*bufio.Reader)
	buffered.Reset(body)
	defer func() {
		buffered.Reset(nil) // it must not keep the connection alive
		readers.Put(buffered)
	}()
	m, rest, r := s.prepare(t, buffered)
	if r == nil {
		r = s.store(ctx, m, rest)
	}
	if r != nil {
		_, _ = io.Copy(io.Discard, buffered) // the reply follows the final dot; the engine sees its errors itself
		s.refused(t, "data", r)
		return *r
	}
	args := []any{"queue_id", string(m.ID), "from", string(m.Envelope.From), "recipients", len(m.Recipients),
		"size", m.BodySize + int64(len(m.Header)), "account", m.Envelope.Account, "peer", m.Envelope.Peer,
		"listener", m.Envelope.Listener, "session", t.Client.SessionID}
	s.o.Log.Info("accepted", append(args, ofDevice(t.Client)...)...)
	if s.o.Hooks.Accepted != nil {
		s.o.Hooks.Accepted(len(m.Recipients), m.BodySize)
	}
	return queued(m.ID)
}
