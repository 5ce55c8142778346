package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{403, `{"error":{"code":"ErrorSendAsDenied","message":"The user\n may not.","innerError":{"request-id":"x"}}}`, "HTTP 403 ErrorSendAsDenied: The user may not."},
		{429, `{"error":{"code":"TooManyRequests","innerError":{"code":"429"},"message":"Please retry again later."}}`, "HTTP 429 TooManyRequests 429: Please retry again later."},
		{403, `{"error":{"code":403,"message":"Rate Limit Exceeded","errors":[{"domain":"usageLimits","reason":"rateLimitExceeded","message":"Rate Limit Exceeded"}]}}`, "HTTP 403 rateLimitExceeded: Rate Limit Exceeded"},
		{403, `{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED","details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}`, "HTTP 403 PERMISSION_DENIED ACCESS_TOKEN_SCOPE_INSUFFICIENT: Request had insufficient authentication scopes."},
		{400, `{"error":"invalid_request"}`, "HTTP 400: invalid_request"},
		{502, "<html><body>Bad Gateway</body></html>", "HTTP 502: Bad Gateway"},
		{500, "", "HTTP 500: Internal Server Error"},
		{500, "oops\x1b[2J", "HTTP 500: oops?[2J"},
	} {
		if got := api.ProblemOf(&api.Response{Status: c.status, Body: []byte(c.body)}).String(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 26, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", "", 0}, {"17", "", 17 * time.Second}, {" 17 ", "", 17 * time.Second}, {"-5", "", 0}, {"soon", "", 0},
		{"Thu, 26 Nov 2026 14:05:00 GMT", "", 5 * time.Minute}, {"Thu, 26 Nov 2026 13:05:00 GMT", "", 0}, {"99999999", "", 24 * time.Hour},
		{"", "User-rate limit exceeded.  Retry after 2026-11-26T14:10:00.500Z (Mail sending)", 10*time.Minute + 500*time.Millisecond},
	} {
		r := &api.Response{Status: 429, Header: http.Header{}, Body: []byte(c.body)}
		r.Header.Set("Retry-After", c.header)
		if got := api.RetryAfter(r, now); got != c.want {
			t.Errorf("%q %q: %v, want %v", c.header, c.body, got, c.want)
		}
	}
}

// TestDial: how far a connection got, and whose fault it is.
func TestDial(t *testing.T) {
	loopback := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	g := apitest.NewGraph(t, "ann@example.org")
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c, err := plain.Accept(); err == nil {
			io.WriteString(c, "220 no TLS here\r\n")
			c.Close()
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		name  string
		o     api.Options
		stage evidence.Stage
		scope evidence.Scope
		is    error
	}{
		{"no address", api.Options{Addresses: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }}, evidence.StageConnect, evidence.ScopeHost, smtpclient.ErrNoAddress},
		{"the look-up fails", api.Options{Addresses: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such name") }}, evidence.StageResolve, evidence.ScopeHost, nil},
		{"refused", api.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}, evidence.StageConnect, evidence.ScopeHost, syscall.ECONNREFUSED},
		{"no TLS", api.Options{Port: plain.Addr().(*net.TCPAddr).Port}, evidence.StageTLS, evidence.ScopeHost, nil},
		{"another certificate", api.Options{Port: g.Port}, evidence.StageTLS, evidence.ScopeRoute, nil},
		{"given up", api.Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}}, evidence.StageData, evidence.ScopeConnection, smtpclient.ErrGivenUp},
	} {
		c.o.Host = "127.0.0.1"
		if c.o.Addresses == nil {
			c.o.Addresses = func(context.Context, string) ([]netip.Addr, error) { return loopback, nil }
		}
		cl := api.New(c.o)
		_, e := cl.Do(ctx, &api.Request{Method: "GET", URL: "/", Bare: true})
		cl.Close()
		if e == nil || e.Stage != c.stage || e.Scope != c.scope || c.is != nil && !errors.Is(e, c.is) {
			t.Errorf("%s: %v (scope %s)", c.name, e, e.Scope)
		}
	}
	<-served
}

// TestDial_ByName: a proxy that looks names up is given the name.
func TestDial_ByName(t *testing.T) {
	asked := ""
	c := api.New(api.Options{Host: "graph.microsoft.com", Port: 443, ByName: true,
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			asked = address
			return nil, syscall.ECONNREFUSED
		}})
	defer c.Close()
	c.Do(t.Context(), &api.Request{Method: "GET", URL: "/", Bare: true})
	if asked != "graph.microsoft.com:443" {
		t.Errorf("dialled %q", asked)
	}
}

// TestDo_NeverInClearText: an address that an answer names may be any.
func TestDo_NeverInClearText(t *testing.T) {
	c := api.New(api.Options{Host: "127.0.0.1", Port: 1})
	defer c.Close()
	_, err := c.Do(t.Context(), &api.Request{Method: "PUT", URL: "http://127.0.0.1:1/upload", Bare: true})
	if err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("%v", err)
	}
}

// TestDo_AnAddressThatIsAPermissionIsInNoError: that of an upload session is one.
func TestDo_AnAddressThatIsAPermissionIsInNoError(t *testing.T) {
	c := api.New(api.Options{Host: "graph.example", Port: 443})
	defer c.Close()
	_, err := c.Do(t.Context(), &api.Request{Method: "GET", Bare: true, URL: "https://graph.example/%zz?authtoken=s3cret"})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}
