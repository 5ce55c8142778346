package autoconfig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/resolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a name server and web servers, on loopback. The client takes every
// name to the web servers, whatever the name server says.
type world struct {
	resolver *resolver.Resolver
	client   *http.Client

	validated atomic.Bool // the name server says so of its answers

	mu       sync.Mutex // guards the fields below
	records  []dns.RR
	pages    map[string]http.HandlerFunc // by scheme, host and path
	asked    []string                    // names asked of the name server
	requests []string                    // method and URL
}

// newWorld starts the servers. zone is the name server's records.
func newWorld(t *testing.T, zone string) *world {
	t.Helper()
	w := &world{pages: map[string]http.HandlerFunc{}}
	// The domains of the tests exist.
	zone = "example.org. IN TXT \"x\"\nxn--bcher-kva.example.org. IN TXT \"x\"\nexample.net. IN TXT \"x\"\n" + zone
	p := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	p.SetDefaultTTL(60)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		w.records = append(w.records, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(w.answer), NotifyStartedFunc: func() { close(up) }}
	var running sync.WaitGroup
	running.Go(func() { server.ActivateAndServe() })
	<-up
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	w.resolver = resolver.New(resolver.Options{Servers: []string{conn.LocalAddr().String()}, Timeout: 10 * time.Second, Hosts: t.TempDir() + "/none"})
	w.serve(t)
	return w
}

func (w *world) answer(out dns.ResponseWriter, q *dns.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	name := strings.ToLower(q.Question[0].Name)
	w.asked = append(w.asked, name)
	m.AuthenticatedData = w.validated.Load()
	exists := false
	for _, rr := range w.records {
		if strings.EqualFold(rr.Header().Name, name) {
			exists = true
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	out.WriteMsg(m)
}

// serve starts the web servers: one with TLS and one without.
func (w *world) serve(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"example.org", "*.example.org", "hoster.example", "*.hoster.example", "*.mail.hoster.example", "database.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	secure, plain := httptest.NewUnstartedServer(w.page("https")), httptest.NewServer(w.page("http"))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // refused certificates are meant to be
	secure.StartTLS()
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	w.client = NewClient(w.resolver, &tls.Config{RootCAs: roots})
	w.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		to := plain.Listener.Addr().String()
		if strings.HasSuffix(address, ":443") {
			to = secure.Listener.Addr().String()
		}
		var d net.Dialer
		return d.DialContext(ctx, network, to)
	}
}

func (w *world) page(scheme string) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		at := scheme + "://" + r.Host + r.URL.Path
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+scheme+"://"+r.Host+r.URL.RequestURI())
		page := w.pages[at]
		w.mu.Unlock()
		if page == nil {
			http.NotFound(out, r)
			return
		}
		page(out, r)
	}
}

// put has a URL answered by a handler.
func (w *world) put(at string, page http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[at] = page
}

// text has a URL answer with a text.
func (w *world) text(at, text string) {
	w.put(at, func(out http.ResponseWriter, _ *http.Request) { io.WriteString(out, text) })
}

// redirect has a URL redirect to another.
func (w *world) redirect(at, to string, code int) {
	w.put(at, func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, to, code) })
}

func (w *world) traffic() (asked, requests []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked), slices.Clone(w.requests)
}

func (w *world) options() Options { return Options{Resolver: w.resolver, Client: w.client} }

// find finds the settings for ada@example.org.
func (w *world) find(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Find(ctxOf(t), "ada@example.org", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ctxOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// reasonOf returns why a source had no answer, or "found", or "" if it was not
// asked.
func reasonOf(r *Result, s Source, where string) string {
	for _, t := range r.Tried {
		if t.Source == s && strings.Contains(t.Where, where) {
			if t.Found {
				return "found"
			}
			return t.Reason
		}
	}
	return ""
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
