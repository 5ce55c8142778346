package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
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

// client returns a client of g with a token that is taken.
func client(t *testing.T, g *apitest.Graph) *Client {
	t.Helper()
	g.Allow("good")
	return clientWith(t, g, func(context.Context, string) (string, error) { return "good", nil })
}

func clientWith(t *testing.T, g *apitest.Graph, token func(context.Context, string) (string, error)) *Client {
	t.Helper()
	c := New(api.Options{Host: "127.0.0.1", Port: g.Port, Roots: g.Roots, User: mailbox, Token: token,
		Addresses: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}})
	t.Cleanup(func() { c.Close() })
	return c
}

func mailOf(raw string, recipients ...smtp.Path) *api.Mail {
	return &api.Mail{Recipients: recipients, Size: int64(len(raw)), Content: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(raw)), nil }}
}

const hello = "From: Relay <relay@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: hello\r\n\r\ntext\r\n"

func TestSend_InOneRequest(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	c := client(t, g)
	for range 2 {
		a := c.Send(t.Context(), mailOf(hello, "bob@example.net", "eve@example.net"))
		if a.Err != nil || a.Reply.Code != 250 || !strings.Contains(a.Reply.Text(), "HTTP 202") || !strings.Contains(a.Reply.Text(), "request-id 5b3e") {
			t.Fatalf("%v, %v", a.Reply, a.Err)
		}
	}
	sent := g.Sent()
	if len(sent) != 2 || !slices.Equal(sent[0].Recipients, []string{"bob@example.net", "eve@example.net"}) || sent[0].User != mailbox {
		t.Fatalf("%+v", sent)
	}
	if want := strings.Replace(hello, "\r\n\r\n", "\r\nBcc: eve@example.net\r\n\r\n", 1); string(sent[0].MIME) != want {
		t.Errorf("%q, want %q", sent[0].MIME, want)
	}
	r := c.Record(nil)
	if len(r.Dials) != 1 || r.TLS == nil || !r.TLS.Verified || len(r.Lines) != 4 || r.Lines[1].Text != "HTTP 202" {
		t.Errorf("the record: %+v", r)
	}
}

// TestSend_OnlyToTheEnvelope: whom To names and the envelope does not gets nothing.
func TestSend_OnlyToTheEnvelope(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	c := client(t, g)
	a := c.Send(t.Context(), mailOf(strings.Replace(hello, "Bob <bob@example.net>", "bob@example.net, other@elsewhere.example", 1), "bob@example.net"))
	if a.Err != nil || len(a.Notes) != 1 {
		t.Fatalf("%v %q", a.Err, a.Notes)
	}
	if s := g.Sent()[0]; !slices.Equal(s.Recipients, []string{"bob@example.net"}) || !bytes.Contains(s.MIME, []byte("X-Wellsent-Original-To: bob@example.net, other@elsewhere.example\r\n")) {
		t.Errorf("%v\n%s", s.Recipients, s.MIME)
	}
}

// TestSend_Refusals: what each answer is in the terms of SMTP, and how long it
// asks to be left alone.
func TestSend_Refusals(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		after  string
		digits int
		stage  evidence.Stage
		scope  evidence.Scope
		wait   time.Duration
	}{
		{401, "InvalidAuthenticationToken", "", 535, evidence.StageAuth, evidence.ScopeRoute, 0},
		{403, "ErrorAccessDenied", "", 550, evidence.StageAuth, evidence.ScopeRoute, 0},
		{403, "ErrorSendAsDenied", "", 550, evidence.StageMail, evidence.ScopeSender, 0},
		{404, "MailboxNotEnabledForRESTAPI", "", 550, evidence.StageAuth, evidence.ScopeRoute, 0},
		{507, "ErrorQuotaExceeded", "", 452, evidence.StageData, evidence.ScopeHost, 0},
		{413, "", "", 552, evidence.StageData, evidence.ScopeMessage, 0},
		{400, "ErrorMessageSizeExceeded", "", 552, evidence.StageData, evidence.ScopeMessage, 0},
		{403, "ErrorSubmissionQuotaExceeded", "3600", 452, evidence.StageData, evidence.ScopeHost, time.Hour},
		{400, "ErrorInvalidRecipients", "", 550, evidence.StageRcpt, evidence.ScopeMessage, 0},
		{400, "ErrorTooManyRecipients", "", 452, evidence.StageRcpt, evidence.ScopeMessage, 0},
		{429, "ApplicationThrottled", "17", 451, evidence.StageData, evidence.ScopeHost, 17 * time.Second},
		{503, "ErrorServerBusy", "5", 451, evidence.StageGreeting, evidence.ScopeHost, 5 * time.Second},
		{503, "", "9999999", 451, evidence.StageGreeting, evidence.ScopeHost, 24 * time.Hour},
		{500, "ErrorInternalServerError", "", 451, evidence.StageData, evidence.ScopeHost, 0},
		{504, "", "", 0, evidence.StagePostData, evidence.ScopeMessage, 0},
		{302, "", "", 451, evidence.StageAuth, evidence.ScopeRoute, 0},
		{400, "ErrorMimeContentInvalid", "", 554, evidence.StageData, evidence.ScopeMessage, 0},
	} {
		g := apitest.NewGraph(t, mailbox)
		g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.Header().Set("Location", "https://127.0.0.1:1/elsewhere")
			if c.code == "" {
				w.WriteHeader(c.status)
				return true
			}
			return apitest.GraphError(w, c.status, c.code, "the words")
		}
		cl := client(t, g)
		a := cl.Send(t.Context(), mailOf(hello, "bob@example.net"))
		if a.Err == nil {
			t.Fatalf("%d %s: no error", c.status, c.code)
		}
		if a.Err.Reply.Code != c.digits || a.Err.Stage != c.stage || a.Err.Scope != c.scope || a.RetryAfter != c.wait || a.Uncertain() != (c.digits == 0) {
			t.Errorf("%d %s: %v scope %s, after %v, uncertain %v", c.status, c.code, a.Err, a.Err.Scope, a.RetryAfter, a.Uncertain())
		}
		if c.digits != 0 && !strings.Contains(a.Err.Reply.Text(), fmt.Sprintf("HTTP %d", c.status)) {
			t.Errorf("the reply does not show the status: %v", a.Err.Reply)
		}
		if len(g.Sent()) != 0 {
			t.Errorf("%d %s: sent", c.status, c.code)
		}
	}
}

// TestToken_RefusedOnce: a token that has run out is replaced, once.
func TestToken_RefusedOnce(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	g.Allow("second")
	var asked []string
	c := clientWith(t, g, func(_ context.Context, refused string) (string, error) {
		asked = append(asked, refused)
		if refused == "" {
			return "first", nil
		}
		return "second", nil
	})
	if a := c.Send(t.Context(), mailOf(hello, "bob@example.net")); a.Err != nil {
		t.Fatal(a.Err)
	}
	if !slices.Equal(asked, []string{"", "first"}) || len(g.Sent()) != 1 {
		t.Errorf("asked %q, sent %d", asked, len(g.Sent()))
	}
	g.Revoke("second")
	asked = nil
	if a := c.Send(t.Context(), mailOf(hello, "bob@example.net")); a.Err == nil || a.Err.Reply.Code != 535 || len(asked) != 2 {
		t.Errorf("%v, asked %q", a.Err, asked)
	}
	for _, l := range c.Record(nil).Lines {
		if strings.Contains(l.Text, "first") || strings.Contains(l.Text, "second") {
			t.Errorf("a token is in the record: %s", l.Text)
		}
	}
}

// TestToken_CannotBeHad: the route's fault, where nobody answers an outage.
func TestToken_CannotBeHad(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	c := clientWith(t, g, func(context.Context, string) (string, error) { return "", errors.New("invalid_grant: run route login") })
	a := c.Send(t.Context(), mailOf(hello, "bob@example.net"))
	if a.Err == nil || a.Err.Stage != evidence.StageAuth || a.Err.Scope != evidence.ScopeRoute || len(g.Requests()) != 0 {
		t.Errorf("%v, %v", a.Err, g.Requests())
	}
}

// TestLineDies: after the whole request it is uncertain, before it nothing was
// accepted.
func TestLineDies(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	g.Before = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { return apitest.Die(w) }
	c := client(t, g)
	if a := c.Send(t.Context(), mailOf(hello, "bob@example.net")); !a.Uncertain() || a.Err.Origin != evidence.OriginNetwork {
		t.Errorf("after the body: %v", a.Err)
	}
	if n := len(g.Requests()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	// A body that breaks off on our side: the server cannot have it.
	short := mailOf(hello, "bob@example.net")
	res, err := c.Do(t.Context(), &api.Request{Method: "POST", URL: c.base + "/sendMail", Type: "text/plain", Commit: true, Size: short.Size,
		Body: func() (io.Reader, error) { return io.MultiReader(strings.NewReader("half"), broken{}), nil }})
	if res != nil || err == nil || err.Stage == evidence.StagePostData {
		t.Errorf("in the body: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk broke") }

// TestCertificate: nothing is shown to a server that cannot prove its name.
func TestCertificate(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	other := apitest.NewGraph(t, mailbox)
	c := clientWith(t, g, func(context.Context, string) (string, error) { return "good", nil })
	c.Client = api.New(api.Options{Host: "127.0.0.1", Port: g.Port, Roots: other.Roots, User: mailbox,
		Token: func(context.Context, string) (string, error) { return "good", nil },
		Addresses: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}})
	a := c.Send(t.Context(), mailOf(hello, "bob@example.net"))
	if a.Err == nil || a.Err.Stage != evidence.StageTLS || a.Err.Scope != evidence.ScopeRoute || len(g.Requests()) != 0 {
		t.Errorf("%v", a.Err)
	}
}

// big returns a message with attachments of these sizes, and their hashes.
func big(kind string, sizes ...int) (string, [][32]byte) {
	var b strings.Builder
	var sums [][32]byte
	rnd := rand.NewChaCha8([32]byte{1})
	b.WriteString("From: relay@example.org\r\nTo: bob@example.net\r\nSubject: big\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "; boundary=\"b1\"\r\n\r\npreamble\r\n" +
		"--b1\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>text</p>\r\n--b2--\r\n")
	for i, n := range sizes {
		content := make([]byte, n)
		rnd.Read(content)
		sums = append(sums, sha256.Sum256(content))
		fmt.Fprintf(&b, "--b1\r\nContent-Type: application/pdf; name=\"ä%d.pdf\"\r\nContent-Disposition: attachment; filename*=utf-8''%%C3%%A4%d.pdf\r\nContent-ID: <c%d@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n", i, i, i)
		e := base64.StdEncoding.EncodeToString(content)
		for len(e) > 76 {
			b.WriteString(e[:76] + "\r\n")
			e = e[76:]
		}
		b.WriteString(e + "\r\n")
	}
	b.WriteString("--b1--\r\nepilogue\r\n")
	return b.String(), sums
}

func TestSend_Big(t *testing.T) {
	raw, sums := big("multipart/mixed", 10<<20, 100, 5<<20, 2<<20)
	g := apitest.NewGraph(t, mailbox)
	g.LoseBcc = true
	c := client(t, g)
	a := c.Send(t.Context(), mailOf(raw, "bob@example.net", "eve@example.net"))
	if a.Err != nil || len(a.Notes) != 1 {
		t.Fatalf("%v %q", a.Err, a.Notes)
	}
	s := g.Sent()[0]
	if !slices.Equal(s.Recipients, []string{"bob@example.net", "eve@example.net"}) {
		t.Errorf("to %v", s.Recipients)
	}
	if len(s.Attachments) != 2 || g.Drafts() != 0 {
		t.Fatalf("%d attachments, %d drafts left", len(s.Attachments), g.Drafts())
	}
	for i, want := range []int{0, 2} {
		f := s.Attachments[i]
		if sha256.Sum256(f.Content) != sums[want] || f.Name != fmt.Sprintf("ä%d.pdf", want) || f.Type != "application/pdf" || f.ContentID != fmt.Sprintf("c%d@x", want) || f.Inline || !f.Uploaded {
			t.Errorf("%d: %s %s %q %d octets", i, f.Name, f.Type, f.ContentID, len(f.Content))
		}
	}
	rest := string(s.MIME)
	if !strings.Contains(rest, "<p>text</p>") || !strings.Contains(rest, "filename*=utf-8''%C3%A41.pdf") || !strings.Contains(rest, "%C3%A43.pdf") || strings.Contains(rest, "%C3%A40.pdf") || !strings.HasSuffix(rest, "--b1--\r\nepilogue\r\n") {
		t.Errorf("what is left has %d octets", len(rest))
	}
}

// TestSend_BigAndSmall: what must be taken out and is below the size of uploads
// goes in one request each.
func TestSend_BigAndSmall(t *testing.T) {
	raw, sums := big("multipart/mixed", 2<<20, 2<<20, 3_100_000)
	g := apitest.NewGraph(t, mailbox)
	c := client(t, g)
	if a := c.Send(t.Context(), mailOf(raw, "bob@example.net")); a.Err != nil {
		t.Fatal(a.Err)
	}
	s := g.Sent()[0]
	for _, f := range s.Attachments {
		if f.Uploaded || !slices.Contains(sums, sha256.Sum256(f.Content)) {
			t.Errorf("%s: %d octets, uploaded %v", f.Name, len(f.Content), f.Uploaded)
		}
	}
	if len(s.Attachments) != 2 {
		t.Errorf("%d attachments", len(s.Attachments))
	}
}

// TestSend_BigAndSigned: it is not taken apart, and another way may take it.
func TestSend_BigAndSigned(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	c := client(t, g)
	raw, _ := big("multipart/signed; protocol=\"application/pkcs7-signature\"", 4<<20)
	a := c.Send(t.Context(), mailOf(raw, "bob@example.net"))
	if a.Err == nil || a.Err.Reply.Code != 552 || a.Err.Origin != evidence.OriginLocal || len(g.Requests()) != 0 {
		t.Errorf("%v", a.Err)
	}
}

// TestUpload_GoesOn: a line that breaks within a piece costs that piece.
func TestUpload_GoesOn(t *testing.T) {
	raw, sums := big("multipart/mixed", 10<<20)
	g := apitest.NewGraph(t, mailbox)
	var n atomic.Int32
	g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PUT" {
			switch n.Add(1) {
			case 2:
				return apitest.Die(w)
			case 4:
				return apitest.GraphError(w, 500, "ErrorInternalServerError", "oops")
			}
		}
		return false
	}
	c := client(t, g)
	if a := c.Send(t.Context(), mailOf(raw, "bob@example.net")); a.Err != nil {
		t.Fatal(a.Err)
	}
	if f := g.Sent()[0].Attachments; len(f) != 1 || sha256.Sum256(f[0].Content) != sums[0] {
		t.Errorf("%d attachments", len(f))
	}
}

// TestUpload_OctetsThatDoNotFollow: what the session wants next is no place before or
// behind the piece that it has just taken. Nothing is sent without its attachment,
// and the upload ends.
func TestUpload_OctetsThatDoNotFollow(t *testing.T) {
	raw, _ := big("multipart/mixed", 10<<20)
	for _, wants := range []string{"0-", "99999999-"} {
		g := apitest.NewGraph(t, mailbox)
		g.Before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method == "PUT" {
				apitest.Answer(w, 200, map[string]any{"nextExpectedRanges": []string{wants}})
			}
			return r.Method == "PUT"
		}
		a := client(t, g).Send(t.Context(), mailOf(raw, "bob@example.net"))
		if a.Err == nil || a.Err.Reply.Permanent() || len(g.Sent()) != 0 {
			t.Errorf("%s: %v, %d sent", wants, a.Err, len(g.Sent()))
		}
	}
}

// TestDraft_IsRemoved: where the upload cannot be made, or send is refused, no
// draft stays; where send has no answer, it is uncertain and the draft is left.
func TestDraft_IsRemoved(t *testing.T) {
	raw, _ := big("multipart/mixed", 3_200_000)
	for _, c := range []struct {
		name   string
		before func(w http.ResponseWriter, r *http.Request, _ []byte) bool
		code   int
		wait   time.Duration
		left   int
	}{
		{"throttled in the upload", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method != "PUT" {
				return false
			}
			w.Header().Set("Retry-After", "30")
			return apitest.GraphError(w, 429, "ApplicationThrottled", "Application is over its IncomingBytes limit.")
		}, 451, 30 * time.Second, 0},
		{"the upload session has run out", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			return r.Method == "PUT" && apitest.GraphError(w, 404, "itemNotFound", "The upload session was not found.")
		}, 451, 0, 0},
		{"the draft is gone", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/send") && apitest.GraphError(w, 404, "ErrorItemNotFound", "The specified object was not found in the store.")
		}, 451, 0, 0},
		{"no right to make drafts", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/messages") && apitest.GraphError(w, 403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		}, 452, 0, 0},
		{"send refused", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/send") && apitest.GraphError(w, 403, "ErrorSendAsDenied", "…")
		}, 550, 0, 0},
		{"no answer to send", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/send") && apitest.Die(w)
		}, 0, 0, 1},
	} {
		g := apitest.NewGraph(t, mailbox)
		g.Before = c.before
		a := client(t, g).Send(t.Context(), mailOf(raw, "bob@example.net"))
		if a.Err == nil || a.Err.Reply.Code != c.code || a.RetryAfter != c.wait || g.Drafts() != c.left || a.Uncertain() != (c.code == 0) || len(g.Sent()) != 0 {
			t.Errorf("%s: %v, after %v, %d drafts left", c.name, a.Err, a.RetryAfter, g.Drafts())
		}
	}
}

// TestCancel: giving up ends a request that has not been sent whole, and not one
// that has.
func TestCancel(t *testing.T) {
	g := apitest.NewGraph(t, mailbox)
	ctx, cancel := context.WithCancel(t.Context())
	g.Before = func(http.ResponseWriter, *http.Request, []byte) bool { cancel(); return false }
	c := client(t, g)
	if a := c.Send(ctx, mailOf(hello, "bob@example.net")); a.Err != nil {
		t.Errorf("it was sent whole, and the answer not awaited: %v", a.Err)
	}
	if a := c.Send(ctx, mailOf(hello, "bob@example.net")); a.Err == nil || a.Uncertain() || len(g.Sent()) != 1 {
		t.Errorf("given up before: %v", a.Err)
	}
}
