package chaos

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

// The size of the small disk. The floor of free space is an eighth of it.
const diskSize = 96 << 20

// inNamespace says that this process is the one in a mount namespace of its own.
const inNamespace = "WELLSENT_CHAOS_NAMESPACE"

// onSmallDisk runs test with the directory of a small disk. The disk is a tmpfs
// in a mount namespace of its own, which nobody else sees and which ends with the
// process in it: this test, run again by unshare.
func onSmallDisk(t *testing.T, test func(t *testing.T, disk string)) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	if os.Getenv(inNamespace) != "" {
		disk := t.TempDir()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=96m,mode=700"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(disk, 0); err != nil {
				t.Error(err)
			}
		})
		test(t, disk)
		return
	}
	prefix := []string{"unshare", "--mount", "--propagation", "private", "--"}
	if syscall.Geteuid() != 0 {
		prefix = []string{"unshare", "--map-root-user", "--mount", "--propagation", "private", "--"}
	}
	if out, err := exec.Command(prefix[0], append(prefix[1:], "sh", "-c", "mount -t tmpfs none /mnt")...).CombinedOutput(); err != nil {
		peers.Skip(t, "a small disk is not available: it needs unshare and the right to mount, as root or in a user namespace: "+strings.TrimSpace(string(out)))
	}
	c := exec.CommandContext(t.Context(), prefix[0], append(prefix[1:], os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "3m")...)
	c.Env = append(os.Environ(), inNamespace+"=1")
	// The child ends its own server; should this process die, so does the child.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	t.Logf("in a mount namespace:\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

// TestDisk_FullIs452AndServiceResumes: below the floor of free space new mail is
// refused for now, the queue stays whole, and with space service is back without
// a restart.
func TestDisk_FullIs452AndServiceResumes(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, disk string) {
		nextHop := closedPort(t)
		options := relay(nextHop)
		options.Data = filepath.Join(disk, "data")
		o := binary.Need(t, options)
		o.MustStart(t)
		pid := o.PID()
		ballast := filepath.Join(disk, "somebody-elses")
		occupy(t, ballast, diskSize/2)

		accepted, refused := newLedger(), fill(t, o)
		merge(accepted, refused.accepted)
		if refused.reply.Code != 452 || !strings.Contains(refused.reply.Text, "4.3.1") {
			t.Errorf("on a full disk: %d %s; want 452 4.3.1", refused.reply.Code, refused.reply.Text)
		}
		t.Logf("%d messages accepted before %d %s", accepted.count(), refused.reply.Code, refused.reply.Text)
		if n := len(o.MustQueue(t)); n != accepted.count() {
			t.Errorf("the queue has %d, want the %d that were accepted", n, accepted.count())
		}

		// Pebble may give back a log at any moment, and then there is room again: it is
		// filled until the two meet.
		for began := time.Now(); ; merge(accepted, fill(t, o).accepted) {
			r := o.MustRun(t, "check", "--json")
			if r.Code == 1 && strings.Contains(r.Stdout, `"no-room"`) {
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Errorf("check: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
				break
			}
		}

		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		again, err := traffic.Load{Address: o.Address("relay"), Name: "again", Messages: 20, Size: 4 << 10, Accepted: accepted.add, Patient: true}.Run(ctx)
		if err != nil || again.Accepted != 20 {
			t.Errorf("with space again: %d of 20 accepted within 30s, %v", again.Accepted, err)
		}
		if o.PID() != pid || ended(o) {
			t.Error("the server was not the same all the time")
		}
		sink := openSink(t, traffic.SinkOptions{Address: nextHop})
		duplicates := accepted.awaitAll(t, o, sink, 60*time.Second)
		t.Logf("all %d arrived, %d duplicates", accepted.count(), duplicates)
	})
}

// TestDisk_LastOctetLosesNothing: somebody else takes the last octet of the disk
// under load. The server may stop, as one that cannot write must; nothing that it
// answered 250 is lost when it is started again.
func TestDisk_LastOctetLosesNothing(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, disk string) {
		nextHop := closedPort(t)
		options := relay(nextHop)
		options.Data = filepath.Join(disk, "data")
		o := binary.Need(t, options)
		o.MustStart(t)
		ballast := filepath.Join(disk, "somebody-elses")
		accepted := newLedger()
		underLoad(t, o, accepted, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			await(ctx, func() bool { return accepted.count() >= 200 })
			occupy(t, ballast, diskSize)
			linger(t, 3*time.Second) // retries meet the full disk too
		})
		t.Logf("%d messages accepted; the server stopped by itself: %v", accepted.count(), ended(o))
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		sink := openSink(t, traffic.SinkOptions{Address: nextHop})
		// One that cannot write stops in order, and may be about to.
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		await(ctx, func() bool {
			if ended(o) {
				o.Kill()
				o.MustStart(t)
			}
			return accepted.lost(sink) == 0
		})
		duplicates := accepted.awaitAll(t, o, sink, 60*time.Second)
		t.Logf("all %d arrived, %d duplicates", accepted.count(), duplicates)
	})
}

// filled is what came of filling a disk.
type filled struct {
	accepted *ledger
	reply    traffic.Reply // the first that was no 250
}

// fill sends messages until one is refused.
func fill(t *testing.T, o *binary.Office) filled {
	t.Helper()
	f := filled{accepted: newLedger()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var once sync.Once
	_, err := traffic.Load{Address: o.Address("relay"), Name: "fill-" + strconv.FormatInt(time.Now().UnixNano(), 36), Connections: 4, Size: 64 << 10, Accepted: f.accepted.add,
		Refused: func(r traffic.Reply) { once.Do(func() { f.reply = r }) }}.Run(ctx)
	if err == nil {
		t.Fatalf("nothing was refused: %d messages accepted", f.accepted.count())
	}
	return f
}

func merge(to, from *ledger) {
	for id := range from.all() {
		to.add(id)
	}
}

// occupy writes n octets to a file, or as many as there is room for.
func occupy(t *testing.T, path string, n int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(f, zeros{}, n)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// ended reports whether the server has ended by itself.
func ended(o *binary.Office) bool {
	select {
	case <-o.Ended():
		return true
	default:
		return false
	}
}
