package resolver

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zone is a name server with a zone file, on loopback, by UDP and TCP.
type zone struct {
	addr      string
	mu        sync.Mutex // guards the fields below
	records   []dns.RR
	failures  map[string]int                                          // response code by lower-case name
	answer    func(w dns.ResponseWriter, q *dns.Msg, net string) bool // takes the question when it returns true
	questions atomic.Int32
}

// newZone starts a name server whose records are given as in a zone file.
func newZone(t *testing.T, text string) *zone {
	t.Helper()
	z := &zone{failures: map[string]int{}}
	p := dns.NewZoneParser(strings.NewReader(text), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		z.records = append(z.records, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	udp, tcp := listenBoth(t)
	z.addr = udp.LocalAddr().String()
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // runs last: both servers are told to stop before it
	for _, s := range []*dns.Server{
		{PacketConn: udp, Handler: z.handler("udp")},
		{Listener: tcp, Handler: z.handler("tcp")},
	} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		running.Go(func() { s.ActivateAndServe() })
		<-up
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}
	return z
}

// listenBoth opens the same free port by UDP and TCP.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		tcp.Close()
	}
	t.Fatal("no port is free by UDP and TCP")
	return nil, nil
}

func (z *zone) handler(network string) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		z.questions.Add(1)
		z.mu.Lock()
		answer := z.answer
		z.mu.Unlock()
		if answer != nil && answer(w, q, network) {
			return
		}
		w.WriteMsg(z.reply(q))
	})
}

// reply answers q from the records, as an authoritative server does.
func (z *zone) reply(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	name := strings.ToLower(q.Question[0].Name)
	z.mu.Lock()
	code, ok := z.failures[name]
	z.mu.Unlock()
	if ok {
		m.Rcode = code
		return m
	}
	exists := false
	for _, rr := range z.records {
		if strings.ToLower(rr.Header().Name) != name {
			continue
		}
		exists = true
		if rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	return m
}

// fail has all questions for name, in lower case with a final dot, fail.
func (z *zone) fail(name string, code int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.failures[name] = code
}

// setAnswer has f asked before the records are.
func (z *zone) setAnswer(f func(w dns.ResponseWriter, q *dns.Msg, net string) bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answer = f
}

// testTimeout is the wait for servers that answer; generous, for loaded machines.
const testTimeout = 10 * time.Second

// resolverOf returns a resolver that knows just these servers and an empty hosts
// file.
func resolverOf(t *testing.T, timeout time.Duration, servers ...string) *Resolver {
	return New(Options{Servers: servers, Timeout: timeout, Hosts: t.TempDir() + "/none"})
}

func ctxOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
