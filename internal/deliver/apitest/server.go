package apitest

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wellsent/wellsent/internal/smtptest"
)

// Sent is a message that would have gone out.
type Sent struct {
	User        string
	Recipients  []string // sorted
	MIME        []byte   // as received; of a draft without what was attached later
	Attachments []Attachment
}

// Attachment is a file that was attached to a draft.
type Attachment struct {
	Name, Type, ContentID string
	Inline                bool
	Content               []byte
	Uploaded              bool // by an upload session
}

// Server is what both have in common.
type Server struct {
	Roots *x509.CertPool // to trust it by
	PEM   []byte         // the same, for a file
	Port  int            // at 127.0.0.1

	// Before sees each request first, with its body, and reports whether it has
	// answered. It is set before the first request.
	Before func(w http.ResponseWriter, r *http.Request, body []byte) bool

	mu       sync.Mutex // guards the fields below
	tokens   map[string]bool
	sent     []Sent
	requests []string // "POST /v1.0/users/…"
}

func (s *Server) start(t testing.TB, handle http.HandlerFunc) {
	t.Helper()
	server, client := smtptest.TLS(t, "127.0.0.1")
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		if err != nil {
			return
		}
		if s.Before != nil && s.Before(w, r, body) {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handle(w, r)
	}))
	hs.Config.ErrorLog = log.New(io.Discard, "", 0)
	hs.TLS = server
	hs.StartTLS()
	t.Cleanup(hs.Close)
	_, port, _ := net.SplitHostPort(hs.Listener.Addr().String())
	s.Port, _ = strconv.Atoi(port)
	s.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})
	s.Roots, s.tokens = client.RootCAs, map[string]bool{}
}

// Allow makes token one that is taken.
func (s *Server) Allow(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = true
}

// Revoke makes token one that is not.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Sent returns what would have gone out.
func (s *Server) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Requests returns the requests that came, "POST /path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) authorised(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.tokens[token]
}

func (s *Server) send(x Sent) {
	slices.Sort(x.Recipients)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, x)
}

// Die closes the connection of a request without an answer.
func Die(w http.ResponseWriter) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
	return true
}

// Answer answers with JSON.
func Answer(w http.ResponseWriter, status int, v any) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
	return true
}
