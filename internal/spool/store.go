package spool

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// The errors that callers branch on.
var (
	ErrFull     = errors.New("spool: below the floor of free space")        // reply 452 4.3.1
	ErrNotFound = errors.New("spool: no such message or recipient")         //
	ErrClaimed  = errors.New("spool: being delivered at this moment")       //
	ErrExists   = errors.New("spool: a message with this id exists")        //
	ErrBroken   = errors.New("spool: a write failed; the store must close") // answer 421, stop, start anew
	ErrClosed   = errors.New("spool: closed")                               //
	ErrLocked   = errors.New("spool: in use by another process")            // from Open
)

// Head is the state of one destination: how much waits and when the first of it
// is due.
type Head struct {
	Destination Destination
	Due         time.Time // of its first recipient in StateQueued that is not claimed; as an instant, of acceptance for one not tried yet
	Queued      int       // recipients in StateQueued, claimed ones among them
}

// Query selects messages for List. The zero Query selects all.
type Query struct {
	After       QueueID     // only ids greater than this one
	Destination Destination // only recipients of this destination
	States      []State     // only recipients in one of these states
}

// Store keeps messages until each of their recipients has reached a terminal
// state. All methods may be called by many goroutines at once. Every change of
// state is a value and every id is given by the caller, so that the same change
// can be applied to another store too.
//
// Claims are in the memory of the process that opened the store and void at
// Open. A recipient is claimed by at most one caller at a time; the claim ends
// with Settle or Release of that recipient.
type Store interface {
	// Accept stores m for all its recipients or for none. When it returns nil the
	// message survives a crash and the client may be told 250. body is read to EOF
	// and not closed; an error of body is returned unaltered and nothing is stored.
	// m.BodySize is set. Recipients need at least Path, Destination and State; their
	// Index is set by Accept. It returns ErrFull, ErrExists, ErrBroken, ErrClosed,
	// or before body is read ErrInvalid or ErrBadID (see Message.Check). Nobody sees
	// the message before it is durable.
	// RFC 5321 §4.1.1.4, §6.1.
	Accept(ctx context.Context, m *Message, body io.Reader) error

	// Room returns ErrFull when n more octets would leave less free space than the
	// floor, ErrBroken after a failed write, else nil. It is cheap.
	Room(n int64) error

	// Claim claims recipients of one message that are queued for d, due at now and
	// not claimed, at most max of them, and returns the message with just these. It
	// takes the message that is due first; among several senders it takes turns. It
	// returns nil, nil when there is none.
	Claim(ctx context.Context, d Destination, now time.Time, max int) (*Message, error)

	// ClaimMessage claims recipients of message id that have not reached a terminal
	// state, in whatever state: those in indexes, or all with nil. It claims all of
	// them or none and returns ErrNotFound or ErrClaimed. It is for operators.
	ClaimMessage(ctx context.Context, id QueueID, indexes []int) (*Message, error)

	// ClaimOverdue claims recipients in StateQueued or StateHeld whose WarnAt or
	// ExpireAt is not after now, at most max messages, and returns these. Claimed
	// recipients are passed over; they are found again when their claim has ended.
	ClaimOverdue(ctx context.Context, now time.Time, max int) ([]*Message, error)

	// Release ends the claims of m's recipients and changes nothing else: what the
	// caller may have changed in m is not looked at.
	Release(m *Message)

	// Settle applies all outcomes and accepts all reports in one atomic step and
	// ends the claims of the recipients settled. Durable on return, but where every
	// outcome is StateDelivered and there is no report: then within 50 ms, and at
	// Close. An outcome of a recipient that does not exist, or that is terminal
	// already, is ErrNotFound, a report whose id is taken ErrExists, two outcomes of
	// one recipient ErrInvalid (see CheckSettle); then nothing is applied. Removal of a message's records and body follows from its
	// last terminal outcome.
	Settle(ctx context.Context, outcomes []Outcome, reports []Report) error

	// Body opens the body of message id, as accepted, without its header block. The
	// caller closes it. A body stays readable until its message's last outcome.
	Body(ctx context.Context, id QueueID) (io.ReadCloser, error)

	// Get returns message id with all recipients that still have a record,
	// terminal ones among them, or ErrNotFound.
	Get(ctx context.Context, id QueueID) (*Message, error)

	// List yields messages in the order of their ids, each with the recipients that
	// q selects and that have not reached a terminal state; messages without any are
	// passed over. It sees one moment of the store and takes bounded memory.
	List(ctx context.Context, q Query) iter.Seq2[*Message, error]

	// Heads returns every destination with recipients in StateQueued.
	Heads(ctx context.Context) ([]Head, error)

	// Due returns when d's first unclaimed recipient in StateQueued is due; ok is
	// false when there is none. Cheap: it does not read the disk in the usual case.
	Due(d Destination) (due time.Time, ok bool)

	// SaveLane keeps record, the state of a lane, under name; nil removes it. It is
	// durable on return. The record's form is its writer's.
	SaveLane(ctx context.Context, name string, record []byte) error

	// Lanes returns all lane records.
	Lanes(ctx context.Context) (map[string][]byte, error)

	// Broken is closed when a write has failed. The owner then stops the process's
	// work on this store and closes it; it is never opened again in this process.
	Broken() <-chan struct{}

	// Close syncs and closes the store. Calls under way return ErrClosed or finish;
	// Close waits for them, so that readers of a body and callers of List are ended
	// first. Bodies that are open stay readable.
	Close() error
}

// Watcher is told, without any lock held, that d may have something due at due
// or earlier than it had before: after Accept, Settle and Release. It must return
// at once.
type Watcher func(d Destination, due time.Time)
