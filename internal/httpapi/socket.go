package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// SocketName is the name of the control socket in the data directory.
const SocketName = "control.sock"

// socketMode lets the owner and the group of the data directory give orders.
const socketMode = 0o660

// maxSocketPath is the longest path that fits sockaddr_un.sun_path everywhere:
// 104 octets on the BSDs and macOS, 108 on Linux, one of them for the final NUL.
const maxSocketPath = 103

// dialTimeout bounds opening the socket. A local socket answers at once or not
// at all; the wait only covers a full backlog.
const dialTimeout = 2 * time.Second

// The errors that callers branch on.
var (
	ErrNotRunning = errors.New("no server is running")                 // no socket, or nobody listens on it
	ErrDenied     = errors.New("no permission for the control socket") // not the owner and not in its group
)

// Listen opens the control socket at path with mode 0660. The caller holds the
// lock of the data directory, so a socket that is already there was left behind
// by a process that was killed, and is replaced. Closing the listener removes it.
func Listen(path string) (net.Listener, error) {
	// A socket has the mode that umask leaves until it is changed, and whoever
	// connects in between stays connected. So it is made in a directory that
	// nobody else can enter, and moved in place with its final mode.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".control-")
	if err != nil {
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	address, done, err := reachable(made)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // it would remove the path it was made under
	if err := os.Chmod(made, socketMode); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	if err := os.Rename(made, path); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	return &listener{UnixListener: l, path: path}, nil
}

// listener removes its socket when it is closed.
type listener struct {
	*net.UnixListener
	path string // immutable
}

func (l *listener) Close() error {
	// Removed first: a client that comes between the two steps finds no socket,
	// which is true, rather than one that nobody serves.
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(l.UnixListener.Close(), err)
}

// dial opens the control socket at path. It returns ErrNotRunning when there is
// none or when nobody listens on it, and ErrDenied when it may not be used.
func dial(ctx context.Context, path string) (net.Conn, error) {
	address, done, err := reachable(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %s", ErrDenied, path)
	case err != nil:
		return nil, err
	}
	defer done()
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "unix", address)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ENOTDIR):
		return nil, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %s", ErrDenied, path)
	}
	return nil, fmt.Errorf("open the control socket %s: %w", path, err)
}

// reachable returns a name for path that is short enough for a socket address,
// and a function to call when the name is no longer needed. A longer path is
// reached through an open descriptor of its directory where the system has that.
func reachable(path string) (address string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path of the control socket has %d octets, more than the system's %d: choose a shorter data directory than %s",
			len(path), maxSocketPath, filepath.Dir(path))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}
