package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// The defaults of keys that are absent.
const (
	defaultMessageSize = 35 << 20 // what the large providers take
	defaultRecipients  = 500
	defaultConnections = 200
	defaultWarnAfter   = 4 * time.Hour
	defaultExpireAfter = 5 * 24 * time.Hour // RFC 5321 §4.5.4.1: at least 4 to 5 days
)

var defaultRetry = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}

// The listeners of a server without a configuration file: above 1024, so that
// anybody may open them, and on this machine only.
const (
	defaultSubmission  = "127.0.0.1:2587"
	defaultSubmissions = "127.0.0.1:2465"
)

// Default returns the configuration of a server without a file: it listens on
// loopback, keeps its data in the user's data directory, and sends nothing out.
func Default() *Config {
	c := &Config{}
	r := &reader{env: os.LookupEnv}
	r.config(&table{}, c) // without keys nothing can be wrong
	c.Sandbox = true
	for i, v := range r.values {
		if v.Key == "sandbox" {
			r.values[i].Value = "true"
		}
	}
	for i, l := range []Listener{{Kind: smtp.KindSubmission, Address: defaultSubmission}, {Kind: smtp.KindSubmissions, Address: defaultSubmissions}} {
		c.Listeners = append(c.Listeners, l)
		prefix := "listener." + strconv.Itoa(i)
		r.record(prefix+".kind", quote(string(l.Kind)), originDefault)
		r.record(prefix+".address", quote(l.Address), originDefault)
	}
	c.values = r.values
	return c
}

// setDefaults fills what every configuration has.
func (c *Config) setDefaults() {
	c.Queue = Queue{Retry: append([]time.Duration(nil), defaultRetry...), WarnAfter: defaultWarnAfter, ExpireAfter: defaultExpireAfter}
	c.Limits = Limits{MessageSize: defaultMessageSize, Recipients: defaultRecipients, ConnectionsPerAddress: defaultConnections}
	c.Aliases.Names = map[string]smtp.Path{}
}

// hostname returns the name of this machine, or localhost.
func hostname() string {
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "localhost"
}

// dataDir returns the user's data directory for Wellsent, by the XDG Base
// Directory Specification; the system's for a service without a home.
func dataDir() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "wellsent")
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) && home != "/" {
		return filepath.Join(home, ".local", "share", "wellsent")
	}
	return "/var/lib/wellsent"
}

// systemPath is where a service's configuration is.
const systemPath = "/etc/wellsent/wellsent.toml"

// Find returns the path of the configuration file: flag, else $WELLSENT_CONFIG,
// else wellsent.toml in the user's configuration directory, else the system's. It
// returns "" when none of the last two exists, and an error when a file that was
// named does not.
func Find(flag string) (path string, err error) {
	for _, named := range []struct{ path, by string }{{flag, "--config"}, {os.Getenv("WELLSENT_CONFIG"), "$WELLSENT_CONFIG"}} {
		if named.path == "" {
			continue
		}
		if _, err := os.Stat(named.path); err != nil {
			return "", errors.New(named.path + ", named by " + named.by + ", cannot be read: " + reason(err))
		}
		return filepath.Abs(named.path)
	}
	candidates := []string{systemPath}
	if d := userConfigDir(); d != "" {
		candidates = append([]string{filepath.Join(d, "wellsent", "wellsent.toml")}, candidates...)
	}
	for _, c := range candidates {
		_, err := os.Stat(c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", errors.New(c + " cannot be read: " + reason(err))
		}
	}
	return "", nil
}

func userConfigDir() string {
	if d := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(d) {
		return d
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config")
	}
	return ""
}

// reason returns what is wrong with a file, without its path.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
