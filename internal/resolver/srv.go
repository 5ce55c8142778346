package resolver

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/miekg/dns"
)

// maxSRV bounds the servers of one service.
const maxSRV = 32

// SRV is one server of a service.
type SRV struct {
	Target        string // absolute name in lower case, without its final dot
	Port          uint16
	Priority      uint16 // the lowest is asked first
	Weight        uint16 // its share among those of the same priority
	Authenticated bool   // by DNSSEC, as a name server on this machine says
}

// SRV returns the servers of a service, such as "_submissions._tcp.example.org",
// in the order in which they are to be asked. The error is an *Error:
// KindNotOffered when the domain says that it has no such service, KindNoName or
// KindNoData when it says nothing of it. RFC 2782.
func (r *Resolver) SRV(ctx context.Context, service string) ([]SRV, error) {
	name, err := absolute(service, "SRV")
	if err != nil {
		return nil, err
	}
	rrs, secure, failure := r.askSecure(ctx, name, dns.TypeSRV)
	if failure != nil {
		failure.Name, failure.Type = service, "SRV"
		return nil, failure
	}
	var found []SRV
	for _, rr := range rrs {
		if s, ok := rr.(*dns.SRV); ok && s.Target != "." && s.Port != 0 && len(found) < maxSRV {
			found = append(found, SRV{Target: host(s.Target), Port: s.Port, Priority: s.Priority, Weight: s.Weight, Authenticated: secure})
		}
	}
	if len(found) == 0 {
		return nil, &Error{Name: service, Type: "SRV", Kind: KindNotOffered}
	}
	return ordered(found), nil
}

// ordered sorts servers by priority and draws those of the same priority by lot,
// each with the chance its weight gives it. RFC 2782, "Weight".
func ordered(all []SRV) []SRV {
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// Those of weight 0 come first, so that they have a small chance.
	slices.SortStableFunc(all, func(a, b SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(min(a.Weight, 1), min(b.Weight, 1)))
	})
	for i := range all {
		sum := 0
		end := i
		for end < len(all) && all[end].Priority == all[i].Priority {
			sum += int(all[end].Weight)
			end++
		}
		lot := rand.IntN(sum + 1)
		for j := i; j < end; j++ {
			if lot -= int(all[j].Weight); lot <= 0 {
				drawn := all[j]
				copy(all[i+1:j+1], all[i:j])
				all[i] = drawn
				break
			}
		}
	}
	return all
}
