package dispatch

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// TestDispatch_AThrottledMessageDoesNotStandInTheWay has one message that the next
// hop will not have now: the others of its sender go on.
func TestDispatch_AThrottledMessageDoesNotStandInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, nil)
		defer o.stop()
		o.hop.set(func(to smtp.Path) *evidence.Error {
			if to == "bulk@example.net" {
				return refusal(evidence.StagePostData, 451, 7, 1, "sending rate exceeded, slow down")
			}
			return nil
		})
		o.accept("ann@example.org", "bulk@example.net")
		synctest.Wait()
		if left := o.entries(); len(left) != 1 || left[0].Attempts != 0 || left[0].Cause.Family() != "limit" {
			t.Fatalf("this is to be a throttled one: %+v", left)
		}
		for i := range 5 {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if left := o.entries(); len(left) != 1 {
			t.Errorf("after an hour %d wait, want the one", len(left))
		}
	})
}

// TestDispatch_ALaneAtItsPaceIsNotPolled has a lane that has used up its day: it
// is left alone until the next.
func TestDispatch_ALaneAtItsPaceIsNotPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *countingStore
		o := open(t, func(opts *Options) {
			s = &countingStore{Store: opts.Store}
			opts.Store = s
			table := &route.Table{Routes: []*route.Route{{Name: "host", Recipients: []string{"*"}, Pace: route.Pace{RecipientsPerDay: 2},
				Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "mx.test", Port: 587}}}}}
			opts.Routes = func() *route.Table { return table }
		})
		defer o.stop()
		for i := range 5 {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
		time.Sleep(time.Minute)
		s.mu.Lock()
		s.dues = 0
		s.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		if s.dues > 100 {
			t.Errorf("%d looks within an hour", s.dues)
		}
		for _, e := range o.entries() {
			if e.Cause == "" || e.NextAttempt == nil || !e.NextAttempt.After(time.Now()) {
				t.Errorf("it waits in silence: %+v", e)
			}
		}
		time.Sleep(74 * time.Hour) // notices of the delay count too
		synctest.Wait()
		if left := o.entries(); len(left) != 0 {
			t.Errorf("left after three days: %+v", left)
		}
	})
}
