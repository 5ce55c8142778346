package auth

import (
	"context"
	"runtime"
)

// gate lets one hash a core run at a time. A few may wait; the rest are told that
// we are busy, because a queue that is longer than a client's patience only makes
// work for nobody.
type gate struct {
	running chan struct{} // one token a hash that runs; as many as cores
	waiting chan struct{} // one token a hash that runs or waits
}

// queuePerCore is how many logins may wait for a core: at a tenth of a second
// each, the last of them waits about three seconds, which no client minds.
const queuePerCore = 32

func newGate() *gate {
	n := runtime.GOMAXPROCS(0)
	return boundedGate(n, n*queuePerCore)
}

// boundedGate returns a gate for running at once and waiting.
func boundedGate(running, waiting int) *gate {
	return &gate{make(chan struct{}, running), make(chan struct{}, running+waiting)}
}

// do runs f when a core is free. It returns ErrBusy when too many wait, or the
// error of ctx when it ends first.
func (g *gate) do(ctx context.Context, f func()) error {
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return ErrBusy
	}
	select {
	case g.running <- struct{}{}:
		defer func() { <-g.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f()
	return nil
}
