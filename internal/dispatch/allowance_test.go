package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// total returns how many transactions there were.
func (h *hop) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sends
}

// paced has the office's one route paced so.
func paced(p route.Pace, host string) func(*Options) {
	table := &route.Table{Routes: []*route.Route{{Name: "host", Recipients: []string{"*"}, Pace: p, PaceHost: host, TLS: route.TLSNone,
		Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}}}}
	return func(o *Options) { o.Routes = func() *route.Table { return table } }
}

// TestAllowance_ATryThatNeverReachedMAILCostsNothing: the host is down for days,
// and the day's allowance is there when it is back.
func TestAllowance_ATryThatNeverReachedMAILCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			paced(route.Pace{RecipientsPerDay: 3}, "")(opts)
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					res := c.Send(ctx, r)
					res.Attempted = res.Trouble == nil
					return res
				})
			}
		})
		defer o.stop()
		o.hop.set(func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: syscall.ECONNREFUSED}
		})
		for i := range 3 {
			o.accept("", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(3 * time.Hour)
		o.hop.set(nil)
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		if left := o.entries(); len(left) != 0 {
			t.Errorf("the tries were counted: %+v", left)
		}
	})
}

// TestAllowance_MoreRecipientsThanADayHas: the message is split over days.
func TestAllowance_MoreRecipientsThanADayHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, paced(route.Pace{RecipientsPerDay: 10, Recipients: 4}, ""))
		defer o.stop()
		var to []smtp.Path
		for i := range 25 {
			to = append(to, smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		o.accept("", to...)
		arrived := func() (n int) {
			for _, p := range to {
				n += o.hop.count(p)
			}
			return n
		}
		for day, want := range []int{10, 20, 25} {
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := arrived(); got != want {
				t.Errorf("day %d: %d have it, want %d", day, got, want)
			}
			time.Sleep(23*time.Hour + 10*time.Minute)
		}
		if n := o.hop.total(); n != 8 { // 4+4+2, 4+4+2, 4+1
			t.Errorf("%d transactions", n)
		}
	})
}

// TestAllowance_TwoRoutesOfOneLoginShareIt: connections, minute and day.
func TestAllowance_TwoRoutesOfOneLoginShareIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := lab.Limits{Connections: 2, PerMinute: 12, RecipientsPerDay: 110}
		x := openExchange(t, &limits)
		defer x.close()
		first := x.routes.Routes[0]
		pace := route.Pace{Connections: 2, PerMinute: 12, RecipientsPerDay: 110}
		second := *first
		second.Name, second.User = "same", strings.ToUpper(first.User)
		a, b := *first, second
		a.Pace, b.Pace, b.User = pace, pace, first.User
		x.stop()
		x.routes = &route.Table{Routes: []*route.Route{&a, &b}}
		x.start()
		want := 0
		for i := range 60 {
			for lane, n := range map[spool.Destination]int{"m365": 1, "same": 1 + i%2} {
				var to []string
				for j := range n {
					to = append(to, fmt.Sprintf("%s.%d.%d@example.net", lane, i, j))
				}
				x.accept(lane, to...)
				want += n
			}
		}
		time.Sleep(6 * time.Minute)
		x.mu.Lock()
		by := map[string]int{}
		for to := range x.arrived {
			lane, _, _ := strings.Cut(to, ".")
			by[lane]++
		}
		x.mu.Unlock()
		if by["m365"] < 20 || by["same"] < 20 {
			t.Errorf("one starves: %v", by)
		}
		x.drain(72 * time.Hour)
		x.check(limits, want)
	})
}

// crashStore is a store whose process may die: what comes after that of lanes'
// records is lost.
type crashStore struct {
	spool.Store
	mu   sync.Mutex // guards the field below
	dead bool
}

func (s *crashStore) SaveLane(ctx context.Context, name string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil
	}
	return s.Store.SaveLane(ctx, name, record)
}

func (s *crashStore) die(dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = dead
}

// TestAllowance_SurvivesAKill has the process die again and again at moments of its
// own; what it had promised itself in the last record is all that it loses.
func TestAllowance_SurvivesAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := lab.Limits{Connections: 3, PerMinute: 30, RecipientsPerDay: 160}
		x := openExchange(t, &limits)
		defer x.close()
		r := *x.routes.Routes[0]
		r.Pace.RecipientsPerDay = 160
		x.stop()
		x.routes = &route.Table{Routes: []*route.Route{&r}}
		s := &crashStore{Store: x.store}
		x.opts.Store = s
		x.start()
		want := 0
		for i := range 220 {
			x.accept("m365", fmt.Sprintf("r%d@example.net", i))
			want++
		}
		for i := range 8 {
			time.Sleep(time.Duration(7+13*i)*time.Second + 137*time.Millisecond)
			s.die(true) // nothing of the lane's state is written any more
			x.stop()
			s.die(false)
			x.store.Restart()
			x.start()
		}
		time.Sleep(4 * time.Hour)
		if n := x.delivered(); n < 160-8*(1+3) || n > 160 { // one ahead, three in flight
			t.Errorf("%d delivered on the first day", n)
		}
		x.drain(72 * time.Hour)
		x.check(limits, want)
	})
}

// TestAllowance_SurvivesAStop: in order, and then nothing is lost at all.
func TestAllowance_SurvivesAStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, paced(route.Pace{PerDay: 20}, ""))
		for i := range 30 {
			o.accept("", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
			if i%4 == 3 {
				synctest.Wait()
				o.stop()
				o.Dispatcher = New(o.Dispatcher.o)
				o.store.Restart()
				o.start()
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := len(o.entries()); left != 10 {
			t.Errorf("%d left of 30 on a day of 20", left)
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		o.stop()
		if left := len(o.entries()); left != 0 {
			t.Errorf("%d left a day later", left)
		}
		// A day after the last message nothing is remembered of the account.
		o.Dispatcher = New(o.Dispatcher.o)
		o.start()
		defer o.stop()
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		records, err := o.store.Lanes(t.Context())
		for name := range records {
			if strings.HasPrefix(name, accountRecord) {
				t.Errorf("the record of %s is still there", name)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// lines is a log.
type lines struct {
	mu   sync.Mutex // guards the field below
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// matching returns the lines that hold text.
func (l *lines) matching(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestAllowance_AReloadChangesThePace: what has been sent before counts, and
// connections that are too many by then end.
func TestAllowance_AReloadChangesThePace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var table atomic.Pointer[route.Table]
		set := func(p route.Pace) {
			table.Store(&route.Table{Routes: []*route.Route{{Name: "host", Recipients: []string{"*"}, Pace: p, TLS: route.TLSNone,
				Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}}}})
		}
		set(route.Pace{Connections: 5})
		var sending, most atomic.Int32
		o := open(t, func(opts *Options) {
			opts.Routes = table.Load
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					most.Store(max(most.Load(), sending.Add(1)))
					time.Sleep(time.Second)
					defer sending.Add(-1)
					return c.Send(ctx, r)
				})
			}
		})
		defer o.stop()
		accept := func(n int) {
			for i := range n {
				o.accept("", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
			}
		}
		accept(20)
		time.Sleep(time.Minute)
		if got := most.Load(); got < 4 || got > 5 || o.hop.total() != 20 {
			t.Errorf("%d at once, %d sent", got, o.hop.total())
		}
		accept(40)
		time.Sleep(1500 * time.Millisecond)
		set(route.Pace{Connections: 2, PerDay: 50})
		time.Sleep(4 * time.Second)
		most.Store(0)
		time.Sleep(time.Minute)
		if got := most.Load(); got > 2 || o.hop.total() != 50 {
			t.Errorf("after the reload %d at once, %d sent", got, o.hop.total())
		}
		set(route.Pace{})
		o.Reloaded(t.Context())
		if _, err := o.Retry(t.Context(), Selection{All: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := o.entries(); len(left) != 0 {
			t.Errorf("%d left though nothing is bounded", len(left))
		}
	})
}

// TestAllowance_IsSaid: the list, the lane and the notice of the delay say what it
// waits for; no attempt is counted, and it expires as everything does.
func TestAllowance_IsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lines
		o := open(t, func(opts *Options) {
			paced(route.Pace{RecipientsPerDay: 2}, "smtp.office365.com")(opts)
			opts.Routes().Routes = append(opts.Routes().Routes, &route.Route{Name: "notices", Recipients: []string{"nobody@example.org"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "other.test", Port: 587}}})
			opts.BouncesRoute = "notices"
			opts.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		defer o.stop()
		for i := range 3 {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		left := o.entries()
		lanes, err := o.Lanes(t.Context())
		const want = "the provider's limit (2 recipients a day)"
		if err != nil || len(left) != 1 || len(lanes) != 1 || lanes[0].Waits != want || lanes[0].State != laneOpen {
			t.Fatalf("%+v, %+v, %v", left, lanes, err)
		}
		e := left[0]
		if e.Waits != want || e.Attempts != 0 || e.Cause != "limit.quota" || e.NextAttempt == nil || time.Until(*e.NextAttempt) < 23*time.Hour {
			t.Errorf("%+v", e)
		}
		if !strings.Contains(strings.Join(e.Do, " "), "recipients_per_day") || !strings.Contains(e.Why, "smtp.office365.com") {
			t.Errorf("it does not say how to have more: %+v", e)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if n := o.hop.last("ann@example.org"); !strings.Contains(n, "Action: delayed") || !strings.Contains(n, "provider's limit (2") {
			t.Errorf("the notice does not explain it:\n%s", n)
		}
		if got := log.matching("lane waits for " + want); len(got) == 0 || len(got) > 2 || !strings.Contains(got[0], "next=2000-01-02T00:0") {
			t.Errorf("the log has %q", got)
		}
	})
}

// TestAllowance_AFlushDoesNotWaitForTomorrow: it has tried what there was to try.
func TestAllowance_AFlushDoesNotWaitForTomorrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, paced(route.Pace{RecipientsPerDay: 2}, ""))
		defer o.stop()
		for i := range 5 {
			o.accept("", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := o.Flush(ctx); err != nil || time.Since(began) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if left := o.entries(); len(left) != 3 {
			t.Errorf("%d left, want 3", len(left))
		}
	})
}

// TestAllowance_HeldBackRecipientsWait: a server that takes one recipient at a time
// makes more transactions of a message than the minute has.
func TestAllowance_HeldBackRecipientsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			paced(route.Pace{PerMinute: 3}, "")(opts)
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					all := &deliver.Result{Attempted: true}
					for i := range r.Message.Recipients {
						if i > 0 && !r.Again(1) {
							all.Outcomes = append(all.Outcomes, deliver.Outcome{Index: r.Message.Recipients[i].Index, Status: deliver.Deferred,
								Err: &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Err: deliver.ErrHeldBack}})
							continue
						}
						one := *r.Message
						one.Recipients = r.Message.Recipients[i : i+1]
						all.Outcomes = append(all.Outcomes, c.Send(ctx, &deliver.Request{Message: &one, Body: r.Body}).Outcomes...)
						all.Transactions++
					}
					return all
				})
			}
		})
		defer o.stop()
		o.accept("", "a@example.net", "b@example.net", "c@example.net", "d@example.net", "e@example.net")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if left := o.entries(); len(left) != 2 || left[0].Attempts != 0 || o.hop.total() != 3 {
			t.Errorf("after half a minute %d transactions, left %+v", o.hop.total(), left)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := o.entries(); len(left) != 0 {
			t.Errorf("left %+v", left)
		}
	})
}

// TestAllowance_AnUncertainMessageMayBeCountedLater: the server may take it, and
// count it, a while after the line died.
func TestAllowance_AnUncertainMessageMayBeCountedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Time
		o := open(t, func(opts *Options) {
			paced(route.Pace{PerMinute: 1}, "")(opts)
			opts.Open = func(*route.Route, string) deliver.Conversation {
				return conversationFunc(func(_ context.Context, r *deliver.Request) *deliver.Result {
					mu.Lock()
					defer mu.Unlock()
					at = append(at, time.Now())
					out := deliver.Outcome{Index: r.Message.Recipients[0].Index, Status: deliver.Delivered}
					if len(at) == 1 {
						out.Status = deliver.Uncertain
						out.Err = &evidence.Error{Origin: evidence.OriginNetwork, Stage: evidence.StagePostData, Scope: evidence.ScopeConnection, Err: syscall.ECONNRESET}
					}
					return &deliver.Result{Attempted: true, Transactions: 1, Outcomes: []deliver.Outcome{out}}
				})
			}
		})
		defer o.stop()
		o.accept("", "a@example.net")
		o.accept("", "b@example.net")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 3 || at[1].Sub(at[0]) < 2*time.Minute || at[2].Sub(at[1]) < time.Minute || at[2].Sub(at[1]) > 2*time.Minute {
			t.Errorf("sent at %v", at)
		}
	})
}

// TestThrottled_FewerConnections: the other side counts one that is not ours.
func TestThrottled_FewerConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := lab.Limits{Connections: 2}
		x := openExchange(t, &limits) // the data say three
		defer x.close()
		want := 0
		for i := range 400 {
			x.accept("m365", fmt.Sprintf("r%d@example.net", i))
			want++
		}
		x.drain(2 * time.Hour)
		if u := x.lab.Usage(); u.OverConnection == 0 || u.OverConnection > 8 {
			t.Errorf("%+v", u)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.arrived) != want || x.ended[spool.StateFailed] != 0 {
			t.Errorf("%d of %d, %v", len(x.arrived), want, x.ended)
		}
	})
}

// TestThrottled_TheQuotaIsUsedUpElsewhere: nothing bounces at a smart host.
func TestThrottled_TheQuotaIsUsedUpElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := lab.Limits{RecipientsPerDay: 50}
		x := openExchange(t, &limits) // the data say ten thousand
		defer x.close()
		for i := range 70 {
			x.accept("m365", fmt.Sprintf("r%d@example.net", i))
		}
		time.Sleep(12 * time.Hour)
		lanes, err := x.Lanes(t.Context())
		if err != nil || len(lanes) != 1 || lanes[0].State != laneSlow || lanes[0].Cause != "limit.quota" {
			t.Fatalf("%+v, %v", lanes, err)
		}
		if u := x.lab.Usage(); u.OverQuota > 20 {
			t.Errorf("asked %d times within 12 hours", u.OverQuota)
		}
		x.drain(40 * time.Hour)
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, st := range []spool.State{spool.StateFailed, spool.StateExpired, spool.StateHeld} {
			if x.ended[st] != 0 {
				t.Errorf("%d are %s", x.ended[st], st)
			}
		}
	})
}

// TestThrottled_RetryAfterIsObeyed, to the second and not before.
func TestThrottled_RetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var first, second time.Time
		o := open(t, func(opts *Options) {
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					res := c.Send(ctx, r)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case first.IsZero():
						first, res.RetryAfter = time.Now(), 37*time.Minute
					case second.IsZero():
						second = time.Now()
					}
					return res
				})
			}
		})
		defer o.stop()
		o.hop.set(func(smtp.Path) *evidence.Error {
			return refusal(evidence.StagePostData, 451, 7, 1, "sending rate exceeded")
		})
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if d := second.Sub(first); d < 37*time.Minute || d > 38*time.Minute {
			t.Errorf("asked again after %v", d)
		}
	})
}

// TestPause_AnOutageInBetweenDoesNotBeginItAnew: logins are few, whatever happens
// between them.
func TestPause_AnOutageInBetweenDoesNotBeginItAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		n, logins := 0, 0
		o.hop.set(func(smtp.Path) *evidence.Error {
			if n++; n%2 == 0 {
				return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: syscall.ECONNREFUSED}
			}
			logins++
			return &evidence.Error{Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Origin: evidence.OriginRemote, Reply: smtp.NewReply(535, 7, 8, "wrong password")}
		})
		o.accept("", "bob@example.net")
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if logins > 14 {
			t.Errorf("%d logins within ten hours", logins)
		}
	})
}

// TestLanes_AreForgotten when nothing is left of them.
func TestLanes_AreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			table := &route.Table{Routes: []*route.Route{{Name: "mx", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeMX, Port: 25}}, Pace: route.Pace{PerMinute: 10}}}}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		for range 2 { // and what comes afterwards goes out as before
			for i := range 300 {
				now := time.Now()
				to := smtp.Path(fmt.Sprintf("bob@d%d.example", i))
				m := &spool.Message{ID: spool.NewQueueID(), Envelope: spool.Envelope{Received: now}, Recipients: []spool.Recipient{{Path: to, State: spool.StateQueued,
					Destination: spool.Destination("mx/" + to.Domain()), ExpireAt: now.Add(120 * time.Hour)}}}
				if err := o.store.Accept(t.Context(), m, strings.NewReader("Subject: hello\r\n\r\ntext\r\n")); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(30 * time.Hour)
			synctest.Wait()
			o.Dispatcher.mu.Lock()
			lanes, accounts := len(o.Dispatcher.lanes), len(o.accounts)
			o.Dispatcher.mu.Unlock()
			if left := o.entries(); lanes != 0 || accounts != 0 || len(left) != 0 {
				t.Errorf("%d lanes and %d accounts are remembered, %d recipients left", lanes, accounts, len(left))
			}
		}
		if n := o.hop.count("bob@d7.example"); n != 2 {
			t.Errorf("%d messages of 2", n)
		}
	})
}

// settleCounter counts the synced steps of an order.
type settleCounter struct {
	spool.Store
	settled atomic.Int64
}

func (s *settleCounter) Settle(ctx context.Context, o []spool.Outcome, r []spool.Report) error {
	s.settled.Add(1)
	return s.Store.Settle(ctx, o, r)
}

// TestOrder_IsNotAStepForEachMessage, and leaves nothing claimed.
func TestOrder_IsNotAStepForEachMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s *settleCounter
		o := open(t, func(opts *Options) {
			s = &settleCounter{Store: opts.Store}
			opts.Store = s
		})
		o.stop() // nobody else settles
		for range 1200 {
			o.accept("ann@example.org", "bob@example.net")
		}
		if done, err := o.Hold(t.Context(), Selection{All: true}); err != nil || done.Recipients != 1200 || s.settled.Load() > 4 {
			t.Errorf("%+v, %v in %d steps", done, err, s.settled.Load())
		}
		id := string(o.entries()[0].QueueID)
		if done, err := o.Resume(t.Context(), Selection{IDs: []string{id, id, "nope"}}); err != nil || done.Recipients != 1 || len(done.Skipped) != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		if done, err := o.Cancel(t.Context(), Selection{All: true}); err != nil || done.Recipients != 1200 {
			t.Errorf("%+v, %v", done, err)
		}
		if _, err := o.Retry(t.Context(), Selection{}); !errors.Is(err, ErrNothingSelected) {
			t.Error(err)
		}
	})
}
