package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader turns the tree of one file into a Config. Its methods take a value when
// it is there and fit to be taken, note a mistake when it is not, and record each
// effective value with its origin.
type reader struct {
	file     string // as the user named it, for messages
	dir      string // relative paths begin here
	env      func(string) (string, bool)
	mistakes Errors
	warnings []Mistake
	values   []Value
	named    []reference // what routes name; looked at when all has been read
}

// wrong notes a mistake. The caller may add a suggestion to what it returns, before
// the next one is noted.
func (r *reader) wrong(at place, key, format string, args ...any) *Mistake {
	r.mistakes = append(r.mistakes, r.mistake(at, key, format, args...))
	return &r.mistakes[len(r.mistakes)-1]
}

// warn notes something that works and is worth a look.
func (r *reader) warn(at place, key, format string, args ...any) {
	r.warnings = append(r.warnings, r.mistake(at, key, format, args...))
}

func (r *reader) mistake(at place, key, format string, args ...any) Mistake {
	// The line tells which listener it is; its number among the listeners does not.
	parts := slices.DeleteFunc(strings.Split(key, "."), func(p string) bool { _, err := strconv.Atoi(p); return err == nil })
	return Mistake{File: r.file, Line: at.line, Column: at.column, Key: strings.Join(parts, "."), Message: fmt.Sprintf(format, args...)}
}

// later notes a key whose feature does not exist yet.
func (r *reader) later(at place, key, what string) {
	r.wrong(at, key, "%s is not available in this version: leave it out", what)
}

// record notes one effective value.
func (r *reader) record(key, shown, origin string) {
	r.values = append(r.values, Value{Key: key, Value: shown, Origin: origin})
}

const originDefault = "default"

func (r *reader) originOf(at place, names []string) string {
	o := filepath.Base(r.file) + ":" + strconv.Itoa(at.line)
	for _, n := range names {
		o += ", $" + n
	}
	return o
}

// take returns the entry of name in t and marks it as known; nil when it is
// absent.
func (t *table) take(name string) *entry {
	t.asked = append(t.asked, name)
	e := t.find(name)
	if e != nil {
		e.used = true
	}
	return e
}

// rest notes every key of t that nobody asked for.
func (r *reader) rest(t *table, prefix string) {
	for _, e := range t.entries {
		if !e.used {
			m := r.wrong(e.at, join(prefix, e.name), "there is no such key")
			if m.Suggestion = nearest(e.name, t.asked); m.Suggestion == "" {
				m.Message += "; the keys here are " + strings.Join(slices.Sorted(slices.Values(t.asked)), ", ")
			}
		}
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// expand replaces each ${NAME} in v's text by the environment variable, and $${
// by a literal ${. It returns the names that were used; ok is false when a mistake
// was noted.
func (r *reader) expand(v *value, key string) (text string, names []string, ok bool) {
	s := v.text
	var b strings.Builder
	ok = true
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), names, ok
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		name, after, closed := strings.Cut(s[i+2:], "}")
		switch set, found := r.env(name); {
		case !closed:
			r.wrong(v.at, key, "${ without }: write ${NAME} for an environment variable, or $${ for the two characters themselves")
			return "", names, false
		case !validName(name):
			r.wrong(v.at, key, "${%s} is no name of an environment variable: use letters, digits and _", name)
			ok = false
		case !found:
			r.wrong(v.at, key, "the environment variable %s is not set: set it for the server, or write the value here", name)
			ok = false
		default:
			b.WriteString(set)
			names = append(names, name)
		}
		s = after
	}
}

func validName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c == '_', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// got is a scalar that was read.
type got struct {
	text   string
	at     place
	origin string
}

// scalar returns the text of the scalar at key name of t: of kind want, or a text
// that came from the environment, which knows texts only. ok is false when it is
// absent or was a mistake; then the effective value is def.
func (r *reader) scalar(t *table, prefix, name string, want kind, def string) (g got, ok bool) {
	key := join(prefix, name)
	e := t.take(name)
	if e == nil {
		if def != "" {
			r.record(key, def, originDefault)
		}
		return got{at: t.at}, false
	}
	if e.value.kind != want && e.value.kind != kindString {
		r.wrong(e.value.at, key, "must be %s, not %s", want, e.value.kind)
		return got{at: e.value.at}, false
	}
	text, names, ok := e.value.text, []string(nil), true
	if e.value.kind == kindString {
		text, names, ok = r.expand(e.value, key)
		if ok && want != kindString && len(names) == 0 {
			r.wrong(e.value.at, key, "must be %s, without quotes", want)
			ok = false
		}
	}
	return got{text, e.value.at, r.originOf(e.at, names)}, ok
}

// text returns a text; def when it is absent.
func (r *reader) text(t *table, prefix, name, def string) got {
	g, ok := r.scalar(t, prefix, name, kindString, quote(def))
	if !ok {
		g.text = def
		return g
	}
	r.record(join(prefix, name), quote(g.text), g.origin)
	return g
}

// quote returns s as it would stand in the file; nothing for nothing, as a key
// that is empty by default is not worth a line.
func quote(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

// choice returns one of the words; the first one when it is absent.
func (r *reader) choice(t *table, prefix, name string, words ...string) (got, bool) {
	g, ok := r.scalar(t, prefix, name, kindString, quote(words[0]))
	if !ok {
		g.text = words[0]
		return g, t.find(name) == nil
	}
	if !slices.Contains(words, g.text) {
		r.unknownWord(g.at, join(prefix, name), g.text, words)
		return g, false
	}
	r.record(join(prefix, name), quote(g.text), g.origin)
	return g, true
}

func (r *reader) unknownWord(at place, key, word string, words []string) {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	m := r.wrong(at, key, "%q is not known: it must be one of %s", word, strings.Join(quoted, ", "))
	if n := nearest(word, words); n != "" {
		m.Suggestion = strconv.Quote(n)
	}
}

// flag returns a bool that is false by default.
func (r *reader) flag(t *table, prefix, name string, def bool) bool {
	g, ok := r.scalar(t, prefix, name, kindBool, strconv.FormatBool(def))
	if !ok {
		return def
	}
	b, err := strconv.ParseBool(g.text)
	if err != nil {
		r.wrong(g.at, join(prefix, name), "must be true or false, not %q", g.text)
		return def
	}
	r.record(join(prefix, name), strconv.FormatBool(b), g.origin)
	return b
}

// number returns a whole number from lowest to highest.
func (r *reader) number(t *table, prefix, name string, def, lowest, highest int) int {
	shown := ""
	if def != 0 {
		shown = strconv.Itoa(def)
	}
	g, ok := r.scalar(t, prefix, name, kindInteger, shown)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(g.text, "_", ""), 0, 64)
	if err != nil || n < int64(lowest) || n > int64(highest) {
		r.wrong(g.at, join(prefix, name), "%s is outside %d to %d", g.text, lowest, highest)
		return def
	}
	r.record(join(prefix, name), strconv.FormatInt(n, 10), g.origin)
	return int(n)
}

// duration returns a positive duration.
func (r *reader) duration(t *table, prefix, name string, def time.Duration) got {
	g, ok := r.scalar(t, prefix, name, kindString, quote(formatDuration(def)))
	if ok {
		if d, suggestion, err := parseDuration(g.text); err != nil {
			r.wrong(g.at, join(prefix, name), "%v", err).Suggestion = suggestion
		} else {
			r.record(join(prefix, name), quote(g.text), g.origin)
			g.text = d.String()
			return g
		}
	}
	g.text = def.String()
	return g
}

// list returns the texts of a list, nil when it is absent.
func (r *reader) list(t *table, prefix, name string) (items []got, at place) {
	key := join(prefix, name)
	e := t.take(name)
	if e == nil {
		return nil, t.at
	}
	if e.value.kind != kindArray {
		m := r.wrong(e.value.at, key, "must be %s, not %s", kindArray, e.value.kind)
		if e.value.kind == kindString {
			m.Suggestion = "[" + strconv.Quote(e.value.text) + "]"
		}
		return nil, e.at
	}
	var shown []string
	var used []string
	for _, v := range e.value.items {
		if v.kind != kindString {
			r.wrong(v.at, key, "each entry must be %s, not %s", kindString, v.kind)
			continue
		}
		text, names, ok := r.expand(v, key)
		if ok {
			items = append(items, got{text, v.at, r.originOf(e.at, names)})
			shown = append(shown, strconv.Quote(text))
			used = append(used, names...)
		}
	}
	r.record(key, "["+strings.Join(shown, ", ")+"]", r.originOf(e.at, used))
	return items, e.at
}

// path returns an absolute path; one that is relative begins at the file's
// directory.
func (r *reader) path(t *table, prefix, name, def string) got {
	g := r.text(t, prefix, name, def)
	if g.text != "" && !filepath.IsAbs(g.text) {
		g.text = filepath.Join(r.dir, g.text)
	}
	return g
}

// tableOf returns the table of this name, an empty one when it is absent.
func (r *reader) tableOf(t *table, prefix, name string) (sub *table, present bool) {
	e := t.take(name)
	if e == nil {
		return &table{at: t.at}, false
	}
	if e.value.kind != kindTable {
		m := r.wrong(e.value.at, join(prefix, name), "must be %s, not %s", kindTable, e.value.kind)
		if e.value.kind == kindTables {
			m.Message = "is there once only"
			m.Suggestion = "[" + name + "]"
		}
		return &table{at: e.at}, false
	}
	return e.value.table, true
}

// tablesOf returns the tables of a list [[name]].
func (r *reader) tablesOf(t *table, name string) []*table {
	e := t.take(name)
	if e == nil {
		return nil
	}
	var all []*table
	switch e.value.kind {
	case kindTables, kindArray:
		for _, v := range e.value.items {
			if v.kind != kindTable {
				r.wrong(v.at, name, "each entry must be a table, not %s", v.kind)
				continue
			}
			all = append(all, v.table)
		}
	case kindTable:
		r.wrong(e.at, name, "may be there more than once, and is written in double brackets").Suggestion = "[[" + name + "]]"
		return []*table{e.value.table}
	default:
		r.wrong(e.value.at, name, "must be a table in double brackets, not %s", e.value.kind).Suggestion = "[[" + name + "]]"
	}
	return all
}
