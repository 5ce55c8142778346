package cli

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/oauth/oauthtest"
)

// run runs one command and returns what it prints.
func runCommand(words ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = Main(append([]string{"wellsent"}, words...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestRouteLogin_DeviceCodeAgainstARealProvider: the person reads the code off the
// terminal; afterwards show tells of the token and never shows it.
func TestRouteLogin_DeviceCodeAgainstARealProvider(t *testing.T) {
	p := oauthtest.New(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})))
	file := write("wellsent.toml", fmt.Sprintf(`
hostname = "post.example.org"
data = "data"
[[listener]]
kind = "submission"
address = "127.0.0.1:0"
[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://smtp.example.org:587"]
user = %q
ca = "ca.pem"
oauth = { client_id = %q, issuer = %q, scopes = ["openid", "offline_access", %q] }
`, oauthtest.User, oauthtest.Mailer, p.Issuer, oauthtest.Scope))

	screen, stderr := io.Pipe()
	var stdout strings.Builder
	code := make(chan int, 1)
	go func() {
		defer stderr.Close()
		code <- Main([]string{"wellsent", "route", "login", "m365", "--device", "-c", file}, strings.NewReader(""), &stdout, stderr)
	}()
	seen := ""
	word := regexp.MustCompile(`enter the code (\S+),`)
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		seen += lines.Text() + "\n"
		if m := word.FindStringSubmatch(lines.Text()); m != nil {
			if err := p.Approve(m[1]); err != nil {
				t.Error(err)
			}
		}
	}
	if c := <-code; c != 0 || !strings.Contains(stdout.String(), "signed in for route m365") {
		t.Fatalf("exit %d\n%s\n%s", c, stdout.String(), seen)
	}
	c, out, _ := runCommand("route", "show", "m365", "-c", file)
	if c != 0 || !strings.Contains(out, oauthtest.User) || !strings.Contains(out, oauthtest.Scope) || regexp.MustCompile(`eyJ[\w-]+\.`).MatchString(out) {
		t.Errorf("exit %d\n%s", c, out)
	}
	if c, out, errs := runCommand("check", "-c", file); c != 0 {
		t.Errorf("check: exit %d\n%s%s", c, out, errs)
	}
	if c, out, _ := runCommand("config", "check", "-c", file); c != 0 || strings.Contains(out, "nobody has signed in") {
		t.Errorf("config check: exit %d\n%s", c, out)
	}
	if c, out, errs := runCommand("route", "logout", "m365", "-c", file); c != 0 {
		t.Errorf("logout: exit %d\n%s%s", c, out, errs)
	}
	if c, out, _ := runCommand("check", "-c", file, "--json"); c != 1 || !strings.Contains(out, `"signed-out"`) {
		t.Errorf("check after logout: exit %d\n%s", c, out)
	}
}

// TestRouteLogin_RefusedTellsWhy: a client that the provider does not know.
func TestRouteLogin_RefusedTellsWhy(t *testing.T) {
	p := oauthtest.New(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "wellsent.toml")
	text := fmt.Sprintf("hostname = \"post.example.org\"\ndata = \"data\"\n[[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"m365\"\nrecipients = [\"*\"]\nvia = [\"smtp://smtp.example.org:587\"]\nuser = \"u@example.org\"\nca = %q\noauth = { client_id = \"nobody\", issuer = %q, scopes = [\"smtp\"] }\n", ca, p.Issuer)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, errs := runCommand("route", "login", "m365", "--device", "-c", file)
	if c != 1 || !strings.Contains(errs, "sign in for route m365") || !strings.Contains(errs, " auth.") || !strings.Contains(errs, "\n  do ") {
		t.Errorf("exit %d\n%s", c, errs)
	}
}
