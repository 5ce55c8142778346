package dispatch

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// TestDispatch_StoppingIsNoAttempt stops while a next hop keeps us waiting in the
// middle of a transaction: what it had answered counts, what we gave up does not.
func TestDispatch_StoppingIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			opts.Open = func(*route.Route, string) deliver.Conversation {
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					<-ctx.Done()
					given := &evidence.Error{Stage: evidence.StageRcpt, Scope: evidence.ScopeConnection, Origin: evidence.OriginNetwork,
						Err: fmt.Errorf("%w: %w", smtpclient.ErrGivenUp, ctx.Err())}
					no := refusal(evidence.StageRcpt, 450, 2, 0, "mailbox busy")
					return &deliver.Result{Attempted: true, Trouble: given, Outcomes: []deliver.Outcome{
						{Index: 0, Status: deliver.Deferred, Err: given},
						{Index: 1, Status: deliver.Deferred, Err: no, Reply: no.Reply},
					}}
				})
			}
		})
		o.accept("ann@example.org", "bob@example.net", "eve@example.net")
		synctest.Wait()
		o.stop()
		want := map[smtp.Path]int{"bob@example.net": 0, "eve@example.net": 1}
		for _, e := range o.entries() {
			if e.Attempts != want[e.Address] {
				t.Errorf("%s: %d attempts, want %d: %+v", e.Address, e.Attempts, want[e.Address], e)
			}
		}
	})
}
