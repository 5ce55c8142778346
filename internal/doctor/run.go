package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// Run answers the question. It always returns a Report; when q.Timeout is over it
// tells what was learned until then.
func Run(ctx context.Context, q Question) *Report {
	q.fill()
	r := &run{q: &q, f: &Facts{}, clients: map[*Talk]*smtpclient.Client{}, spare: map[string]net.Conn{}}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, q.Timeout, errTime)
	defer cancel()
	r.rounds(ctx)
	r.await(ctx, time.Until(began.Add(beside)))
	r.f.OutOfTime = ctx.Err() != nil
	r.f.Stopped = r.f.OutOfTime && !errors.Is(context.Cause(ctx), errTime)
	cancel() // what is still waited for says nothing new
	r.running.Wait()
	r.close()
	r.f.Took = time.Since(began)
	return NewReport(&q, r.f)
}

// await waits for what goes on beside the rounds, but not longer than for d.
func (r *run) await(ctx context.Context, d time.Duration) {
	ended := make(chan struct{})
	go func() { // ends with r.running, which Run waits for
		r.running.Wait()
		close(ended)
	}()
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-ctx.Done():
	}
}

var errTime = errors.New("the time given is over")

// fill sets what was left open.
func (q *Question) fill() {
	if q.Security == "" {
		q.Security = Auto
	}
	if q.Timeout == 0 {
		q.Timeout = DefaultTimeout
	}
	if q.Now == nil {
		q.Now = time.Now
	}
	if q.Built.IsZero() {
		q.Built = built()
	}
	if q.Resolver == nil {
		q.Resolver = resolver.New(resolver.Options{Timeout: lookUpWait})
	}
	if q.Hostname == "" {
		q.Hostname = ownName()
	}
	if q.Port == 0 && q.Host != "" {
		q.Port, q.anyPort = 587, true
		if q.Security == Implicit {
			q.Port = 465
		}
	}
}

func (q *Question) now() time.Time {
	if q.Now == nil {
		return time.Now()
	}
	return q.Now()
}

// ownName returns the machine's name, as programs on it greet with it.
func ownName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsAny(name, " \t\r\n") {
		return "localhost"
	}
	return name
}

// The waits. Each is also bounded by its share of the time given.
const (
	lookUpWait   = 2 * time.Second         // one name server that is silent so long does not answer
	connectWait  = 5 * time.Second         // two repetitions of a lost SYN
	otherWait    = 3 * time.Second         // the same, on ports that only tell about another one
	greetingWait = 5 * time.Minute         // RFC 5321 §4.5.3.2.1; in the default time 13 s, and tarpits and reverse look-ups take up to ten
	commandWait  = 8 * time.Second         //
	grantWait    = 10 * time.Second        // identity providers are slow at times
	experiment   = 4 * time.Second         // a conversation that only tells about another one
	quiet        = 1500 * time.Millisecond // a server that says nothing for so long may wait for TLS
	patience     = 8 * time.Second         // one that says nothing for so long may wait for us
	beside       = 3 * time.Second         // from the beginning, for what goes on beside the rounds
	goodbye      = 300 * time.Millisecond  // for the answer to QUIT
)

// share returns the smaller of d and a part of the time given.
func (r *run) share(d time.Duration, part float64) time.Duration {
	return min(d, time.Duration(float64(r.q.Timeout)*part))
}

// run is one run.
type run struct {
	q       *Question
	running sync.WaitGroup // of what goes on beside the rounds

	mu      sync.Mutex // guards the fields below and the facts
	f       *Facts
	clients map[*Talk]*smtpclient.Client // conversations that are open
	spare   map[string]net.Conn          // connections to the target that nobody uses yet, by address
}

// maxRounds bounds the rounds; the longest chain of experiments has eight.
const maxRounds = 16

// rounds runs what is planned until nothing is.
func (r *run) rounds(ctx context.Context) {
	done := map[string]bool{}
	for range maxRounds {
		r.mu.Lock()
		planned := plan(r.q, r.f)
		r.mu.Unlock()
		var next []probe
		for _, p := range planned {
			if !done[p.key()] {
				done[p.key()] = true
				next = append(next, p)
			}
		}
		if len(next) == 0 || ctx.Err() != nil {
			return
		}
		r.round(ctx, next)
	}
}

// round runs probes in parallel. It waits for all, but for the connections to the
// target only until one stands, and not for what no other probe depends on.
func (r *run) round(ctx context.Context, probes []probe) {
	var wait sync.WaitGroup
	open := make(chan struct{}, len(probes)) // room for all, so that nobody waits to say it
	racing := 0
	for _, p := range probes {
		ended := func() {}
		switch {
		case p.kind == probeConnect && p.why == string(connectTarget):
			racing++
			ended = func() { open <- struct{}{} }
		case p.kind != probeDomain:
			wait.Add(1)
			ended = wait.Done
		}
		r.running.Go(func() {
			defer ended()
			r.do(ctx, p)
		})
	}
	wait.Wait()
	for range racing {
		<-open
		r.mu.Lock()
		reached := r.f.reached(connectTarget)
		r.mu.Unlock()
		if reached {
			return
		}
	}
}

// do runs one probe and tells of it.
func (r *run) do(ctx context.Context, p probe) {
	began := time.Now()
	about := p.about()
	r.progress(Progress{Probe: string(p.kind), About: about})
	said, well := "", true
	switch p.kind {
	case probeLocal:
		said, well = r.local()
	case probeName:
		said, well = r.lookUp(ctx, p)
	case probeConnect:
		said, well = r.connect(ctx, p)
	case probeTalk:
		said, well = r.talk(ctx, p)
	case probeLogin:
		said, well = r.login(ctx, p)
	case probeAuth:
		said, well = r.askAuth(ctx)
	case probeEnvelope:
		said, well = r.envelope(ctx)
	case probeIncoming:
		said, well = r.incoming(ctx, p)
	case probeIssuer:
		said, well = r.issuer(ctx, p)
	case probeClock:
		said, well = r.clock(ctx, p)
	case probePortal:
		said, well = r.portal(ctx, p)
	case probeDomain:
		said, well = r.domain(ctx, p)
	case probeGrant:
		said, well = r.grant(ctx)
	case probeTenant:
		said, well = r.directory(ctx)
	}
	r.progress(Progress{Probe: string(p.kind), About: about, Done: true, Took: time.Since(began), Said: said, Well: well})
}

// about says in a few words what a probe is about.
func (p *probe) about() string {
	switch p.kind {
	case probeGrant, probeTenant:
		return p.name
	case probeName, probeDomain:
		if p.server != "" {
			return p.name + " at " + p.server
		}
		return p.name
	case probeConnect:
		if p.through != nil {
			return p.at.String() + " through " + p.through.String()
		}
		if p.address.IsValid() && p.address.String() != p.at.Host {
			return p.at.String() + " [" + p.address.String() + "]"
		}
		return p.at.String()
	case probeTalk:
		if p.through != nil {
			return p.at.String() + " through " + p.through.String()
		}
		return p.at.String() + " " + securityWords(p.security)
	case probeLogin:
		return p.user
	case probeIncoming:
		return strings.ToUpper(p.incoming.Protocol) + " " + p.incoming.Endpoint.String()
	case probeIssuer, probePortal:
		return p.url
	case probeClock:
		return p.at.String()
	}
	return ""
}

// securityWords names a way of securing as settings do.
func securityWords(s Security) string {
	switch s {
	case StartTLS:
		return "STARTTLS"
	case Implicit:
		return "TLS at once"
	case Clear:
		return "no encryption"
	}
	return string(s)
}

var progressMu sync.Mutex // one line at a time

func (r *run) progress(p Progress) {
	if r.q.Progress == nil {
		return
	}
	r.mu.Lock() // a token may just have come
	secrets := r.q.secrets()
	r.mu.Unlock()
	progressMu.Lock()
	defer progressMu.Unlock()
	p.Said = scrub(p.Said, secrets)
	r.q.Progress(p)
}

// close ends all that is open.
func (r *run) close() {
	var wait sync.WaitGroup
	for _, c := range r.clients {
		wait.Go(func() { _ = c.Close() })
	}
	for _, c := range r.spare {
		_ = c.Close()
	}
	wait.Wait()
}

// local looks at this machine's interfaces.
func (r *run) local() (string, bool) {
	l := &Local{}
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", true // unknown is not a no
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			ip := p.Addr()
			l.Up = l.Up || ip.IsGlobalUnicast()
			l.IPv6 = l.IPv6 || ip.Is6() && ip.IsGlobalUnicast() && !ip.IsPrivate()
		}
	}
	r.mu.Lock()
	r.f.Local = l
	r.mu.Unlock()
	if !l.Up {
		return "no interface is up", false
	}
	return "up", true
}
