package interop

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
	"github.com/wellsent/wellsent/test/binary"
)

// today is a provider of today: an OpenID provider, and a server for outgoing mail
// that takes its tokens and nothing else.
type today struct {
	identity *oauthtest.Provider
	server   *lab.Server

	mu      sync.Mutex // guards the fields below
	stored  []lab.Stored
	token   string // of the last login that was accepted
	refused int    // logins
}

func newToday(t *testing.T) *today {
	t.Helper()
	p := &today{identity: oauthtest.New(t)}
	var err error
	p.server, err = lab.Start(t.Context(), lab.Options{Cause: "ok", Persona: "exchange-online", Token: p.check, Stored: func(s lab.Stored) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stored = append(p.stored, s)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.server.Close() })
	p.server.SetPassword("") // no password is right
	return p
}

func (p *today) check(user, token string) bool {
	of, err := p.identity.Verify(token)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || of != user {
		p.refused++
		return false
	}
	p.token = token
	return true
}

// has returns how many messages it has stored.
func (p *today) has() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.stored)
}

// revoke ends the sign-in and returns when the tokens that it gave hold no more.
func (p *today) revoke(t *testing.T, o *binary.Office) {
	t.Helper()
	p.mu.Lock()
	used := p.token
	p.mu.Unlock()
	p.identity.Revoke()
	until(t, o, "the end of the token", func() bool { _, err := p.identity.Verify(used); return err != nil })
	p.server.Drop()
}

// scannerOffice lets a scanner at 127.0.0.12 send by the provider, with TLS 1.0.
func scannerOffice(t *testing.T, p *today) *binary.Office {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "provider.pem")
	writeFile(t, ca, p.server.Settings().CA+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.identity.Certificate().Raw})))
	o := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "device", More: `allow = ["127.0.0.1"]`}},
		Tables: fmt.Sprintf(`
[[device]]
name = "scanner"
address = "127.0.0.12"
legacy_tls = true

[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://%s"]
user = %q
from = %q
ca = %q
oauth = { client_id = %q, issuer = %q, scopes = ["openid", "offline_access", %q] }
`, p.server.Settings().Address(), oauthtest.User, oauthtest.User, ca, oauthtest.Mailer, p.identity.Issuer, oauthtest.Scope),
	})
	o.MustStart(t)
	return o
}

// routeLogin is somebody at a terminal, who reads an address and a code there, and
// enters the code on the page in a browser.
func routeLogin(t *testing.T, o *binary.Office, p *today) {
	t.Helper()
	c := o.Command(t.Context(), "route", "login", "m365", "--device")
	var stdout strings.Builder
	c.Stdout = &stdout
	screen, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	prompt := regexp.MustCompile(`Open (\S+) in any browser, enter the code (\S+),`)
	seen := ""
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		seen += lines.Text() + "\n"
		if m := prompt.FindStringSubmatch(lines.Text()); m != nil {
			enterCode(t, p.identity.Client(), m[1], m[2])
		}
	}
	if err := c.Wait(); err != nil || !strings.Contains(stdout.String(), "signed in for route m365") {
		t.Fatalf("route login: %v\n%s%s", err, seen, stdout.String())
	}
}

func enterCode(t *testing.T, browser *http.Client, page, code string) {
	t.Helper()
	res, err := browser.PostForm(page, url.Values{"user_code": {code}})
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the page for the code: %s, %v\n%s", res.Status, err, b)
	}
}

// scanTo sends one page as a device of TLS 1.0 does.
func scanTo(t *testing.T, o *binary.Office, subject string) {
	t.Helper()
	if out := openssl(t, o, "device", "127.0.0.12", "EHLO scanner\n"+fmt.Sprintf(scan, subject, "a page"), "-starttls", "smtp", "-tls1", "-cipher", "DEFAULT@SECLEVEL=0"); !strings.Contains(out, "queued as") {
		t.Fatalf("%s was not taken", subject)
	}
}

// checked is what `wellsent check --json` says.
type checked struct {
	code    int
	worries map[string]string // what each is about, by its kind
	do      string            // all that is to be done
}

func check(t *testing.T, o *binary.Office) checked {
	t.Helper()
	r := o.MustRun(t, "check", "--json")
	var said struct {
		Worries []struct {
			Kind string   `json:"kind"`
			What string   `json:"what"`
			Do   []string `json:"do"`
		} `json:"worries"`
	}
	if err := json.Unmarshal([]byte(r.Stdout), &said); err != nil {
		t.Fatalf("check: %v: %s%s", err, r.Stdout, r.Stderr)
	}
	c := checked{code: r.Code, worries: map[string]string{}}
	for _, w := range said.Worries {
		c.worries[w.Kind] = w.What
		c.do += strings.Join(w.Do, "\n") + "\n"
	}
	return c
}

// TestYesterdaysDevice_ThroughTodaysProvider: a scanner that knows TLS 1.0 and no
// login sends by a provider that takes tokens over TLS 1.3 only. Then the sign-in is
// revoked: mail waits and nothing bounces until somebody has signed in again.
func TestYesterdaysDevice_ThroughTodaysProvider(t *testing.T) {
	p := newToday(t)
	// So short a life that a revocation shows at once: until its end a provider takes
	// an access token whatever has become of the sign-in.
	const life = 4 * time.Second
	p.identity.Live(life)
	o := scannerOffice(t, p)
	if c := check(t, o); c.code != 1 || c.worries["signed-out"] == "" || !strings.Contains(c.do, "wellsent route login m365") {
		t.Errorf("before anybody has signed in, check says %+v", c)
	}
	routeLogin(t, o, p)

	scanTo(t, o, "first")
	until(t, o, "the first page", func() bool { return p.has() == 1 })
	for _, c := range p.server.Conversations() {
		if c.Accepted > 0 && (c.TLS != "TLS 1.3" || c.User != oauthtest.User || !c.SignedIn) {
			t.Errorf("it went out over %s as %s, signed in %v", c.TLS, c.User, c.SignedIn)
		}
	}
	p.mu.Lock()
	if s := p.stored[0]; s.From != oauthtest.User || len(s.To) != 1 || s.To[0] != "bob@recipient.test" {
		t.Errorf("stored %+v", s)
	}
	p.mu.Unlock()
	if !strings.Contains(p.server.Transcript(), "AUTH XOAUTH2") {
		t.Errorf("no XOAUTH2:\n%s", p.server.Transcript())
	}
	if c := check(t, o); c.code != 1 || len(c.worries) != 1 || !strings.Contains(c.worries["device-weak-tls"], "scanner at 127.0.0.12 uses TLS 1.0") {
		t.Errorf("check says %+v", c)
	}
	if s := deviceList(t, o)["scanner"]; s.TLS != "TLS 1.0" || s.WeakTLS == nil || s.Messages != 1 {
		t.Errorf("device list says %+v", s)
	}
	for _, want := range []string{`"msg":"weak encryption"`, `"tls":"TLS 1.0"`, `"device":"scanner"`, `"cause":"tls.protocol-version"`} {
		if !strings.Contains(o.Output(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}

	p.revoke(t, o)
	const pages = 5
	for i := range pages {
		scanTo(t, o, fmt.Sprintf("page-%d", i))
	}
	until(t, o, "the pause of the lane", func() bool { q := queue(t, o); return len(q) == pages && q[0].LanePaused })
	for _, e := range queue(t, o) {
		if e.Cause != "auth.oauth-refresh-failed" || e.State != "queued" {
			t.Errorf("waiting: %+v", e)
		}
	}
	c := check(t, o)
	if c.code != 1 || !strings.Contains(c.worries["lane-paused"], "m365") || c.worries["token-fails"] == "" || !strings.Contains(c.do, "wellsent route login m365") || !strings.Contains(c.do, "wellsent queue resume --lane m365") {
		t.Errorf("check says %+v", c)
	}

	// A restart makes it neither better nor worse.
	if code, err := o.Stop(); code != 0 || err != nil {
		t.Fatalf("exit %d, %v", code, err)
	}
	o.MustStart(t)
	until(t, o, "all pages after a restart", func() bool { return len(queue(t, o)) == pages })

	routeLogin(t, o, p)
	if r := o.MustRun(t, "queue", "resume", "--lane", "m365"); r.Code != 0 {
		t.Fatalf("queue resume: exit %d: %s", r.Code, r.Stderr)
	}
	until(t, o, "the other pages", func() bool { return p.has() == 1+pages })
	until(t, o, "an empty queue", func() bool { return len(queue(t, o)) == 0 })
	p.mu.Lock()
	for _, s := range p.stored {
		if s.From != oauthtest.User {
			t.Errorf("a message of %q, a bounce: %+v", s.From, s)
		}
	}
	p.mu.Unlock()
	if strings.Contains(o.Output(), `"action":"fail"`) {
		t.Error("something was given up")
	}
	if c := check(t, o); len(c.worries) != 1 || c.worries["device-weak-tls"] == "" {
		t.Errorf("check says %+v", c)
	}
}

// TestRefusedToken_PausesAsSuch: Exchange Online answers a token that it does not take
// as it does a wrong password. The route has none, and nobody is sent to look for one.
func TestRefusedToken_PausesAsSuch(t *testing.T) {
	for scenario, want := range map[string]string{"auth.oauth-token-rejected/exchange": "auth.oauth-token-rejected", "auth.oauth-scope": "auth.oauth-scope"} {
		t.Run(want, func(t *testing.T) {
			s, err := lab.Start(t.Context(), lab.Options{Cause: scenario})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			set := s.Settings()
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "ca.pem"), set.CA)
			writeFile(t, filepath.Join(dir, "token"), set.Password)
			o := binary.Need(t, binary.Options{
				Listeners: []binary.Listener{{Kind: "relay", More: `allow = ["127.0.0.1"]`}},
				Tables: fmt.Sprintf("[[route]]\nname = \"m365\"\nrecipients = [\"*\"]\nvia = [\"smtp://%s\"]\nuser = %q\ntoken_command = \"cat %s\"\nca = %q\n",
					set.Address(), set.User, filepath.Join(dir, "token"), filepath.Join(dir, "ca.pem")),
			})
			o.MustStart(t)
			hand(t, o, "From: "+set.User+"\r\nTo: bob@recipient.test\r\nSubject: x\r\n\r\ntext\r\n")
			until(t, o, "the pause of the lane", func() bool { q := queue(t, o); return len(q) == 1 && q[0].LanePaused })
			if q := queue(t, o); q[0].Cause != want || q[0].State != "queued" {
				t.Errorf("waiting: %+v", q)
			}
			if c := check(t, o); !strings.Contains(c.do, "wellsent doctor --route m365") || strings.Contains(c.do, "Type user name and password") {
				t.Errorf("check says %+v", c)
			}
		})
	}
}
