package dsn

import (
	"errors"
	"io"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// Action is what became of a recipient. RFC 3464 §2.3.3.
type Action string

// The actions.
const (
	Failed    Action = "failed"    // given up
	Delayed   Action = "delayed"   // not delivered yet; it is tried again
	Delivered Action = "delivered" // in the mailbox
	Relayed   Action = "relayed"   // handed on to a server that sends no notifications
	Expanded  Action = "expanded"  // delivered to a list, which has sent it on
)

// Limits of a report, in octets.
const (
	MaxContent = 50 << 10 // of the content that is returned
	MaxReport  = 10 << 20 // of what Parse reads
)

// ErrNotReport is a message that is no delivery status notification.
var ErrNotReport = errors.New("not a delivery status notification")

// Report is one notification about one message.
type Report struct {
	ReportingMTA string    // the host that reports; a domain name
	EnvelopeID   string    // ENVID of the original, decoded; "" when none was given
	Arrival      time.Time // when the original was accepted; zero: unknown

	From      smtp.Path // the address in the report's From field
	To        smtp.Path // the original's reverse-path
	MessageID string    // of the report, without angle brackets
	Date      time.Time // of the report
	QueueID   string    // of the original, for whoever asks the postmaster

	Recipients []Recipient

	Header     []byte    // the original's header section, without the empty line
	Body       io.Reader // the original after the empty line; may be nil. Compose reads at most MaxContent of it; Parse leaves what the report held
	BodySize   int64     // octets of Body, or more; 0: unknown
	ReturnFull bool      // RET=FULL was asked for; RFC 3461 §4.3
	UTF8       bool      // the original was sent by SMTPUTF8; RFC 6531

	Human string // the part for people, as Parse found it; Compose writes its own
}

// Recipient is one recipient that a report tells of.
type Recipient struct {
	Original       string // ORCPT with its address type, decoded: "rfc822;ann@example.org"; "" when none was given
	Final          string // the address as the reporting host has it, without address type
	Action         Action //
	Status         smtp.EnhancedCode
	RemoteMTA      string    // the host that answered; "" when there was none
	Diagnostic     string    // its answer: "550 5.1.1 no such user"
	LastAttempt    time.Time // zero: unknown
	WillRetryUntil time.Time // delayed only; zero: unknown

	CauseID string   // what happened, as package cause names it
	Title   string   // what happened, in one clause
	Why     string   // what happened, for a person
	Do      []string // what to do, the first step first
	Who     string   // who must act, as package cause names it: "user"
}

// failed reports whether r tells of a failure.
func (r *Report) failed() bool {
	for i := range r.Recipients {
		if r.Recipients[i].Action == Failed {
			return true
		}
	}
	return false
}
