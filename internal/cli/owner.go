package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/wellsent/wellsent/internal/osfile"
)

// denied says whose permission is missing.
func denied(data string) error {
	owner := "its owner"
	if info, err := os.Stat(data); err == nil {
		if uid, gid, ok := osfile.Owner(info); ok {
			owner = fmt.Sprintf("user id %d or a member of group id %d", uid, gid)
		}
	}
	return fmt.Errorf("you may not use the queue in %s: it belongs to somebody else. Run this as %s, or as root", printable(data), owner)
}

// becomeOwner gives up root for the owner of the data directory: what root makes
// there the server could not read.
func becomeOwner(data string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	uid, gid, ok := osfile.Owner(info)
	if !ok || uid == 0 {
		return nil
	}
	if err := osfile.ActAs(uid, gid); err != nil {
		return fmt.Errorf("act as the owner of %s: %w", data, err)
	}
	return nil
}
