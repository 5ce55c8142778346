package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/memspool"
)

// oneHost is a resolver that knows one address for every host.
type oneHost struct{}

func (oneHost) MX(context.Context, string) ([]resolver.MX, error) { return nil, nil }
func (oneHost) Addresses(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// lateConn is a connection to a server that is far away: what it writes takes a
// while, and no two writes the same.
type lateConn struct {
	net.Conn
	random *rand.Rand // owned by the server's goroutine
}

func (c *lateConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(c.random.IntN(300)) * time.Millisecond)
	return c.Conn.Write(b)
}

// provider is the persona of Exchange Online and the office that sends by it, all
// real but for time and wire.
type exchange struct {
	t      *testing.T
	lab    *lab.Server
	store  *memspool.Store
	routes *route.Table
	served sync.WaitGroup
	opts   Options
	*Dispatcher
	stop func()

	mu       sync.Mutex // guards the fields below
	password string
	stored   []lab.Stored
	arrived  map[string]int
	dials    int
	ended    map[spool.State]int // recipients by their last state
}

func openExchange(t *testing.T, limits *lab.Limits) *exchange {
	x := &exchange{t: t, arrived: map[string]int{}, ended: map[spool.State]int{}}
	var err error
	x.lab, err = lab.New(t.Context(), lab.Options{Cause: "ok/exchange-online", Hostname: "smtp.office365.com", ClearAuth: true, Limits: limits, Stored: func(s lab.Stored) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.stored = append(x.stored, s)
		for _, to := range s.To {
			x.arrived[to]++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	x.password = x.lab.Settings().Password
	via := []route.Via{{Scheme: route.SchemeSMTP, Host: "smtp.office365.com", Port: 587}}
	r := &route.Route{Name: "m365", Recipients: []string{"*"}, Via: via, TLS: route.TLSNone, User: x.lab.Settings().User, Password: func() (string, error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.password, nil
	}}
	r.Pace, r.PaceHost = route.ProviderPace(via)
	x.routes = &route.Table{Routes: []*route.Route{r}}
	seed := uint64(0)
	out := deliver.New(deliver.Options{Hostname: "post.test", Resolver: oneHost{}, Log: slog.New(slog.DiscardHandler), Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		x.mu.Lock()
		x.dials++
		seed++
		random := rand.New(rand.NewPCG(seed, 5))
		x.mu.Unlock()
		x.served.Go(func() { x.lab.Serve(&lateConn{far, random}) })
		return near, nil
	}})
	x.store = memspool.New(memspool.Options{Watch: func(d spool.Destination, at time.Time) { x.Wake(d, at) }})
	x.opts = Options{Store: x.store, Routes: func() *route.Table { return x.routes }, Open: out.Open, Hostname: "post.test", Hooks: Hooks{Outcome: func(e Event) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.ended[e.State]++
	}}}
	x.start()
	return x
}

func (x *exchange) start() {
	x.Dispatcher = New(x.opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	x.stop = func() {
		cancel()
		if err := <-done; err != nil {
			x.t.Error(err)
		}
	}
}

func (x *exchange) close() {
	x.stop()
	x.lab.Close()
	x.served.Wait()
}

func (x *exchange) accept(lane spool.Destination, to ...string) {
	now := time.Now()
	m := &spool.Message{ID: spool.NewQueueID(), Envelope: spool.Envelope{From: "ann@example.org", Received: now}}
	for _, p := range to {
		m.Recipients = append(m.Recipients, spool.Recipient{Path: smtp.Path(p), State: spool.StateQueued, Destination: lane, WarnAt: now.Add(4 * time.Hour), ExpireAt: now.Add(120 * time.Hour)})
	}
	if err := x.store.Accept(x.t.Context(), m, strings.NewReader("Subject: hello\r\n\r\ntext\r\n")); err != nil {
		x.t.Fatal(err)
	}
}

// delivered returns how many recipients have had their message, notifications not
// counted.
func (x *exchange) delivered() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.arrived)
	if x.arrived["ann@example.org"] > 0 {
		n--
	}
	return n
}

// check checks what there is no second chance for: nothing over a limit, nothing
// lost, nothing twice, nothing given up.
func (x *exchange) check(limits lab.Limits, want int) {
	x.t.Helper()
	u := x.lab.Usage()
	x.mu.Lock()
	defer x.mu.Unlock()
	if u.Over() != 0 || u.Connections > limits.Connections {
		x.t.Errorf("over the limit: %+v", u)
	}
	// The same again without the server's own count, by both instants at which a
	// provider may count a message.
	for what, at := range map[string]func(lab.Stored) time.Time{"MAIL": func(s lab.Stored) time.Time { return s.Begun }, "the final dot": func(s lab.Stored) time.Time { return s.At }} {
		slices.SortFunc(x.stored, func(a, b lab.Stored) int { return at(a).Compare(at(b)) })
		minute, day, inDay := 0, 0, 0
		for i := range x.stored {
			inDay += len(x.stored[i].To)
			for ; at(x.stored[i]).Sub(at(x.stored[minute])) >= time.Minute; minute++ {
			}
			for ; at(x.stored[i]).Sub(at(x.stored[day])) >= 24*time.Hour; day++ {
				inDay -= len(x.stored[day].To)
			}
			if n := i - minute + 1; n > limits.PerMinute {
				x.t.Fatalf("%d messages within a minute, counted at %s", n, what)
			}
			if inDay > limits.RecipientsPerDay {
				x.t.Fatalf("%d recipients within a day, counted at %s", inDay, what)
			}
		}
	}
	got := 0
	for to, n := range x.arrived {
		if to == "ann@example.org" {
			continue // notices of the delay
		}
		got++
		if n != 1 {
			x.t.Errorf("%s had its message %d times", to, n)
		}
	}
	if got != want {
		x.t.Errorf("%d recipients had their message, want %d", got, want)
	}
	for _, st := range []spool.State{spool.StateFailed, spool.StateExpired, spool.StateHeld, spool.StateDead} {
		if x.ended[st] != 0 {
			x.t.Errorf("%d recipients are %s", x.ended[st], st)
		}
	}
}

// send hands over n messages, some with several recipients, never more than about
// sixty waiting; it returns how many recipients they had. at is called with the
// number of each before it is accepted.
func (x *exchange) send(n int, at func(i int)) (recipients int) {
	for i := range n {
		for recipients-x.delivered() > 60 {
			time.Sleep(5 * time.Second)
		}
		if at != nil {
			at(i)
		}
		var to []string
		for j := range []int{1, 1, 3, 1, 1, 2, 1, 1}[i%8] + i%500/499*40 {
			to = append(to, fmt.Sprintf("r%d.%d@example.net", i, j))
		}
		x.accept("m365", to...)
		recipients += len(to)
	}
	return recipients
}

// drain waits until nothing is left in the queue.
func (x *exchange) drain(most time.Duration) {
	for range int(most / time.Minute) {
		heads, err := x.store.Heads(x.t.Context())
		if err != nil {
			x.t.Fatal(err)
		}
		if len(heads) == 0 {
			return
		}
		time.Sleep(time.Minute)
	}
	lanes, _ := x.Lanes(x.t.Context())
	x.t.Errorf("the queue is not empty: %+v", lanes)
}

// TestExchange_TenThousandMessages sends them by the persona of Exchange Online
// with its real limits, which the route has of the data on providers.
func TestExchange_TenThousandMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := openExchange(t, nil)
		defer x.close()
		began := time.Now()
		n := x.send(10_000, nil)
		x.drain(48 * time.Hour)
		took := time.Since(began)
		x.check(lab.ExchangeLimits, n)
		t.Logf("%d recipients in %v, %d connections, %+v", n, took, x.dials, x.lab.Usage())
		// Not so careful either that the allowance goes to waste.
		if took > 29*time.Hour {
			t.Errorf("it took %v", took)
		}
		if x.dials > 3*60*12 {
			t.Errorf("%d logins", x.dials)
		}
	})
}

// TestExchange_ThePasswordIsRevokedInTheMiddle: the lane pauses with its cause,
// nothing is given up, and what waits goes out when the password is mended.
func TestExchange_ThePasswordIsRevokedInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := openExchange(t, nil)
		defer x.close()
		const more = 100 // that come in meanwhile: more than go by what has signed in already
		n := x.send(10_000-more, func(i int) {
			if i != 4000 {
				return
			}
			x.lab.SetPassword("")
			for j := range more {
				x.accept("m365", fmt.Sprintf("more%d@example.net", j))
			}
			time.Sleep(7 * time.Hour)
			lanes, err := x.Lanes(t.Context())
			if err != nil || len(lanes) != 1 || lanes[0].State != lanePaused || lanes[0].Cause.Family() != "auth" || lanes[0].Queued == 0 {
				t.Fatalf("lanes %+v, %v", lanes, err)
			}
			if u := x.lab.Usage(); u.Refused > 14 {
				t.Errorf("%d logins refused in 7 hours", u.Refused)
			}
			x.lab.SetPassword("another-horse")
			x.mu.Lock()
			x.password = "another-horse"
			x.mu.Unlock()
			if _, err := x.Resume(t.Context(), Selection{Lane: "m365"}); err != nil {
				t.Fatal(err)
			}
		})
		x.drain(48 * time.Hour)
		x.check(lab.ExchangeLimits, n+more)
	})
}
