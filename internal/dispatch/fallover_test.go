package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// TestAllowance_BothWaysToAMailboxShareIt: SMTP is switched off in the middle, and
// Graph has what is left of the day, and no more. Real servers, real connections.
func TestAllowance_BothWaysToAMailboxShareIt(t *testing.T) {
	const most, messages = 25, 40
	var bySMTP atomic.Int64
	halfway := make(chan struct{})
	host, err := lab.Start(t.Context(), lab.Options{Cause: "ok", Persona: "exchange-online", ClearAuth: true, Stored: func(lab.Stored) {
		if bySMTP.Add(1) == 8 {
			close(halfway)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	user := host.Settings().User
	graph := apitest.NewGraph(t, user)
	graph.Allow("for-graph")
	smtpVia, err := route.ParseVia("smtp://" + host.Addr())
	if err != nil {
		t.Fatal(err)
	}
	r := &route.Route{Name: "host", Recipients: []string{"*"}, TLS: route.TLSNone, Roots: graph.Roots, User: user, Pace: route.Pace{Connections: 2, PerDay: most},
		Via:      []route.Via{smtpVia, {Scheme: route.SchemeGraph, Host: "127.0.0.1", Port: graph.Port}},
		Password: func() (string, error) { return host.Settings().Password, nil },
		Token: func(_ context.Context, _ route.Scheme, refused string) (string, error) {
			if refused != "" {
				return "", oauth.ErrFresh
			}
			return "for-graph", nil
		}}
	out := deliver.New(deliver.Options{Hostname: "post.test", Resolver: oneHost{}, Log: slog.New(slog.DiscardHandler)})
	o := open(t, func(opts *Options) {
		opts.Routes = func() *route.Table { return &route.Table{Routes: []*route.Route{r}} }
		opts.Open = out.Open
	})
	defer o.stop()
	accept := func(n int) {
		for i := range n {
			o.accept("ann@example.org", smtp.Path(fmt.Sprintf("r%d@example.net", i)))
		}
	}
	accept(8)
	<-halfway
	host.SetPassword("")
	host.Drop()
	accept(messages - 8)
	limit := time.After(30 * time.Second)
	for look := time.NewTicker(20 * time.Millisecond); ; {
		lanes, err := o.Lanes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(lanes) == 1 && lanes[0].Waits != "" && lanes[0].Workers == 0 {
			look.Stop()
			break
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("no wait: %+v", lanes)
		}
	}
	s, g := bySMTP.Load(), len(graph.Sent())
	// What was cut off in a transaction counts, for the server may have counted it.
	if total := int(s) + g; s < 8 || g == 0 || total > most || total < most-2 {
		t.Errorf("%d by SMTP and %d by Graph of %d a day", s, g, most)
	}
	for _, e := range o.entries() {
		if e.State != "queued" {
			t.Errorf("%+v", e)
		}
	}
}
