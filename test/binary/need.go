package binary

import (
	"context"
	"os"
	"testing"
	"time"
)

// Need makes an office for a test. Its server is killed at the end, and what it
// printed is shown when the test has failed.
func Need(t testing.TB, o Options) *Office {
	t.Helper()
	if o.Path == "" && os.Getenv(PathVariable) == "" {
		t.Fatal("no binary: TestMain must call binary.Main")
	}
	if o.Dir == "" {
		// Not t.TempDir: a test's name in the path would make the path of the
		// control socket longer than the system allows.
		dir, err := os.MkdirTemp("", "wellsent-office-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		o.Dir = dir
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		if t.Failed() {
			t.Logf("the server printed:\n%s", f.Output())
		}
	})
	return f
}

// MustStart starts the server.
func (f *Office) MustStart(t testing.TB) {
	t.Helper()
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// MustRun runs a command.
func (f *Office) MustRun(t testing.TB, args ...string) Ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := f.Run(ctx, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// MustAddUser adds an account.
func (f *Office) MustAddUser(t testing.TB, name, password string) {
	t.Helper()
	if err := f.AddUser(t.Context(), name, password); err != nil {
		t.Fatal(err)
	}
}

// MustQueue returns what waits.
func (f *Office) MustQueue(t testing.TB) []Entry {
	t.Helper()
	q, err := f.Queue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}
