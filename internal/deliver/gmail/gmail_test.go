package gmail

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/deliver/apitest"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mailbox = "relay@example.org"

func client(t *testing.T, g *apitest.Gmail) *Client {
	t.Helper()
	g.Allow("fresh")
	token := "stale"
	c := New(api.Options{Host: "127.0.0.1", Port: g.Port, Roots: g.Roots, User: mailbox,
		Token: func(_ context.Context, refused string) (string, error) {
			if refused != "" {
				token = "fresh"
			}
			return token, nil
		},
		Addresses: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}})
	t.Cleanup(func() { c.Close() })
	return c
}

func mailOf(raw string, recipients ...smtp.Path) *api.Mail {
	return &api.Mail{Recipients: recipients, Size: int64(len(raw)), Content: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(raw)), nil }}
}

const hello = "From: relay@example.org\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\ntext\r\n"

// long is a message of n octets of text and a header section.
func long(n int) string {
	return hello + strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123\r\n", n/66)
}

func TestSend(t *testing.T) {
	g := apitest.NewGmail(t, mailbox)
	c := client(t, g)
	a := c.Send(t.Context(), mailOf(hello, "bob@example.net", "eve@example.net"))
	if a.Err != nil || a.Reply.Code != 250 {
		t.Fatal(a.Err)
	}
	s := g.Sent()
	if len(s) != 1 || !slices.Equal(s[0].Recipients, []string{"bob@example.net", "eve@example.net"}) || !strings.HasSuffix(string(s[0].MIME), "\r\nBcc: eve@example.net\r\n\r\ntext\r\n") {
		t.Errorf("%+v", s)
	}
	if n := len(g.Requests()); n != 2 { // the stale token and the fresh one
		t.Errorf("%d requests", n)
	}
}

// TestSend_Big: 30 MB in pieces, octet by octet as it was.
func TestSend_Big(t *testing.T) {
	g := apitest.NewGmail(t, mailbox)
	c := client(t, g)
	raw := long(18_000_000)
	if a := c.Send(t.Context(), mailOf(raw, "bob@example.net")); a.Err != nil {
		t.Fatal(a.Err)
	}
	if s := g.Sent(); len(s) != 1 || string(s[0].MIME) != raw {
		t.Errorf("%d messages", len(s))
	}
	beyond := mailOf(hello, "bob@example.net")
	beyond.Size = MaxSize + 1
	a := c.Send(t.Context(), beyond)
	if a.Err == nil || a.Err.Reply.Code != 552 || a.Err.Origin != evidence.OriginLocal {
		t.Errorf("beyond the limit: %v", a.Err)
	}
}

// TestUpload_LineDies: within the upload it goes on; after the last piece the
// server is asked, so that nothing is uncertain that need not be.
func TestUpload_LineDies(t *testing.T) {
	for _, c := range []struct {
		name string
		die  int // which piece
		gone bool
		also int // requests after it that die too
		want string
	}{
		{"in the middle", 1, false, 0, "sent"},
		{"the last piece is lost", 2, false, 0, "sent"},
		{"the answer to the last piece is lost", 2, true, 0, "sent"},
		{"nobody answers any more", 2, true, 99, "uncertain"},
	} {
		g := apitest.NewGmail(t, mailbox)
		n, dying := 0, 0
		g.Before = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.Method != "PUT" {
				return false
			}
			if dying > 0 {
				dying--
				return apitest.Die(w)
			}
			if n++; n == c.die {
				if c.gone {
					g.Complete(r.URL.Query().Get("upload_id"), body)
				}
				dying = c.also
				return apitest.Die(w)
			}
			return false
		}
		a := client(t, g)
		a.Send(t.Context(), mailOf(hello, "warm@example.net")) // has the fresh token asked for
		n = 0
		res := a.Send(t.Context(), mailOf(long(9_000_000), "bob@example.net"))
		got := "refused"
		switch {
		case res.Err == nil:
			got = "sent"
		case res.Uncertain():
			got = "uncertain"
		}
		if got != c.want || len(g.Sent()) != 2 {
			t.Errorf("%s: %s (%v), %d messages", c.name, got, res.Err, len(g.Sent())-1)
		}
	}
}

func TestSend_Refusals(t *testing.T) {
	later := time.Now().Add(10 * time.Minute).UTC()
	for _, c := range []struct {
		status          int
		reason, message string
		after           string
		digits          int
		stage           evidence.Stage
		scope           evidence.Scope
		waits           bool
	}{
		{401, "authError", "Invalid Credentials", "", 535, evidence.StageAuth, evidence.ScopeRoute, false},
		{403, "insufficientPermissions", "Insufficient Permission", "", 550, evidence.StageAuth, evidence.ScopeRoute, false},
		{403, "rateLimitExceeded", "Rate Limit Exceeded", "", 451, evidence.StageData, evidence.ScopeHost, false},
		{403, "userRateLimitExceeded", "User Rate Limit Exceeded", "8", 451, evidence.StageData, evidence.ScopeHost, true},
		{403, "dailyLimitExceeded", "Daily Limit Exceeded", "", 452, evidence.StageData, evidence.ScopeHost, false},
		{429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after " + later.Format("2006-01-02T15:04:05.000Z") + " (Mail sending)", "", 452, evidence.StageData, evidence.ScopeHost, true},
		{403, "domainPolicy", "The domain administrators have disabled Gmail apps.", "", 550, evidence.StageAuth, evidence.ScopeRoute, false},
		{400, "failedPrecondition", "Mail service not enabled", "", 550, evidence.StageAuth, evidence.ScopeRoute, false},
		{400, "invalidArgument", "Invalid To header", "", 550, evidence.StageRcpt, evidence.ScopeMessage, false},
		{400, "invalidArgument", "Request contains an invalid argument.", "", 554, evidence.StageData, evidence.ScopeMessage, false},
		{500, "backendError", "Backend Error", "", 451, evidence.StageData, evidence.ScopeHost, false},
		{502, "", "", "", 0, evidence.StagePostData, evidence.ScopeMessage, false},
		{503, "backendError", "The service is currently unavailable.", "", 451, evidence.StageGreeting, evidence.ScopeHost, false},
	} {
		g := apitest.NewGmail(t, mailbox)
		g.Before = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			return apitest.GmailError(w, c.status, c.reason, c.message)
		}
		a := client(t, g).Send(t.Context(), mailOf(hello, "bob@example.net"))
		if a.Err == nil || a.Err.Reply.Code != c.digits || a.Err.Stage != c.stage || a.Err.Scope != c.scope || (a.RetryAfter > 0) != c.waits || a.RetryAfter > 11*time.Minute {
			t.Errorf("%d %s: %v, after %v", c.status, c.reason, a.Err, a.RetryAfter)
		}
	}
}

// TestSession_HasRunOut: that is no fault of the route's.
func TestSession_HasRunOut(t *testing.T) {
	g := apitest.NewGmail(t, mailbox)
	g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		return r.Method == "PUT" && apitest.GmailError(w, 404, "notFound", "Upload not found")
	}
	a := client(t, g).Send(t.Context(), mailOf(long(6_000_000), "bob@example.net"))
	if a.Err == nil || a.Err.Scope != evidence.ScopeHost || a.Err.Reply.Code != 451 || !strings.Contains(a.Err.Reply.Text(), "HTTP 404") {
		t.Errorf("%v", a.Err)
	}
}

// TestSession_ElsewhereIsNotBelieved: the token goes with every piece.
func TestSession_ElsewhereIsNotBelieved(t *testing.T) {
	g := apitest.NewGmail(t, mailbox)
	g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.URL.Query().Get("uploadType") != "resumable" {
			return false
		}
		w.Header().Set("Location", "https://localhost:1/steal")
		return true
	}
	a := client(t, g).Send(t.Context(), mailOf(long(6_000_000), "bob@example.net"))
	if a.Err == nil || !strings.Contains(a.Err.Error(), "no address at this host") || len(g.Requests()) != 1 {
		t.Errorf("%v, %v", a.Err, g.Requests())
	}
}
