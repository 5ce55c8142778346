package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestServe_EndsWithItsTerminal: SIGHUP means "reload" to a service, and "the
// window was closed" to a server that was started in one.
func TestServe_EndsWithItsTerminal(t *testing.T) {
	master, slave := openTerminal(t)
	dir := t.TempDir()
	config := dir + "/c.toml"
	if err := os.WriteFile(config, []byte("data = \"data\"\nsandbox = true\nhostname = \"post.example.org\"\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("wellsent", "-c", config, "serve")
	c.Env = append(os.Environ(), "NO_COLOR=1")
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })

	lines := bufio.NewScanner(master)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "to make it real") { // the last line
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	master.Close() // the window closes: SIGHUP
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v, want an orderly stop", err)
		}
	case <-time.After(awaited):
		t.Errorf("it still runs %s after its terminal went", awaited)
	}
	if _, err := os.Stat(dir + "/data/control.sock"); err == nil {
		t.Error("its control socket is still there")
	}
}

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
