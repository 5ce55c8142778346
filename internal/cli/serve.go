package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/daemon"
	"github.com/wellsent/wellsent/internal/smtp"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the server in the foreground",
		Long: `Run the server: take mail, keep it, deliver it. Without a configuration file it
listens on this machine only and keeps what it delivers: nothing leaves.

SIGTERM stops it in order within 15 seconds, a second one at once. SIGHUP reads
the configuration again: routes, accounts, devices and certificates.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			log := newLog(a.stderr)
			for _, w := range cfg.Warnings {
				log.Warn("configuration", "warning", w.String())
			}
			d, err := openUnlocked(c.Context(), cfg, daemon.Options{Log: log})
			if err != nil {
				return a.startError(c.Context(), cfg, err)
			}
			return a.serve(c.Context(), cfg, d, log)
		},
	}
}

// newLog returns the server's log: text for a person at a terminal, else JSON for
// whatever collects it.
func newLog(w io.Writer) *slog.Logger {
	if terminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// serve says what d listens on and runs it until a signal or a failure ends it.
// Signals mean what they should before anything is said, because that is what
// others wait for.
func (a *app) serve(ctx context.Context, cfg *config.Config, d *daemon.Daemon, log *slog.Logger) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	onTerminal := terminal(a.stderr)   // asked before anything is printed: whoever reads that may hang up at once
	hangups := make(chan os.Signal, 1) // one that waits stands for all that follow it
	signal.Notify(hangups, syscall.SIGHUP)
	if err := a.printServing(cfg, d); err != nil {
		signal.Stop(hangups)
		return errors.Join(err, d.Close())
	}
	ended := make(chan struct{})
	reloader := make(chan struct{})
	go func() {
		defer close(reloader)
		for {
			select {
			case <-hangups:
				// The terminal it was started on has gone, and whoever closed the window
				// did not mean to have a server that nobody sees any more.
				if onTerminal && !terminal(a.stderr) {
					stop()
					return
				}
				a.reload(d, log)
			case <-ended:
				return
			}
		}
	}()
	err := d.Run(ctx)
	signal.Stop(hangups)
	close(ended)
	<-reloader
	return err
}

// reload reads the configuration again. With a mistake in it, or in a file that
// it names, the server goes on as it was.
func (a *app) reload(d *daemon.Daemon, log *slog.Logger) {
	cfg, err := a.loadConfig()
	if err == nil {
		err = d.Reload(cfg)
	}
	if err != nil {
		log.Error("configuration not reloaded; the server goes on with what it had", "error", err)
	}
}

// interruptible returns a context that ends with the first SIGINT or SIGTERM.
// From then on signals do again what they do by default, so that a second one
// ends the process at once: that is safe at any instant.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	release := context.AfterFunc(ctx, stop)
	return ctx, func() {
		release()
		stop()
	}
}

// serving is what serve --json prints when it listens.
type serving struct {
	Listeners []servingAt `json:"listeners"`
	Data      string      `json:"data"`
	Sandbox   bool        `json:"sandbox"`
	Config    string      `json:"config"` // "" without a file
	PID       int         `json:"pid"`
}

type servingAt struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
}

// printServing says what the server listens on, where its data is, and whether
// mail leaves.
func (a *app) printServing(cfg *config.Config, d *daemon.Daemon) error {
	at := []servingAt{}
	for _, l := range d.Listeners() {
		at = append(at, servingAt{Kind: string(l.Kind), Address: l.Addr.String()})
	}
	if a.json {
		return a.printJSON(serving{Listeners: at, Data: cfg.Data, Sandbox: cfg.Sandbox, Config: cfg.Path, PID: os.Getpid()})
	}
	p := a.page(a.stdout)
	for i, l := range at {
		words := listenerWords(&cfg.Listeners[i])
		if loose := loosened(&cfg.Listeners[i]); loose != "" {
			words += "; loosened: " + loose
		}
		p.line("listening on ", p.strong(l.Address), " (", printable(words), ")")
	}
	p.line("data in ", printable(cfg.Data))
	if cfg.TLS.Certificate == "" {
		p.line("clients must trust ", printable(filepath.Join(cfg.Data, "ca.pem")))
	}
	if asksForLogin(cfg) && noAccounts(cfg) {
		p.line("no account yet; add one: wellsent user add ann@example.org")
	}
	switch {
	case cfg.Sandbox && cfg.Path == "":
		p.line(p.warn("sandbox: nothing leaves; mail is kept in " + printable(filepath.Join(cfg.Data, "sandbox"))))
		p.line("to make it real: write ", printable(suggestedConfig()), " with a [[listener]] and a")
		p.line("[[route]], and look at it with: wellsent config check")
	case cfg.Sandbox:
		p.line(p.warn("sandbox: nothing leaves; mail is kept in " + printable(filepath.Join(cfg.Data, "sandbox"))))
		p.line("to make it real: set sandbox = false in ", printable(cfg.Path), " and add a [[route]]")
	default:
		for i := range cfg.Routes {
			p.paragraph(0, "mail leaves by "+cfg.Routes[i].Name+": "+routeWords(&cfg.Routes[i]))
		}
	}
	return p.err
}

// asksForLogin reports whether a listener takes mail from those who log in.
func asksForLogin(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Listeners, func(l config.Listener) bool {
		return l.Kind == smtp.KindSubmission || l.Kind == smtp.KindSubmissions
	})
}

// noAccounts reports whether nobody can log in. When that cannot be told the
// daemon has said so.
func noAccounts(cfg *config.Config) bool {
	f, err := auth.OpenFile(filepath.Join(cfg.Data, accountsFile))
	if err != nil {
		return false
	}
	all, err := allAccounts(f, cfg)
	return err == nil && len(all) == 0
}

// suggestedConfig is where a configuration file would be found: the system's for
// root, else the user's.
func suggestedConfig() string {
	if os.Geteuid() != 0 {
		if dir, err := os.UserConfigDir(); err == nil {
			return filepath.Join(dir, "wellsent", "wellsent.toml")
		}
	}
	return "/etc/wellsent/wellsent.toml"
}
