package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtptest"
)

// webProxy is an HTTP proxy that answers for a target with a status, or plays a
// script there. It returns its address and the targets it was asked for.
func webProxy(t *testing.T, answers map[string]string, tc *tls.Config) (address string, asked func() string) {
	var mu sync.Mutex
	var targets []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		targets = append(targets, r.Host)
		mu.Unlock()
		answer := answers[r.Host]
		if status, err := strconv.Atoi(answer); err == nil {
			w.WriteHeader(status)
			return
		}
		script, err := smtptest.Parse(answer)
		if err != nil || answer == "" {
			t.Errorf("asked for %s: %v", r.Host, err)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
			t.Error(err)
			return
		}
		script.PlayServer(t, c, tc)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(targets, " ")
	}
}

// TestProxy_WhatItRefuses: what a proxy says of its own makes the next via be asked;
// a login that it does not take is a fault of the route's.
func TestProxy_WhatItRefuses(t *testing.T) {
	vias := []route.Via{{Scheme: route.SchemeSMTP, Host: "one.test", Port: 587}, {Scheme: route.SchemeSMTP, Host: "two.test", Port: 2525}}
	for _, c := range []struct {
		name    string
		answers map[string]string
		asked   string
		status  Status
		cause   cause.ID
		scope   evidence.Scope
	}{
		{"both connect", map[string]string{"one.test:587": taken}, "one.test:587", Delivered, "", ""},
		{"port forbidden, the next is not", map[string]string{"one.test:587": "403", "two.test:2525": taken}, "one.test:587 two.test:2525", Delivered, "", ""},
		{"both forbidden", map[string]string{"one.test:587": "403", "two.test:2525": "403"}, "one.test:587 two.test:2525", Deferred, "net.proxy-refused", evidence.ScopeHost},
		{"not reached by the proxy", map[string]string{"one.test:587": "502", "two.test:2525": "504"}, "one.test:587 two.test:2525", Deferred, "net.refused", evidence.ScopeHost},
		{"login", map[string]string{"one.test:587": "407", "two.test:2525": "407"}, "one.test:587 two.test:2525", Deferred, "net.proxy-refused", evidence.ScopeRoute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, asked := webProxy(t, c.answers, nil)
			p, err := proxy.Parse("http://" + at)
			if err != nil {
				t.Fatal(err)
			}
			d := New(Options{Hostname: "post.test", Resolver: names{}}) // it knows no name: the proxy does
			conv := d.Open(&route.Route{Name: "host", Via: vias, TLS: route.TLSNone, Proxy: p}, "")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			o := res.Outcomes[0]
			if o.Status != c.status || o.Finding.Cause != c.cause || asked() != c.asked {
				t.Errorf("got %s %q, asked %s; want %s %q, asked %s (%v)", o.Status, o.Finding.Cause, asked(), c.status, c.cause, c.asked, o.Err)
			}
			if c.scope != "" && (res.Trouble == nil || res.Trouble.Scope != c.scope) {
				t.Errorf("trouble %+v, want of scope %s", res.Trouble, c.scope)
			}
			if c.status == Delivered && strings.Contains(o.Host, "[") {
				t.Errorf("the host is %q, and nobody here knows its address", o.Host)
			}
		})
	}
}

// TestWay_SourceAndFamily: the server sees the source address, and is asked at an
// address of the family.
func TestWay_SourceAndFamily(t *testing.T) {
	for _, c := range []struct {
		family route.Family
		source string
		want   string // the peer's address, and the server's
	}{
		{route.FamilyAuto, "", "::1 ::1"},
		{route.PreferIPv4, "", "127.0.0.1 127.0.0.1"},
		{route.OnlyIPv4, "127.0.0.2", "127.0.0.2 127.0.0.1"},
		{route.FamilyAuto, "127.0.0.3", "127.0.0.3 127.0.0.1"},
		{route.PreferIPv6, "::1", "::1 ::1"},
	} {
		t.Run(string(c.family)+" "+c.source, func(t *testing.T) {
			_, at, _ := strings.Cut(c.want, " ")
			l, err := net.Listen("tcp", net.JoinHostPort(at, "0"))
			if err != nil {
				t.Skip(err) // no IPv6 here
			}
			defer l.Close()
			script, err := smtptest.Parse(taken)
			if err != nil {
				t.Fatal(err)
			}
			peer := make(chan string, 1)
			var serving sync.WaitGroup
			serving.Go(func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				peer <- netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr().Unmap().String() + " " + at
				script.PlayServer(t, conn, nil)
			})
			r := &route.Route{Name: "host", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "two.test", Port: l.Addr().(*net.TCPAddr).Port}}, TLS: route.TLSNone, Family: c.family}
			if c.source != "" {
				r.Source = netip.MustParseAddr(c.source)
			}
			conv := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"two.test": {"::1", "127.0.0.1"}}}}).Open(r, "")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			l.Close()
			serving.Wait()
			if o := res.Outcomes[0]; o.Status != Delivered {
				t.Fatalf("%s: %v", o.Status, o.Err)
			}
			if got := <-peer; got != c.want {
				t.Errorf("the server was reached by %q, want %q", got, c.want)
			}
		})
	}
}

func TestWay_NoAddressOfTheFamily(t *testing.T) {
	r := &route.Route{Name: "host", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "one.test", Port: 25}}, Family: route.OnlyIPv6}
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"one.test": {"192.0.2.1"}}}})
	conv := d.Open(r, "")
	o := conv.Send(t.Context(), to("bob@example.net")).Outcomes[0]
	if o.Status != Deferred || o.Finding.Cause != "net.unreachable" || !strings.Contains(o.Err.Error(), "192.0.2.1") {
		t.Errorf("%s %s: %v", o.Status, o.Finding.Cause, o.Err)
	}
}

// TestWay_ClientCertificate: a server that demands a certificate is shown the
// route's, and a certificate that cannot be had is the route's fault.
func TestWay_ClientCertificate(t *testing.T) {
	server, client := smtptest.TLS(t, "one.test")
	server = server.Clone()
	server.ClientAuth = tls.RequireAnyClientCert
	own := server.Certificates[0] // for this test it proves both ends
	const secured = "S: 220 one.test\nC: EHLO post.test\nS: 250-one.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nT:\nC: EHLO post.test\nS: 250 one.test\n" + begin + bob + data + quit
	for name, load := range map[string]func() (*tls.Certificate, error){
		"shown":  func() (*tls.Certificate, error) { return &own, nil },
		"broken": func() (*tls.Certificate, error) { return nil, errors.New("cert.pem does not exist") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.tls = server
			if name == "shown" {
				script, err := smtptest.Parse(secured)
				if err != nil {
					t.Fatal(err)
				}
				w.at["192.0.2.1:587"] = append(w.at["192.0.2.1:587"], script)
			}
			d := New(Options{Hostname: "post.test", Dial: w.dial, TLSConfig: client, Resolver: names{addresses: map[string][]string{"one.test": {"192.0.2.1"}}}})
			conv := d.Open(&route.Route{Name: "host", Via: []route.Via{{Scheme: route.SchemeSMTP, Host: "one.test", Port: 587}}, TLS: route.TLSVerified,
				Certificate: &route.ClientCertificate{File: "cert.pem", Load: load}}, "")
			res := conv.Send(t.Context(), to("bob@example.net"))
			conv.Close()
			switch o := res.Outcomes[0]; {
			case name == "shown" && o.Status != Delivered:
				t.Errorf("%s: %v", o.Status, o.Err)
			case name == "broken" && (o.Status != Deferred || res.Trouble == nil || res.Trouble.Scope != evidence.ScopeRoute):
				t.Errorf("%s: %v, trouble %+v", o.Status, o.Err, res.Trouble)
			}
		})
	}
}

// TestDialer_TakesNames: what HTTP is spoken over takes the same way.
func TestDialer_TakesNames(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.RemoteAddr)) }))
	defer s.Close()
	d := New(Options{Resolver: names{addresses: map[string][]string{"graph.test": {"::1", "127.0.0.1"}}}})
	dial := d.Dialer(&route.Route{Source: netip.MustParseAddr("127.0.0.7")})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := c.Get("http://graph.test:" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, _ := bufio.NewReader(resp.Body).ReadString(0); !strings.HasPrefix(line, "127.0.0.7:") {
		t.Errorf("the server was reached from %q", line)
	}
}

// TestProxy_CarriesGraph: the interface of a provider is reached through the proxy,
// by name, as SMTP is.
func TestProxy_CarriesGraph(t *testing.T) {
	g := apitest.NewGraph(t, "relay@example.org")
	g.Allow("good")
	var mu sync.Mutex
	asked := ""
	tunnels := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = r.Host
		mu.Unlock()
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		var both sync.WaitGroup
		both.Go(func() {
			io.Copy(up, c)
			up.Close()
		})
		io.Copy(c, up)
		c.Close()
		both.Wait()
	}))
	t.Cleanup(tunnels.Close)
	p, err := proxy.Parse(tunnels.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &route.Route{Name: "m365", Via: []route.Via{{Scheme: route.SchemeGraph, Host: "127.0.0.1", Port: g.Port}}, User: "relay@example.org",
		TLS: route.TLSVerified, Roots: g.Roots, Proxy: p, Token: func(context.Context, route.Scheme, string) (string, error) { return "good", nil }}
	conv := New(Options{Hostname: "post.test", Resolver: names{}}).Open(r, "")
	o := conv.Send(t.Context(), to("bob@example.net")).Outcomes[0]
	conv.Close()
	mu.Lock()
	defer mu.Unlock()
	if o.Status != Delivered || len(g.Sent()) != 1 || asked != net.JoinHostPort("127.0.0.1", strconv.Itoa(g.Port)) {
		t.Errorf("%s: %v; %d sent, the proxy was asked for %q", o.Status, o.Err, len(g.Sent()), asked)
	}
}
