package auth

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestGate_OneHashACoreAndABoundedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		cores := runtime.GOMAXPROCS(0)
		var running, most, done, busy atomic.Int64
		release := make(chan struct{})
		var wg sync.WaitGroup
		const extra = 10
		for range cap(g.waiting) + extra {
			wg.Go(func() {
				err := g.do(t.Context(), func() {
					most.Store(max(most.Load(), running.Add(1)))
					<-release
					running.Add(-1)
				})
				if errors.Is(err, ErrBusy) {
					busy.Add(1)
				} else if err == nil {
					done.Add(1)
				}
			})
		}
		synctest.Wait() // all run, wait or were turned away
		if got := running.Load(); got != int64(cores) {
			t.Errorf("%d run at once on %d cores", got, cores)
		}
		if got := busy.Load(); got != extra {
			t.Errorf("%d were told that we are busy, want %d", got, extra)
		}
		close(release)
		wg.Wait()
		if done.Load() != int64(cap(g.waiting)) || most.Load() > int64(cores) {
			t.Errorf("%d done, at most %d at once", done.Load(), most.Load())
		}
	})
}

func TestGate_EndOfContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		for range cap(g.running) {
			g.running <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- g.do(ctx, func() { t.Error("it ran") }) }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if len(g.waiting) != 0 {
			t.Error("its place in the queue is still taken")
		}
	})
}
