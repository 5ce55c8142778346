package spooltest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/spool"
)

func (s *suite) lastTerminal() {
	for _, size := range []int{10, 300 << 10} {
		m := s.accept(NewMessage("a@b", 1, "x", "1@d", "2@d", "3@d"), strings.Repeat("x", size))
		c := s.claim("x", 2, 9)
		for i, state := range []spool.State{spool.StateDelivered, spool.StateFailed, spool.StateCancelled} {
			if got, err := s.Get(s.ctx, m.ID); err != nil || len(got.Recipients) == 0 {
				s.Fatalf("gone too early: %v", err)
			}
			if len(s.body(m.ID)) != size {
				s.Error("the body is gone too early")
			}
			o := spool.OutcomeOf(m.ID, &c.Recipients[i])
			o.State = state
			s.settle([]spool.Outcome{o})
		}
		for range 2 {
			if _, err := s.Get(s.ctx, m.ID); !errors.Is(err, spool.ErrNotFound) {
				s.Errorf("still there: %v", err)
			}
			if _, err := s.Body(s.ctx, m.ID); !errors.Is(err, spool.ErrNotFound) {
				s.Errorf("the body is still there: %v", err)
			}
			if !s.reopen() {
				break
			}
		}
	}
	if h, err := s.Heads(s.ctx); err != nil || len(h) != 0 {
		s.Errorf("heads %v, %v", h, err)
	}
}

func (s *suite) settleReports() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	report := NewMessage("", 2, "y", "a@b")
	s.settle(all(s.claim("x", 2, 1), spool.StateFailed), spool.Report{Message: report, Body: []byte("it failed")})
	for range 2 {
		if got := s.body(report.ID); got != "it failed" {
			s.Errorf("body %q", got)
		}
		if m := s.claim("y", 3, 1); m == nil || m.ID != report.ID {
			s.Errorf("%v", m)
		}
		if !s.reopen() {
			break
		}
	}
}

func (s *suite) heldNotClaimed() {
	for _, state := range []spool.State{spool.StateHeld, spool.StateDead} {
		m := s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
		s.settle(all(s.claim("x", 2, 1), state))
		if s.claim("x", 99, 1) != nil {
			s.Errorf("%s: claimed", state)
		}
		c, err := s.ClaimMessage(s.ctx, m.ID, nil)
		if err != nil {
			s.Fatal(err)
		}
		s.settle(all(c, spool.StateQueued))
		if c := s.claim("x", 99, 1); c == nil {
			s.Errorf("%s: not claimed after it was resumed", state)
		} else {
			s.settle(all(c, spool.StateCancelled))
		}
	}
}

func (s *suite) list() {
	a := s.accept(NewMessage("a@b", 1, "x", "1@d", "2@d"), "")
	b := NewMessage("a@b", 1, "x", "1@d")
	b.Recipients[0].Destination = "y"
	s.accept(b, "")
	c := s.claim("x", 2, 1)
	s.settle(all(c, spool.StateHeld))
	for _, q := range []struct {
		name string
		q    spool.Query
		want map[spool.QueueID]int
	}{
		{"all", spool.Query{}, map[spool.QueueID]int{a.ID: 2, b.ID: 1}},
		{"held", spool.Query{States: []spool.State{spool.StateHeld}}, map[spool.QueueID]int{a.ID: 1}},
		{"destination", spool.Query{Destination: "y"}, map[spool.QueueID]int{b.ID: 1}},
		{"after", spool.Query{After: a.ID}, map[spool.QueueID]int{b.ID: 1}},
		{"nothing", spool.Query{After: b.ID}, map[spool.QueueID]int{}},
	} {
		got := map[spool.QueueID]int{}
		for m, err := range s.List(s.ctx, q.q) {
			if err != nil {
				s.Fatal(err)
			}
			got[m.ID] = len(m.Recipients)
		}
		if d := diff(q.want, got); d != "" {
			s.Errorf("%s: %s", q.name, d)
		}
	}
}

func (s *suite) heads() {
	if h, err := s.Heads(s.ctx); err != nil || len(h) != 0 {
		s.Errorf("of an empty store: %v, %v", h, err)
	}
	s.accept(NewMessage("a@b", 3, "x", "1@d", "2@d"), "")
	s.accept(NewMessage("a@b", 2, "y", "1@d"), "")
	want := []spool.Head{{Destination: "x", Due: epoch.Add(3 * time.Second), Queued: 2}, {Destination: "y", Due: epoch.Add(2 * time.Second), Queued: 1}}
	for range 2 {
		got, err := s.Heads(s.ctx)
		if err != nil {
			s.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			s.Error(d)
		}
		if !s.reopen() {
			break
		}
	}
	if due, ok := s.Due("y"); !ok || !due.Equal(epoch.Add(2*time.Second)) {
		s.Errorf("due %v, %v", due, ok)
	}
	s.claim("y", 3, 1)
	if _, ok := s.Due("y"); ok {
		s.Error("a claimed one is due")
	}
	if _, ok := s.Due("none"); ok {
		s.Error("nothing is due")
	}
}

func (s *suite) lanes() {
	for name, record := range map[string]string{"a": "1", "b": "", "c/d.e": "3"} {
		if err := s.SaveLane(s.ctx, name, []byte(record)); err != nil {
			s.Fatal(err)
		}
	}
	if err := s.SaveLane(s.ctx, "a", nil); err != nil {
		s.Fatal(err)
	}
	for range 2 {
		got, err := s.Lanes(s.ctx)
		if err != nil {
			s.Fatal(err)
		}
		if d := diff(map[string][]byte{"b": {}, "c/d.e": []byte("3")}, got); d != "" {
			s.Error(d)
		}
		if !s.reopen() {
			return
		}
	}
}

func (s *suite) watcher() {
	heard := func(what string) {
		s.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !slices.Contains(s.told, "x") {
			s.Errorf("nobody was told after %s", what)
		}
		s.told = nil
	}
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	heard("accept")
	s.Release(s.claim("x", 2, 1))
	heard("release")
	s.settle(all(s.claim("x", 2, 1), spool.StateQueued))
	heard("settle")
	s.settle(all(s.claim("x", 2, 1), spool.StateFailed), spool.Report{Message: NewMessage("", 1, "x", "a@b")})
	heard("a report")
}

func (s *suite) attemptCut() {
	s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	m := s.claim("x", 2, 1)
	o := spool.OutcomeOf(m.ID, &m.Recipients[0])
	o.Last = &spool.Attempt{Reply: strings.Repeat("ü", 5000), Detail: strings.Repeat("d", 5000), Host: strings.Repeat("h", 5000)}
	s.settle([]spool.Outcome{o})
	got, err := s.Get(s.ctx, m.ID)
	if err != nil {
		s.Fatal(err)
	}
	a := got.Recipients[0].Last
	if n := len(a.Reply) + len(a.Detail) + len(a.Host); n > 1024 || n < 500 {
		s.Errorf("%d octets are kept", n)
	}
}

func (s *suite) closed() {
	m := s.accept(NewMessage("a@b", 1, "x", "1@d"), "")
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"accept":  func() error { return s.Accept(s.ctx, NewMessage("a@b", 1, "x", "1@d"), bytes.NewReader(nil)) },
		"claim":   func() error { _, err := s.Claim(s.ctx, "x", epoch, 1); return err },
		"message": func() error { _, err := s.ClaimMessage(s.ctx, m.ID, nil); return err },
		"overdue": func() error { _, err := s.ClaimOverdue(s.ctx, epoch, 1); return err },
		"settle":  func() error { return s.Settle(s.ctx, all(m, spool.StateDelivered), nil) },
		"get":     func() error { _, err := s.Get(s.ctx, m.ID); return err },
		"body":    func() error { _, err := s.Body(s.ctx, m.ID); return err },
		"heads":   func() error { _, err := s.Heads(s.ctx); return err },
		"lane":    func() error { return s.SaveLane(s.ctx, "x", nil) },
		"lanes":   func() error { _, err := s.Lanes(s.ctx); return err },
		"close":   s.Close,
	} {
		if err := f(); !errors.Is(err, spool.ErrClosed) {
			s.Errorf("%s: %v", name, err)
		}
	}
	s.Store = nil
}

// manyAtOnce lets clients, workers and an operator loose on one store; in the end
// every message has been claimed to its end exactly once.
func (s *suite) manyAtOnce() {
	const clients, messages = 8, 40
	var accepted sync.WaitGroup
	for c := range clients {
		accepted.Go(func() {
			for i := range messages {
				m := NewMessage(fmt.Sprintf("s%d@x", c), i, "x", "1@d", "2@d")
				if err := s.Accept(s.ctx, m, strings.NewReader(strings.Repeat("x", 1000))); err != nil {
					s.Error(err)
				}
			}
		})
	}
	done := make(chan struct{}) // closed when all is accepted
	go func() { accepted.Wait(); close(done) }()
	var mu sync.Mutex
	ended := map[spool.Ref]int{}
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for round := 0; ; round++ {
				over := false
				select {
				case <-done:
					over = true
				default:
				}
				m, err := s.Claim(s.ctx, "x", epoch.Add(time.Hour), 1+w%2)
				switch {
				case err != nil:
					s.Error(err)
					return
				case m == nil && over:
					return
				case m == nil:
					continue
				case round%5 == 0:
					s.Release(m)
					continue
				}
				state := []spool.State{spool.StateDelivered, spool.StateQueued, spool.StateFailed}[round%3]
				if state.Terminal() {
					mu.Lock()
					for i := range m.Recipients {
						ended[spool.Ref{ID: m.ID, Index: m.Recipients[i].Index}]++
					}
					mu.Unlock()
				}
				if err := s.Settle(s.ctx, all(m, state), nil); err != nil {
					s.Error(err)
				}
			}
		})
	}
	workers.Wait()
	if len(ended) != clients*messages*2 {
		s.Errorf("%d recipients ended, want %d", len(ended), clients*messages*2)
	}
	for ref, n := range ended {
		if n != 1 {
			s.Errorf("%v ended %d times", ref, n)
		}
	}
	for m, err := range s.List(s.ctx, spool.Query{}) {
		s.Errorf("left: %v, %v", m, err)
	}
}
