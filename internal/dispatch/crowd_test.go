package dispatch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// conversationFunc is a Conversation that is one function.
type conversationFunc func(ctx context.Context, r *deliver.Request) *deliver.Result

func (f conversationFunc) Send(ctx context.Context, r *deliver.Request) *deliver.Result {
	return f(ctx, r)
}
func (f conversationFunc) Close() error { return nil }

// TestDispatch_MoreDestinationsThanWorkers has far more destinations than may be
// served at once, each slow: all have their turn.
func TestDispatch_MoreDestinationsThanWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, func(opts *Options) {
			table := &route.Table{Routes: []*route.Route{{Name: "mx", Recipients: []string{"*"}, Via: []route.Via{{Scheme: route.SchemeMX, Port: 25}}}}}
			opts.Routes = func() *route.Table { return table }
			hopOf := opts.Open
			opts.Open = func(r *route.Route, d string) deliver.Conversation {
				c := hopOf(r, d)
				return conversationFunc(func(ctx context.Context, r *deliver.Request) *deliver.Result {
					time.Sleep(10 * time.Second)
					return c.Send(ctx, r)
				})
			}
		})
		defer o.stop()
		const n = maxWorkers + 200
		for i := range n {
			now := time.Now()
			to := smtp.Path(fmt.Sprintf("bob@d%d.example", i))
			m := &spool.Message{ID: spool.NewQueueID(), Envelope: spool.Envelope{From: "ann@example.org", Received: now}}
			m.Recipients = []spool.Recipient{{Path: to, State: spool.StateQueued, Destination: spool.Destination("mx/" + to.Domain()), ExpireAt: now.Add(120 * time.Hour)}}
			if err := o.store.Accept(t.Context(), m, strings.NewReader("Subject: hello\r\n\r\ntext\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if left := o.entries(); len(left) != 0 {
			t.Errorf("%d of %d destinations were never served", len(left), n)
		}
		if records, err := o.store.Lanes(t.Context()); err != nil || len(records) != 0 {
			t.Errorf("%d records of lanes that are well, %v", len(records), err)
		}
	})
}
