package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A document is kept as a tree with the place of each key and value, because every
// mistake is reported with its place, and all of them at once: decoding into a
// struct ends at the first.

// table is a TOML table.
type table struct {
	at      place
	entries []*entry
	byName  map[string]*entry
	asked   []string // keys that the reader knows, in its order
}

// entry is one key of a table with its value.
type entry struct {
	name  string
	at    place // of the key
	value *value
	used  bool // the reader has asked for it
}

// value is a value of any kind.
type value struct {
	at    place
	kind  kind
	text  string   // of scalars: the string, or the number as written
	items []*value // of arrays
	table *table   // of tables
}

type kind string

const (
	kindString  kind = "a text in quotes"
	kindInteger kind = "a whole number"
	kindBool    kind = "true or false"
	kindOther   kind = "a number or date"
	kindArray   kind = "a list in brackets"
	kindTable   kind = "a table"
	kindTables  kind = "a list of tables" // [[name]]
)

// place is where something stands in the file, from 1.
type place struct{ line, column int }

// find returns the entry of this name, nil when there is none.
func (t *table) find(name string) *entry { return t.byName[name] }

func (t *table) add(e *entry) {
	if t.byName == nil {
		t.byName = map[string]*entry{}
	}
	t.byName[e.name] = e
	t.entries = append(t.entries, e)
}

// parse returns the tree of data and what TOML itself objects to. The tree is nil
// when the file cannot be read to its end.
func parse(data []byte) (*table, []Mistake) {
	var mistakes []Mistake
	// The decoder knows rules that the parser does not, such as keys given twice.
	var all map[string]any
	if err := toml.Unmarshal(data, &all); err != nil {
		m := Mistake{Line: 1, Column: 1, Message: syntax(err)}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			m.Line, m.Column = at.Position()
			m.Key = strings.Join(at.Key(), ".")
		}
		mistakes = append(mistakes, m)
	}
	b := builder{root: &table{at: place{1, 1}}}
	b.current = b.root
	for i, c := range data {
		if c == '\n' {
			b.lineEnds = append(b.lineEnds, i)
		}
	}
	b.parser.Reset(data)
	for b.parser.NextExpression() {
		b.expression(b.parser.Expression())
	}
	if b.parser.Error() != nil || b.broken {
		return nil, mistakes
	}
	return b.root, mistakes
}

// syntax returns TOML's own words for what is wrong, without its name.
func syntax(err error) string {
	return "not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")
}

// builder makes the tree from the parser's expressions.
type builder struct {
	parser  unstable.Parser
	root    *table
	current *table
	// lineEnds are the offsets of all line ends: the parser's own way to find a line
	// counts from the beginning each time.
	lineEnds []int
	broken   bool // a key does not fit what stands before it; the decoder has said so
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.KeyValue:
		b.keyValue(b.current, n)
	case unstable.Table, unstable.ArrayTable:
		t := b.root
		it := n.Key()
		for it.Next() {
			k := it.Node()
			name, at := string(k.Data), b.place(k)
			if it.IsLast() && n.Kind == unstable.ArrayTable {
				t = b.appendTable(t, name, at)
			} else {
				t = b.enter(t, name, at)
			}
			if t == nil {
				b.broken = true
				t = &table{at: at}
				break
			}
		}
		b.current = t
	}
}

// enter returns the table of this name in t, which is made when it is missing; the
// last one of a list of tables; nil when the name has another value.
func (b *builder) enter(t *table, name string, at place) *table {
	e := t.find(name)
	if e == nil {
		sub := &table{at: at}
		t.add(&entry{name: name, at: at, value: &value{at: at, kind: kindTable, table: sub}})
		return sub
	}
	switch e.value.kind {
	case kindTable:
		return e.value.table
	case kindTables:
		return e.value.items[len(e.value.items)-1].table
	}
	return nil
}

// appendTable adds a table to the list of this name in t; nil when the name has
// another value.
func (b *builder) appendTable(t *table, name string, at place) *table {
	sub := &table{at: at}
	item := &value{at: at, kind: kindTable, table: sub}
	e := t.find(name)
	switch {
	case e == nil:
		t.add(&entry{name: name, at: at, value: &value{at: at, kind: kindTables, items: []*value{item}}})
	case e.value.kind == kindTables:
		e.value.items = append(e.value.items, item)
	default:
		return nil
	}
	return sub
}

func (b *builder) keyValue(t *table, n *unstable.Node) {
	it := n.Key()
	for it.Next() {
		k := it.Node()
		name, at := string(k.Data), b.place(k)
		if !it.IsLast() {
			if t = b.enter(t, name, at); t == nil {
				b.broken = true
				return
			}
			continue
		}
		if t.find(name) != nil {
			return // given twice; the decoder has said so
		}
		t.add(&entry{name: name, at: at, value: b.value(n.Value(), at)})
	}
}

// value copies a value out of the parser's memory, which the next expression
// overwrites. at is the place of its key, for kinds that have none of their own.
func (b *builder) value(n *unstable.Node, at place) *value {
	v := &value{at: at, text: string(n.Data), kind: kindOther}
	if n.Raw.Length > 0 {
		v.at = b.place(n)
	}
	switch n.Kind {
	case unstable.String:
		v.kind = kindString
	case unstable.Integer:
		v.kind = kindInteger
	case unstable.Bool:
		v.kind = kindBool
	case unstable.Array:
		v.kind, v.at = kindArray, at
		for it := n.Children(); it.Next(); {
			v.items = append(v.items, b.value(it.Node(), at))
		}
	case unstable.InlineTable:
		v.kind, v.table = kindTable, &table{at: v.at}
		for it := n.Children(); it.Next(); {
			b.keyValue(v.table, it.Node())
		}
	}
	return v
}

func (b *builder) place(n *unstable.Node) place {
	offset := int(n.Raw.Offset)
	line, _ := slices.BinarySearch(b.lineEnds, offset)
	start := 0
	if line > 0 {
		start = b.lineEnds[line-1] + 1
	}
	return place{line + 1, offset - start + 1}
}
