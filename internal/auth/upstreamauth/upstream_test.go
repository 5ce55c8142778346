package upstreamauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpserver"
	"github.com/wellsent/wellsent/internal/smtptest"
)

// upstream is a real server with one account that counts the logins it is asked for.
type upstream struct {
	mu       sync.Mutex // guards the fields below
	password string
	logins   int
	busy     bool
}

func (u *upstream) Authenticate(_ context.Context, _ *smtp.Client, user, password string) (string, *smtp.Reply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.logins++
	r := smtp.NewReply(535, 7, 8, "no")
	switch {
	case u.busy:
		r = smtp.NewReply(454, 7, 0, "later")
	case user == "ann@example.org" && password == u.password:
		return user, nil
	}
	return "", &r
}

func (u *upstream) Mail(context.Context, *smtp.Transaction) *smtp.Reply                 { return nil }
func (u *upstream) Rcpt(context.Context, *smtp.Transaction, smtp.Recipient) *smtp.Reply { return nil }
func (u *upstream) Data(_ context.Context, _ *smtp.Transaction, r io.Reader) smtp.Reply {
	io.Copy(io.Discard, r)
	return smtp.NewReply(250, 0, 0, "ok")
}

func (u *upstream) set(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start serves upstream until the test ends or stop is called.
func start(t *testing.T) (b *Backend, u *upstream, c *clock, stop func()) {
	t.Helper()
	server, client := smtptest.TLS(t, "mx.test")
	u, c = &upstream{password: "right"}, &clock{now: time.Unix(1_800_000_000, 0)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtpserver.New(smtpserver.Config{Hostname: "mx.test", TLS: server, Handler: u, Timeouts: smtpserver.Timeouts{Slow: time.Millisecond}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, l, smtpserver.Listener{Kind: smtp.KindSubmission})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	at := l.Addr().(*net.TCPAddr).AddrPort()
	b = New(Options{Hostname: "post.test", Host: "mx.test", Port: int(at.Port()), TLSConfig: client, Domains: []string{"example.org"}, Now: c.Now,
		Addresses: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{at.Addr()}, nil }})
	return b, u, c, stop
}

// outcome says in a word how a login ended.
func outcome(b *Backend, user, password string) string {
	account, err := b.Check(context.Background(), user, password)
	var slow *auth.SlowDown
	switch {
	case err == nil:
		return account.Name
	case errors.Is(err, auth.ErrInvalid):
		return "wrong"
	case errors.As(err, &slow):
		return "slow down"
	}
	return "later"
}

func TestCheck(t *testing.T) {
	b, u, c, stop := start(t)
	for i, x := range []struct {
		before         func()
		user, password string
		want           string
		asked          int // logins upstream so far
	}{
		{nil, "ann@example.org", "right", "ann@example.org", 1},
		{nil, "Ann@Example.org", "right", "ann@example.org", 1}, // remembered
		{nil, "ann@example.net", "right", "wrong", 1},           // not of our domains
		{nil, "ann", "right", "wrong", 1},
		{nil, "ann@example.org", "wrong1", "wrong", 2},
		{nil, "ann@example.org", "wrong1", "wrong", 2}, // the same is not given again
		{nil, "ann@example.org", "wrong2", "wrong", 3},
		{nil, "ann@example.org", "wrong3", "wrong", 4},
		{nil, "ann@example.org", "wrong4", "slow down", 4},      // the budget is spent
		{nil, "ann@example.org", "right", "ann@example.org", 4}, // the owner still passes
		{func() { c.forward(DefaultRemember) }, "ann@example.org", "right", "ann@example.org", 5},
		{func() { c.forward(DefaultRemember); u.set(func() { u.busy = true }) }, "ann@example.org", "right", "ann@example.org", 6}, // it cannot say now
		{nil, "ann@example.org", "other", "later", 7},
		{func() { u.set(func() { u.busy, u.password = false, "new" }) }, "ann@example.org", "right", "wrong", 8}, // changed upstream
		{nil, "ann@example.org", "new", "ann@example.org", 9},
		{func() { stop(); c.forward(DefaultRemember) }, "ann@example.org", "new", "ann@example.org", 9}, // upstream is away
		{nil, "ann@example.org", "other", "later", 9},
		{func() { c.forward(DefaultRememberAway) }, "ann@example.org", "new", "later", 9},
	} {
		if x.before != nil {
			x.before()
		}
		got := outcome(b, x.user, x.password)
		u.mu.Lock()
		asked := u.logins
		u.mu.Unlock()
		if got != x.want || asked != x.asked {
			t.Errorf("%d: %s %s: got %s after %d logins, want %s after %d", i, x.user, x.password, got, asked, x.want, x.asked)
		}
	}
}

// TestCheck_AllNamesTogether: whoever tries many names does not get us shut out.
func TestCheck_AllNamesTogether(t *testing.T) {
	b, u, c, _ := start(t)
	if got := outcome(b, "ann@example.org", "right"); got != "ann@example.org" {
		t.Fatal(got)
	}
	for i := range allRefusals {
		if got := outcome(b, fmt.Sprintf("u%d@example.org", i), "guess"); got != "wrong" {
			t.Fatalf("guess %d: %s", i, got)
		}
	}
	if got := outcome(b, "v@example.org", "guess"); got != "slow down" || u.logins != allRefusals+1 {
		t.Errorf("one more: %s after %d logins", got, u.logins)
	}
	if got := outcome(b, "ann@example.org", "right"); got != "ann@example.org" {
		t.Errorf("a known password: %s", got)
	}
	c.forward(BudgetTime)
	if got := outcome(b, "v@example.org", "guess"); got != "wrong" {
		t.Errorf("later: %s", got)
	}
}

// TestCheck_ManyAtOnce: questions that are under way count.
func TestCheck_ManyAtOnce(t *testing.T) {
	b, u, _, _ := start(t)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() { outcome(b, "ann@example.org", fmt.Sprint("guess", i)) })
	}
	all.Wait()
	if u.logins > DefaultRefusals {
		t.Errorf("%d logins upstream, want %d at most", u.logins, DefaultRefusals)
	}
}

func TestCheck_IsBounded(t *testing.T) {
	b := New(Options{Now: time.Now})
	for i := range maxNames + 10 {
		b.begin(fmt.Sprint(i), digest{1})
		b.end(fmt.Sprint(i), digest{1}, nil)
	}
	if n := len(b.names); n > maxNames {
		t.Errorf("%d names", n)
	}
}

// TestCheck_OnePasswordAtOnce: a device that opens ten connections with one password is one
// question, and does not spend the budget.
func TestCheck_OnePasswordAtOnce(t *testing.T) {
	for _, c := range []struct{ password, want string }{{"right", "ann@example.org"}, {"stale", "wrong"}} {
		b, u, _, _ := start(t)
		results := make(chan string, 10) // one a login
		var all sync.WaitGroup
		for range cap(results) {
			all.Go(func() { results <- outcome(b, "ann@example.org", c.password) })
		}
		all.Wait()
		close(results)
		for got := range results {
			if got != c.want {
				t.Errorf("%s: %s, want %s", c.password, got, c.want)
			}
		}
		u.set(func() {
			if u.logins != 1 {
				t.Errorf("%s: asked %d times", c.password, u.logins)
			}
		})
	}
}
