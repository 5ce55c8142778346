package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/resolver"
)

// lookUp resolves one name.
func (r *run) lookUp(ctx context.Context, p probe) (string, bool) {
	began := time.Now()
	n := Name{Name: p.name, Why: nameReason(p.why), Server: p.server}
	with := r.q.Resolver
	if p.server != "" {
		with = resolver.New(resolver.Options{Servers: []string{p.server}, Timeout: lookUpWait})
	}
	name := p.name
	if n.Why != nameTarget && !strings.HasSuffix(name, ".") && strings.Contains(name, ".") {
		name += "." // experiments are about the name itself, not about the search list
	}
	var err error
	if r.q.Proxy != nil && n.Why == nameTarget {
		n.Addresses = []netip.Addr{netip.IPv4Unspecified()} // the proxy looks it up
	} else {
		n.Addresses, err = with.Addresses(ctx, name)
	}
	n.Took = time.Since(began)
	var e *resolver.Error
	switch {
	case errors.As(err, &e):
		n.Kind, n.By, n.Detail = e.Kind, e.Server, e.Detail
	case err != nil:
		n.Kind = resolver.KindServerFailure
	}
	if n.Kind == resolver.KindCancelled {
		n.Kind = resolver.KindTimeout
	}
	r.mu.Lock()
	r.f.Names = append(r.f.Names, n)
	r.mu.Unlock()
	if n.Kind != "" {
		return string(n.Kind), n.Why != nameTarget
	}
	return addressList(n.Addresses), true
}

func addressList(all []netip.Addr) string {
	var s []string
	for _, a := range all {
		s = append(s, a.String())
	}
	return strings.Join(s, ", ")
}
