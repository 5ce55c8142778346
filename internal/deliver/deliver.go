package deliver

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// Status is what became of one recipient in one attempt.
type Status string

// The statuses of an attempt.
const (
	Delivered Status = "delivered" // the next hop took responsibility
	Deferred  Status = "deferred"  // not now; nothing was accepted
	Failed    Status = "failed"    // definitely refused
	Uncertain Status = "uncertain" // the line died after the final dot: it may have been accepted
)

// Request is one message to deliver to some of its recipients, all of one
// destination.
type Request struct {
	Message *spool.Message                // with just the recipients to be served
	Body    func() (io.ReadCloser, error) // opens the body; may be called more than once, closed by the callee

	// Again is asked before each mail transaction but the first, of which there may
	// be more where the server takes few recipients at once or where another host is
	// asked: whether one more, to so many recipients, is allowed. Where it is not,
	// these recipients' outcomes have [ErrHeldBack]. nil: it always is.
	Again func(recipients int) bool
}

// ErrHeldBack is a recipient that was not tried because Request.Again said no. It
// wraps no attempt: the recipient is due as it was.
var ErrHeldBack = errors.New("not tried: the pace allows no other transaction now")

// Outcome is what became of one recipient.
type Outcome struct {
	Index   int // spool.Recipient.Index
	Status  Status
	Relayed bool   // delivered to a next hop that does not offer DSN: a "relayed" report is due where success is to be notified; RFC 3461 §5.2.2
	Host    string // the server that answered, as name or name and address
	Reply   smtp.Reply
	Err     *evidence.Error // nil when delivered; Cause is set
	Finding explain.Finding // what it means; zero when delivered
}

// Result is what one call of Send did.
type Result struct {
	Outcomes []Outcome // one for each recipient of the request, in its order
	// Attempted is false when nothing was said about the message: the connection
	// could not be had, or a reused one turned out closed and no new one was tried.
	Attempted bool
	// Transactions is how many mail transactions were begun, those among them of
	// which nothing came. 0 where none was reached.
	Transactions int
	// RetryAfter is when the other side wants to be asked again at the soonest, as it
	// said itself in words or in HTTP's Retry-After. 0: it did not say.
	RetryAfter time.Duration
	// Trouble is a failure of the connection, host or route, as opposed to one of
	// the message; nil when the conversation went well. Cause is set.
	Trouble *evidence.Error
	// Finding explains Trouble.
	Finding explain.Finding
	// Notices are what the operator should know although the mail went: a stand-in
	// that has taken it, a name that was withdrawn. Each is a sentence.
	Notices []string
	// Record is the conversation as seen; nil when all went well.
	Record *evidence.Record
}

// Conversation carries messages to one destination, one after another, over a
// connection that it opens, reuses and replaces as needed. It is used by one
// goroutine.
type Conversation interface {
	// Send delivers one message. Cancelling ctx gives up before the final dot; after
	// it, the reply is awaited up to its own deadline.
	Send(ctx context.Context, r *Request) *Result
	// Close ends the conversation with QUIT where a connection is open.
	Close() error
}
