package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// eachRule calls f with each rule, made ready, and where it stands.
func eachRule(f func(where string, m *matcher)) {
	for _, r := range []struct {
		name  string
		rules []matcher
	}{{"sign", compiled().signs.rules}, {"word", compiled().words.rules}, {"hint", compiled().hints.rules}} {
		for i := range r.rules {
			m := &r.rules[i]
			f(fmt.Sprintf("%s %d, %s, of %s", r.name, i, m.id, m.from), m)
		}
	}
}

// TestRules_AreWellWritten holds that a rule names causes and stages that there
// are, and whose words it has.
func TestRules_AreWellWritten(t *testing.T) {
	known := func(where string, id cause.ID) {
		if _, ok := cause.Lookup(id); !ok {
			t.Errorf("%s: no cause is called %q", where, id)
		}
	}
	stages := []evidence.Stage{evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting, evidence.StageEHLO, evidence.StageStartTLS, evidence.StageAuth,
		evidence.StageMail, evidence.StageRcpt, evidence.StageData, evidence.StagePostData, evidence.StageBounce, evidence.StageClient}
	eachRule(func(where string, m *matcher) {
		known(where, m.id)
		if m.between != "" {
			known(where, m.between)
		}
		for _, a := range m.alt {
			known(where, a)
			if a == m.id {
				t.Errorf("%s: it is its own alternative", where)
			}
		}
		for _, s := range m.stages {
			if !slices.Contains(stages, s) {
				t.Errorf("%s: no stage is called %q", where, s)
			}
		}
		if m.from == "" {
			t.Errorf("%s: it does not say whose words it has", where)
		}
		if m.key && m.weak {
			t.Errorf("%s: it decides and gives way", where)
		}
		if m.groups[0][0].not {
			t.Errorf("%s: it begins with what must not be there", where)
		}
	})
	for e, m := range meanings {
		known(fmt.Sprint(e), m.id)
	}
	for i, l := range compiled().lits.all {
		if len(l.text) > maxLiteral {
			t.Errorf("literal %d is longer than %d octets: %s", i, maxLiteral, l.text)
		}
		if lower(l.text) != l.text {
			t.Errorf("literal %d is not in the form in which texts are compared: %q", i, l.text)
		}
	}
}

// TestRules_HaveNoDuplicates holds that no word stands twice in a rule.
func TestRules_HaveNoDuplicates(t *testing.T) {
	eachRule(func(where string, m *matcher) {
		for _, g := range m.groups {
			seen := map[string]bool{}
			for i := range g {
				if seen[g[i].text] {
					t.Errorf("%s: %q twice", where, g[i].text)
				}
				seen[g[i].text] = true
			}
		}
	})
}

// sample returns texts that have one word of each group of m, written as short as
// can be; first is which of the first group.
func (m *matcher) sample(first int) string {
	var parts []string
	for n, g := range m.groups {
		if g[0].not {
			continue
		}
		w := &g[0]
		if n == 0 {
			w = &g[first]
		}
		parts = append(parts, w.sample())
	}
	slices.SortStableFunc(parts, func(a, b string) int { // codes begin a reply
		return strings.Compare(b[:min(1, len(b))], a[:min(1, len(a))])
	})
	text := strings.Join(parts, " ")
	for i := range m.groups[0] {
		if w := &m.groups[0][i]; w.kind == wordCode {
			return text
		}
	}
	return text
}

func (w *word) sample() string {
	switch w.kind {
	case wordEnhanced:
		return fmt.Sprintf("550 5.%d.%d", w.a, w.b)
	case wordCode:
		return fmt.Sprintf("%d no", w.a)
	case wordBoth:
		var parts []string
		for i := range w.both {
			parts = append(parts, w.both[i].sample())
		}
		return strings.Join(parts, " ")
	}
	var parts []string
	for _, ids := range w.parts {
		parts = append(parts, compiled().lits.all[ids[0]].text)
	}
	return strings.Join(parts, " ")
}

// settings returns facts in which m may hold.
func (m *matcher) settings() []Facts {
	if len(m.stages) == 0 {
		return []Facts{{Stage: evidence.StageRcpt}, {Stage: evidence.StageData}, {Stage: evidence.StageAuth}, {Stage: evidence.StageConnect}, {Stage: evidence.StageClient}, {Stage: evidence.StageBounce}, {Stage: evidence.StageTLS}, {Stage: evidence.StageMail}}
	}
	var all []Facts
	for _, s := range m.stages {
		all = append(all, Facts{Stage: s})
	}
	return all
}

// TestRules_CanWin holds that no rule is in the shadow of others: for each, some
// text of its own words has its cause.
func TestRules_CanWin(t *testing.T) {
	eachRule(func(where string, m *matcher) {
		for first := range m.groups[0] {
			text := m.sample(first)
			for _, f := range m.settings() {
				x := judged(text, f.of(text))
				if x.Cause == m.id || x.Cause == m.between && m.between != "" {
					return
				}
			}
		}
		t.Errorf("%s: it never wins", where)
	})
}

// TestRules_DoNotContradict holds that no word alone names two causes at the same
// stage with the same weight: which of them won would be an accident of order.
func TestRules_DoNotContradict(t *testing.T) {
	type place struct {
		where string
		m     *matcher
	}
	alone := map[string][]place{}
	eachRule(func(where string, m *matcher) {
		if len(m.groups) != 1 {
			return
		}
		for i := range m.groups[0] {
			key := fmt.Sprintf("%s %q %v %v %d", strings.Fields(where)[0], m.groups[0][i].text, m.key, m.weak, *m.layer)
			for _, other := range alone[key] {
				if other.m.id != m.id && overlap(other.m.stages, m.stages) && !slices.Contains(other.m.alt, m.id) {
					t.Errorf("%s, and %s: %s", where, other.where, m.groups[0][i].text)
				}
			}
			alone[key] = append(alone[key], place{where, m})
		}
	})
}

func overlap(a, b []evidence.Stage) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s evidence.Stage) bool { return slices.Contains(b, s) })
}
