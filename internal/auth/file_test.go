package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func openCheap(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.cost = cheap
	return f
}

func TestFile_AddRemoveSetPassword(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	f := openCheap(t, path)
	if list, err := f.List(); err != nil || len(list) != 0 {
		t.Fatalf("a file that does not exist: %v, %v", list, err)
	}
	if err := f.Add("ann@example.org", "secret", nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Add("dev", "secret", []string{"*@example.org", "x@example.net"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Add("ANN@example.org", "other", nil); !errors.Is(err, ErrExists) {
		t.Errorf("second of the same name: %v", err)
	}
	if err := f.Remove("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("remove nobody: %v", err)
	}
	if err := f.SetPassword("nobody", "x"); !errors.Is(err, ErrUnknown) {
		t.Errorf("password of nobody: %v", err)
	}
	if err := f.Add("empty", "", nil); err == nil {
		t.Error("an empty password is taken")
	}
	if err := f.Add(" x", "secret", nil); err == nil {
		t.Error("a name that begins with a blank is taken")
	}
	list, err := openCheap(t, path).List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.Name+" "+strings.Join(a.Addresses, ","))
	}
	if want := "ann@example.org ann@example.org|dev *@example.org,x@example.net"; strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: others can read the hashes", info.Mode())
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != FileName && e.Name() != FileName+".lock" {
			t.Errorf("%s is left behind", e.Name())
		}
	}
	if err := f.Remove("Ann@example.org"); err != nil {
		t.Error(err)
	}
	if list, _ := f.List(); len(list) != 1 || list[0].Name != "dev" {
		t.Errorf("after remove: %v", list)
	}
}

// Two `user add` at once: the kernel's lock is on the open file, so two Files of
// one process stand for two processes.
func TestFile_ChangesAtOnceAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	var wg sync.WaitGroup
	const files, each = 4, 5
	for i := range files {
		f := openCheap(t, path)
		wg.Go(func() {
			for j := range each {
				if err := f.Add(fmt.Sprintf("user%d-%d", i, j), "secret", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if list, err := openCheap(t, path).List(); err != nil || len(list) != files*each {
		t.Errorf("%d accounts, want %d: %v", len(list), files*each, err)
	}
}

func TestFile_AWriteThatFailsChangesNothing(t *testing.T) {
	if os.Geteuid() == 0 {
		// root may write everywhere; a directory that is gone fails for root too.
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f := openCheap(t, filepath.Join(dir, FileName))
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if err := f.Add("ann", "secret", nil); err == nil {
			t.Fatal("no error")
		}
		if list, err := f.List(); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		return
	}
	dir := t.TempDir()
	f := openCheap(t, filepath.Join(dir, FileName))
	if err := f.Add("ann", "secret", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	if err := f.Add("bob", "secret", nil); err == nil {
		t.Fatal("no error")
	}
	if list, err := f.List(); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestFile_DamageIsAnErrorAndNotAnEmptyFile(t *testing.T) {
	hash, _ := HashPassword("x", cheap)
	user := "[[user]]\nname = \"ann\"\npassword = \"" + hash + "\"\n"
	for _, c := range []struct{ name, data, want string }{
		{"no TOML", "[[user]\n", "accounts.toml:1"},
		{"unknown key", user + "pasword = \"x\"\n", "accounts.toml:4"},
		{"clear text", "[[user]]\nname = \"ann\"\npassword = \"secret\"\n", "account ann: not an argon2id hash"},
		{"no name", "[[user]]\npassword = \"" + hash + "\"\n", "name is empty"},
		{"twice", user + strings.Replace(user, "ann", "ANN", 1), "twice"},
	} {
		path := filepath.Join(t.TempDir(), FileName)
		f := openCheap(t, path)
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := f.List()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want …%s…", c.name, err, c.want)
		}
		if err := f.Add("bob", "x", nil); err == nil {
			t.Errorf("%s: the damaged file was overwritten", c.name)
		}
		if data, _ := os.ReadFile(path); string(data) != c.data {
			t.Errorf("%s: the damaged file was changed", c.name)
		}
	}
}

// FuzzParseFile: no panic, and nothing is taken that cannot be checked.
func FuzzParseFile(f *testing.F) {
	f.Add([]byte("[[user]]\nname = \"ann\"\npassword = \"" + reference + "\"\naddresses = [\"*@example.org\"]\n"))
	f.Add([]byte("[[user]]\n[[user]]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		accounts, err := parseFile("accounts.toml", data)
		if err != nil {
			return
		}
		for name, a := range accounts {
			if name != Canonical(a.Name) || CheckHash(a.Hash) != nil {
				t.Fatalf("%q: %+v", name, a)
			}
		}
	})
}
