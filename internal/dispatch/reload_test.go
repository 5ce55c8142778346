package dispatch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// smart is a route by one smart host.
func smart(name string, pace route.Pace, recipients ...string) *route.Route {
	return &route.Route{Name: name, Recipients: recipients, Pace: pace, TLS: route.TLSNone,
		Via: []route.Via{{Scheme: route.SchemeSMTP, Host: name + ".test", Port: 587}}}
}

// reloadable is an office whose routes a test changes, and the hops by the routes'
// names.
type reloadable struct {
	*office
	table atomic.Pointer[route.Table]

	mu   sync.Mutex // guards the field below
	hops map[string]*hop
}

func openReloadable(t *testing.T, routes ...*route.Route) *reloadable {
	x := &reloadable{hops: map[string]*hop{}}
	x.set(routes...)
	x.office = open(t, func(o *Options) {
		o.Routes = x.table.Load
		o.Open = func(r *route.Route, _ string) deliver.Conversation { return x.by(r.Name) }
	})
	return x
}

func (x *reloadable) set(routes ...*route.Route) { x.table.Store(&route.Table{Routes: routes}) }

// by returns the next hop of the route of that name.
func (x *reloadable) by(name string) *hop {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hops[name] == nil {
		x.hops[name] = &hop{got: map[smtp.Path][]string{}}
	}
	return x.hops[name]
}

// TestReload_AHigherPaceHoldsAtOnce: what the finding of a lane that waits for its
// pace says to do helps at once, and not tomorrow.
func TestReload_AHigherPaceHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("host", route.Pace{PerDay: 1}, "*"))
		defer x.stop()
		for i := range 3 {
			x.accept("", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(time.Minute)
		if n := x.by("host").total(); n != 1 {
			t.Fatalf("%d of one a day", n)
		}
		x.set(smart("host", route.Pace{PerDay: 10}, "*"))
		x.Reloaded(t.Context())
		time.Sleep(time.Second)
		if n := x.by("host").total(); n != 3 {
			t.Errorf("%d of 3 after the reload: %+v", n, x.entries())
		}
	})
}

// TestReload_AMendedHostIsTriedAtOnce: a lane is down for an address that the
// operator has corrected.
func TestReload_AMendedHostIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("host", route.Pace{}, "*"))
		defer x.stop()
		x.by("host").set(func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: fmt.Errorf("connection refused")}
		})
		x.accept("ann@example.org", "bob@example.net")
		time.Sleep(3 * time.Hour) // it is tried every half hour now
		x.by("host").set(nil)
		x.Reloaded(t.Context())
		time.Sleep(time.Second)
		if left := x.entries(); len(left) != 0 {
			t.Errorf("after the reload: %+v", left)
		}
	})
}

// loginRefused is a next hop that does not know our password.
func loginRefused(smtp.Path) *evidence.Error {
	return &evidence.Error{Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Origin: evidence.OriginRemote, Reply: smtp.NewReply(535, 7, 8, "wrong password")}
}

// TestReload_MailLeavesALaneThatDoesNotGo: mail behind a paused lane, which the
// operator has given to another route, goes by that, though the old route stays.
func TestReload_MailLeavesALaneThatDoesNotGo(t *testing.T) {
	for what, restart := range map[string]bool{"reload": false, "restart": true} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := openReloadable(t, smart("host", route.Pace{}, "*"))
				defer func() { x.stop() }()
				x.by("host").set(loginRefused)
				x.accept("ann@example.org", "stays@example.org") // what the probe takes
				for i := range 20 {
					x.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
				}
				time.Sleep(3 * time.Hour)
				routes := []*route.Route{smart("other", route.Pace{}, "example.net"), smart("host", route.Pace{}, "*")}
				if restart {
					x.stop()
					x.set(routes...)
					opts := x.o
					x.Dispatcher = New(opts)
					x.start()
				} else {
					x.set(routes...)
					x.Reloaded(t.Context())
				}
				time.Sleep(10 * time.Second)
				if n := x.by("other").total(); n != 20 {
					t.Errorf("%d of 20 went by the other route", n)
				}
				if left := x.entries(); len(left) != 1 || left[0].Lane != "host" || left[0].Attempts != 0 {
					t.Errorf("left %+v", left)
				}
			})
		})
	}
}

// TestReload_ManyAreMovedInFewSteps: a hundred thousand messages must not cost as
// many synced writes.
func TestReload_ManyAreMovedInFewSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *settleCounter
		var table atomic.Pointer[route.Table]
		table.Store(&route.Table{Routes: []*route.Route{smart("host", route.Pace{}, "*")}})
		o := open(t, func(opts *Options) {
			s = &settleCounter{Store: opts.Store}
			opts.Store, opts.Routes = s, table.Load
		})
		defer o.stop()
		o.hop.set(loginRefused)
		for i := range 2000 {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(time.Minute)
		before := s.settled.Load()
		table.Store(&route.Table{Routes: []*route.Route{smart("other", route.Pace{}, "*")}})
		o.Reloaded(t.Context())
		time.Sleep(time.Second)
		lanes := map[string]int{}
		for _, e := range o.entries() {
			lanes[e.Lane]++
		}
		if lanes["other"] != 2000 || len(lanes) != 1 {
			t.Errorf("by lanes: %v", lanes)
		}
		if n := s.settled.Load() - before; n > 20 {
			t.Errorf("%d steps", n)
		}
	})
}

// TestFlush_FollowsMailToALaneThatDoesNotGo: a flush meets mail that a reload has
// given to a route that is down, and ends.
func TestFlush_FollowsMailToALaneThatDoesNotGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("other", route.Pace{}, "example.org"), smart("host", route.Pace{PerDay: 1}, "*"))
		defer x.stop()
		x.by("other").set(loginRefused)
		x.accept("ann@example.org", "bob@example.org")
		time.Sleep(time.Second)
		x.accept("", "first@example.net")
		time.Sleep(time.Second)
		x.accept("", "second@example.net") // waits for the pace
		time.Sleep(4 * time.Hour)          // the other lane is paused, for an hour each time
		x.set(smart("other", route.Pace{}, "*"), smart("host", route.Pace{}, "nobody@example.org"))
		began := time.Now()
		if err := x.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestRestore_AClockThatWasAheadDoesNotStopALane: the wait of a lane that was written
// then would last for a year.
func TestRestore_AClockThatWasAheadDoesNotStopALane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		o.hop.set(loginRefused)
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(time.Minute)
		o.stop()
		l := o.lane("host")
		l.health.Next = time.Now().AddDate(1, 0, 0)
		o.saveLane(t.Context(), l)
		o.hop.set(nil)
		o.Dispatcher = New(o.o)
		o.start()
		defer func() { o.stop() }()
		time.Sleep(25 * time.Hour)
		if left := o.entries(); len(left) != 0 {
			t.Errorf("after a day: %+v", left)
		}
	})
}

// TestRewriting_AMailboxThatMayNotSendPausesTheRoute: all of its mail is sent as that
// mailbox, so that no sender is at fault, and nothing is to be returned to one.
func TestRewriting_AMailboxThatMayNotSendPausesTheRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host := smart("host", route.Pace{}, "*")
		x := openReloadable(t, host)
		defer x.stop()
		x.accept("ann@example.org", "first@example.net")
		synctest.Wait() // as it comes, this works
		as := *host
		as.From = "relay@example.org"
		x.set(&as)
		x.Reloaded(t.Context())
		x.by("host").set(func(smtp.Path) *evidence.Error {
			return refusal(evidence.StagePostData, 550, 7, 60, "SendAsDenied; relay@example.org not allowed to send as relay@example.org")
		})
		for i := range 5 {
			x.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(6 * 24 * time.Hour)
		lanes, err := x.Lanes(t.Context())
		if err != nil || len(lanes) != 1 || lanes[0].State != lanePaused || lanes[0].Queued != 10 || // five of them notices of the delay
			lanes[0].Cause.Family() != "sender" {
			t.Errorf("%+v, %v", lanes, err)
		}
		x.by("host").set(nil)
		time.Sleep(2 * time.Hour)
		for i := range 5 {
			if to := smtp.Path(fmt.Sprintf("r%d@example.net", i)); x.by("host").count(to) != 1 {
				t.Errorf("%s had it %d times", to, x.by("host").count(to))
			}
		}
		if left := x.entries(); len(left) != 0 {
			t.Errorf("left %+v", left)
		}
	})
}

// TestReload_TheTimeOfAPauseGoesWithTheMail: what has waited behind a paused route
// and is given to another has as long to live there as it would have had here.
func TestReload_TheTimeOfAPauseGoesWithTheMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("host", route.Pace{}, "*"))
		defer x.stop()
		x.by("host").set(loginRefused)
		for i := range 5 {
			x.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(6 * 24 * time.Hour)
		x.by("other").set(func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: fmt.Errorf("connection refused")}
		})
		x.set(smart("other", route.Pace{}, "*"), smart("host", route.Pace{}, "nobody@example.org"))
		x.Reloaded(t.Context())
		time.Sleep(24 * time.Hour)
		x.by("other").set(nil)
		time.Sleep(time.Hour)
		for i := range 5 {
			if to := smtp.Path(fmt.Sprintf("r%d@example.net", i)); x.by("other").count(to) != 1 {
				t.Errorf("%s had it %d times", to, x.by("other").count(to))
			}
		}
		x.by("other").set(loginRefused)
	})
}

// TestReload_WhatHasLivedLongEnoughElsewhereExpires all the same.
func TestReload_WhatHasLivedLongEnoughElsewhereExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("host", route.Pace{}, "*"))
		defer x.stop()
		down := func(smtp.Path) *evidence.Error {
			return &evidence.Error{Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Origin: evidence.OriginNetwork, Err: fmt.Errorf("connection refused")}
		}
		x.by("host").set(down)
		x.by("other").set(down)
		x.accept("", "bob@example.net")
		time.Sleep(4 * 24 * time.Hour)
		x.set(smart("other", route.Pace{}, "*"))
		x.Reloaded(t.Context())
		time.Sleep(25 * time.Hour)
		for _, e := range x.entries() {
			if e.Address == "bob@example.net" && e.State == "queued" {
				t.Errorf("after five days: %+v", e)
			}
		}
	})
}

// TestDestination_AnothersNotificationIsNotOurs: a mail server behind us hands in its
// own notifications, and they go where its mail does.
func TestDestination_AnothersNotificationIsNotOurs(t *testing.T) {
	inside, bounces := smart("inside", route.Pace{}, "*"), smart("bounces", route.Pace{}, "nobody@example.org")
	inside.Match.Listeners = []string{":25"}
	d := New(Options{BouncesRoute: "bounces"})
	table := &route.Table{Routes: []*route.Route{inside, bounces}}
	for listener, want := range map[string]spool.Destination{":25": "inside", "": "bounces"} {
		m := &spool.Message{Envelope: spool.Envelope{Listener: listener}}
		if got := d.destination(table, m, &spool.Recipient{Path: "bob@example.net"}); got != want {
			t.Errorf("by %q: %s, want %s", listener, got, want)
		}
	}
}

// TestReload_AnotherHostDoesNotWaitForThisOnes: the provider wanted to be left alone
// for a while, and the operator has gone to another.
func TestReload_AnotherHostDoesNotWaitForThisOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := openReloadable(t, smart("host", route.Pace{}, "*"))
		defer x.stop()
		x.by("host").set(func(smtp.Path) *evidence.Error {
			return refusal(evidence.StagePostData, 451, 7, 1, "sending rate exceeded, slow down")
		})
		x.accept("ann@example.org", "bob@example.net")
		time.Sleep(10 * time.Second)
		x.by("host").set(nil)
		x.Reloaded(t.Context())
		time.Sleep(10 * time.Second)
		if left := x.entries(); len(left) != 1 {
			t.Fatalf("the same host was not left alone: %+v", left)
		}
		other := smart("host", route.Pace{}, "*")
		other.Via[0].Host = "another.test"
		x.set(other)
		x.Reloaded(t.Context())
		time.Sleep(time.Second)
		if left := x.entries(); len(left) != 0 {
			t.Errorf("left %+v", left)
		}
	})
}
