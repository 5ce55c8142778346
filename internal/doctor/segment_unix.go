//go:build unix

package doctor

import "syscall"

// smallSegments bounds the segments of a socket before it connects, which bounds
// those of the other side too. tcp(7), TCP_MAXSEG.
func smallSegments(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, smallSegment)
	}); err != nil {
		return err
	}
	return failed
}
