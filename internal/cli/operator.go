package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/daemon"
	"github.com/wellsent/wellsent/internal/httpapi"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/worry"
)

// errNoSpool says that nothing has ever been queued in the data directory.
var errNoSpool = errors.New("there is no queue yet")

// orders is whoever carries out the orders of one command.
type orders struct {
	httpapi.Operator
	worries func(context.Context) ([]worry.Worry, error)
	running bool         // a server is; else the data directory was opened here
	close   func() error // ends it
}

// orders returns the operator of the configured data directory: the running
// server, or with none running the spool itself, which no server can open until
// close is called. It returns errNoSpool where there is nothing to open.
func (a *app) orders(ctx context.Context) (*orders, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(cfg.Data, httpapi.SocketName)
	client := httpapi.NewClient(socket)
	server := &orders{Operator: client, worries: client.Worries, running: true, close: func() error { return nil }}
	switch err := answers(ctx, cfg.Data); {
	case err == nil:
		return server, nil
	case errors.Is(err, httpapi.ErrDenied):
		return nil, denied(cfg.Data)
	case !errors.Is(err, httpapi.ErrNotRunning):
		return nil, err
	}
	q, err := a.openSpool(ctx, cfg)
	if errors.Is(err, spool.ErrLocked) && answers(ctx, cfg.Data) == nil {
		return server, nil // it was starting when it was asked first
	}
	if errors.Is(err, spool.ErrLocked) {
		return nil, fmt.Errorf("the data directory %s is in use by a process that does not answer: a server that starts or stops, or another command. Try again in a moment", printable(cfg.Data))
	}
	return q, err
}

// answers returns nil when a server of this data directory answers.
func answers(ctx context.Context, data string) error {
	_, err := httpapi.NewClient(filepath.Join(data, httpapi.SocketName)).Info(ctx)
	return err
}

// How long a data directory that is locked is waited for, and how often it is
// looked at. A command has it for moments, and a server between its first steps
// and its control socket too.
const (
	lockPatience = 3 * time.Second
	lockPoll     = 50 * time.Millisecond
)

// openUnlocked opens the data directory. One that is locked is tried again for a
// short while, until a server answers.
func openUnlocked(ctx context.Context, cfg *config.Config, o daemon.Options) (*daemon.Daemon, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		d, err := daemon.Open(cfg, o)
		if !errors.Is(err, spool.ErrLocked) || answers(ctx, cfg.Data) == nil {
			return d, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// openSpool opens the data directory in this process. It returns an error that
// wraps spool.ErrLocked when another process has it.
func (a *app) openSpool(ctx context.Context, cfg *config.Config) (*orders, error) {
	// Opening would make what is missing, as whoever runs this command: the server
	// could then not use it.
	switch _, err := os.Stat(filepath.Join(cfg.Data, "spool")); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: nothing was ever accepted into %s", errNoSpool, printable(cfg.Data))
	case errors.Is(err, fs.ErrPermission):
		return nil, denied(cfg.Data)
	case err != nil:
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	if err := becomeOwner(cfg.Data); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	d, err := openUnlocked(ctx, cfg, daemon.Options{Log: log, Offline: true})
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, denied(cfg.Data)
	case err != nil:
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	return &orders{Operator: d.Dispatcher(), worries: d.Worries, close: d.Close}, nil
}
