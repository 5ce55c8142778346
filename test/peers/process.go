package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Process is a server program that a test started, with all its children.
type Process struct {
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the program has ended
	output *log
}

// startProcess starts c in a process group of its own. What it prints is kept.
func startProcess(c *exec.Cmd) (*Process, error) {
	p := &Process{cmd: c, ended: make(chan struct{}), output: &log{}}
	c.Stdout, c.Stderr = p.output, p.output
	// Setpgid: the group is ended as one. Pdeathsig: a test process that dies takes
	// the peer with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	c.WaitDelay = 5 * time.Second // for children that keep the output open
	if err := c.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended) // Stop waits for it
		c.Wait()             // how it ended is of no interest: peers are ended by signals
	}()
	return p, nil
}

// PID returns the process id of the program itself.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends the program and its children and returns when it has ended.
func (p *Process) Stop() {
	syscall.Kill(-p.PID(), syscall.SIGTERM)
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
	syscall.Kill(-p.PID(), syscall.SIGKILL) // whoever is left of the group
	<-p.ended
	// Its children end a moment after it: somebody else has to be their parent first.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if len(Group(p.PID())) == 0 {
			return
		}
		<-tick.C
	}
}

// Group returns the processes of a process group, without those that have ended
// and wait for their parent to hear of it.
func Group(id int) []int {
	var pids []int
	for _, s := range processes() {
		if s.group == id && s.state != "Z" && s.state != "X" {
			pids = append(pids, s.pid)
		}
	}
	return pids
}

// await returns when ready says that a server is at address, with an error when
// the program has ended or ctx has.
func (p *Process) await(ctx context.Context, address string, ready func(string) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(address)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// listening reports by nil that somebody takes connections at address.
func listening(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

// greeted reports by nil that an SMTP server greets at address.
func greeted(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 4)
	if _, err := c.Read(b); err != nil || !bytes.HasPrefix(b, []byte("220")) {
		return fmt.Errorf("greeting %q: %w", b, err)
	}
	fmt.Fprint(c, "QUIT\r\n")
	c.Read(make([]byte, 512)) // so that the peer does not log a lost connection
	return nil
}

// log is the last part of what a process printed.
type log struct {
	mu sync.Mutex // guards b
	b  []byte
}

const logLimit = 64 << 10 // octets kept

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if over := len(l.b) - logLimit; over > 0 {
		l.b = append(l.b[:0], l.b[over:]...)
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// FreePort returns a port of 127.0.0.1 that nobody listens on. It is below the
// range from which the system takes ports for outgoing connections, so that it
// stays free over a restart of its server.
func FreePort() (int, error) {
	low := 32768
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(b), &low)
	}
	const first = 10000
	for range 200 {
		port := first + rand.IntN(max(low-first, 1000))
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port on 127.0.0.1")
}

// workDirectory makes a directory for a peer, which other users may enter: its
// processes run as several.
func workDirectory(name string) (string, error) {
	dir, err := os.MkdirTemp("", "wellsent-"+name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// tail returns the end of the file at path, or why it cannot be read.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4<<10):])
}
