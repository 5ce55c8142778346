package osfile

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestLock_OneAtATime: a plain number, guarded by nothing but the lock.
func TestLock_OneAtATime(t *testing.T) {
	dir := t.TempDir()
	number := filepath.Join(dir, "number")
	if err := os.WriteFile(number, []byte{0}, 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			unlock, err := Lock(filepath.Join(dir, "lock"))
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			b, err := os.ReadFile(number)
			if err == nil {
				b[0]++
				err = os.WriteFile(number, b, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, err := os.ReadFile(number); err != nil || b[0] != 20 {
		t.Errorf("%v, %v", b, err)
	}
}

func TestTryLock_DoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := TryLock(path); ok || err != nil {
		t.Errorf("of a lock that is taken: %v, %v", ok, err)
	}
	unlock()
	unlock, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("of one that is free: %v, %v", ok, err)
	}
	unlock()
}

func TestLock_MissingDirectory(t *testing.T) {
	if _, err := Lock(filepath.Join(t.TempDir(), "no", "lock")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

func TestInode_ChangesWithTheFile(t *testing.T) {
	dir := t.TempDir()
	inode := func(name string) uint64 {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if uid, _, ok := Owner(info); ok && uid != os.Geteuid() {
			t.Errorf("owner %d, not %d", uid, os.Geteuid())
		}
		return Inode(info)
	}
	if a, b := inode("a"), inode("b"); a == b && a != 0 {
		t.Errorf("two files, one number %d", a)
	}
}
