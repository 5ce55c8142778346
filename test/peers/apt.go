package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// apt fetches packages with the machine's apt, which it does not change.
type apt struct {
	cache   string   // the directory with everything of ours
	private []string // options for lists of our own; nil: the machine's
}

// unpack fetches the packages of names with the libraries that the machine lacks
// and unpacks them as the directory root.
func (a *apt) unpack(ctx context.Context, root string, names []string) error {
	if _, err := a.run(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...); err != nil {
		if err := a.update(ctx); err != nil {
			return err
		}
	}
	debs, err := a.download(ctx, names)
	if err != nil && a.private == nil {
		// The machine's lists may name versions that the mirrors have no more.
		if err := a.update(ctx); err != nil {
			return err
		}
		debs, err = a.download(ctx, names)
	}
	if err != nil {
		return err
	}
	fresh := root + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := a.run(ctx, "dpkg", "-x", deb, fresh); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(fresh, root)
}

// update fetches package lists into the cache and uses those from then on.
func (a *apt) update(ctx context.Context) error {
	state, cache := filepath.Join(a.cache, "apt", "state"), filepath.Join(a.cache, "apt", "cache")
	for _, dir := range []string{filepath.Join(state, "lists", "partial"), filepath.Join(cache, "archives", "partial")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	a.private = []string{"-o", "Dir::State=" + state, "-o", "Dir::State::lists=lists", "-o", "Dir::Cache=" + cache}
	_, err := a.run(ctx, "apt-get", "update")
	return err
}

// download fetches the packages of names with their missing libraries and
// returns the files.
func (a *apt) download(ctx context.Context, names []string) ([]string, error) {
	all, err := a.closure(ctx, names)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.cache, "debs")
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := a.runIn(ctx, dir, "apt-get", append([]string{"download"}, all...)...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "*.deb"))
}

// closure returns names and every library that they need and the machine lacks.
// Only packages called lib… are followed: a mail server from an unpacked tree
// wants no cron and no perl.
func (a *apt) closure(ctx context.Context, names []string) ([]string, error) {
	all := slices.Clone(names)
	for next := names; len(next) > 0; {
		out, err := a.run(ctx, "apt-cache", append([]string{"depends", "--no-recommends", "--no-suggests", "--no-conflicts",
			"--no-breaks", "--no-replaces", "--no-enhances"}, next...)...)
		if err != nil {
			return nil, err
		}
		next = nil
		for line := range strings.Lines(out) {
			_, name, ok := strings.Cut(strings.TrimSpace(line), "Depends: ")
			if !ok || !strings.HasPrefix(name, "lib") || slices.Contains(all, name) || installed(ctx, name) {
				continue
			}
			all, next = append(all, name), append(next, name)
		}
	}
	return all, nil
}

// installed reports whether the machine has the package.
func installed(ctx context.Context, name string) bool {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
	return err == nil && strings.HasPrefix(string(out), "installed")
}

func (a *apt) run(ctx context.Context, program string, args ...string) (string, error) {
	return a.runIn(ctx, "", program, args...)
}

// runIn runs program in dir and returns what it printed.
func (a *apt) runIn(ctx context.Context, dir, program string, args ...string) (string, error) {
	if strings.HasPrefix(program, "apt-") {
		// As whom we are: the user that apt changes to cannot write here.
		args = slices.Concat([]string{"-q", "-o", "APT::Sandbox::User="}, a.private, args)
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
