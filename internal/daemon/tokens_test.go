package daemon

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/httpapi"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
	"github.com/wellsent/wellsent/internal/spool"
)

// office is a post office whose route needs tokens, with the provider that issues
// them and the server that verifies them.
type office struct {
	t        *testing.T
	provider *oauthtest.Provider
	server   *lab.Server
	daemon   *Daemon
	config   *config.Config
	data     string

	mu       sync.Mutex // guards the fields below
	actions  map[dispatch.Action]int
	lastGood string // the token of the last login that was accepted
	refused  int    // logins
	changed  chan struct{}
}

// open runs a post office until the test ends.
func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, provider: oauthtest.New(t), data: t.TempDir(), actions: map[dispatch.Action]int{}, changed: make(chan struct{}, 1)}
	var err error
	o.server, err = lab.Start(t.Context(), lab.Options{Cause: "ok", Persona: "exchange-online", Token: func(user, token string) bool {
		of, err := o.provider.Verify(token)
		o.note(func() {
			if err != nil || of != user {
				o.refused++
			} else {
				o.lastGood = token
			}
		})
		return err == nil && of == user
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.server.Close() })
	ca := o.server.Settings().CA + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.provider.Certificate().Raw}))
	write := func(name, text string) string {
		path := filepath.Join(o.data, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("ca.pem", ca)
	file := write("wellsent.toml", fmt.Sprintf(`
hostname = "post.example.org"
data = "data"

[[listener]]
kind = "relay"
address = "127.0.0.1:0"
allow = ["127.0.0.0/8"]

[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://%s"]
user = %q
ca = "ca.pem"
oauth = { client_id = %q, issuer = %q, scopes = ["openid", "offline_access", %q] }
`, o.server.Settings().Address(), oauthtest.User, oauthtest.Mailer, o.provider.Issuer, oauthtest.Scope))
	if o.config, err = config.Load(file); err != nil {
		t.Fatal(err)
	}
	if w := o.config.Warnings; len(w) != 1 || !strings.Contains(w[0].Message, "wellsent route login m365") {
		t.Errorf("warnings: %v", w)
	}
	o.daemon, err = Open(o.config, Options{Log: slog.New(slog.DiscardHandler), Hooks: dispatch.Hooks{
		Outcome: func(e dispatch.Event) { o.note(func() { o.actions[e.Action]++ }) },
		Lane:    func(dispatch.LaneStatus) { o.note(func() {}) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.daemon.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *office) note(change func()) {
	o.mu.Lock()
	change()
	o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// until waits for a condition, which is looked at whenever something has happened.
func (o *office) until(what string, holds func() bool) {
	o.t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-o.changed:
		case <-tick.C:
		case <-limit.C:
			o.mu.Lock()
			defer o.mu.Unlock()
			o.t.Fatalf("%s does not come: %v, %d logins refused\n%s", what, o.actions, o.refused, o.server.Transcript())
		}
	}
}

func (o *office) did(a dispatch.Action) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.actions[a]
}

// signIn is `wellsent route login` in a process of its own.
func (o *office) signIn() {
	o.t.Helper()
	set, err := o.config.Routes[0].TokenSettings()
	if err != nil {
		o.t.Fatal(err)
	}
	tokens := oauth.New(o.config.Data, oauth.Options{})
	defer tokens.Close()
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(o.t.Context(), 30*time.Second)
	defer cancel()
	err = tokens.Source(*set).Browser(ctx, oauth.Login{Show: func(p oauth.Prompt) {
		go func() {
			defer close(done)
			res, err := o.provider.Client().Get(p.URL)
			if err != nil {
				o.t.Error(err)
				cancel()
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}()
	}})
	if err != nil {
		o.t.Fatal(err)
	}
	<-done
}

// submit hands in n messages.
func (o *office) submit(n int) {
	o.t.Helper()
	c, err := smtp.Dial(o.daemon.Listeners()[0].Addr.String())
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		if err := hand(c, fmt.Sprintf("From: relay@example.org\r\nTo: bob@example.net\r\nSubject: %d\r\n\r\nhello\r\n", i)); err != nil {
			o.t.Fatal(err)
		}
	}
}

// hand hands in one message.
func hand(c *smtp.Client, msg string) error {
	if err := c.Mail(oauthtest.User); err != nil {
		return err
	}
	if err := c.Rcpt("bob@example.net"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, msg); err != nil {
		return err
	}
	return w.Close()
}

func (o *office) lane() dispatch.LaneStatus {
	o.t.Helper()
	lanes, err := o.daemon.Dispatcher().Lanes(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	for _, l := range lanes {
		if l.Name == "m365" {
			return l
		}
	}
	return dispatch.LaneStatus{}
}

// waiting returns how many recipients are in the queue, and fails for one that is
// not the operator's own mail: a bounce.
func (o *office) waiting() int {
	o.t.Helper()
	n := 0
	for e, err := range o.daemon.Dispatcher().List(o.t.Context(), dispatch.Filter{}) {
		if err != nil {
			o.t.Fatal(err)
		}
		if e.From.IsNull() || e.State != spool.StateQueued {
			o.t.Errorf("in the queue: %+v", e)
		}
		n++
	}
	return n
}

// TestTokens_ExpiredMidwayIsRenewedAndAllIsDelivered: tokens live for moments and
// the server drops connections, so most logins need another token.
func TestTokens_ExpiredMidwayIsRenewedAndAllIsDelivered(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.provider.Live(3 * time.Second)
	o.signIn()
	const waves, each = 3, 20
	for wave := range waves {
		o.submit(each)
		o.until("the mail of a wave", func() bool { return o.did(dispatch.ActDeliver) == (wave+1)*each })
		o.mu.Lock()
		used := o.lastGood
		o.mu.Unlock()
		o.until("the end of the token", func() bool { _, err := o.provider.Verify(used); return err != nil })
		o.server.Drop()
	}
	if o.did(dispatch.ActFail) != 0 || o.did(dispatch.ActPause) != 0 || o.waiting() != 0 {
		t.Errorf("%v", o.actions)
	}
	tokens := map[string]bool{}
	for _, c := range o.server.Conversations() {
		if c.SignedIn {
			tokens[c.User] = true
		}
	}
	if !tokens[oauthtest.User] || o.provider.Asked() < waves {
		t.Errorf("logins as %v, the provider was asked %d times", tokens, o.provider.Asked())
	}
}

// TestTokens_RevokedMidwayPausesAndNothingBounces: then somebody signs in again and
// resumes the lane, and all goes out.
func TestTokens_RevokedMidwayPausesAndNothingBounces(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.provider.Live(3 * time.Second)
	o.signIn()
	o.submit(10)
	o.until("the first mail", func() bool { return o.did(dispatch.ActDeliver) == 10 })
	o.mu.Lock()
	used := o.lastGood
	o.mu.Unlock()
	o.provider.Revoke()
	o.until("the end of the token", func() bool { _, err := o.provider.Verify(used); return err != nil })
	o.server.Drop()
	o.submit(30)
	o.until("the pause", func() bool { return o.lane().State == "paused" })
	l := o.lane()
	if l.Cause != "auth.oauth-refresh-failed" || len(l.Do) != 2 || l.Do[0] != "Sign in again: wellsent route login m365" || !strings.Contains(l.Do[1], "wellsent doctor --route m365") {
		t.Errorf("%+v", l)
	}
	if o.waiting() != 30 || o.did(dispatch.ActFail) != 0 {
		t.Errorf("%d wait, %v", o.waiting(), o.actions)
	}
	all, err := httpapi.NewClient(filepath.Join(o.config.Data, httpapi.SocketName)).Worries(t.Context())
	kinds := ""
	for _, w := range all {
		kinds += string(w.Kind) + " "
	}
	if err != nil || !strings.Contains(kinds, "lane-paused") || !strings.Contains(kinds, "token-fails") {
		t.Errorf("worries: %s, %v", kinds, err)
	}
	asked := o.provider.Asked()
	o.signIn()
	if _, err := o.daemon.Dispatcher().Resume(t.Context(), dispatch.Selection{Lane: "m365"}); err != nil {
		t.Fatal(err)
	}
	o.until("the rest", func() bool { return o.did(dispatch.ActDeliver) == 40 })
	if o.waiting() != 0 || o.did(dispatch.ActFail) != 0 {
		t.Errorf("%d wait, %v", o.waiting(), o.actions)
	}
	if asked > 20 {
		t.Errorf("the provider was asked %d times while it refused", asked)
	}
	if all, err := o.daemon.Worries(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("worries: %+v, %v", all, err)
	}
}

// TestTokens_OutageOfTheProviderTakesTheLaneDown: it is no fault of anybody's here,
// and passes.
func TestTokens_OutageOfTheProviderTakesTheLaneDown(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.provider.Live(3 * time.Second) // of less the provider says 0
	o.signIn()
	o.provider.Down(503)
	set, err := o.config.Routes[0].TokenSettings()
	if err != nil {
		t.Fatal(err)
	}
	src := o.daemon.tokens.Source(*set)
	o.until("the end of the token", func() bool {
		st := src.Status()
		return len(st.Tokens) == 1 && time.Now().After(st.Tokens[0].Spent)
	})
	o.submit(5)
	o.until("the lane down", func() bool { return o.lane().State == "down" })
	if l := o.lane(); l.Cause != "auth.server-failure" || o.did(dispatch.ActPause) != 0 {
		t.Errorf("%+v, %v", l, o.actions)
	}
	o.provider.Down(0)
	o.until("all of it", func() bool {
		if _, err := o.daemon.Dispatcher().Retry(t.Context(), dispatch.Selection{Lane: "m365"}); err != nil {
			t.Fatal(err)
		}
		return o.did(dispatch.ActDeliver) == 5
	})
}

// TestReload_ARefusedOneLeavesTheTokens: a configuration that is not taken changes
// nothing, whatever of it is wrong.
func TestReload_ARefusedOneLeavesTheTokens(t *testing.T) {
	o := openOffice(t)
	before := o.daemon.tokens.All()
	bad := *o.config
	set := *bad.Routes[0].OAuth
	set.ClientID = "another"
	bad.Routes = append([]config.Route{}, bad.Routes...)
	bad.Routes[0].OAuth = &set
	bad.Users = []auth.Account{{Name: "ann"}, {Name: "Ann"}}
	if err := o.daemon.Reload(&bad); err == nil {
		t.Fatal("an account is there twice")
	}
	if after := o.daemon.tokens.All(); len(after) != 1 || len(before) != 1 || after[0] != before[0] {
		t.Errorf("the sources are others now: %v, %v", before, after)
	}
	bad.Users = nil
	if err := o.daemon.Reload(&bad); err != nil {
		t.Fatal(err)
	}
	if after := o.daemon.tokens.All(); len(after) != 1 || after[0].Settings().ClientID != "another" {
		t.Errorf("the sources are those of before: %v", after)
	}
}
