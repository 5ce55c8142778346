package peers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns a command that runs a client program: the machine's, else the
// tree's. It returns an *UnavailableError when neither has it.
func (t *Tree) Program(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	if path, err := exec.LookPath(name); err == nil {
		c := exec.CommandContext(ctx, path, args...)
		c.Env = cleanEnvironment()
		if name == "swaks" {
			c.Env = t.environment() // for a module that came from the tree
		}
		return c, nil
	}
	path := filepath.Join(t.root, "usr/bin", name)
	if _, err := os.Stat(path); err != nil {
		return nil, &UnavailableError{name, "neither PATH nor the tree of peers has it"}
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Env = t.environment()
	return c, nil
}

// NeedProgram is Program for a test, which is skipped where there is none, or
// fails where CI=true. The command ends with the test.
func NeedProgram(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	// The machine's own needs no tree, so nothing is fetched for it.
	tree := &Tree{}
	if _, err := exec.LookPath(name); err != nil || name == "swaks" {
		tree = Need(t)
	}
	c, err := tree.Program(t.Context(), name, args...)
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Start starts one of the tree's servers for a test and stops it at its end.
func Start(t testing.TB, start func(context.Context, ServerOptions) (*Server, error), o ServerOptions) *Server {
	t.Helper()
	s, err := start(t.Context(), o)
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("%s's log:\n%s", s.name, s.lastLog)
		}
	})
	return s
}
