package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefault(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "/xdg")
	c := Default()
	if !c.Sandbox || c.Path != "" || c.Data != "/xdg/wellsent" {
		t.Errorf("sandbox %t, path %q, data %q", c.Sandbox, c.Path, c.Data)
	}
	var listeners []string
	for _, l := range c.Listeners {
		listeners = append(listeners, string(l.Kind)+" "+l.Address)
	}
	if got := strings.Join(listeners, ", "); got != "submission 127.0.0.1:2587, submissions 127.0.0.1:2465" {
		t.Errorf("listeners: %s", got)
	}
	if c.Queue.WarnAfter != 4*time.Hour || c.Queue.ExpireAfter != 120*time.Hour || len(c.Queue.Retry) != 8 {
		t.Errorf("queue: %+v", c.Queue)
	}
	shown := map[string]bool{}
	for _, v := range c.Effective() {
		if v.Origin != "default" {
			t.Errorf("%+v", v)
		}
		shown[v.Key+" = "+v.Value] = true
	}
	for _, want := range []string{`sandbox = true`, `data = "/xdg/wellsent"`, `listener.1.address = "127.0.0.1:2465"`, `queue.expire_after = "120h"`} {
		if !shown[want] {
			t.Errorf("not shown: %s", want)
		}
	}
}

func TestDataDir(t *testing.T) {
	for _, c := range []struct{ xdg, home, want string }{
		{"/xdg", "/home/ann", "/xdg/wellsent"},
		{"", "/home/ann", "/home/ann/.local/share/wellsent"},
		{"relative", "/home/ann", "/home/ann/.local/share/wellsent"}, // not absolute: to be ignored
		{"", "", "/var/lib/wellsent"},
		{"", "/", "/var/lib/wellsent"},
	} {
		t.Setenv("XDG_DATA_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if got := dataDir(); got != c.want {
			t.Errorf("XDG_DATA_HOME=%q HOME=%q: %s, want %s", c.xdg, c.home, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	touch := func(path string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flag, env := touch("flag.toml"), touch("env.toml")
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "xdg"))
	t.Setenv("WELLSENT_CONFIG", env)
	if got, err := Find(flag); got != flag || err != nil {
		t.Errorf("with the flag: %s, %v", got, err)
	}
	if got, err := Find(""); got != env || err != nil {
		t.Errorf("with the variable: %s, %v", got, err)
	}
	if _, err := Find(filepath.Join(dir, "nope")); err == nil || !strings.Contains(err.Error(), "named by --config") {
		t.Errorf("with a flag that is wrong: %v", err)
	}
	t.Setenv("WELLSENT_CONFIG", filepath.Join(dir, "nope"))
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), "named by $WELLSENT_CONFIG") {
		t.Errorf("with a variable that is wrong: %v", err)
	}
	t.Setenv("WELLSENT_CONFIG", "")
	own := touch("xdg/wellsent/wellsent.toml")
	if got, err := Find(""); got != own || err != nil {
		t.Errorf("the user's own: %s, %v", got, err)
	}
}
