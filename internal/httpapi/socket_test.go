package httpapi

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListen_ModeIsThatOfOwnerAndGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("the socket's mode is %v, want a socket with 0660", info.Mode())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v (%v), want the socket alone", left, err)
	}
}

func TestListen_ReplacesWhatAKilledServerLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if _, err := NewClient(path).Info(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a socket that nobody serves is %v, want ErrNotRunning", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListen_CloseRemovesTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v, want no socket", err)
	}
}

func TestListen_PathLongerThanASocketAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reaches a socket through a descriptor")
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestDial_SaysWhyItCannot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("none/", 30))
	for _, tc := range []struct {
		name, path string
	}{
		{"no socket", filepath.Join(dir, SocketName)},
		{"no directory", filepath.Join(dir, "none", SocketName)},
		{"no directory, long path", filepath.Join(long, SocketName)},
		{"a file", file},
	} {
		if _, err := dial(t.Context(), tc.path); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v, want ErrNotRunning", tc.name, err)
		}
	}
}

func TestDial_DeniedToOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asOther(t, path, func() {
		if _, err := dial(t.Context(), path); !errors.Is(err, ErrDenied) {
			t.Errorf("dial by somebody else: %v, want ErrDenied", err)
		}
	})
}

// asOther runs f as somebody who has no right to path: root as another user, by
// the file system identity of one thread; anybody else with the right taken away.
func asOther(t *testing.T, path string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		f()
		return
	}
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setfsgid(nobody); err != nil {
			t.Error(err)
			return
		}
		if err := unix.Setfsuid(nobody); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}
