package config

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxFile is the size of a configuration that is read: what somebody wrote by hand
// and generated rows of routes, but not a wrong file.
const maxFile = 4 << 20

// Load reads and checks the configuration in the file at path. When something is
// wrong the error is of type Errors and holds every mistake. Files that the
// configuration names are looked at too.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Errors{{File: path, Message: "cannot be read: " + reason(err)}}
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, Errors{{File: path, Message: "is not a configuration file: it is a directory or larger than 4 MiB"}}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Errors{{File: path, Message: "cannot be read: " + reason(err)}}
	}
	return load(path, data, os.LookupEnv)
}

func load(path string, data []byte, env func(string) (string, bool)) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, Errors{{File: path, Message: err.Error()}}
	}
	r := &reader{file: path, dir: filepath.Dir(abs), env: env}
	root, syntax := parse(data)
	for _, m := range syntax {
		m.File = path
		r.mistakes = append(r.mistakes, m)
	}
	c := &Config{Path: abs}
	if root != nil {
		r.config(root, c)
	}
	byPlace := func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	}
	slices.SortStableFunc(r.mistakes, byPlace)
	slices.SortStableFunc(r.warnings, byPlace)
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	c.Warnings, c.values = r.warnings, r.values
	return c, nil
}

// config reads the whole file, in the order of the manual.
func (r *reader) config(t *table, c *Config) {
	c.setDefaults()
	host := r.text(t, "", "hostname", hostname())
	c.Hostname = strings.TrimSuffix(host.text, ".")
	switch {
	case checkHost(c.Hostname) != nil:
		r.wrong(host.at, "hostname", "%v", checkHost(c.Hostname))
	case !strings.Contains(c.Hostname, "."):
		r.warn(host.at, "hostname", "%q has no domain; many servers refuse such a name: give the full name of this machine, such as post.example.org", c.Hostname)
	}
	data := r.path(t, "", "data", dataDir())
	c.Data = data.text
	if info, err := os.Stat(c.Data); c.Data == "" {
		r.wrong(data.at, "data", "is empty: name a directory, or leave it out")
	} else if err == nil && !info.IsDir() {
		r.wrong(data.at, "data", "%s is a file: name a directory", c.Data)
	}
	c.Sandbox = r.flag(t, "", "sandbox", false)
	devices := r.devices(t, c)
	r.listeners(t, c)
	r.tls(t, c)
	r.users(t, c)
	r.auth(t, c)
	r.barren(t, c)
	r.routes(t, c)
	r.checkDevices(c, devices)
	r.bounces(t, c)
	r.aliases(t, c)
	r.queue(t, c)
	r.limits(t, c)
	r.others(t, c)
	r.rest(t, "")
	if len(c.Listeners) > 0 && len(c.Routes) == 0 && !c.Sandbox && t.find("route") == nil {
		at := t.at
		if e := t.find("listener"); e != nil {
			at = e.at
		}
		r.wrong(at, "route", "mail would be accepted and have nowhere to go: add a [[route]], or sandbox = true to keep it on this machine")
	}
}

func (r *reader) tls(t *table, c *Config) {
	s, present := r.tableOf(t, "", "tls")
	cert := r.path(s, "tls", "certificate", "")
	key := r.path(s, "tls", "key", "")
	r.rest(s, "tls")
	switch {
	case !present:
	case s.find("certificate") == nil && s.find("key") == nil:
		r.wrong(s.at, "tls", "needs certificate and key: add them, or leave out [tls] to have a private CA made")
	case s.find("certificate") == nil:
		r.wrong(s.at, "tls.certificate", "is missing: give the file with the certificate that belongs to the key")
	case s.find("key") == nil:
		r.wrong(s.at, "tls.key", "is missing: give the file with the key of the certificate")
	case cert.origin == "" || key.origin == "": // a mistake was noted
	case cert.text == "":
		r.wrong(cert.at, "tls.certificate", "is empty: name a file, or leave out [tls] to have a private CA made")
	case key.text == "":
		r.wrong(key.at, "tls.key", "is empty: name a file, or leave out [tls] to have a private CA made")
	default:
		src, err := certificate.Files(cert.text, key.text)
		if err != nil {
			at := cert.at
			if strings.HasPrefix(err.Error(), key.text) && key.text != cert.text {
				at = key.at
			}
			r.wrong(at, "tls", "%v", err)
			break
		}
		for _, w := range src.Warnings() {
			r.warn(cert.at, "tls.certificate", "%s", w)
		}
		c.TLS = TLS{Certificate: cert.text, Key: key.text}
	}
}

func (r *reader) bounces(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "bounces")
	c.Bounces.Postmaster = r.address(s, "bounces", "postmaster")
	name := r.text(s, "bounces", "route", "")
	r.rest(s, "bounces")
	c.Bounces.Route = name.text
	if name.text == "" {
		return
	}
	var names []string
	for _, rt := range c.Routes {
		names = append(names, rt.Name)
	}
	if !slices.Contains(names, name.text) {
		m := r.wrong(name.at, "bounces.route", "there is no route %q", name.text)
		if n := nearest(name.text, names); n != "" {
			m.Suggestion = strconv.Quote(n)
		}
	}
}

func (r *reader) aliases(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "aliases")
	c.Aliases.Default = r.address(s, "aliases", "default")
	for _, e := range s.entries {
		if e.used {
			continue
		}
		name := strings.ToLower(e.name)
		if strings.ContainsAny(name, "@ \t<>") || name == "" {
			r.wrong(e.at, "aliases."+e.name, "a local name has no domain and no blanks: write the name alone, such as root")
		}
		if a := r.address(s, "aliases", e.name); a != "" {
			if _, twice := c.Aliases.Names[name]; twice {
				r.wrong(e.at, "aliases."+e.name, "is there twice, as large and small letters are the same")
			}
			c.Aliases.Names[name] = a
		}
	}
}

// address returns a mailbox with a domain, "" when it is absent or a mistake.
func (r *reader) address(t *table, prefix, name string) smtp.Path {
	g := r.text(t, prefix, name, "")
	if g.text == "" {
		return ""
	}
	if err := checkMailbox(g.text); err != nil {
		r.wrong(g.at, join(prefix, name), "%v", err)
		return ""
	}
	return smtp.Path(g.text)
}

func (r *reader) queue(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "queue")
	items, at := r.list(s, "queue", "retry")
	if s.find("retry") == nil {
		var shown []string
		for _, d := range c.Queue.Retry {
			shown = append(shown, quote(formatDuration(d)))
		}
		r.record("queue.retry", "["+strings.Join(shown, ", ")+"]", originDefault)
	} else {
		c.Queue.Retry = nil
		for _, g := range items {
			d, suggestion, err := parseDuration(g.text)
			if err != nil {
				r.wrong(g.at, "queue.retry", "%v", err).Suggestion = suggestion
				continue
			}
			c.Queue.Retry = append(c.Queue.Retry, d)
		}
		if len(items) == 0 {
			r.wrong(at, "queue.retry", "needs at least one duration; the last one repeats")
		}
	}
	warn := r.duration(s, "queue", "warn_after", c.Queue.WarnAfter)
	expire := r.duration(s, "queue", "expire_after", c.Queue.ExpireAfter)
	r.rest(s, "queue")
	c.Queue.WarnAfter, _ = time.ParseDuration(warn.text)     // written by duration
	c.Queue.ExpireAfter, _ = time.ParseDuration(expire.text) // the same
	if c.Queue.WarnAfter >= c.Queue.ExpireAfter && s.find("warn_after") != nil {
		r.warn(warn.at, "queue.warn_after", "is not before expire_after, so nobody is told of a delay")
	}
}

func (r *reader) limits(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "limits")
	c.Limits.MessageSize = r.size(s, "limits", "message_size", c.Limits.MessageSize)
	c.Limits.Recipients = r.number(s, "limits", "recipients", c.Limits.Recipients, 1, 100_000)
	c.Limits.ConnectionsPerAddress = r.number(s, "limits", "connections_per_address", c.Limits.ConnectionsPerAddress, 1, 1_000_000)
	r.rest(s, "limits")
}

// minMessage and maxMessage bound limits.message_size. RFC 5321 §4.5.3.1.7 asks
// for 64 KiB at least; bodies above 2 GiB are no mail.
const (
	minMessage = 64 << 10
	maxMessage = 2 << 30
)

// size returns a number of octets, given as a text with a unit or as a number.
func (r *reader) size(t *table, prefix, name string, def int64) int64 {
	want := kindString
	if e := t.find(name); e != nil && e.value.kind == kindInteger {
		want = kindInteger
	}
	g, ok := r.scalar(t, prefix, name, want, quote(formatSize(def)))
	if !ok {
		return def
	}
	n, err := parseSize(strings.ReplaceAll(g.text, "_", ""))
	if err == nil && (n < minMessage || n > maxMessage) {
		err = errors.New(g.text + " is outside 64KiB to 2GiB")
	}
	if err != nil {
		r.wrong(g.at, join(prefix, name), "%v", err)
		return def
	}
	r.record(join(prefix, name), quote(g.text), g.origin)
	return n
}

func formatSize(n int64) string {
	if n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + "MiB"
	}
	return strconv.FormatInt(n, 10)
}

// others reads the tables that hold little, and those of features to come.
func (r *reader) others(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "spool")
	engine, ok := r.choice(s, "spool", "engine", "embedded", "cluster")
	if ok && engine.text == "cluster" {
		r.later(engine.at, "spool.engine", `"cluster"`)
	}
	r.rest(s, "spool")

	if e := t.take("console"); e != nil {
		r.warn(e.at, "console", "the web console is not available in this version; this table is ignored")
	}

	s, _ = r.tableOf(t, "", "resolver")
	servers, _ := r.list(s, "resolver", "servers")
	for _, g := range servers {
		a, err := serverAddress(g.text)
		if err != nil {
			r.wrong(g.at, "resolver.servers", "%v", err)
			continue
		}
		c.Resolver.Servers = append(c.Resolver.Servers, a)
	}
	r.rest(s, "resolver")
}
