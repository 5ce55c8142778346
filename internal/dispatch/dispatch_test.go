package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
)

// hop is the other side: what it answers to each recipient.
type hop struct {
	mu     sync.Mutex // guards the fields below
	answer func(to smtp.Path) *evidence.Error
	got    map[smtp.Path][]string // bodies by recipient
	sends  int
}

func (h *hop) set(answer func(to smtp.Path) *evidence.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *hop) count(to smtp.Path) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.got[to])
}

// last returns what was delivered to last, "" if nothing was.
func (h *hop) last(to smtp.Path) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := h.got[to]; len(got) > 0 {
		return got[len(got)-1]
	}
	return ""
}

// Send implements deliver.Conversation.
func (h *hop) Send(_ context.Context, r *deliver.Request) *deliver.Result {
	body, err := r.Body()
	if err != nil {
		panic(err)
	}
	defer body.Close()
	b, _ := io.ReadAll(body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends++
	res := &deliver.Result{Attempted: true}
	for _, x := range r.Message.Recipients {
		o := deliver.Outcome{Index: x.Index, Status: deliver.Delivered, Host: "mx.test"}
		var e *evidence.Error
		if h.answer != nil {
			e = h.answer(x.Path)
		}
		switch {
		case e == nil:
			h.got[x.Path] = append(h.got[x.Path], string(b))
		default:
			o.Err, o.Reply, o.Status = e, e.Reply, deliver.Deferred
			if e.Reply.Permanent() {
				o.Status = deliver.Failed
			}
			o.Finding = explain.Error(e, explain.Facts{Recipient: string(x.Path)})
			e.Cause = o.Finding.Cause
			if beforeMail(e.Stage) {
				res.Trouble, res.Finding = e, o.Finding
			}
		}
		res.Outcomes = append(res.Outcomes, o)
	}
	return res
}

// Close implements deliver.Conversation.
func (h *hop) Close() error { return nil }

func refusal(stage evidence.Stage, code, subject, detail int, text string) *evidence.Error {
	return &evidence.Error{Stage: stage, Origin: evidence.OriginRemote, Reply: smtp.NewReply(code, subject, detail, text)}
}

// office is a dispatcher over the model of a store, in a bubble of its own time.
type office struct {
	*Dispatcher
	t     *testing.T
	store *memspool.Store
	hop   *hop
	stop  func()
}

func open(t *testing.T, change func(*Options)) *office {
	o := &office{t: t, hop: &hop{got: map[smtp.Path][]string{}}}
	o.store = memspool.New(memspool.Options{Watch: func(d spool.Destination, at time.Time) { o.Wake(d, at) }})
	table := &route.Table{Routes: []*route.Route{{Name: "host", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}, TLS: route.TLSNone}}}
	opts := Options{Store: o.store, Routes: func() *route.Table { return table }, Hostname: "post.test", Postmaster: "postmaster@post.test",
		Open: func(*route.Route, string) deliver.Conversation { return o.hop }}
	if change != nil {
		change(&opts)
	}
	o.Dispatcher = New(opts)
	o.start()
	return o
}

func (o *office) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	o.stop = func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
	}
}

func (o *office) accept(from smtp.Path, to ...smtp.Path) spool.QueueID {
	now := time.Now()
	m := &spool.Message{ID: spool.NewQueueID(), Envelope: spool.Envelope{From: from, Received: now}}
	for _, p := range to {
		m.Recipients = append(m.Recipients, spool.Recipient{Path: p, State: spool.StateQueued, Destination: "host", WarnAt: now.Add(4 * time.Hour), ExpireAt: now.Add(120 * time.Hour)})
	}
	if err := o.store.Accept(o.t.Context(), m, strings.NewReader("Subject: hello\r\n\r\ntext\r\n")); err != nil {
		o.t.Fatal(err)
	}
	return m.ID
}

func (o *office) entries() (all []Entry) {
	for e, err := range o.List(o.t.Context(), Filter{}) {
		if err != nil {
			o.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestDispatch_Delivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.accept("ann@example.org", "bob@example.net", "eve@example.net")
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 || o.hop.count("eve@example.net") != 1 || len(o.entries()) != 0 {
			t.Errorf("left %+v", o.entries())
		}
	})
}

func TestDispatch_RefusedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error {
			if to == "bbo@example.net" {
				return refusal(evidence.StageRcpt, 550, 1, 1, "user unknown")
			}
			return nil
		})
		o.accept("ann@example.org", "bbo@example.net", "bob@example.net")
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 || o.hop.count("ann@example.org") != 1 {
			t.Fatalf("left %+v", o.entries())
		}
		if report := o.hop.last("ann@example.org"); !strings.Contains(report, "bbo@example.net") || !strings.Contains(report, "X-Wellsent-Cause: recipient.unknown") {
			t.Errorf("the report:\n%s", report)
		}
		if len(o.entries()) != 0 {
			t.Errorf("left: %v", o.entries())
		}
	})
}

func TestDispatch_NeverABounceOfABounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error { return refusal(evidence.StageRcpt, 550, 1, 1, "user unknown") })
		o.accept("ann@example.org", "bbo@example.net")
		synctest.Wait()
		left := o.entries()
		// Ann's notification failed and went to the postmaster; that failed too.
		if len(left) != 1 || left[0].State != spool.StateDead || left[0].Address != "postmaster@post.test" {
			t.Errorf("left: %+v", left)
		}
	})
}

func TestDispatch_DownIsTriedAgainByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: syscall.ECONNREFUSED}
		})
		for range 5 {
			o.accept("ann@example.org", "bob@example.net")
		}
		synctest.Wait()
		for _, e := range o.entries() {
			if e.Cause != "net.refused" || e.NextAttempt == nil || e.Why == "" {
				t.Errorf("it waits in silence: %+v", e)
			}
		}
		if lanes, _ := o.Lanes(t.Context()); len(lanes) != 1 || lanes[0].State != laneDown {
			t.Errorf("lanes %+v", lanes)
		}
		o.hop.set(nil)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if n := o.hop.count("bob@example.net"); n != 5 {
			t.Errorf("%d of 5 delivered, left %+v", n, o.entries())
		}
	})
}

func TestDispatch_OurOwnFaultPausesAndNothingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		o.hop.set(func(smtp.Path) *evidence.Error { return refusal(evidence.StageAuth, 535, 7, 8, "wrong password") })
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		left := o.entries() // beside it the notice of the delay, which waits too
		if len(left) != 2 || left[0].State != spool.StateQueued || !left[0].LanePaused || left[0].Cause != "auth.credentials-rejected" || left[0].Attempts != 0 {
			t.Fatalf("after ten days: %+v", left)
		}
		o.hop.mu.Lock()
		sends := o.hop.sends
		o.hop.mu.Unlock()
		if sends > 10*24+4 {
			t.Errorf("%d logins in ten days", sends)
		}
		// The pause outlives the process.
		o.stop()
		o.Dispatcher = New(o.Dispatcher.o)
		o.start()
		defer o.stop()
		synctest.Wait()
		if lanes, _ := o.Lanes(t.Context()); len(lanes) != 1 || lanes[0].State != lanePaused {
			t.Errorf("after a restart: %+v", lanes)
		}
		o.hop.set(nil)
		if _, err := o.Resume(t.Context(), Selection{Lane: "host"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 {
			t.Errorf("not delivered after resume: %+v", o.entries())
		}
	})
}

// TestDispatch_ReloadTriesAPausedLaneOnce: whoever mended the password need not
// wait an hour, and a reload that mended nothing costs one login.
func TestDispatch_ReloadTriesAPausedLaneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		wrong := func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Origin: evidence.OriginRemote, Reply: smtp.NewReply(535, 7, 8, "wrong password")}
		}
		o.hop.set(wrong)
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(3 * time.Hour) // the lane is tried once an hour now
		synctest.Wait()
		o.hop.mu.Lock()
		before := o.hop.sends
		o.hop.mu.Unlock()
		o.Reloaded(t.Context())
		time.Sleep(time.Minute)
		synctest.Wait()
		o.hop.mu.Lock()
		tried := o.hop.sends - before
		o.hop.mu.Unlock()
		if tried != 1 || o.hop.count("bob@example.net") != 0 {
			t.Errorf("%d logins after a reload that mended nothing", tried)
		}
		o.hop.set(nil)
		o.Reloaded(t.Context())
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 {
			t.Errorf("not delivered after the reload: %+v", o.entries())
		}
	})
}

func TestDispatch_WarnsAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error {
			if to == "bob@example.net" {
				return refusal(evidence.StageRcpt, 450, 2, 0, "mailbox busy, try again later")
			}
			return nil
		})
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if o.hop.count("ann@example.org") != 1 || !strings.Contains(o.hop.last("ann@example.org"), "Action: delayed") {
			t.Fatalf("no warning after five hours: %q", o.hop.last("ann@example.org"))
		}
		time.Sleep(120 * time.Hour)
		synctest.Wait()
		if o.hop.count("ann@example.org") != 2 || !strings.Contains(o.hop.last("ann@example.org"), "Action: failed") || len(o.entries()) != 0 {
			t.Errorf("not expired: %d notifications, left %+v", o.hop.count("ann@example.org"), o.entries())
		}
	})
}

func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error { return refusal(evidence.StageRcpt, 450, 2, 0, "mailbox busy") })
		id := string(o.accept("ann@example.org", "bob@example.net"))
		synctest.Wait()
		one := Selection{IDs: []string{id}}
		if done, err := o.Hold(t.Context(), one); err != nil || done.Recipients != 1 {
			t.Fatal(done, err)
		}
		o.hop.set(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if left := o.entries(); len(left) != 1 || left[0].State != spool.StateHeld {
			t.Fatalf("a held one was tried: %+v", left)
		}
		if done, err := o.Resume(t.Context(), one); err != nil || done.Recipients != 1 {
			t.Fatal(done, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 {
			t.Error("not delivered after resume")
		}
		if done, err := o.Cancel(t.Context(), one); err != nil || done.Recipients != 0 || len(done.Skipped) != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		if _, err := o.Retry(t.Context(), Selection{}); !errors.Is(err, ErrNothingSelected) {
			t.Error(err)
		}
	})
}

// TestDispatch_LosesNothing lets the other side answer at random, and the process
// stop at random; in the end each recipient was delivered once, or its sender told.
func TestDispatch_LosesNothing(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			o := open(t, nil)
			o.hop.set(func(to smtp.Path) *evidence.Error {
				if to.Domain() == "example.org" {
					return nil // notifications arrive
				}
				mu.Lock()
				defer mu.Unlock()
				switch r.IntN(6) {
				case 0:
					return refusal(evidence.StageRcpt, 450, 2, 0, "busy")
				case 1:
					return refusal(evidence.StageRcpt, 550, 1, 1, "user unknown")
				case 2:
					return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: syscall.ECONNREFUSED}
				case 3:
					return refusal(evidence.StageAuth, 535, 7, 8, "wrong password")
				}
				return nil
			})
			const n = 30
			for i := range n {
				o.accept(smtp.Path(fmt.Sprintf("s%d@example.org", i)), smtp.Path(fmt.Sprintf("r%d@example.net", i)))
				if i%10 == 9 {
					o.stop()
					o.Dispatcher = New(o.Dispatcher.o)
					o.store.Restart()
					o.start()
				}
			}
			time.Sleep(7 * 24 * time.Hour)
			synctest.Wait()
			o.stop()
			for i := range n {
				got, told := o.hop.count(smtp.Path(fmt.Sprintf("r%d@example.net", i))), o.hop.count(smtp.Path(fmt.Sprintf("s%d@example.org", i)))
				if got > 1 || got+min(told, 1) < 1 {
					t.Errorf("seed %d, message %d: delivered %d times, sender told %d times", seed, i, got, told)
				}
			}
			if left := o.entries(); len(left) != 0 {
				t.Errorf("seed %d: left %+v", seed, left)
			}
		})
	}
}
