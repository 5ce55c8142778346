package dispatch

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// TestDispatch_ASmartHostPerSender has a route for each of two senders and none for
// others: queued mail is re-keyed to its sender's, and a notification goes the way
// of whom it is for, or of somebody.
func TestDispatch_ASmartHostPerSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		via := []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}
		table := &route.Table{Routes: []*route.Route{
			{Name: "shop", Recipients: []string{"*"}, Via: via, Match: route.Match{Senders: []string{"*@shop.example"}}},
			{Name: "org", Recipients: []string{"*"}, Via: via, Match: route.Match{Senders: []string{"*@example.org"}}},
		}}
		var mu sync.Mutex // guards opened
		opened := map[string]int{}
		var o *office
		o = open(t, func(opts *Options) {
			opts.Routes = func() *route.Table { return table }
			opts.Open = func(r *route.Route, _ string) deliver.Conversation {
				mu.Lock()
				defer mu.Unlock()
				opened[r.Name]++
				return o.hop
			}
		})
		defer func() { o.stop() }()
		o.hop.set(func(to smtp.Path) *evidence.Error {
			if to.Local() == "bbo" || to == "lost@example.org" {
				return refusal(evidence.StageRcpt, 550, 1, 1, "user unknown")
			}
			return nil
		})
		o.accept("ann@example.org", "bob@example.net") // all under the key of a route that is gone
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if o.hop.count("bob@example.net") != 1 || opened["org"] == 0 || opened["shop"] != 0 {
			t.Errorf("by sender: %v, left %+v", opened, o.entries())
		}
		mu.Unlock()
		o.accept("eve@shop.example", "bbo@example.net")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if o.hop.count("eve@shop.example") != 1 || opened["shop"] == 0 {
			t.Errorf("notification: %v, left %+v", opened, o.entries())
		}
		mu.Unlock()
		// The notification itself fails and goes to the postmaster, for whom no route
		// is as a sender.
		o.accept("lost@example.org", "bbo@example.net")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if o.hop.count("postmaster@post.test") != 1 {
			t.Errorf("postmaster: left %+v", o.entries())
		}
	})
}
