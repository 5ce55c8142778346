package config

import (
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong in a configuration file, and what to do.
type Mistake struct {
	File       string
	Line       int    // from 1; 0 when it belongs to no line
	Column     int    // from 1, in bytes
	Key        string // "listener.allow"; "" when it belongs to no key
	Message    string // what is wrong and what to do
	Suggestion string // what was probably meant, "" when nobody can say
}

// String returns the mistake in one line: file:line:column: key: message.
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	b.WriteString(": ")
	if m.Key != "" {
		b.WriteString(m.Key + ": ")
	}
	b.WriteString(m.Message)
	if m.Suggestion != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", m.Suggestion)
	}
	return b.String()
}

// Errors are all mistakes of one configuration, in the order of their lines.
type Errors []Mistake

// Error returns one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, m := range e {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// Value is one effective value and where it comes from.
type Value struct {
	Key    string `json:"key"`    // "listener.0.address"
	Value  string `json:"value"`  // as in the file; secrets are hidden
	Origin string `json:"origin"` // "default", "wellsent.toml:12", "wellsent.toml:12, $NAME"
}

// Effective returns every effective value in the order of the manual, with
// secrets hidden.
func (c *Config) Effective() []Value { return append([]Value(nil), c.values...) }
