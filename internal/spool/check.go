package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is a message, an outcome or a list of these that no store can keep:
// a mistake of the caller, found before anything is written.
var ErrInvalid = errors.New("spool: cannot be kept")

const (
	maxDestination = 512     // octets; destinations are parts of keys
	maxRecipients  = 1 << 20 // of one message; listeners allow far fewer
	maxAttempts    = 1 << 30 // a bound for what is read back, never reached
)

// Check returns an error that wraps ErrBadID or ErrInvalid when no store can
// keep m: its id is none, it has no recipients or too many, or one of them
// cannot be kept. A recipient of a new message waits: it is in StateQueued,
// StateHeld or StateDead.
func (m *Message) Check() error {
	if err := m.ID.Check(); err != nil {
		return err
	}
	if n := len(m.Recipients); n == 0 || n > maxRecipients {
		return fmt.Errorf("%w: message %s has %d recipients", ErrInvalid, m.ID, n)
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		switch {
		case !r.Destination.valid():
			return fmt.Errorf("%w: message %s: destination %q", ErrInvalid, m.ID, r.Destination)
		case !r.State.waits():
			return fmt.Errorf("%w: message %s: a new recipient in state %q", ErrInvalid, m.ID, r.State)
		case r.Attempts < 0 || r.Attempts > maxAttempts:
			return fmt.Errorf("%w: message %s: %d attempts", ErrInvalid, m.ID, r.Attempts)
		}
	}
	return nil
}

// CheckSettle returns an error that wraps ErrBadID or ErrInvalid when no store
// can settle these: a value is out of its range, a recipient has two outcomes,
// or a report cannot be kept. Two reports of one id are ErrExists.
func CheckSettle(outcomes []Outcome, reports []Report) error {
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Destination != "" && !o.Destination.valid():
			return fmt.Errorf("%w: message %s: destination %q", ErrInvalid, o.Ref.ID, o.Destination)
		case !o.State.waits() && !o.State.Terminal():
			return fmt.Errorf("%w: message %s: state %q", ErrInvalid, o.Ref.ID, o.State)
		case o.Attempts < 0 || o.Attempts > maxAttempts:
			return fmt.Errorf("%w: message %s: %d attempts", ErrInvalid, o.Ref.ID, o.Attempts)
		}
	}
	if ref, twice := settledTwice(outcomes); twice {
		return fmt.Errorf("%w: two outcomes of message %s, recipient %d", ErrInvalid, ref.ID, ref.Index)
	}
	for i := range reports {
		m := reports[i].Message
		if err := m.Check(); err != nil {
			return err
		}
		if slices.ContainsFunc(reports[:i], func(r Report) bool { return r.Message.ID == m.ID }) {
			return ErrExists
		}
	}
	return nil
}

// settledTwice returns the first recipient that has two outcomes.
func settledTwice(outcomes []Outcome) (ref Ref, twice bool) {
	if len(outcomes) < 2 {
		return ref, false
	}
	seen := make(map[Ref]struct{}, len(outcomes))
	for i := range outcomes {
		if _, ok := seen[outcomes[i].Ref]; ok {
			return outcomes[i].Ref, true
		}
		seen[outcomes[i].Ref] = struct{}{}
	}
	return ref, false
}

func (d Destination) valid() bool {
	return d != "" && len(d) <= maxDestination && strings.IndexByte(string(d), 0) < 0
}

// waits reports whether a recipient in state s has not come to its end.
func (s State) waits() bool { return s == StateQueued || s == StateHeld || s == StateDead }
