package deliver

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/route"
)

// How long a stand-in is taken before the preferred host is asked again, at first
// and at most. A blocked port costs a message half a minute each time.
const (
	firstStandIn = 15 * time.Minute
	longStandIn  = 2 * time.Hour
)

// standIns remembers of each route which host serves while the preferred one does
// not, so that not every message has to find out anew. It is used by many
// goroutines at once. Nothing of it outlives the process.
type standIns struct {
	mu sync.Mutex
	of map[string]*standIn // by settings of the route
}

// standIn is a host that serves in place of the preferred one.
type standIn struct {
	route  *route.Route // that it was learned of: after a reload the preferred host is asked anew, for it may have been mended
	rank   int          // of the host that serves
	until  time.Time    // when the preferred one is asked again
	wait   time.Duration
	failed failure // what became of the preferred host
}

// keyOf names a route with its hosts and its login: what was learned of one set of
// them says nothing about another.
func keyOf(r *route.Route) string {
	s := r.Name + " " + r.User
	for _, v := range r.Via {
		s += " " + v.String()
	}
	return s
}

// order returns the hosts in the order in which they are asked now: the one that
// serves first, while there is one, and then why it does.
func (s *standIns) order(c *conversation, hosts []host) (ordered []host, known []failure) {
	if len(hosts) < 2 || !hosts[0].smart {
		return hosts, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of[keyOf(c.route)]
	if x == nil || x.route != c.route || s.dueLocked(x) {
		return hosts, nil
	}
	i := slices.IndexFunc(hosts, func(h host) bool { return h.rank == x.rank })
	if i < 1 {
		return hosts, nil
	}
	hosts[i].after = "" // it is known to serve
	return slices.Concat(hosts[i:i+1], hosts[:i], hosts[i+1:]), []failure{x.failed}
}

// due reports whether c, which speaks to a stand-in, is the one to ask the
// preferred host again.
func (s *standIns) due(c *conversation) bool {
	if c.host.rank == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of[keyOf(c.route)]
	if x != nil && x.route == c.route && s.dueLocked(x) {
		x.until = time.Time{} // order sees it due as well
		return true
	}
	return x == nil // the preferred one serves again
}

// dueLocked reports whether the preferred host is to be asked; whoever is told so
// is the only one for a while.
func (s *standIns) dueLocked(x *standIn) bool {
	now := time.Now()
	if now.Before(x.until) {
		return false
	}
	x.until = now.Add(x.wait)
	return true
}

// serves notes that c's host serves, after failures of others in the same attempt,
// and returns what the operator should know of it.
func (s *standIns) serves(c *conversation, failures []failure) []string {
	h := c.host
	if !h.smart {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := keyOf(c.route)
	x := s.of[key]
	if h.rank == 0 {
		if x != nil {
			delete(s.of, key)
			c.d.o.Log.Info("the preferred host serves again", "route", c.route.Name, "via", h.written)
		}
		return nil
	}
	if f := preferred(failures, h); f != nil {
		known := x != nil && x.rank == h.rank && x.route == c.route
		if !known {
			x = &standIn{wait: firstStandIn}
		} else {
			x.wait = min(2*x.wait, longStandIn)
		}
		x.route, x.rank, x.until, x.failed = c.route, h.rank, time.Now().Add(x.wait), *f
		if s.of == nil {
			s.of = map[string]*standIn{}
		}
		s.of[key] = x
		if !known {
			c.d.o.Log.Warn("mail goes by a stand-in", "route", c.route.Name, "via", h.written, "instead_of", f.host.written, "cause", string(f.err.Cause), "error", f.err.Error(), "next", x.until.Format(time.RFC3339), "do", advice(h))
		}
	}
	return notices(h, x)
}

// preferred returns the failure of a host that comes before h and that was one of
// the host, not of a message.
func preferred(failures []failure, h host) *failure {
	for i := range failures {
		if f := &failures[i]; f.host.rank < h.rank && aboutNextHop(f.err.Scope) {
			return f
		}
	}
	return nil
}

// reason returns the cause of a failure and its words in one line.
func reason(err *evidence.Error) string {
	s := evidence.Clip(evidence.Printable(err.Error()), 200)
	if err.Cause != "" {
		return fmt.Sprintf("%s [%s]", s, err.Cause)
	}
	return s
}

// notices returns what the operator should know while h serves.
func notices(h host, x *standIn) []string {
	var out []string
	if x != nil && x.rank == h.rank && h.succeeds == "" {
		out = append(out, fmt.Sprintf("mail goes by %s, as %s does not serve: %s; it is tried again at %s", h.written, x.failed.host.written, reason(x.failed.err), x.until.Format("15:04")))
	}
	if a := advice(h); a != "" {
		out = append(out, a)
	}
	return out
}

// advice says what to change of the configuration where a successor serves.
func advice(h host) string {
	if h.succeeds == "" {
		return ""
	}
	return fmt.Sprintf("%s was withdrawn by its provider, and mail goes to its successor: write via = [%q] in the route", h.succeeds, h.written)
}
