package dispatch

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// TestDispatch_AnOldConversationDoesNotEndAPause has a login refused while other
// conversations, logged in before, go on well: that is no reason to log in again.
func TestDispatch_AnOldConversationDoesNotEndAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused, opened := 0, 0
		var mu sync.Mutex
		o := open(t, func(opts *Options) {
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				in := false
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					mu.Lock()
					if !in && opened >= 3 {
						refused++
						mu.Unlock()
						e := refusal(evidence.StageAuth, 535, 7, 8, "wrong password")
						e.Scope, e.Cause = evidence.ScopeRoute, "auth.credentials-rejected"
						return &deliver.Result{Trouble: e, Outcomes: []deliver.Outcome{{Status: deliver.Failed, Reply: e.Reply, Err: e}}}
					}
					if !in {
						in = true
						opened++
					}
					mu.Unlock()
					time.Sleep(time.Duration(1+len(r.Message.Recipients[0].Path)%7) * time.Second)
					return c.Send(ctx, r)
				})
			}
		})
		defer o.stop()
		for i := range 60 {
			o.accept("ann@example.org", smtp.Path(strings.Repeat("r", i+1)+"@example.net"))
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if refused > 2 {
			t.Errorf("%d logins refused within four minutes", refused)
		}
		if lanes, _ := o.Lanes(t.Context()); len(lanes) != 1 || lanes[0].State != lanePaused {
			t.Errorf("lanes %+v", lanes)
		}
	})
}
