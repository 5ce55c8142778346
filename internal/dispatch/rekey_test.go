package dispatch

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/route"
)

// TestDispatch_UnroutableMailDoesNotHideWhatHasARoute changes the routes so that
// the first message of a lane has none any more and the second has.
func TestDispatch_UnroutableMailDoesNotHideWhatHasARoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			table := &route.Table{Routes: []*route.Route{{Name: "new", Recipients: []string{"example.net"},
				Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}}}}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		o.accept("ann@example.org", "bob@example.com")
		time.Sleep(time.Second)
		o.accept("ann@example.org", "bob@example.net")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if o.hop.count("bob@example.net") != 1 {
			t.Errorf("left %+v", o.entries())
		}
	})
}

// TestFlush_EndsWhereNoRouteIs flushes mail that no route takes.
func TestFlush_EndsWhereNoRouteIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			opts.Log = slog.New(slog.DiscardHandler)
			table := &route.Table{}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		o.accept("ann@example.org", "bob@example.com")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := o.Flush(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestFlush_EndsWhenWhatItWaitsForIsCancelled cancels mail that a flush waits for.
func TestFlush_EndsWhenWhatItWaitsForIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			table := &route.Table{Routes: []*route.Route{{Name: "host", Recipients: []string{"*"}, Pace: route.Pace{RecipientsPerDay: 1},
				Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}}}}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		o.accept("ann@example.org", "bob@example.com")
		synctest.Wait()
		id := o.accept("ann@example.org", "eve@example.com")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		flushed := make(chan error, 1)
		go func() { flushed <- o.Flush(ctx) }()
		synctest.Wait()
		if _, err := o.Cancel(t.Context(), Selection{IDs: []string{string(id)}}); err != nil {
			t.Fatal(err)
		}
		if err := <-flushed; err != nil {
			t.Error(err)
		}
	})
}
