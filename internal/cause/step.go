package cause

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed steps/*.toml
var stepFiles embed.FS

// Step is one step of the way of an OAuth token from the identity provider to a
// sent message: what an administrator must have done. Texts are in the form of the
// catalogue's, with {app}, {tenant}, {mailbox}, {object} and {route} beside its
// placeholders.
type Step struct {
	ID       string   `toml:"id"`
	Provider string   `toml:"provider"` // "microsoft", "google", "custom"; "": any
	Vias     []string `toml:"vias"`     // "smtp", "graph", "gmail"; none: all
	Grants   []string `toml:"grants"`   // none: all
	Title    string   `toml:"title"`    // what is so when it is done

	StepCase
	Cases []StepCase `toml:"case"` // what is more special than the step's own
}

// StepCase is one way in which a step fails.
type StepCase struct {
	Says   []string `toml:"says"`   // parts of answers by which it is known
	Cause  ID       `toml:"cause"`  // "": the step's
	Sure   string   `toml:"sure"`   // "likely" where the answer has other meanings too; "": certain
	Failed string   `toml:"failed"` // a title
	Why    string   `toml:"why"`
	Do     []string `toml:"do"`
}

// StepText is a case with facts in it.
type StepText struct {
	Title, Why string
	Do         []string
}

var steps = sync.OnceValue(loadSteps)

// loadSteps reads the embedded data. A fault in it is a broken invariant: the
// tests read every file.
func loadSteps() []*Step {
	var all []*Step
	names, err := fs.Glob(stepFiles, "steps/*.toml")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		b, err := stepFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var in struct {
			Step []*Step `toml:"step"`
		}
		if err := toml.NewDecoder(strings.NewReader(string(b))).DisallowUnknownFields().Decode(&in); err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		all = append(all, in.Step...)
	}
	return all
}

// Steps returns the steps of a provider for a way of sending and a grant, in the
// order in which they are taken. They are shared and must not be changed.
func Steps(provider, via, grant string) []*Step {
	var list []*Step
	for _, s := range steps() {
		if (s.Provider == "" || s.Provider == provider) && (len(s.Vias) == 0 || slices.Contains(s.Vias, via)) && (len(s.Grants) == 0 || slices.Contains(s.Grants, grant)) {
			list = append(list, s)
		}
	}
	return list
}

// Match returns the case of s that an answer names, or nil.
func (s *Step) Match(answer string) *StepCase {
	for i := range s.Cases {
		if s.Cases[i].named(answer) {
			return s.special(&s.Cases[i])
		}
	}
	if s.named(answer) {
		return &s.StepCase
	}
	return nil
}

// special returns a case with what it takes from its step.
func (s *Step) special(c *StepCase) *StepCase {
	x := *c
	if x.Cause == "" {
		x.Cause = s.Cause
	}
	return &x
}

// named reports whether an answer has one of the parts. Numbers are matched whole.
func (c *StepCase) named(answer string) bool {
	lower := strings.ToLower(answer)
	return slices.ContainsFunc(c.Says, func(part string) bool {
		part = strings.ToLower(part)
		for rest := lower; ; {
			i := strings.Index(rest, part)
			if i < 0 {
				return false
			}
			rest = rest[i+len(part):]
			if !strings.HasPrefix(part, "aadsts") || rest == "" || rest[0] < '0' || rest[0] > '9' {
				return true
			}
		}
	})
}

// Fill returns the texts of c with f in them.
func (c *StepCase) Fill(f Facts) StepText {
	fill := filler{facts: f}
	t := StepText{Title: fill.text(c.Failed), Why: fill.text(c.Why), Do: []string{}}
	for _, d := range c.Do {
		t.Do = append(t.Do, fill.text(d))
	}
	return t
}
