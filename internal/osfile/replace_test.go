package osfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		text string
		mode fs.FileMode
	}{{"one", 0o600}, {"two", 0o644}, {"", 0o600}} {
		if err := Replace(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(b) != c.text || info.Mode().Perm() != c.mode {
			t.Errorf("%q, %v, %v; want %q, %v", b, info.Mode(), err, c.text, c.mode)
		}
	}
	if err := Replace(filepath.Join(dir, "no", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "taken"), nil, 0o600); err == nil {
		t.Error("a directory is replaced by a file")
	}
	left(t, dir, 2)
}

func TestMake_ReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := Make(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := Make(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want fs.ErrExist", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "first" {
		t.Errorf("%q, %v", b, err)
	}
	left(t, dir, 1)
}

// left reports temporary files that nobody took away.
func left(t *testing.T, dir string, want int) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != want {
		t.Errorf("%v, %v; want %d entries", entries, err, want)
	}
}
