package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/traffic"
)

const kills = 10

// TestKill_NothingAnswered250IsLost kills the server ten times under load. In
// every second life the next hop refuses everything for now, so that the kill
// meets a queue as well as deliveries.
func TestKill_NothingAnswered250IsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	var refuse atomic.Bool
	sink := openSink(t, traffic.SinkOptions{Refuse: func(string) int {
		if refuse.Load() {
			return 451
		}
		return 0
	}})
	o := binary.Need(t, relay(sink.Addr()))
	o.MustStart(t)
	accepted := newLedger()
	result := underLoad(t, o, accepted, func() {
		for life := range kills {
			refuse.Store(life%2 == 1)
			from := accepted.count()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if !await(ctx, func() bool { return accepted.count() >= from+300 }) {
				t.Errorf("life %d: only %d messages accepted within 30s", life, accepted.count()-from)
			}
			cancel()
			linger(t, rand.N(200*time.Millisecond)) // so that kills fall at every place of the work
			o.Kill()
			o.MustStart(t)
		}
		refuse.Store(false)
	})
	duplicates := accepted.awaitAll(t, o, sink, 90*time.Second)
	t.Logf("%d kills, %d messages answered 250, %d connections broken: none lost, %d duplicates", kills, accepted.count(), result.Broken, duplicates)
	// A kill repeats what was delivered in the 50 ms before it, and what was in
	// hand. The bound leaves room for a machine that stalls.
	if bound := kills*200 + accepted.count()/10; duplicates > bound {
		t.Errorf("%d duplicates, more than %d", duplicates, bound)
	}
	// A message that was kept, and whose 250 a kill cut off, may still wait.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !await(ctx, func() bool { return len(o.MustQueue(t)) == 0 }) {
		t.Errorf("the queue is not empty: %+v", o.MustQueue(t)[0])
	}
	if code, err := o.Stop(); err != nil || code != 0 {
		t.Errorf("stop: exit %d, %v", code, err)
	}
}

// TestKill_OrderlyStopRepeatsNothing: an orderly stop under load loses nothing
// and sends nothing twice.
func TestKill_OrderlyStopRepeatsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	sink := openSink(t, traffic.SinkOptions{})
	o := binary.Need(t, relay(sink.Addr()))
	o.MustStart(t)
	accepted := newLedger()
	underLoad(t, o, accepted, func() {
		for range 3 {
			from := accepted.count()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			await(ctx, func() bool { return accepted.count() >= from+300 })
			cancel()
			if code, err := o.Stop(); err != nil || code != 0 {
				t.Errorf("stop: exit %d, %v", code, err)
			}
			o.MustStart(t)
		}
	})
	if duplicates := accepted.awaitAll(t, o, sink, 60*time.Second); duplicates != 0 {
		t.Errorf("%d of %d messages were sent twice", duplicates, accepted.count())
	}
}

// underLoad runs work while eight connections send messages without pause.
func underLoad(t *testing.T, o *binary.Office, accepted *ledger, work func()) traffic.Result {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var result traffic.Result
	var wait sync.WaitGroup
	wait.Go(func() {
		var err error
		result, err = traffic.Load{Address: o.Address("relay"), Name: "chaos", Connections: 8, Size: 4 << 10, Accepted: accepted.add, Patient: true}.Run(ctx)
		if err != nil {
			t.Error(err)
		}
	})
	defer wait.Wait()
	defer stop()
	work()
	stop()
	wait.Wait()
	return result
}

// linger waits for d.
func linger(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
