package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// countingStore counts looks at its destinations and can lose a body.
type countingStore struct {
	spool.Store
	mu    sync.Mutex
	dues  int
	lates int
	lost  bool
}

func (s *countingStore) Due(d spool.Destination) (time.Time, bool) {
	s.mu.Lock()
	s.dues++
	s.mu.Unlock()
	return s.Store.Due(d)
}

func (s *countingStore) ClaimOverdue(ctx context.Context, now time.Time, max int) ([]*spool.Message, error) {
	s.mu.Lock()
	s.lates++
	many := s.lates > 1_000_000
	s.mu.Unlock()
	if many {
		panic("a busy loop")
	}
	return s.Store.ClaimOverdue(ctx, now, max)
}

func (s *countingStore) Body(ctx context.Context, id spool.QueueID) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return nil, errors.New("damaged")
	}
	return s.Store.Body(ctx, id)
}

// TestDispatch_WhatWaitsBehindADownLaneExpiresWithItsCause lets messages expire
// that were never tried themselves: their senders are told why all the same.
func TestDispatch_WhatWaitsBehindADownLaneExpiresWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			table := &route.Table{Routes: []*route.Route{
				{Name: "home", Recipients: []string{"example.org"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "home.test", Port: 25}}},
				{Name: "host", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 25}}}}}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error {
			if to.Domain() == "example.org" {
				return nil
			}
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: syscall.ECONNREFUSED}
		})
		for i := range 8 {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(5*time.Hour + 120*time.Hour)
		synctest.Wait()
		if n := o.hop.count("ann@example.org"); n != 16 {
			t.Errorf("she was told %d times, want a warning and a failure for each", n)
		}
		for _, b := range o.hop.got["ann@example.org"] {
			if !strings.Contains(b, "X-Wellsent-Cause: net.refused") {
				t.Fatalf("not told why:\n%s", b)
			}
		}
	})
}

// TestDispatch_AnUnreadableBodyExpiresAllTheSame has a message whose body is
// damaged: its sender is told, and nothing turns in circles meanwhile.
func TestDispatch_AnUnreadableBodyExpiresAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *countingStore
		o := open(t, func(opts *Options) {
			s = &countingStore{Store: opts.Store}
			opts.Store = s
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					if _, err := r.Body(); err != nil {
						e := &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeMessage, Err: err}
						res := &deliver.Result{}
						for _, x := range r.Message.Recipients {
							res.Outcomes = append(res.Outcomes, deliver.Outcome{Index: x.Index, Status: deliver.Deferred, Err: e})
						}
						return res
					}
					return c.Send(ctx, r)
				})
			}
		})
		defer o.stop()
		s.lost = true
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(119 * time.Hour)
		s.mu.Lock()
		s.lates = 0
		s.mu.Unlock()
		time.Sleep(2 * time.Hour)
		s.mu.Lock()
		s.lost = false // the notification itself is well
		s.mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if o.hop.count("ann@example.org") < 1 {
			t.Errorf("nobody was told; left %+v", o.entries())
		}
		if s.lates > 4*3600+1000 {
			t.Errorf("%d looks for what is overdue in four hours", s.lates)
		}
	})
}

// unsettled is a store that cannot write outcomes.
type unsettled struct{ spool.Store }

func (unsettled) Settle(context.Context, []spool.Outcome, []spool.Report) error {
	return errors.New("input/output error")
}

// TestDispatch_AnOutcomeThatCannotBeWrittenIsNoLoop delivers a message whose
// outcome cannot be written: it may go twice, but not as fast as it can be sent.
func TestDispatch_AnOutcomeThatCannotBeWrittenIsNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) { opts.Store = unsettled{opts.Store} })
		defer o.stop()
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if n := o.hop.count("bob@example.net"); n < 2 || n > 11 {
			t.Errorf("sent %d times within ten minutes", n)
		}
	})
}
