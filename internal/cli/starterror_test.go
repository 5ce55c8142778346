package cli

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestListenText_SaysWhyAndWhatToDo(t *testing.T) {
	opErr := func(errno syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", errno)}
	}
	for _, tc := range []struct {
		address string
		err     error
		want    []string
	}{
		{"127.0.0.1:2587", opErr(syscall.EADDRINUSE), []string{"127.0.0.1:2587", "in use", "another wellsent", "sport = :2587"}},
		{":587", opErr(syscall.EACCES), []string{":587", "below 1024", "setcap", "2587"}},
		{"192.0.2.1:587", opErr(syscall.EADDRNOTAVAIL), []string{"no address 192.0.2.1", ":587"}},
		{"x", fmt.Errorf("address x: missing port"), []string{"missing port"}},
	} {
		got := listenText(tc.address, tc.err)
		for _, w := range tc.want {
			if !strings.Contains(got, w) {
				t.Errorf("listenText(%q, %v) does not say %q: %s", tc.address, tc.err, w, got)
			}
		}
	}
}
