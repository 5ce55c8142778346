package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/binary"
)

// block is a piece of code in a page of the documentation.
type block struct {
	section string // the heading of the second level above it
	lang    string
	text    string
}

// blocks returns the pieces of code of a page.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	section, open := "", false
	for _, l := range strings.Split(string(b), "\n") {
		indent := len(l) - len(strings.TrimLeft(l, " "))
		switch body := l[indent:]; {
		case strings.HasPrefix(body, "```") && !open:
			all, open = append(all, block{section: section, lang: body[3:]}), true
		case strings.HasPrefix(body, "```"):
			open = false
		case open:
			all[len(all)-1].text += strings.TrimPrefix(l, "  ") + "\n"
		case strings.HasPrefix(l, "## "):
			section = l[3:]
		}
	}
	return all
}

// walker follows a section of a page as a new user does, with stand-ins for the
// provider's doors on loopback.
type walker struct {
	dir     string // for /etc/wellsent
	stdin   string // what is pasted
	replace *strings.Replacer
	config  string // the route as it stands
	path    string // PATH
}

func newWalker(t *testing.T, replace ...string) *walker {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	resolver := nameServer(t, map[string]string{"localhost.": "127.0.0.1"})
	wrapper := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = doctor ]; then set -- \"$@\" --resolver %s; fi\nexec %s \"$@\"\n", resolver, os.Getenv(binary.PathVariable))
	if err := os.WriteFile(filepath.Join(bin, "wellsent"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	return &walker{dir: dir, replace: strings.NewReplacer(append([]string{"/etc/wellsent", dir}, replace...)...), path: bin + ":" + os.Getenv("PATH")}
}

// configure writes the configuration with a route, and more lines of the stand-ins
// after those that begin with their key.
func (w *walker) configure(t *testing.T, route string, more map[string]string) {
	t.Helper()
	w.config = w.replace.Replace(route)
	for key, line := range more {
		w.config = regexp.MustCompile(`(?m)^`+key+` = .*$`).ReplaceAllString(w.config, "$0\n"+line)
	}
	text := fmt.Sprintf("hostname = \"localhost\"\ndata = %q\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:2587\"\n", filepath.Join(w.dir, "data")) + w.config
	if err := os.WriteFile(filepath.Join(w.dir, "wellsent.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a block of shell commands and returns its exit code and what it printed.
// watch gets that line by line, as it comes; it may be nil.
func (w *walker) run(t *testing.T, script string, watch func(line string)) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-ec", w.replace.Replace(script))
	c.Dir = w.dir
	c.Env = append(os.Environ(), "PATH="+w.path, "WELLSENT_CONFIG="+filepath.Join(w.dir, "wellsent.toml"), "XDG_STATE_HOME="+filepath.Join(w.dir, "state"))
	c.Stdin = strings.NewReader(w.stdin)
	var out bytes.Buffer
	r, pw := io.Pipe()
	c.Stdout, c.Stderr = pw, pw
	done := make(chan struct{})
	go func() { // ends with the pipe
		defer close(done)
		lines := &lineReader{r: r}
		for {
			l, err := lines.next()
			if err != nil {
				return
			}
			out.WriteString(l + "\n")
			if watch != nil {
				watch(l)
			}
		}
	}()
	err := c.Run()
	pw.Close()
	<-done
	code := 0
	if err != nil {
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		code = c.ProcessState.ExitCode()
	}
	return code, out.String()
}

// must runs a block that has to succeed.
func (w *walker) must(t *testing.T, script string, watch func(string)) string {
	t.Helper()
	code, out := w.run(t, script, watch)
	if code != 0 {
		t.Fatalf("%s\nexits with %d\n%s\n%s", script, code, out, w.config)
	}
	return out
}

// lineReader reads line by line, as they come.
type lineReader struct {
	r    io.Reader
	rest []byte
}

func (l *lineReader) next() (string, error) {
	for {
		if i := bytes.IndexByte(l.rest, '\n'); i >= 0 {
			line := string(l.rest[:i])
			l.rest = l.rest[i+1:]
			return line, nil
		}
		b := make([]byte, 4096)
		n, err := l.r.Read(b)
		if l.rest = append(l.rest, b[:n]...); err != nil {
			return "", err
		}
	}
}

// door starts a stand-in for an identity provider and returns its address, and a
// file for "ca" that trusts it and the servers of the lab.
func door(t *testing.T, w *walker, handler http.Handler, more string) (at string) {
	t.Helper()
	web := httptest.NewTLSServer(handler)
	t.Cleanup(web.Close)
	roots := more + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
	if err := os.WriteFile(filepath.Join(w.dir, "ca.pem"), []byte(roots), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(web.URL, "https://")
}

// signIn adds a person's sign-in to an identity provider: by device code, and by a
// browser that comes back over loopback.
type signIn struct{ next http.Handler }

func (s signIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/devicecode"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"device_code":"d","user_code":"ABCD-EFGH","verification_uri":"https://microsoft.com/devicelogin","expires_in":300,"interval":1}`)
	case strings.HasSuffix(r.URL.Path, "/authorize"):
		q := r.URL.Query()
		back, err := url.Parse(q.Get("redirect_uri"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		back.RawQuery = url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	default:
		s.next.ServeHTTP(w, r)
	}
}

const walkUser = "ann@example.org" // whom the lab knows

// TestWalkthrough_ExchangeOnline: docs/exchange-online.md, up to Microsoft's door.
func TestWalkthrough_ExchangeOnline(t *testing.T) {
	t.Parallel()
	server, err := lab.Start(t.Context(), lab.Options{Cause: "ok/oauth", Persona: "exchange-online"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	smtp := fmt.Sprintf("smtp://localhost:%d", server.Settings().Port)
	for _, section := range []string{"A. ", "B. ", "C. "} {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, "relay@contoso.com", walkUser, "smtp://smtp.office365.com:587", smtp, "APPLICATION_ID", app, "DIRECTORY_ID", tenant, "you@example.com", "bob@example.net")
			w.stdin = secret + "\n"
			entra := &entra{token: server.Settings().Password}
			if section == "C. " {
				entra.token, entra.claims = "", map[string]any{"aud": "https://graph.microsoft.com", "roles": []string{"Mail.Send"}}
			}
			at := door(t, w, signIn{entra}, server.Settings().CA)
			more := map[string]string{"user": `ca = "ca.pem"`, "tenant": fmt.Sprintf("token_url = \"https://%s/%s/oauth2/v2.0/token\"\ndevice_url = \"https://%s/%s/oauth2/v2.0/devicecode\"", at, tenant, at, tenant)}
			var last string // of the routes that the page shows
			for _, b := range blocks(t, "exchange-online.md") {
				if section == "C. " && strings.HasPrefix(b.section, "A. ") && b.lang == "toml" && strings.Contains(b.text, "[[route]]") {
					last = b.text // "As in A.5"
				}
				if !strings.HasPrefix(b.section, section) {
					continue
				}
				switch {
				case b.lang == "toml" && strings.Contains(b.text, "[[route]]"):
					last = b.text
					w.configure(t, last, more)
				case b.lang == "toml" && strings.Contains(b.text, "certificate_file"):
					by := regexp.MustCompile(`(?m)^client_secret_.*\n`).ReplaceAllString(last, "") + b.text
					w.configure(t, by, more)
					w.must(t, "wellsent config check\nwellsent doctor --route m365\n", nil)
					w.configure(t, last, more)
				case b.lang == "toml":
					w.must(t, "cp /dev/stdin /etc/wellsent/m365.secret && chmod 0600 /etc/wellsent/m365.secret\n", nil) // as in A.3
					w.configure(t, strings.Replace(last, `via = ["smtp://smtp.office365.com:587"]`, strings.Replace(strings.TrimSpace(b.text), "graph://", "graph://"+at, 1), 1), more)
					if code, out := w.run(t, "wellsent doctor --route m365\n", nil); code != 3 {
						t.Errorf("without --send it exits with %d\n%s", code, out)
					}
				case b.lang == "sh":
					out := w.must(t, b.text, nil)
					if strings.Contains(b.text, "doctor") && !strings.Contains(out, "The way of the token:") {
						t.Errorf("%s: no steps\n%s", b.text, out)
					}
				}
			}
		})
	}
}

// TestWalkthrough_Gmail: docs/gmail.md, up to Google's door.
func TestWalkthrough_Gmail(t *testing.T) {
	t.Parallel()
	start := func(scenario string) *lab.Server {
		s, err := lab.Start(t.Context(), lab.Options{Cause: scenario, Persona: "gmail"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	plain, byPassword, byToken := start("ok"), start("ok/tls"), start("ok/oauth")
	for _, section := range []string{"A. ", "B. ", "C. "} {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, "relay@example.org", walkUser, "CLIENT_ID", "1234.apps.googleusercontent.com", "you@example.com", "bob@example.net",
				"smtp://smtp.gmail.com:587", fmt.Sprintf("smtp://localhost:%d", plain.Settings().Port),
				"smtps://smtp.gmail.com:465", map[bool]string{true: fmt.Sprintf("smtps://localhost:%d", byPassword.Settings().Port), false: fmt.Sprintf("smtp://localhost:%d", byToken.Settings().Port)}[section == "A. "])
			w.stdin = byPassword.Settings().Password + "\n"
			google := &entra{token: byToken.Settings().Password}
			at := door(t, w, signIn{google}, plain.Settings().CA+byPassword.Settings().CA+byToken.Settings().CA)
			more := map[string]string{"user": `ca = "ca.pem"`, "client_id": fmt.Sprintf("token_url = \"https://%s/token\"\nauth_url = \"https://%s/authorize\"", at, at)}
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			account, err := json.MarshalIndent(map[string]string{"type": "service_account", "client_id": "112233445566778899000", "client_email": "wellsent@project.iam.gserviceaccount.com", "private_key_id": "k1",
				"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://" + at + "/token"}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.dir, "wellsent-0123456789ab.json"), account, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, b := range blocks(t, "gmail.md") {
				if !strings.HasPrefix(b.section, section) {
					continue
				}
				switch b.lang {
				case "toml":
					w.configure(t, b.text, more)
				case "sh":
					w.must(t, b.text, func(line string) { browse(line) })
				}
			}
		})
	}
}

// browse opens an address that a program shows, as a person does. The page beyond
// is the stand-in's, which sends the browser back at once.
func browse(line string) {
	if !strings.HasPrefix(line, "https://127.0.0.1:") && !strings.HasPrefix(line, "https://localhost:") {
		return
	}
	client := &http.Client{Transport: insecure()}
	if res, err := client.Get(strings.TrimSpace(line)); err == nil {
		res.Body.Close()
	}
}

// insecure trusts the stand-in: a browser has nothing to lose here.
func insecure() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
}
