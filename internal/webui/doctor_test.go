package webui

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/doctor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page serves the doctor's page; whatever is answered, the question is about the
// given endpoint.
func page(t *testing.T, e doctor.Endpoint, seen *Answers) string {
	t.Helper()
	d := NewDoctor(DoctorOptions{Programs: doctor.Clients(), Question: func(_ context.Context, a Answers) (*doctor.Question, error) {
		*seen = a
		if a.Address == "nobody" {
			return nil, errors.New(`"nobody" is no mail address`)
		}
		return &doctor.Question{Host: e.Host, Port: e.Port, Typed: true, Security: doctor.StartTLS, Controls: []doctor.Endpoint{}, OnlyResolver: true, Timeout: 5 * time.Second}, nil
	}})
	s := httptest.NewServer(d)
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return d.URL(s.Listener.Addr())
}

func read(t *testing.T, r *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// closedPort returns an endpoint on which nothing listens.
func closedPort(t *testing.T) doctor.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return doctor.Endpoint{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func TestDoctor_AnswersOnAPage(t *testing.T) {
	var seen Answers
	at := page(t, closedPort(t), &seen)
	r, err := http.Get(at)
	code, text := read(t, r, err)
	if code != 200 || !strings.Contains(text, "Your mail address") || !strings.Contains(text, "<option>thunderbird</option>") {
		t.Fatal(code, text)
	}
	r, err = http.PostForm(at, url.Values{"address": {" ann@example.org "}, "program": {"thunderbird"}, "password": {"hunter2 "}, "error": {"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox <script>"}})
	code, text = read(t, r, err)
	if code != 200 || !strings.Contains(text, "net.refused") || !strings.Contains(text, "What your error means") || !strings.HasSuffix(strings.TrimSpace(text), "</html>") {
		t.Error(code, text)
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "<script>") {
		t.Errorf("it shows what it must not: %s", text)
	}
	if seen.Address != "ann@example.org" || seen.Password != "hunter2 " || seen.Program != "thunderbird" {
		t.Errorf("%+v", seen)
	}
}

func TestDoctor_MistakesComeBackWithTheForm(t *testing.T) {
	var seen Answers
	at := page(t, closedPort(t), &seen)
	for answer, want := range map[string]string{"": "Give your mail address", "nobody": "is no mail address"} {
		r, err := http.PostForm(at, url.Values{"address": {answer}, "error": {"it says no"}, "password": {"hunter2"}})
		code, text := read(t, r, err)
		if code != http.StatusUnprocessableEntity || !strings.Contains(text, want) || !strings.Contains(text, "it says no") || strings.Contains(text, "hunter2") {
			t.Error(code, text)
		}
	}
}

// TestDoctor_StrangersGetNothing: other paths, other hosts, other pages' forms.
func TestDoctor_StrangersGetNothing(t *testing.T) {
	var seen Answers
	at := page(t, closedPort(t), &seen)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, host, origin, method string
		want                       int
	}{
		"another path":       {"/", "", "", "GET", 404},
		"a rebound name":     {u.Path, "evil.example.com", "", "GET", 404},
		"a name for us":      {u.Path, "localhost:" + u.Port(), "", "GET", 404},
		"another page's":     {u.Path, "", "https://evil.example.com", "POST", 403},
		"an unknown method":  {u.Path, "", "", "DELETE", 405},
		"this page's, empty": {u.Path, "", "http://" + u.Host, "POST", 422},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+u.Host+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			req.Host = c.host
		}
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		r, err := http.DefaultClient.Do(req)
		if code, _ := read(t, r, err); code != c.want {
			t.Errorf("%s: %d, want %d", name, code, c.want)
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: %q", name, csp)
		}
	}
}
