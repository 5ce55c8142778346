package provider

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"
)

//go:embed data/*.toml
var files embed.FS

// row is a provider as the files have it.
type row struct {
	ID          ID
	Name        string
	Countries   []string
	Domains     []string
	Vanity      []string
	MX          []string
	Submission  []string // "host:port security"
	Incoming    []string // "protocol host:port security"
	Aliases     []string
	Patterns    []string // as Submission
	PatternNote string   `toml:"pattern_note"`
	User        UserForm
	UserNote    string `toml:"user_note"`
	Login       []Login
	From        string
	Setup       []string
	Notes       []string
	Confidence  Confidence
	Sources     []string
	OAuth       *OAuth
	Limits      Limits
	Change      []struct {
		Login    Login
		Standing Standing
		Since    toml.LocalDate
		Note     string
	}
	Retired  []retiredRow
	Mistaken []Mistaken
	Doc      []Doc
}

type retiredRow struct {
	Host       string
	Protocol   string
	Successor  string
	Note       string
	Confidence Confidence
}

// database is what the files hold, with its indexes.
type database struct {
	providers []*Provider
	networks  []Network
	closed    []Closed

	byID     map[ID]*Provider
	byDomain map[string]*Provider
	byMX     map[string]*Provider // by suffix
	byHost   map[string][]Use     // the best first
	globs    []globUse            // names with "*", which are few
	retired  map[string]Retired   // without those with "*"
	retiredG []Retired            // those with "*"
	gone     map[string]*Closed   // hosts and domains of closed services
	near     nearNames            // what may be meant by a misspelt name
}

// data returns the embedded database.
var data = sync.OnceValue(func() *database {
	dir, err := fs.Sub(files, "data")
	if err == nil {
		var d *database
		if d, err = decode(dir); err == nil {
			return d
		}
	}
	panic("provider data: " + err.Error()) // a fault of the build; a test finds it
})

// decode reads the files of dir and makes the indexes.
func decode(dir fs.FS) (*database, error) {
	d := &database{}
	for _, kind := range Kinds() {
		var f struct{ Provider []row }
		if err := read(dir, string(kind)+".toml", &f); err != nil {
			return nil, err
		}
		for i := range f.Provider {
			p, err := f.Provider[i].provider(kind)
			if err != nil {
				return nil, fmt.Errorf("%s.toml: provider %q: %w", kind, f.Provider[i].ID, err)
			}
			d.providers = append(d.providers, p)
		}
	}
	var n struct{ Network []Network }
	if err := read(dir, "network.toml", &n); err != nil {
		return nil, err
	}
	var c struct{ Closed []Closed }
	if err := read(dir, "closed.toml", &c); err != nil {
		return nil, err
	}
	d.networks, d.closed = n.Network, c.Closed
	for i := range d.networks {
		d.networks[i].Open, d.networks[i].ASN = list(d.networks[i].Open), list(d.networks[i].ASN)
	}
	for i := range d.closed {
		d.closed[i].Hosts, d.closed[i].Domains = list(d.closed[i].Hosts), list(d.closed[i].Domains)
	}
	d.index()
	return d, nil
}

// read decodes one file; a key that v does not have is an error.
func read(dir fs.FS, name string, v any) error {
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// provider returns the row in its exported form.
func (r *row) provider(kind Kind) (*Provider, error) {
	p := &Provider{
		ID: r.ID, Name: r.Name, Kind: kind, Countries: list(r.Countries),
		Domains: list(r.Domains), Vanity: list(r.Vanity), MX: list(r.MX),
		Submission: []Server{}, Incoming: []Incoming{}, Aliases: list(r.Aliases), Patterns: []Server{}, PatternNote: r.PatternNote,
		User: r.User, UserNote: r.UserNote, Logins: list(r.Login), Changes: []Change{}, OAuth: r.OAuth, Limits: r.Limits,
		From: r.From, Setup: list(r.Setup), Notes: list(r.Notes), Retired: []Retired{}, Mistaken: list(r.Mistaken), Docs: list(r.Doc),
		Confidence: r.Confidence, Sources: list(r.Sources),
	}
	for _, text := range r.Submission {
		s, err := parseServer(text)
		if err != nil {
			return nil, err
		}
		p.Submission = append(p.Submission, s)
	}
	for _, text := range r.Patterns {
		s, err := parseServer(text)
		if err != nil {
			return nil, err
		}
		p.Patterns = append(p.Patterns, s)
	}
	for _, text := range r.Incoming {
		protocol, rest, _ := strings.Cut(text, " ")
		s, err := parseServer(rest)
		if err != nil {
			return nil, err
		}
		if protocol != "imap" && protocol != "pop3" {
			return nil, fmt.Errorf("%q: the protocol is imap or pop3", text)
		}
		p.Incoming = append(p.Incoming, Incoming{Protocol: protocol, Server: s})
	}
	for _, c := range r.Change {
		p.Changes = append(p.Changes, Change{Login: c.Login, Standing: c.Standing, Since: c.Since.AsTime(time.UTC), Note: c.Note})
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return a.Since.Compare(b.Since) })
	for _, t := range r.Retired {
		p.Retired = append(p.Retired, Retired{
			Host: t.Host, Protocol: t.Protocol, Successor: t.Successor, Note: t.Note, Confidence: t.Confidence, Provider: p.ID,
		})
	}
	return p, nil
}

// parseServer reads "host:port security".
func parseServer(text string) (Server, error) {
	address, security, ok := strings.Cut(text, " ")
	host, port, ok2 := strings.Cut(address, ":")
	n, err := strconv.Atoi(port)
	s := Server{Host: host, Port: n, Security: Security(security)}
	switch {
	case !ok || !ok2 || host == "":
		return s, fmt.Errorf("%q is not host:port security", text)
	case err != nil || n < 1 || n > 65535 || port != strconv.Itoa(n):
		return s, fmt.Errorf("%q: the port is 1 to 65535", text)
	case s.Security != TLS && s.Security != StartTLS && s.Security != None:
		return s, fmt.Errorf("%q: the security is tls, starttls or none", text)
	}
	return s, nil
}

// list returns l, or an empty list for nil: JSON lists are [], never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
