//go:build !unix

package doctor

import (
	"errors"
	"syscall"
)

// smallSegments fails: the system has no way to bound segments.
func smallSegments(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }
