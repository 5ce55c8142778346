package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/daemon"
	"github.com/wellsent/wellsent/internal/httpapi"
	"github.com/wellsent/wellsent/internal/spool"
)

// startError words why the server could not start, in one paragraph with what to
// do about it.
func (a *app) startError(ctx context.Context, cfg *config.Config, err error) error {
	var l *daemon.ListenError
	switch {
	case errors.As(err, &l):
		return errors.New(listenText(l.Address, l.Err))
	case errors.Is(err, spool.ErrLocked):
		return errors.New(lockedText(ctx, cfg.Data))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the server may not use its files: %w. They belong to another user: start it as that user, or give them to this one", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk of %s is full: %w. Make room and start again", cfg.Data, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a disk that can only be read: %w. Set data to another directory", cfg.Data, err)
	}
	return fmt.Errorf("start: %w", err)
}

// lockedText says who uses the data directory.
func lockedText(ctx context.Context, data string) string {
	by := "another process: a wellsent that starts or stops, or a command on the queue"
	if i, err := httpapi.NewClient(filepath.Join(data, httpapi.SocketName)).Info(ctx); err == nil {
		by = fmt.Sprintf("the wellsent with process id %d, which runs since %s", i.PID, i.Started.Local().Format("2006-01-02 15:04:05"))
	}
	return fmt.Sprintf("the data directory %s is in use by %s. Stop that one, or give this server a data directory of its own (data = \"…\" in the configuration)", data, by)
}

// listenText says why an address cannot be listened on.
func listenText(address string, err error) string {
	host, port, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		host, port = address, ""
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("cannot listen on %s: port %s is in use by another program, perhaps another wellsent or another mail server. "+
			"See which with: ss -ltnp 'sport = :%s'. Stop it, or choose another address for this listener", address, port, port)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("cannot listen on %s: ports below 1024 are for root and for programs that were given them. "+
			"Start it by the service manager, give it the right with: setcap cap_net_bind_service=+ep %s, or choose a port above 1024, such as 2587", address, "$(command -v wellsent)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("cannot listen on %s: this machine has no address %s. Use one of its own, or \":%s\" for all of them", address, host, port)
	}
	return fmt.Sprintf("cannot listen on %s: %s", address, strings.TrimPrefix(err.Error(), "listen tcp "))
}
