package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// CacheVariable names the environment variable with another cache directory.
const CacheVariable = "WELLSENT_PEERS"

// UnavailableError says why peers cannot run on this machine.
type UnavailableError struct {
	What string // "Postfix", "swaks" …
	Why  string
}

// Error returns what is missing and why.
func (e *UnavailableError) Error() string { return e.What + " is not available: " + e.Why }

// Tree is the directory of unpacked packages.
type Tree struct {
	root     string
	packages []string // what it must have, without the libraries that they need
	programs []string // whose libraries must all be there
}

// How long fetching may take in all, on a slow line too. Whoever waits for the
// lock waits as long.
const fetchLimit = 5 * time.Minute

// Open returns the tree in the cache of the repository, fetched and unpacked
// first where needed. Errors are *UnavailableError for a machine that cannot have
// one, and others for a fetch that failed.
func Open(ctx context.Context) (*Tree, error) {
	return open(ctx, "tree", wantedPackages(), []string{"usr/sbin/exim4", "usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd", "usr/bin/msmtp", "usr/bin/curl"})
}

// open returns the tree called name.
func open(ctx context.Context, name string, packages, programs []string) (*Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	cache, err := cacheDirectory()
	if err != nil {
		return nil, err
	}
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg", "dpkg-query", "ldd"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, &UnavailableError{"the tree of peers", tool + " is missing; it needs a Debian system"}
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	t := &Tree{root: filepath.Join(cache, name), packages: packages, programs: programs}
	if t.complete() {
		return t, nil
	}
	a := &apt{cache: cache}
	if err := a.unpack(ctx, t.root, packages); err != nil {
		return nil, fmt.Errorf("fetch peers: %w", err)
	}
	if missing := t.missingLibraries(); len(missing) > 0 {
		return nil, fmt.Errorf("fetch peers: no package has %s", strings.Join(missing, ", "))
	}
	return t, os.WriteFile(t.stamp(), []byte(strings.Join(packages, "\n")+"\n"), 0o644)
}

// Need returns the tree. Where there cannot be one the test is skipped, or fails
// where CI=true.
func Need(t testing.TB) *Tree {
	t.Helper()
	tree, err := Open(context.Background())
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// skipUnavailable ends the test when err says that something is not there.
func skipUnavailable(t testing.TB, err error) {
	t.Helper()
	var missing *UnavailableError
	if errors.As(err, &missing) {
		Skip(t, missing.Error())
	}
}

// Skip skips the test for want of something that a machine may lack, and fails
// it where CI=true: there nothing may be missing.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true and %s", why)
	}
	t.Skip(why)
}

// cacheDirectory returns where the tree is kept.
func cacheDirectory() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := Repository()
	return filepath.Join(root, ".cache", "peers"), err
}

// Repository returns the directory with the go.mod above the working directory.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// lock takes the lock file at path and returns what gives it back. The system
// gives it back should the process end.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond) // flock(2) cannot be told of a context
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another process fetches peers: lock %s: %w", path, ctx.Err())
		}
	}
}

// The servers, and the clients that are fetched where the machine has none.
// libnss-wrapper answers Exim's question for a user that the machine lacks.
var (
	serverPackages = []string{"postfix", "exim4-daemon-light", "libnss-wrapper"}
	clientPackages = []struct{ program, name string }{{"swaks", "swaks"}, {"msmtp", "msmtp"}, {"curl", "curl"}}
)

// wantedPackages returns the packages that this machine needs, without the
// libraries that they need.
func wantedPackages() []string {
	wanted := slices.Clone(serverPackages)
	for _, c := range clientPackages {
		if _, err := exec.LookPath(c.program); err != nil {
			wanted = append(wanted, c.name)
		}
	}
	// swaks can do TLS with this module only. Nothing can be said where there is
	// no perl: swaks is not available then.
	if err := exec.Command("perl", "-MNet::SSLeay", "-e", "1").Run(); err != nil {
		wanted = append(wanted, "libnet-ssleay-perl")
	}
	return wanted
}

func (t *Tree) stamp() string { return filepath.Join(t.root, ".complete") }

// complete reports whether the tree is there, with all that this machine needs.
func (t *Tree) complete() bool {
	b, err := os.ReadFile(t.stamp())
	if err != nil {
		return false
	}
	have := strings.Fields(string(b))
	for _, w := range t.packages {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return len(t.missingLibraries()) == 0
}

// missingLibraries returns the shared libraries that neither machine nor tree has.
func (t *Tree) missingLibraries() []string {
	var missing []string
	for _, p := range t.programs {
		path := filepath.Join(t.root, p)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		c := exec.Command("ldd", path)
		c.Env = t.environment()
		out, err := c.CombinedOutput()
		if err != nil {
			return append(missing, p+": "+strings.TrimSpace(string(out)))
		}
		for line := range strings.Lines(string(out)) {
			if name, rest, _ := strings.Cut(strings.TrimSpace(line), " "); strings.Contains(rest, "not found") && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

// libraryPath returns the directories with the tree's shared libraries.
func (t *Tree) libraryPath() string {
	dirs := []string{filepath.Join(t.root, "usr/lib/postfix"), filepath.Join(t.root, "usr/lib/dovecot")}
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib"} {
		found, _ := filepath.Glob(filepath.Join(t.root, pattern)) // the pattern is well formed
		dirs = append(dirs, found...)
	}
	return strings.Join(dirs, ":")
}

// cleanEnvironment returns our own environment without what changes programs'
// language or looks.
func cleanEnvironment() []string { return append(os.Environ(), "LC_ALL=C") }

// environment returns the environment of a program of the tree.
func (t *Tree) environment() []string {
	perl := []string{filepath.Join(t.root, "usr/share/perl5")}
	found, _ := filepath.Glob(filepath.Join(t.root, "usr/lib/*-linux-gnu*/perl5/*")) // the pattern is well formed
	perl = append(perl, found...)
	return append(cleanEnvironment(), "LD_LIBRARY_PATH="+t.libraryPath(), "PERL5LIB="+strings.Join(perl, ":"))
}
