package spooltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// Open opens a store; every call after the first opens the same one again, after
// the one before was closed.
type Open func(t testing.TB, w spool.Watcher) spool.Store

// Run runs the suite. open is called with a new t for each test and returns the
// way to open that test's own store; durable is false for a store that survives
// nothing, which is never opened again.
func Run(t *testing.T, durable bool, open func(t testing.TB) Open) {
	for _, c := range []struct {
		name string
		run  func(*suite)
	}{
		{"AcceptKeepsEverything", (*suite).acceptKeepsEverything},
		{"AcceptOfABodyThatFailsStoresNothing", (*suite).bodyThatFails},
		{"AcceptRefusesAnIDThatExists", (*suite).sameID},
		{"AcceptRefusesBadMessages", (*suite).badMessages},
		{"ClaimInOrderOfDueTime", (*suite).orderOfDueTime},
		{"ClaimTakesTurnsAmongSenders", (*suite).turns},
		{"ClaimTakesRecipientsOfOneMessageUpToMax", (*suite).claimMax},
		{"ClaimedByOneAtATime", (*suite).claimedOnce},
		{"ReleaseGivesBack", (*suite).release},
		{"ClaimMessageIsAllOrNothing", (*suite).claimMessage},
		{"ClaimOverdueFindsWarningsAndExpiry", (*suite).overdue},
		{"SettleReplacesState", (*suite).settleReplaces},
		{"SettleOfAnUnknownRecipientAppliesNothing", (*suite).settleUnknown},
		{"SettleMovesToAnotherDestination", (*suite).settleMoves},
		{"LastTerminalOutcomeRemovesTheMessage", (*suite).lastTerminal},
		{"SettleAcceptsReportsInTheSameStep", (*suite).settleReports},
		{"HeldAndDeadAreNotClaimed", (*suite).heldNotClaimed},
		{"ListSelects", (*suite).list},
		{"HeadsAndDue", (*suite).heads},
		{"LanesAreKept", (*suite).lanes},
		{"WatcherIsTold", (*suite).watcher},
		{"AttemptIsCutToOneKiB", (*suite).attemptCut},
		{"ClosedStoreSaysSo", (*suite).closed},
		{"ManyAtOnce", (*suite).manyAtOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, open: open(t), ctx: t.Context(), durable: durable}
			s.Store = s.open(t, s.watch)
			c.run(s)
			if s.Store != nil {
				s.Store.Close()
			}
		})
	}
}

type suite struct {
	*testing.T
	spool.Store
	open    Open
	durable bool
	ctx     context.Context

	mu   sync.Mutex // guards told
	told []spool.Destination
}

// reopen closes the store and opens it again; it reports false for a store that
// survives nothing.
func (s *suite) reopen() bool {
	s.Helper()
	if !s.durable {
		return false
	}
	if err := s.Store.Close(); err != nil {
		s.Fatalf("close: %v", err)
	}
	s.Store = s.open(s.T, s.watch)
	return true
}

func (s *suite) watch(d spool.Destination, _ time.Time) {
	s.mu.Lock()
	s.told = append(s.told, d)
	s.mu.Unlock()
}

var epoch = time.Unix(1_700_000_000, 0)

// NewMessage returns a message of sender to recipients at d, accepted at the given
// second.
func NewMessage(sender string, second int, d spool.Destination, recipients ...string) *spool.Message {
	at := epoch.Add(time.Duration(second) * time.Second)
	m := &spool.Message{ID: spool.NewQueueID(), Header: []byte("Received: by test\r\n"),
		Envelope: spool.Envelope{From: smtp.Path(sender), Received: at, Account: sender, Listener: ":587", Peer: "192.0.2.1", Device: "scanner",
			Params: smtp.MailParams{Body: smtp.Body8BitMIME, Return: smtp.ReturnHeaders, EnvelopeID: "env", SMTPUTF8: true, Size: 5}}}
	for _, r := range recipients {
		m.Recipients = append(m.Recipients, spool.Recipient{Path: smtp.Path(r), Destination: d, State: spool.StateQueued,
			Params: smtp.RcptParams{Notify: smtp.NotifyFailure, OriginalRecipient: "rfc822;" + r}})
	}
	return m
}

func (s *suite) accept(m *spool.Message, body string) *spool.Message {
	s.Helper()
	if err := s.Accept(s.ctx, m, strings.NewReader(body)); err != nil {
		s.Fatalf("accept: %v", err)
	}
	return m
}

func (s *suite) claim(d spool.Destination, second int, max int) *spool.Message {
	s.Helper()
	m, err := s.Claim(s.ctx, d, epoch.Add(time.Duration(second)*time.Second), max)
	if err != nil {
		s.Fatalf("claim: %v", err)
	}
	return m
}

func (s *suite) settle(outcomes []spool.Outcome, reports ...spool.Report) {
	s.Helper()
	if err := s.Settle(s.ctx, outcomes, reports); err != nil {
		s.Fatalf("settle: %v", err)
	}
}

// all returns an outcome of the given state for each recipient of m.
func all(m *spool.Message, state spool.State) []spool.Outcome {
	var out []spool.Outcome
	for i := range m.Recipients {
		o := spool.OutcomeOf(m.ID, &m.Recipients[i])
		o.State = state
		out = append(out, o)
	}
	return out
}

func (s *suite) body(id spool.QueueID) string {
	s.Helper()
	r, err := s.Body(s.ctx, id)
	if err != nil {
		s.Fatalf("body: %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		s.Fatalf("read body: %v", err)
	}
	return string(b)
}

func diff(a, b any) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }))
}

// sizes are bodies around the borders between ways of keeping them.
var sizes = []int{0, 1, 10 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20}

func (s *suite) acceptKeepsEverything() {
	bodies := map[spool.QueueID]string{}
	want := map[spool.QueueID]*spool.Message{}
	for i, n := range sizes {
		body := strings.Repeat(fmt.Sprintf("%07d\r\n", i), n/9+1)[:n]
		m := s.accept(NewMessage("ann@example.org", i, "m365", "bob@example.net", "eve@example.net"), body)
		if m.BodySize != int64(n) || m.Recipients[1].Index != 1 {
			s.Errorf("size %d, index %d", m.BodySize, m.Recipients[1].Index)
		}
		bodies[m.ID], want[m.ID] = body, m
	}
	for range 2 {
		for id, m := range want {
			got, err := s.Get(s.ctx, id)
			if err != nil {
				s.Fatal(err)
			}
			if d := diff(m, got); d != "" {
				s.Errorf("get: %s", d)
			}
			if s.body(id) != bodies[id] {
				s.Errorf("body of %d octets differs", len(bodies[id]))
			}
		}
		if !s.reopen() {
			return
		}
	}
}

func (s *suite) bodyThatFails() {
	for _, n := range sizes {
		m := NewMessage("a@b", 1, "x", "c@d")
		broken := errors.New("the line died")
		err := s.Accept(s.ctx, m, io.MultiReader(strings.NewReader(strings.Repeat("x", n)), failing{broken}))
		if err != broken {
			s.Errorf("error %v, want the body's own", err)
		}
		if _, err := s.Get(s.ctx, m.ID); !errors.Is(err, spool.ErrNotFound) {
			s.Errorf("after %d octets something was stored: %v", n, err)
		}
		if _, err := s.Body(s.ctx, m.ID); !errors.Is(err, spool.ErrNotFound) {
			s.Errorf("after %d octets a body was stored: %v", n, err)
		}
	}
	if m := s.claim("x", 10, 1); m != nil {
		s.Errorf("claimed %v", m)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (s *suite) sameID() {
	for _, n := range []int{10, 300 << 10} {
		m := s.accept(NewMessage("a@b", 1, "x", "c@d"), strings.Repeat("1", n))
		again := *m
		if err := s.Accept(s.ctx, &again, strings.NewReader("other")); !errors.Is(err, spool.ErrExists) {
			s.Errorf("error %v", err)
		}
		if len(s.body(m.ID)) != n {
			s.Error("the first body was changed")
		}
	}
}

func (s *suite) badMessages() {
	for _, id := range []spool.QueueID{"", "UPPER", "a/b", "..", spool.QueueID(strings.Repeat("a", 65))} {
		m := NewMessage("a@b", 1, "x", "c@d")
		m.ID = id
		if err := s.Accept(s.ctx, m, strings.NewReader("")); !errors.Is(err, spool.ErrBadID) {
			s.Errorf("id %q: %v", id, err)
		}
	}
}

func (s *suite) orderOfDueTime() {
	first := s.accept(NewMessage("a@b", 5, "x", "1@d"), "")
	second := s.accept(NewMessage("a@b", 6, "x", "2@d"), "")
	later := NewMessage("a@b", 1, "x", "3@d")
	later.Recipients[0].Next = epoch.Add(7 * time.Second)
	s.accept(later, "")
	s.accept(NewMessage("a@b", 1, "other", "4@d"), "")
	if m := s.claim("x", 4, 9); m != nil {
		s.Errorf("%s was claimed before its time", m.ID)
	}
	for i, want := range []*spool.Message{first, second} {
		if m := s.claim("x", 6, 9); m == nil || m.ID != want.ID {
			s.Errorf("claim %d: %v, want %s", i, m, want.ID)
		}
	}
	if m := s.claim("x", 6, 9); m != nil {
		s.Errorf("claimed %s before its next attempt", m.ID)
	}
	if m := s.claim("x", 7, 9); m == nil || m.ID != later.ID {
		s.Errorf("%v, want %s", m, later.ID)
	}
}

func (s *suite) turns() {
	// Senders of different buckets.
	var senders []string
	seen := map[uint8]bool{}
	for i := 0; len(senders) < 3; i++ {
		name := fmt.Sprintf("s%d@example.org", i)
		if b := spool.Bucket(&spool.Envelope{Account: name}); !seen[b] {
			seen[b] = true
			senders = append(senders, name)
		}
	}
	for i := range 4 {
		s.accept(NewMessage(senders[0], i, "x", "r@d"), "")
	}
	s.accept(NewMessage(senders[1], 100, "x", "r@d"), "")
	s.accept(NewMessage(senders[2], 100, "x", "r@d"), "")
	var got []string
	for m := s.claim("x", 200, 1); m != nil; m = s.claim("x", 200, 1) {
		got = append(got, m.Envelope.Account)
	}
	if len(got) != 6 {
		s.Fatalf("%d messages", len(got))
	}
	if first := got[:3]; !slices.Contains(first, senders[1]) || !slices.Contains(first, senders[2]) {
		s.Errorf("order %v: the others wait for the first sender", got)
	}
}

func (s *suite) claimMax() {
	m := s.accept(NewMessage("a@b", 1, "x", "1@d", "2@d", "3@d"), "")
	var n []int
	for c := s.claim("x", 2, 2); c != nil; c = s.claim("x", 2, 2) {
		if c.ID != m.ID {
			s.Fatal("another message")
		}
		n = append(n, len(c.Recipients))
	}
	if !slices.Equal(n, []int{2, 1}) {
		s.Errorf("%v recipients", n)
	}
}

func (s *suite) claimedOnce() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	if s.claim("x", 2, 1) == nil {
		s.Fatal("nothing to claim")
	}
	if s.claim("x", 2, 1) != nil {
		s.Error("claimed twice")
	}
	if s.reopen() && s.claim("x", 2, 1) == nil {
		s.Error("the claim outlived its process")
	}
}

func (s *suite) release() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	m := s.claim("x", 2, 1)
	s.Release(m)
	again := s.claim("x", 2, 1)
	if d := diff(m, again); d != "" {
		s.Errorf("after release: %s", d)
	}
}

func (s *suite) claimMessage() {
	m := s.accept(NewMessage("a@b", 1, "x", "1@d", "2@d"), "")
	one := s.claim("x", 2, 1)
	if _, err := s.ClaimMessage(s.ctx, m.ID, nil); !errors.Is(err, spool.ErrClaimed) {
		s.Errorf("while one is claimed: %v", err)
	}
	rest, err := s.ClaimMessage(s.ctx, m.ID, []int{1})
	if err != nil || len(rest.Recipients) != 1 || rest.Recipients[0].Index != 1 {
		s.Fatalf("%v, %v", rest, err)
	}
	s.settle(all(one, spool.StateDelivered))
	if _, err := s.ClaimMessage(s.ctx, m.ID, []int{0}); !errors.Is(err, spool.ErrNotFound) {
		s.Errorf("a delivered one: %v", err)
	}
	s.Release(rest)
	if got, err := s.ClaimMessage(s.ctx, m.ID, nil); err != nil || len(got.Recipients) != 1 {
		s.Errorf("all that is left: %v, %v", got, err)
	}
	if s.claim("x", 100, 9) != nil {
		s.Error("claimed twice")
	}
	if _, err := s.ClaimMessage(s.ctx, "none", nil); !errors.Is(err, spool.ErrNotFound) {
		s.Errorf("an unknown one: %v", err)
	}
}

func (s *suite) overdue() {
	warn := NewMessage("a@b", 1, "x", "1@d")
	warn.Recipients[0].WarnAt, warn.Recipients[0].ExpireAt = epoch.Add(10*time.Second), epoch.Add(100*time.Second)
	expire := NewMessage("a@b", 1, "x", "2@d")
	expire.Recipients[0].ExpireAt = epoch.Add(20 * time.Second)
	s.accept(warn, "")
	s.accept(expire, "")
	s.accept(NewMessage("a@b", 1, "x", "3@d"), "")
	at := func(second, max int) (ids []spool.QueueID, ms []*spool.Message) {
		ms, err := s.ClaimOverdue(s.ctx, epoch.Add(time.Duration(second)*time.Second), max)
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range ms {
			ids = append(ids, m.ID)
		}
		return ids, ms
	}
	if ids, _ := at(9, 10); ids != nil {
		s.Errorf("too early: %v", ids)
	}
	ids, ms := at(10, 10)
	if !slices.Equal(ids, []spool.QueueID{warn.ID}) {
		s.Fatalf("%v, want the warning", ids)
	}
	if ids, _ := at(10, 10); ids != nil {
		s.Errorf("claimed twice: %v", ids)
	}
	s.Release(ms[0])
	ids, ms = at(30, 1)
	if !slices.Equal(ids, []spool.QueueID{warn.ID}) {
		s.Fatalf("at most one: %v", ids)
	}
	o := all(ms[0], spool.StateQueued)
	o[0].WarnAt = time.Time{}
	s.settle(o)
	ids, ms = at(30, 10)
	if !slices.Equal(ids, []spool.QueueID{expire.ID}) {
		s.Fatalf("%v, want the expired one", ids)
	}
	s.settle(all(ms[0], spool.StateExpired))
	if ids, _ = at(100, 10); !slices.Equal(ids, []spool.QueueID{warn.ID}) {
		s.Errorf("%v, want the one that was warned of", ids)
	}
}

func (s *suite) settleReplaces() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "body")
	m := s.claim("x", 2, 1)
	o := spool.OutcomeOf(m.ID, &m.Recipients[0])
	o.Attempts, o.Next = 3, epoch.Add(50*time.Second)
	o.WarnAt, o.ExpireAt = epoch.Add(60*time.Second), epoch.Add(70*time.Second)
	o.Last = &spool.Attempt{At: epoch, Stage: evidence.StageRcpt, Host: "mx.d", Reply: "450 4.2.0 later", Detail: "x", Cause: cause.ID("greylist.deferred"), Unsure: true}
	s.settle([]spool.Outcome{o})
	for range 2 {
		got, err := s.Get(s.ctx, m.ID)
		if err != nil {
			s.Fatal(err)
		}
		want := m.Recipients[0]
		want.Apply(&o)
		if d := diff(want, got.Recipients[0]); d != "" {
			s.Error(d)
		}
		if s.claim("x", 49, 1) != nil {
			s.Error("claimed before its next attempt")
		}
		if !s.reopen() {
			break
		}
	}
	if s.claim("x", 50, 1) == nil {
		s.Error("not claimed at its next attempt")
	}
}

func (s *suite) settleUnknown() {
	m := s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	for _, ref := range []spool.Ref{{ID: "none"}, {ID: m.ID, Index: 1}, {ID: m.ID, Index: -1}} {
		o := all(m, spool.StateDelivered)
		o = append(o, spool.Outcome{Ref: ref, State: spool.StateDelivered})
		report := spool.Report{Message: NewMessage("", 1, "x", "a@b"), Body: []byte("x")}
		if err := s.Settle(s.ctx, o, []spool.Report{report}); !errors.Is(err, spool.ErrNotFound) {
			s.Errorf("%v: %v", ref, err)
		}
		if got, err := s.Get(s.ctx, m.ID); err != nil || got.Recipients[0].State != spool.StateQueued {
			s.Errorf("%v: something was applied: %v, %v", ref, got, err)
		}
		if _, err := s.Get(s.ctx, report.Message.ID); !errors.Is(err, spool.ErrNotFound) {
			s.Errorf("%v: the report was accepted: %v", ref, err)
		}
	}
}

func (s *suite) settleMoves() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	o := all(s.claim("x", 2, 1), spool.StateQueued)
	o[0].Destination = "y"
	s.settle(o)
	if s.claim("x", 9, 1) != nil {
		s.Error("still at the old destination")
	}
	if m := s.claim("y", 9, 1); m == nil || m.Recipients[0].Destination != "y" {
		s.Errorf("at the new destination: %v", m)
	}
}
