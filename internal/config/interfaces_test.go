package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/route"
)

// TestLoad_Interfaces: Graph and Gmail beside smart hosts, with a password for
// the one and a token for the other; and a withdrawn name, which is a warning.
func TestLoad_Interfaces(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "relay.secret"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "wellsent.toml")
	text := `data = "data"
[[listener]]
kind = "submission"
address = "127.0.0.1:2587"
[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://smtp.live.com:587", "graph://", "graph://graph.microsoft.us", "gmail://127.0.0.1:8443"]
user = "relay@example.org"
password_file = "relay.secret"
token_command = "/bin/cat token"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []route.Via{{Scheme: route.SchemeSMTP, Host: "smtp.live.com", Port: 587}, {Scheme: route.SchemeGraph},
		{Scheme: route.SchemeGraph, Host: "graph.microsoft.us", Port: 443}, {Scheme: route.SchemeGmail, Host: "127.0.0.1", Port: 8443}}
	got := c.Routes[0].Via
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
	warned := false
	for _, m := range c.Warnings {
		warned = warned || strings.Contains(m.String(), "8:8: route.via: smtp.live.com was withdrawn by its provider: write smtp-mail.outlook.com instead")
	}
	if !warned {
		t.Errorf("no warning of the withdrawn name: %v", c.Warnings)
	}
}
