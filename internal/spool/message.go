package spool

import (
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// QueueID names one message in the spool, for ever. Ids of one process sort in
// the order in which they were made. It is given before the message is written.
type QueueID string

// Destination is the key by which recipients are kept together: the name of a
// smart host's route ("m365"), or route and domain for MX ("direct/example.net").
type Destination string

// State is the state of one recipient of a message.
type State string

// The states of a recipient, in the order of its life. A message whose last
// recipient reaches a terminal state is removed in the same step.
const (
	StateQueued    State = "queued"    // waits for its next attempt, or is being delivered; any state may follow
	StateHeld      State = "held"      // waits for an operator or for a cure of its cause; queued or cancelled may follow
	StateDead      State = "dead"      // a notification that nobody can be given; kept until an operator acts; queued or cancelled may follow
	StateDelivered State = "delivered" // the next hop took it; terminal
	StateFailed    State = "failed"    // will not be delivered; the sender has been told where that is wanted; terminal
	StateExpired   State = "expired"   // failed because its time was up; terminal
	StateCancelled State = "cancelled" // an operator removed it; nobody is told; terminal
)

// Terminal reports whether nothing may follow s.
func (s State) Terminal() bool {
	switch s {
	case StateDelivered, StateFailed, StateExpired, StateCancelled:
		return true
	}
	return false
}

// Envelope is what belongs to a message and never changes after Accept.
type Envelope struct {
	From     smtp.Path
	Params   smtp.MailParams
	Received time.Time // instant of acceptance; the order of service among equals
	Account  string    // authenticated account, "" when none
	Listener string    // listener it came in by, "" for local mail and notifications
	Peer     string    // address of the client, "" for notifications
	Device   string    // name of the device it comes from, "" for none
}

// Message is a message with its recipients. Where a Store returns one, its
// Recipients are those asked for, which need not be all.
type Message struct {
	ID         QueueID
	Envelope   Envelope
	Header     []byte // header fields to put before the body, each ended by CRLF; may be empty
	BodySize   int64  // octets of the body as stored, without Header; set by Accept
	Recipients []Recipient
}

// Recipient is one recipient of a message and all that changes about it.
type Recipient struct {
	Index       int // position in the message as accepted; with the queue id it names the recipient
	Path        smtp.Path
	Params      smtp.RcptParams
	Destination Destination
	State       State
	Attempts    int       // attempts that counted
	Next        time.Time // not before this instant; zero: at once
	WarnAt      time.Time // when to notify of the delay; zero: not wanted, or done
	ExpireAt    time.Time // when to give up; zero: never
	Last        *Attempt  // the last attempt that did not deliver; nil: none yet
}

// Attempt is what is kept of an attempt that did not deliver. A Store keeps at
// most 1 KiB of it: Reply and Detail are cut.
type Attempt struct {
	At     time.Time
	Stage  evidence.Stage
	Host   string   // the server asked, "" if there was none
	Reply  string   // its reply in one line, "" when there was none
	Detail string   // what happened in our words where there was no reply: "dial tcp 192.0.2.1:25: connection refused"
	Cause  cause.ID // "" only when nothing could be said
	Unsure bool     // the line died after the final dot: it may have been accepted, and may be sent twice
}

// Ref names one recipient of one message.
type Ref struct {
	ID    QueueID
	Index int
}

// Outcome is a change of one recipient's state. It is a complete value: it says
// what holds afterwards, not what to add. Fields beside Ref and State replace the
// recipient's fields of the same name.
type Outcome struct {
	Ref         Ref
	State       State
	Attempts    int
	Next        time.Time
	WarnAt      time.Time
	ExpireAt    time.Time
	Destination Destination // "" leaves it as it is
	Last        *Attempt    // nil leaves it as it is
}

// OutcomeOf returns the Outcome that leaves r of message id as it is, for the
// caller to change.
func OutcomeOf(id QueueID, r *Recipient) Outcome {
	return Outcome{Ref: Ref{id, r.Index}, State: r.State, Attempts: r.Attempts, Next: r.Next,
		WarnAt: r.WarnAt, ExpireAt: r.ExpireAt, Destination: r.Destination, Last: r.Last}
}

// Report is a notification that is accepted in the same step as the outcomes
// that cause it. Its body is small and in memory.
type Report struct {
	Message *Message
	Body    []byte
}
