package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/traffic"
)

// TestKill_TheDaysQuotaIsKept kills the server again and again while it sends by
// Exchange Online's persona, over TLS and with a login, with a day's allowance of
// a hundred. Never does it send one more than that, and what the kills cost of it
// is what the lane's record had ahead and in flight.
func TestKill_TheDaysQuotaIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const (
		day   = 100
		lives = 5
		each  = 30 // messages a life
	)
	limits := lab.Limits{Connections: 3, RecipientsPerDay: day}
	provider, err := lab.Start(t.Context(), lab.Options{Cause: "ok/exchange-online", Limits: &limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	set := provider.Settings()
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": set.CA, "relay.secret": set.Password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.0/8"]`}},
		Tables: fmt.Sprintf(`
[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://%s"]
user = %q
password_file = %q
ca = %q
pace = { connections = 3, recipients_per_day = %d }
`, set.Address(), set.User, filepath.Join(dir, "relay.secret"), filepath.Join(dir, "ca.pem"), day),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for life := range lives {
		o.MustStart(t)
		before := provider.Usage().Messages
		accepted := newLedger()
		if _, err := (traffic.Load{Address: o.Address("relay"), Name: fmt.Sprintf("life%d", life), Connections: 2, Messages: each, Size: 600, Accepted: accepted.add}).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if !await(ctx, func() bool { return provider.Usage().Messages >= min(before+each/3, day-lives*4) }) {
			t.Fatalf("life %d: %+v\n%s", life, provider.Usage(), o.Output())
		}
		o.Kill()
		// The next life is not to be blamed for connections that the provider has not
		// seen end.
		if !await(ctx, func() bool { return provider.Usage().Open == 0 }) {
			t.Fatalf("life %d: connections stay open: %+v", life, provider.Usage())
		}
	}
	o.MustStart(t)
	waits := func() bool {
		for _, e := range o.MustQueue(t) {
			if e.Cause != "limit.quota" {
				return false
			}
		}
		return true
	}
	if !await(ctx, waits) {
		t.Fatalf("it does not come to rest: %+v", provider.Usage())
	}
	u := provider.Usage()
	t.Logf("%+v", u)
	// One ahead and one for each connection in flight, at each kill.
	if u.Over() != 0 || u.Recipients > day || u.Recipients < day-lives*(1+3) {
		t.Errorf("with %d a day: %+v", day, u)
	}
	r := o.MustRun(t, "queue", "list")
	if want := fmt.Sprintf("waiting for the route's own pace (%d recipients a day), next at ", day); !strings.Contains(strings.Join(strings.Fields(r.Stdout), " "), want) {
		t.Errorf("queue list does not say %q:\n%s", want, r.Stdout)
	}
	for _, e := range o.MustQueue(t) {
		if e.State != "queued" || e.NextAttempt == nil {
			t.Errorf("%+v", e)
		}
	}
	// A stop in order costs nothing, and gives nothing back either.
	if code, err := o.Stop(); err != nil || code != 0 {
		t.Errorf("stop: exit %d, %v", code, err)
	}
	o.MustStart(t)
	if !await(ctx, waits) {
		t.Fatal("it does not come to rest after a stop")
	}
	if now := provider.Usage(); now.Recipients != u.Recipients || now.Over() != 0 {
		t.Errorf("after a stop: %+v, before %+v", now, u)
	}
}
