package cause

import (
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed data/*.toml
var files embed.FS

// Cause is one entry of the catalogue. Title, Why and Do may hold placeholders
// ({host} {port} {user} {domain} {rcpt} {sender}); Fill puts facts in their place.
type Cause struct {
	ID        ID       `toml:"id"`
	Title     string   `toml:"title"`      // a short clause, without a full stop
	Why       string   `toml:"why"`        // for a person who is no mail admin
	Actor     Actor    `toml:"actor"`      // who must act
	Retry     Retry    `toml:"retry"`      // whether sending again helps; a reply's digits may change it
	Do        []string `toml:"do"`         // steps, the first one first
	Hides     []ID     `toml:"hides"`      // causes that this one makes look true
	Evidence  string   `toml:"evidence"`   // how it shows, and how to tell it from its neighbours
	ProbeOnly bool     `toml:"probe_only"` // a text alone never shows it
}

var catalogue = sync.OnceValue(load)

// load reads the embedded data. A fault in it is a broken invariant: the tests
// read every file.
func load() map[ID]*Cause {
	all := map[ID]*Cause{}
	names, err := fs.Glob(files, "data/*.toml")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var f struct {
			Cause []*Cause `toml:"cause"`
		}
		if err := toml.Unmarshal(b, &f); err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		for _, c := range f.Cause {
			if all[c.ID] != nil {
				panic(fmt.Sprintf("%s: %s stands twice", name, c.ID))
			}
			all[c.ID] = c
		}
	}
	return all
}

// Lookup returns the entry of id.
func Lookup(id ID) (*Cause, bool) {
	c, ok := catalogue()[id]
	return c, ok
}

// All returns all entries by id.
func All() []*Cause {
	var all []*Cause
	for _, c := range catalogue() {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// Facts are what is known of one case. Any may be empty.
type Facts struct {
	Host, Port, User, Domain, Recipient, Sender string
}

// Text is an entry with the facts of one case in it.
type Text struct {
	Title string
	Why   string
	Do    []string
}

// Fill returns the texts of c with f in them. Where a fact is missing a general
// word takes its place.
func (c *Cause) Fill(f Facts) Text {
	word := func(fact, general string) string {
		if fact == "" {
			return general
		}
		return fact
	}
	pairs := []string{
		"{host}", word(f.Host, "the server"), "{user}", word(f.User, "your user name"), "{domain}", word(f.Domain, "the domain"),
		"{rcpt}", word(f.Recipient, "the recipient"), "{sender}", word(f.Sender, "the sender's address"),
	}
	if f.Port == "" {
		pairs = append([]string{" on port {port}", "", " in place of {port}", "", "whether port {port} is blocked", "whether a port is blocked"}, pairs...)
	}
	r := strings.NewReplacer(append(pairs, "{port}", word(f.Port, "in use"))...)
	t := Text{Title: capital(r.Replace(c.Title)), Why: capital(r.Replace(c.Why))}
	for _, d := range c.Do {
		t.Do = append(t.Do, capital(r.Replace(d)))
	}
	return t
}

// capital gives a sentence that begins with a filled-in word its capital letter;
// names of hosts and addresses stay as they are.
func capital(s string) string {
	if strings.HasPrefix(s, "the ") || strings.HasPrefix(s, "your ") {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}
