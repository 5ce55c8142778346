package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
	"github.com/wellsent/wellsent/test/traffic"
)

func TestMain(m *testing.M) { os.Exit(binary.Main(m)) }

// relay returns the options of an office that takes mail from this machine and
// sends all of it to a sink.
func relay(sink string) binary.Options {
	return binary.Options{
		Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.0/8"]`}},
		Tables: fmt.Sprintf(`
[[route]]
name = "sink"
recipients = ["*"]
via = ["smtp://%s"]
tls = "none"
pace = { connections = 50, per_minute = 10000000, recipients_per_day = 1000000000 }

[queue]
retry = ["1s"]
`, sink),
	}
}

// ledger holds the ids that were answered 250.
type ledger struct {
	mu  sync.Mutex // guards ids
	ids map[string]bool
}

func newLedger() *ledger { return &ledger{ids: map[string]bool{}} }

func (l *ledger) add(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[id] = true
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids)
}

func (l *ledger) all() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.ids)
}

// lost returns how many of the ledger's messages the sink has never had.
func (l *ledger) lost(s *traffic.Sink) int {
	seen, lost := s.Seen(), 0
	for id := range l.all() {
		if seen[id] == 0 {
			lost++
		}
	}
	return lost
}

// awaitAll waits until the sink has had all of the ledger and returns how many
// messages it had more than once.
func (l *ledger) awaitAll(t *testing.T, o *binary.Office, s *traffic.Sink, limit time.Duration) (duplicates int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	await(ctx, func() bool { return l.lost(s) == 0 })
	if n := l.lost(s); n > 0 {
		q, err := o.Queue(t.Context())
		for i, e := range q {
			if i < 5 {
				t.Logf("in the queue: %+v", e)
			}
		}
		t.Fatalf("%d of %d messages that were answered 250 have not arrived within %s; the queue has %d (%v)", n, l.count(), limit, len(q), err)
	}
	for _, n := range s.Seen() {
		duplicates += n - 1
	}
	return duplicates
}

// await calls done until it is true, and reports whether it was before ctx ended.
func await(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return done()
		}
	}
	return true
}

func openSink(t *testing.T, o traffic.SinkOptions) *traffic.Sink {
	t.Helper()
	s, err := traffic.NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// closedPort returns an address of 127.0.0.1 where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	port, err := peers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
