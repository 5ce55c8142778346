package osfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts data at path with this mode, in one step that a crash cannot tear and
// durably: a temporary file beside it is written, synced and renamed over it, and the
// directory is synced so that the new name is durable too. Nothing has changed when
// it returns an error, but after one of the last step.
func Replace(path string, data []byte, mode fs.FileMode) error {
	temporary, err := write(path, data, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return syncDir(path)
}

// Make is Replace for a file that must not be there yet, of mode 0600. Of two
// processes that make it at once one prevails, and the other's error is fs.ErrExist.
func Make(path string, data []byte) error {
	temporary, err := write(path, data, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil { // unlike a rename it replaces nothing
		return err
	}
	return syncDir(path)
}

// write writes a temporary file beside path and returns its name.
func write(path string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(mode); err != nil {
		return "", err
	}
	if _, err = f.Write(data); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}
