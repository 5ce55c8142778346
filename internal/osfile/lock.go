package osfile

import (
	"fmt"
	"os"
)

// Lock waits for the exclusive lock of the file at path, which it makes with mode
// 0600 where it is missing, and returns the function that gives it up. The error
// is that of opening the file, unaltered, or says that it could not be locked.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil // closing gives up the lock
}

// TryLock is Lock that does not wait: ok is false where another has the lock.
func TryLock(path string) (unlock func(), ok bool, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	ok, err = tryLock(f)
	if err != nil || !ok {
		f.Close()
		if err != nil {
			err = fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, false, err
	}
	return func() { f.Close() }, true, nil
}
