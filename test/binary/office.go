package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Listener is one listener of an office, on a free port of 127.0.0.1.
type Listener struct {
	Kind string // submission, submissions, relay, device
	More string // more lines of its table
}

// Options are what an office is made of.
type Options struct {
	Dir       string     // an existing directory for everything of it
	Path      string     // the binary; "": that of PathVariable
	Data      string     // the data directory; "" one in Dir
	Listeners []Listener // at most one of a kind
	Top       string     // more lines at the top level
	Tables    string     // more tables: routes, limits, queue …
}

// Office is a post office: a configuration, a data directory, and at times a
// server.
type Office struct {
	Dir    string
	Data   string
	Config string // path of the configuration file

	path      string
	addresses map[string]string // of listeners, by kind

	cmd    *exec.Cmd     // the running server; nil when there is none
	ended  chan struct{} // closed when it has
	output *output       // of all servers so far
}

// New makes an office and writes its configuration.
func New(o Options) (*Office, error) {
	f := &Office{Dir: o.Dir, Data: o.Data, path: o.Path, Config: filepath.Join(o.Dir, "wellsent.toml"), addresses: map[string]string{}, output: &output{}}
	if f.path == "" {
		f.path = os.Getenv(PathVariable)
	}
	if f.Data == "" {
		f.Data = filepath.Join(o.Dir, "data")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "hostname = %q\ndata = %q\n%s\n", "post.test", f.Data, o.Top)
	for _, l := range o.Listeners {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		f.addresses[l.Kind] = fmt.Sprintf("127.0.0.1:%d", port)
		fmt.Fprintf(&b, "[[listener]]\nkind = %q\naddress = %q\n%s\n", l.Kind, f.addresses[l.Kind], l.More)
	}
	b.WriteString(o.Tables)
	return f, os.WriteFile(f.Config, []byte(b.String()), 0o600)
}

// Address returns host and port of the listener of a kind.
func (f *Office) Address(kind string) string { return f.addresses[kind] }

// PID returns the process id of the running server.
func (f *Office) PID() int { return f.cmd.Process.Pid }

// Output returns the last part of what the servers of the office have printed.
func (f *Office) Output() string { return f.output.String() }

// How long a server may take to listen, on a busy machine, and to stop in order:
// the promise is 15 s.
const (
	startLimit = 60 * time.Second
	stopLimit  = 20 * time.Second
)

// Start starts the server and returns when every listener greets.
func (f *Office) Start(ctx context.Context) error {
	c := exec.Command(f.path, "serve", "-c", f.Config)
	c.Dir = f.Dir
	c.Env = environment(f.Dir)
	c.Stdout, c.Stderr = f.output, f.output
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	f.cmd, f.ended = c, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended) // Stop and Kill wait for it
		c.Wait()           // its exit code is in c.ProcessState
	}(f.ended)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for kind, address := range f.addresses {
		if err := f.awaitListening(ctx, kind, address); err != nil {
			f.Kill()
			return fmt.Errorf("start the server: %w; it printed:\n%s", err, f.Output())
		}
	}
	return nil
}

func (f *Office) awaitListening(ctx context.Context, kind, address string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if listening(kind, address) {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.ended:
			return errors.New("it ended by itself: " + f.cmd.ProcessState.String())
		case <-ctx.Done():
			return fmt.Errorf("listener %s does not answer: %w", kind, ctx.Err())
		}
	}
}

// Ended is closed when the server that was started last has ended.
func (f *Office) Ended() <-chan struct{} { return f.ended }

// Stop ends the server in order and returns its exit code. One that does not
// end in time is killed, which is an error.
func (f *Office) Stop() (code int, err error) {
	if f.cmd == nil {
		return 0, nil
	}
	f.cmd.Process.Signal(syscall.SIGTERM)
	t := time.NewTimer(stopLimit)
	defer t.Stop()
	select {
	case <-f.ended:
	case <-t.C:
		f.Kill()
		return 0, fmt.Errorf("the server did not stop within %s; it printed:\n%s", stopLimit, f.Output())
	}
	code = f.cmd.ProcessState.ExitCode()
	f.cmd = nil
	return code, nil
}

// Kill ends the server at once, as kill -9 does.
func (f *Office) Kill() {
	if f.cmd == nil {
		return
	}
	f.cmd.Process.Kill()
	<-f.ended
	f.cmd = nil
}

// Hangup tells the server to read its configuration again.
func (f *Office) Hangup() error { return f.cmd.Process.Signal(syscall.SIGHUP) }

// Ran is what a command did.
type Ran struct {
	Stdout, Stderr string
	Code           int
}

// Command returns a command with the office's configuration, not started yet: for
// one that is spoken with while it runs.
func (f *Office) Command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, f.path, append(args, "-c", f.Config)...)
	c.Dir = f.Dir
	c.Env = environment(f.Dir)
	return c
}

// Run runs a command with the office's configuration.
func (f *Office) Run(ctx context.Context, stdin string, args ...string) (Ran, error) {
	c := f.Command(ctx, args...)
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	r := Ran{Stdout: stdout.String(), Stderr: stderr.String(), Code: c.ProcessState.ExitCode()}
	if err != nil {
		return r, fmt.Errorf("%s: %w", strings.Join(c.Args, " "), err)
	}
	return r, nil
}

// AddUser adds an account.
func (f *Office) AddUser(ctx context.Context, name, password string) error {
	r, err := f.Run(ctx, password+"\n", "user", "add", name, "--password-file", "-")
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("user add: exit %d: %s", r.Code, r.Stderr)
	}
	return err
}

// Entry is one recipient of the queue, as "queue list --json" shows it.
type Entry struct {
	QueueID     string  `json:"queue_id"`
	Address     string  `json:"address"`
	State       string  `json:"state"`
	Cause       string  `json:"cause"`
	Reply       string  `json:"reply"`
	NextAttempt *string `json:"next_attempt"`
	Lane        string  `json:"lane"`
}

// Queue returns what waits.
func (f *Office) Queue(ctx context.Context) ([]Entry, error) {
	r, err := f.Run(ctx, "", "queue", "list", "--json")
	if err != nil {
		return nil, err
	}
	if r.Code != 0 {
		return nil, fmt.Errorf("queue list: exit %d: %s", r.Code, r.Stderr)
	}
	var entries []Entry
	if err := json.Unmarshal([]byte(r.Stdout), &entries); err != nil {
		return nil, fmt.Errorf("queue list: %w: %s", err, r.Stdout)
	}
	return entries, nil
}

// Sandbox returns the messages of the sandbox's maildir.
func (f *Office) Sandbox() ([]string, error) {
	var messages []string
	err := filepath.WalkDir(filepath.Join(f.Data, "sandbox"), func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != "new" {
			return err
		}
		b, err := os.ReadFile(path)
		messages = append(messages, string(b))
		return err
	})
	return messages, err
}

// environment keeps whatever the user of the machine has configured away from
// the binary.
func environment(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "LC_ALL=C"}
}

// output is the last part of what servers printed.
type output struct {
	mu sync.Mutex // guards b
	b  []byte
}

const outputLimit = 64 << 10 // octets kept

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, p...)
	if over := len(o.b) - outputLimit; over > 0 {
		o.b = append(o.b[:0], o.b[over:]...)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}
