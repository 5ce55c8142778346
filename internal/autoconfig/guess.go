package autoconfig

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/resolver"
)

// What bounds probes.
const (
	probeTimeout = 10 * time.Second
	probesAtOnce = 6 // few enough to look like a mail program, not like a scan
)

// guessed are the ports and their security, the most likely first. RFC 8314 §7.3;
// 25 is what remains of older habits.
var guessed = []provider.Server{
	{Port: 587, Security: provider.StartTLS},
	{Port: 465, Security: provider.TLS},
	{Port: 25, Security: provider.StartTLS},
}

// byGuess tries the usual names: smtp.DOMAIN, mail.DOMAIN, DOMAIN, the best MX
// host. A name that does not exist is left out; of the others, the caller's probe
// decides.
func (f *finder) byGuess(ctx context.Context) answer {
	start := time.Now()
	hosts := []string{"smtp." + f.domain, "mail." + f.domain, f.domain}
	if mx, err := f.exchangers(ctx); err == nil && len(mx) > 0 && !slices.Contains(hosts, mx[0].Host) {
		hosts = append(hosts, mx[0].Host)
	}
	hosts = f.existing(ctx, hosts)
	var servers []provider.Server
	for _, port := range guessed {
		for _, host := range hosts {
			servers = append(servers, provider.Server{Host: host, Port: port.Port, Security: port.Security})
		}
	}
	if f.Probe != nil {
		servers = f.probed(ctx, servers)
	}
	err := errNothing
	if len(servers) > 0 {
		err = nil
	}
	a := answer{tried: []Tried{took(FromGuess, f.domain, start, err)}}
	if err != nil {
		return a
	}
	s := Settings{Source: FromGuess, Where: f.domain, Trust: TrustGuess, Probed: f.Probe != nil}
	for _, server := range servers {
		s.Outgoing = append(s.Outgoing, Outgoing{Server: server, User: f.address})
	}
	s.Foreign = foreign(f.domain, s.Outgoing)
	a.settings = []Settings{s}
	return a
}

// existing returns the hosts that have an address, or may have: a name server
// that fails proves nothing.
func (f *finder) existing(ctx context.Context, hosts []string) []string {
	absent := make([]bool, len(hosts))
	var wait sync.WaitGroup
	for i, host := range hosts {
		wait.Go(func() {
			_, err := f.Resolver.Addresses(ctx, host+".") // absolute: no search list
			absent[i] = err != nil && resolver.KindOf(err).Definite()
		})
	}
	wait.Wait()
	var found []string
	for i, host := range hosts {
		if !absent[i] {
			found = append(found, host)
		}
	}
	return found
}

// probed returns the servers that the probe finds good, in their order.
func (f *finder) probed(ctx context.Context, servers []provider.Server) []provider.Server {
	good := make([]bool, len(servers))
	slots := make(chan struct{}, probesAtOnce)
	var wait sync.WaitGroup
	for i, s := range servers {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			good[i] = f.Probe(ctx, s) == nil
		})
	}
	wait.Wait()
	var found []provider.Server
	for i, s := range servers {
		if good[i] {
			found = append(found, s)
		}
	}
	return found
}
