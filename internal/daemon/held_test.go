package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/worry"
)

// TestWorries_HeldMailIsOne: mail that its sender may not send waits for the operator,
// who is to hear of it; what the operator holds does not.
func TestWorries_HeldMailIsOne(t *testing.T) {
	server, err := lab.Start(t.Context(), lab.Options{Cause: "sender.send-as-denied", ClearAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	o := &office{t: t, server: server, data: t.TempDir(), actions: map[dispatch.Action]int{}, changed: make(chan struct{}, 1)}
	for name, text := range map[string]string{"password": server.Settings().Password, "wellsent.toml": fmt.Sprintf(`
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
password_file = "password"
tls = "none"
`, server.Addr(), server.Settings().User)} {
		if err := os.WriteFile(filepath.Join(o.data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if o.config, err = config.Load(filepath.Join(o.data, "wellsent.toml")); err != nil {
		t.Fatal(err)
	}
	o.daemon, err = Open(o.config, Options{Log: slog.New(slog.DiscardHandler), Hooks: dispatch.Hooks{
		Outcome: func(e dispatch.Event) { o.note(func() { o.actions[e.Action]++ }) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.daemon.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	o.submit(2)
	o.until("the mail held", func() bool { return o.did(dispatch.ActHoldSender) == 2 })
	all, err := o.daemon.Worries(t.Context())
	if err != nil || len(all) != 1 || all[0].Kind != worry.HeldMail || all[0].What[:1] != "2" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := o.daemon.Dispatcher().Cancel(t.Context(), dispatch.Selection{All: true}); err != nil {
		t.Fatal(err)
	}
	if all, err := o.daemon.Worries(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
