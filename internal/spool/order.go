package spool

import (
	"hash/fnv"
	"strings"
	"time"
)

// Buckets is how many groups of senders take turns within one destination. More
// would be fairer and dearer; a single sender with a million messages delays the
// others by a fraction as it is.
const Buckets = 16

// Bucket returns the group of senders that m belongs to: by its account, else by
// its reverse-path. On disk since format 1; must not change.
func Bucket(e *Envelope) uint8 {
	h := fnv.New32a()
	sender := e.Account
	if sender == "" {
		sender = strings.ToLower(string(e.From))
	}
	h.Write([]byte(sender))
	return uint8(h.Sum32() % Buckets)
}

// DueAt returns when r is due: its next attempt, or for one that has not been
// tried the instant of acceptance, so that old retries are not passed by new mail
// for ever. Nanoseconds since 1970.
func DueAt(e *Envelope, r *Recipient) int64 {
	if r.Next.IsZero() {
		return Nanos(e.Received)
	}
	return Nanos(r.Next)
}

// OverdueAt returns when r must be looked at for a warning or its expiry,
// whichever comes first; ok is false when never.
func OverdueAt(r *Recipient) (at int64, ok bool) {
	switch {
	case r.State != StateQueued && r.State != StateHeld:
		return 0, false
	case r.WarnAt.IsZero() && r.ExpireAt.IsZero():
		return 0, false
	case r.WarnAt.IsZero():
		return Nanos(r.ExpireAt), true
	case r.ExpireAt.IsZero():
		return Nanos(r.WarnAt), true
	}
	return min(Nanos(r.WarnAt), Nanos(r.ExpireAt)), true
}

// maxNanos is the latest instant that is kept, in the year 2116: a later one is
// as good as never, and beyond 2262 the number would overflow.
const maxNanos = 1 << 62

// Nanos returns t as nanoseconds since 1970, from 0, which is the zero Time and
// all before 1970, to 1<<62.
func Nanos(t time.Time) int64 {
	switch {
	case t.IsZero() || t.Before(time.Unix(0, 0)):
		return 0
	case t.After(time.Unix(0, maxNanos)):
		return maxNanos
	}
	return t.UnixNano()
}

// maxKept bounds Attempt.Reply and Attempt.Detail together with the other fields
// to 1 KiB.
const (
	maxReplyKept  = 480
	maxDetailKept = 360
	maxHostKept   = 100
)

// Cut returns a with what is too long cut off, so that it takes at most 1 KiB.
func (a *Attempt) Cut() *Attempt {
	if a == nil || len(a.Reply) <= maxReplyKept && len(a.Detail) <= maxDetailKept && len(a.Host) <= maxHostKept {
		return a
	}
	c := *a
	c.Reply, c.Detail, c.Host = cut(c.Reply, maxReplyKept), cut(c.Detail, maxDetailKept), cut(c.Host, maxHostKept)
	return &c
}

// cut shortens s to max octets at a character's border.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max-3], "") + "…"
}

// Apply makes r what o says. It is what every store does with an outcome.
func (r *Recipient) Apply(o *Outcome) {
	r.State, r.Attempts, r.Next, r.WarnAt, r.ExpireAt = o.State, o.Attempts, o.Next, o.WarnAt, o.ExpireAt
	if o.Destination != "" {
		r.Destination = o.Destination
	}
	if o.Last != nil {
		r.Last = o.Last.Cut()
	}
}

// Has reports whether q selects r.
func (q *Query) Has(r *Recipient) bool {
	if r.State.Terminal() || q.Destination != "" && r.Destination != q.Destination {
		return false
	}
	if len(q.States) == 0 {
		return true
	}
	for _, s := range q.States {
		if r.State == s {
			return true
		}
	}
	return false
}
