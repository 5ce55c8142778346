package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/wellsent/wellsent/internal/proxy"
)

// connect opens one connection and notes what came of it. One to the target is
// kept for the conversation.
func (r *run) connect(ctx context.Context, p probe) (string, bool) {
	why := connectReason(p.why)
	wait := r.share(connectWait, 0.3)
	if why != connectTarget {
		wait = r.share(otherWait, 0.2)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	addresses := []netip.Addr{p.address}
	if !p.address.IsValid() && r.q.Proxy == nil {
		addresses = r.addressesOf(ctx, p.at.Host)
		if len(addresses) == 0 {
			r.connected(Connect{Endpoint: p.at, Why: why, Outcome: Unknown})
			return string(Unknown), false
		}
	}
	conn, _, outcome := r.race(ctx, p.at, addresses, why)
	if conn != nil {
		if why == connectTarget {
			r.keep(p.address, conn)
		} else {
			_ = conn.Close()
		}
	}
	return string(outcome), outcome == Open
}

// keep holds a connection for the conversation that comes next.
func (r *run) keep(a netip.Addr, conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.spare[a.String()]; old != nil {
		_ = old.Close()
	}
	r.spare[a.String()] = conn
}

// take returns a connection to the target that was kept, and its address.
func (r *run) take() (net.Conn, netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.f.Connects { // in the order in which they were opened
		key := c.Address.String()
		if conn := r.spare[key]; c.Why == connectTarget && c.Outcome == Open && conn != nil {
			delete(r.spare, key)
			return conn, c.Address
		}
	}
	return nil, netip.Addr{}
}

// addressesOf returns the addresses of a host that was looked up, or looks it up.
func (r *run) addressesOf(ctx context.Context, host string) []netip.Addr {
	r.mu.Lock()
	for _, n := range r.f.Names {
		if n.Name == host && n.Server == "" {
			defer r.mu.Unlock()
			return someOf(n.Addresses)
		}
	}
	r.mu.Unlock()
	found, err := r.q.Resolver.Addresses(ctx, host)
	if err != nil {
		return nil
	}
	return someOf(found)
}

// someOf returns one address of each family.
func someOf(all []netip.Addr) []netip.Addr {
	var some []netip.Addr
	seen := map[bool]bool{}
	for _, a := range all {
		if !seen[a.Is4()] {
			seen[a.Is4()] = true
			some = append(some, a)
		}
	}
	return some
}

// race connects to all addresses at once and returns the first connection that
// stands. Every attempt that ended by then is noted, and all where none stands.
func (r *run) race(ctx context.Context, at Endpoint, addresses []netip.Addr, why connectReason) (net.Conn, netip.Addr, Outcome) {
	type result struct {
		conn net.Conn
		c    Connect
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result, len(addresses)) // room for all, so that nobody waits to report
	var wait sync.WaitGroup
	for _, a := range addresses {
		wait.Go(func() {
			began := time.Now()
			conn, err := r.dial(ctx, at, a)
			c := Connect{Endpoint: at, Address: a, Why: why, Took: time.Since(began)}
			c.Outcome, c.Error, c.Refusal = outcomeOf(err), errorText(err), refusalOf(err)
			results <- result{conn, c}
		})
	}
	defer func() { // the losers
		cancel()
		wait.Wait()
		close(results)
		for x := range results {
			if x.conn != nil {
				_ = x.conn.Close()
			}
		}
	}()
	worst := Unknown
	for range addresses {
		x := <-results
		r.connected(x.c)
		if x.conn != nil {
			return x.conn, x.c.Address, Open
		}
		if worst == Unknown || x.c.Outcome == Refused {
			worst = x.c.Outcome
		}
	}
	return nil, netip.Addr{}, worst
}

func (r *run) connected(c Connect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f.Connects = append(r.f.Connects, c)
}

// dial opens one connection, through the proxy where there is one.
func (r *run) dial(ctx context.Context, at Endpoint, a netip.Addr) (net.Conn, error) {
	if r.q.Proxy != nil {
		return r.q.Proxy.DialContext(ctx, "tcp", at.String())
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), strconv.Itoa(at.Port)))
}

// outcomeOf returns what became of an attempt, from its error.
func outcomeOf(err error) Outcome {
	var timeout net.Error
	var through *proxy.Error
	switch {
	case err == nil:
		return Open
	case errors.As(err, &through) && through.Kind != proxy.Target:
		return ByProxy
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case through != nil && through.Err == nil:
		return Refused // it says no more than that it did not reach the server
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return Denied
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN),
		errors.Is(err, syscall.EHOSTDOWN), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return Unreachable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Silent
	}
	return Broken
}

// refusalOf returns what a proxy said, nil where there was none.
func refusalOf(err error) *proxy.Error {
	var through *proxy.Error
	errors.As(err, &through)
	return through
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
