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

// Cause is one entry of the catalogue. Title, Why and Remedies are texts in the
// form that the package comment describes; Fill makes them ready to read.
type Cause struct {
	ID        ID                 `toml:"id"`
	Title     string             `toml:"title"`      // a short clause, without a full stop
	Why       string             `toml:"why"`        // for a person who is no mail admin
	Actor     Actor              `toml:"actor"`      // who must act
	Retry     Retry              `toml:"retry"`      // whether sending again helps; a reply's digits may change it
	Evidence  string             `toml:"evidence"`   // how it shows, and how to tell it from its neighbours
	Says      []Saying           `toml:"says"`       // how programs and servers put it
	DependsOn []ID               `toml:"depends_on"` // where one of these is present, it explains this one away
	Related   []ID               `toml:"related"`    // what looks like it or comes with it
	Refs      []string           `toml:"refs"`       // standards and providers' pages, by title
	ProbeOnly bool               `toml:"probe_only"` // a text alone never shows it
	Remedies  map[Actor][]string `toml:"do"`         // steps for each who can act, the first one first
}

// Saying is a text in which a cause was seen.
type Saying struct {
	Text string `toml:"text"` // lines parted by "\n"
	From string `toml:"from"` // the program or provider that said it
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
		f, err := files.Open(name)
		if err != nil {
			panic(err)
		}
		var in struct {
			Cause []*Cause `toml:"cause"`
		}
		err = toml.NewDecoder(f).DisallowUnknownFields().Decode(&in)
		f.Close()
		if err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		for _, c := range in.Cause {
			if all[c.ID] != nil {
				panic(fmt.Sprintf("%s: %s stands twice", name, c.ID))
			}
			c.Why = strings.Join(strings.Fields(c.Why), " ") // it is broken into lines in the file
			c.Evidence = strings.Join(strings.Fields(c.Evidence), " ")
			all[c.ID] = c
		}
	}
	return all
}

// Lookup returns the entry of id. It is shared and must not be changed.
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
