package osfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}

func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// Inode returns 0: size and time of a file must do.
func Inode(fs.FileInfo) uint64 { return 0 }

// Owner returns ok false: permissions are not those of one user and one group.
func Owner(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }

// ActAs returns an error: a process cannot become somebody else.
func ActAs(int, int) error { return errors.ErrUnsupported }

// syncDir does nothing: a directory cannot be synced, and NTFS keeps a journal of
// names.
func syncDir(string) error { return nil }
