package cli_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wellsent/wellsent/internal/cli"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // golden files show clock times
	testscript.Main(m, map[string]func(){
		"wellsent": func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
		// The same, run by somebody who owns nothing; for scripts that root runs.
		"nobody": func() {
			const id = 65534
			if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(125)
			}
			os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/script: one behaviour a file. Beside testscript's own
// commands they have:
//
//	exits CODE command...   runs a command that must end with this code
//	lines N stdout|stderr|FILE   counts lines
//	columns N stdout|stderr|FILE   no line is wider
//	await FILE PATTERN      waits until the file has a line that matches
//	submit FILE FROM TO     hands a message to the first listener that serve --json
//	                        has written to FILE
//	labsend FILE FROM TO    hands a message to the server that lab --json has written
//	                        to FILE
//	linger FILE FROM TO     as submit, but stops in the middle of the message and
//	                        stays connected until the script ends
//	talk FILE LINE...       says the lines to the address that FILE says is listened
//	                        on, and reads to the end
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"NO_COLOR", "WELLSENT_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"} {
				e.Setenv(name, "")
			}
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("TERM", "xterm")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each process ends a second later
			// Another user gets to the work directory in scripts that need one.
			if err := os.Chmod(filepath.Dir(e.WorkDir), 0o755); err != nil {
				return err
			}
			return os.Mkdir(e.WorkDir+"/home", 0o755)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("no such condition: " + cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "lines": lines, "columns": columns, "await": await, "submit": submit, "linger": linger, "talk": talk, "labsend": labSend,
		},
	})
}

// exits runs a command and requires its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%q exits with %d, want %d", args[1:], got, want)
	}
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[1]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d", args[1], got, want)
	}
}

func columns(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: columns N FILE")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if got := len([]rune(strings.TrimSuffix(line, "\n"))); got > most {
			ts.Fatalf("%d columns, more than %d: %s", got, most, line)
		}
	}
}

// awaited bounds what await waits for; a loaded machine may take its time.
const awaited = 30 * time.Second

// await waits until a file has a line that matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(awaited); time.Now().Before(end); <-tick.C {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(b) {
			return
		}
	}
	ts.Fatalf("%s has no %q after %s:\n%s", args[0], args[1], awaited, ts.ReadFile(args[0]))
}

// submit hands a small message to a listener that asks for no login.
func submit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: submit FILE FROM TO")
	}
	c, w := begin(ts, args)
	defer c.Close()
	ts.Check(w.Close())
	ts.Check(c.Quit())
}

// labSend hands a small message to the server that the first line of lab --json
// tells of.
func labSend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: labsend FILE FROM TO")
	}
	var started struct {
		Address string `json:"address"`
	}
	first, _, _ := strings.Cut(ts.ReadFile(args[0]), "\n")
	ts.Check(json.Unmarshal([]byte(first), &started))
	c, err := smtp.Dial(started.Address)
	ts.Check(err)
	defer c.Close()
	w := transaction(ts, c, args[1], args[2])
	ts.Check(w.Close())
	ts.Check(c.Quit())
}

// linger begins a message and leaves it unfinished.
func linger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: linger FILE FROM TO")
	}
	c, _ := begin(ts, args)
	ts.Defer(func() { c.Close() })
}

// talk says lines to a server, one after another without a wait.
func talk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: talk FILE LINE...")
	}
	at := regexp.MustCompile(`listening on (\S+:\d+)`).FindStringSubmatch(ts.ReadFile(args[0]))
	if at == nil {
		ts.Fatalf("%s does not say what is listened on", args[0])
	}
	c, err := net.Dial("tcp", at[1])
	ts.Check(err)
	defer c.Close()
	ts.Check(c.SetDeadline(time.Now().Add(awaited)))
	r := bufio.NewReader(c)
	_, err = r.ReadString('\n') // the greeting
	ts.Check(err)
	_, err = io.WriteString(c, strings.Join(args[1:], "\r\n")+"\r\n")
	ts.Check(err)
	_, err = io.Copy(io.Discard, r)
	ts.Check(err)
}

// begin hands over a message but for its end.
func begin(ts *testscript.TestScript, args []string) (*smtp.Client, io.WriteCloser) {
	var serving struct {
		Listeners []struct {
			Address string `json:"address"`
		} `json:"listeners"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &serving))
	c, err := smtp.Dial(serving.Listeners[0].Address)
	ts.Check(err)
	return c, transaction(ts, c, args[1], args[2])
}

// transaction hands over a message from and to, but for its end.
func transaction(ts *testscript.TestScript, c *smtp.Client, from, to string) io.WriteCloser {
	ts.Check(c.Mail(from))
	ts.Check(c.Rcpt(to))
	w, err := c.Data()
	ts.Check(err)
	_, err = fmt.Fprintf(w, "From: <%s>\r\nTo: <%s>\r\nSubject: hello\r\n\r\nHello.\r\n", from, to)
	ts.Check(err)
	return w
}
