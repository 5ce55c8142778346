package spooltest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/wellsent/wellsent/internal/spool"
)

// History does the same random things to two stores and fails at the first answer
// in which they differ. The first is the model. restart closes and opens the
// second, and makes the first forget what a process forgets.
func History(t *rapid.T, model, store spool.Store, restart func() spool.Store) {
	h := &history{T: t, model: model, store: store, ctx: context.Background(), claims: map[spool.QueueID][2]*spool.Message{}}
	t.Repeat(map[string]func(*rapid.T){
		"accept":       h.accept,
		"claim":        h.claim,
		"claimMessage": h.claimMessage,
		"claimOverdue": h.claimOverdue,
		"release":      h.release,
		"settle":       h.settle,
		"later":        func(t *rapid.T) { h.second += rapid.IntRange(1, 30).Draw(t, "seconds") },
		"restart": func(t *rapid.T) {
			if !rapid.Bool().Draw(t, "really") {
				t.Skip("seldom enough")
			}
			h.store = restart()
			clear(h.claims)
		},
		"": h.same,
	})
}

type history struct {
	*rapid.T
	model, store spool.Store
	ctx          context.Context
	second       int
	ids          []spool.QueueID
	claims       map[spool.QueueID][2]*spool.Message // of the model, of the store
	n            int
}

var destinations = []spool.Destination{"m365", "direct/example.net"}

func (h *history) now() time.Time { return epoch.Add(time.Duration(h.second) * time.Second) }

func (h *history) agree(what string, a, b any) {
	if d := diff(a, b); d != "" {
		h.Fatalf("%s: the model and the store differ: %s", what, d)
	}
}

func (h *history) errors(what string, a, b error) bool {
	if fmt.Sprint(a) != fmt.Sprint(b) {
		h.Fatalf("%s: the model says %v, the store %v", what, a, b)
	}
	return a == nil
}

func (h *history) message(t *rapid.T) (*spool.Message, string) {
	h.n++
	var to []string
	for i := range rapid.IntRange(1, 3).Draw(t, "recipients") {
		to = append(to, fmt.Sprintf("r%d@example.net", i))
	}
	m := NewMessage(fmt.Sprintf("s%d@example.org", rapid.IntRange(0, 3).Draw(t, "sender")), h.second, rapid.SampledFrom(destinations).Draw(t, "destination"), to...)
	m.ID = spool.QueueID(fmt.Sprintf("m%05d", h.n))
	for i := range m.Recipients {
		x := &m.Recipients[i]
		h.times(t, &x.Next, &x.WarnAt, &x.ExpireAt)
	}
	size := rapid.SampledFrom([]int{0, 10, 5000, 300 << 10}).Draw(t, "size")
	return m, strings.Repeat("x", size)
}

// times sets each to nothing or to an instant soon.
func (h *history) times(t *rapid.T, at ...*time.Time) {
	for _, a := range at {
		*a = time.Time{}
		if rapid.Bool().Draw(t, "timed") {
			*a = h.now().Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "in")) * time.Second)
		}
	}
}

func twin(m *spool.Message) *spool.Message {
	c := *m
	c.Recipients = slices.Clone(m.Recipients)
	return &c
}

func (h *history) accept(t *rapid.T) {
	m, body := h.message(t)
	other := twin(m)
	if h.errors("accept", h.model.Accept(h.ctx, m, strings.NewReader(body)), h.store.Accept(h.ctx, other, strings.NewReader(body))) {
		h.ids = append(h.ids, m.ID)
	}
	h.agree("accept", m, other)
}

func (h *history) keep(what string, a, b *spool.Message) {
	h.agree(what, a, b)
	if a == nil {
		return
	}
	if had, ok := h.claims[a.ID]; ok { // recipients of one message claimed at different times
		a.Recipients = append(slices.Clone(had[0].Recipients), a.Recipients...)
		b.Recipients = append(slices.Clone(had[1].Recipients), b.Recipients...)
	}
	h.claims[a.ID] = [2]*spool.Message{a, b}
}

func (h *history) claim(t *rapid.T) {
	d, most := rapid.SampledFrom(destinations).Draw(t, "destination"), rapid.IntRange(1, 3).Draw(t, "max")
	a, errA := h.model.Claim(h.ctx, d, h.now(), most)
	b, errB := h.store.Claim(h.ctx, d, h.now(), most)
	h.errors("claim", errA, errB)
	h.keep("claim", a, b)
}

func (h *history) claimMessage(t *rapid.T) {
	if len(h.ids) == 0 {
		t.Skip("nothing accepted yet")
	}
	id := rapid.SampledFrom(h.ids).Draw(t, "id")
	var indexes []int
	if rapid.Bool().Draw(t, "one") {
		indexes = []int{rapid.IntRange(0, 3).Draw(t, "index")}
	}
	a, errA := h.model.ClaimMessage(h.ctx, id, indexes)
	b, errB := h.store.ClaimMessage(h.ctx, id, indexes)
	if h.errors("claim message", errA, errB) {
		h.keep("claim message", a, b)
	}
}

func (h *history) claimOverdue(t *rapid.T) {
	most := rapid.IntRange(1, 3).Draw(t, "max")
	a, errA := h.model.ClaimOverdue(h.ctx, h.now(), most)
	b, errB := h.store.ClaimOverdue(h.ctx, h.now(), most)
	h.errors("claim overdue", errA, errB)
	h.agree("claim overdue", a, b)
	for i := range a {
		h.keep("claim overdue", a[i], b[i])
	}
}

// claimed returns one of the messages that are claimed, whose claim the caller
// ends.
func (h *history) claimed(t *rapid.T) [2]*spool.Message {
	if len(h.claims) == 0 {
		t.Skip("nothing is claimed")
	}
	var ids []spool.QueueID
	for id := range h.claims {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "id")
	c := h.claims[id]
	delete(h.claims, id)
	return c
}

func (h *history) release(t *rapid.T) {
	c := h.claimed(t)
	h.model.Release(c[0])
	h.store.Release(c[1])
}

var settled = []spool.State{spool.StateQueued, spool.StateQueued, spool.StateHeld, spool.StateDead, spool.StateDelivered,
	spool.StateFailed, spool.StateExpired, spool.StateCancelled}

func (h *history) settle(t *rapid.T) {
	c := h.claimed(t)
	var outcomes []spool.Outcome
	for i := range c[0].Recipients {
		o := spool.OutcomeOf(c[0].ID, &c[0].Recipients[i])
		o.State = rapid.SampledFrom(settled).Draw(t, "state")
		o.Attempts++
		h.times(t, &o.Next, &o.WarnAt, &o.ExpireAt)
		if rapid.Bool().Draw(t, "moves") {
			o.Destination = rapid.SampledFrom(destinations).Draw(t, "destination")
		}
		if rapid.Bool().Draw(t, "attempt") {
			o.Last = &spool.Attempt{At: h.now(), Reply: "450 4.2.0 later", Cause: "greylist.deferred"}
		}
		outcomes = append(outcomes, o)
	}
	var a, b []spool.Report
	if rapid.Bool().Draw(t, "report") {
		m, body := h.message(t)
		m.Envelope.From = ""
		a = append(a, spool.Report{Message: m, Body: []byte(body)})
		b = append(b, spool.Report{Message: twin(m), Body: []byte(body)})
	}
	if h.errors("settle", h.model.Settle(h.ctx, outcomes, a), h.store.Settle(h.ctx, outcomes, b)) && a != nil {
		h.ids = append(h.ids, a[0].Message.ID)
	}
}

// same compares all that can be seen.
func (h *history) same(*rapid.T) {
	all := func(s spool.Store) (out []*spool.Message) {
		for m, err := range s.List(h.ctx, spool.Query{}) {
			if err != nil {
				h.Fatal(err)
			}
			out = append(out, m)
		}
		return out
	}
	listed := all(h.model)
	h.agree("list", listed, all(h.store))
	for _, m := range listed {
		a, errA := h.model.Get(h.ctx, m.ID)
		b, errB := h.store.Get(h.ctx, m.ID)
		h.errors("get", errA, errB)
		h.agree("get", a, b)
		h.agree("body", h.body(h.model, m.ID), h.body(h.store, m.ID))
	}
	a, errA := h.model.Heads(h.ctx)
	b, errB := h.store.Heads(h.ctx)
	h.errors("heads", errA, errB)
	h.agree("heads", a, b)
}

func (h *history) body(s spool.Store, id spool.QueueID) int {
	r, err := s.Body(h.ctx, id)
	if err != nil {
		h.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		h.Fatal(err)
	}
	return int(n)
}
