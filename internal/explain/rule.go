package explain

import (
	"fmt"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// rule names a cause where a text has certain words. The words are compared in
// lower case, so they are written so.
type rule struct {
	id cause.ID

	// when says which words: "a|b & c|d & !e" is one of a and b, and one of c and
	// d, and not e. A word is
	//
	//	no such user    these characters, anywhere
	//	[rbl]           these characters, as a word of its own
	//	host * refused  the first, and the second at most 80 octets after it
	//	pop3 + first    both, anywhere
	//	#1.1            the enhanced status code of that subject and detail, any class
	//	=535            that reply code
	when string

	at      string     // the stages at which it holds, parted by blanks; "": all
	between cause.ID   // the cause where the text tells of mail between servers; "": id
	alt     []cause.ID // what else it may be, the likeliest first
	key     bool       // the words decide, whatever else is said
	weak    bool       // the words are common: nearly any other rule comes before it
	from    string     // whose words these are
}

// ruleset is the rules about one part of the matter, by how much they prove.
type ruleset struct {
	signs []rule // words that mean one thing only; URLs count too
	words []rule // plain words for it
	hints []rule // words that leave room for doubt
}

// matcher is a rule made ready.
type matcher struct {
	*rule
	groups [][]word
	stages []evidence.Stage
}

// word is one alternative of a rule.
type word struct {
	kind wordKind
	text string   // what must stand there; the first part of a wordGap
	then []string // wordGap: the other parts, in order
	both []word   // wordBoth
	a, b int      // wordEnhanced: subject and detail; wordCode: the code
	not  bool     // must not match
}

type wordKind int

const (
	wordAnywhere wordKind = iota
	wordWhole
	wordGap
	wordBoth
	wordEnhanced
	wordCode
)

// gap is how far apart the parts of a wordGap may stand, in octets.
const gap = 80

// compile makes rules ready. It panics on a rule that is badly written; a test
// compiles all of them.
func compile(rules []rule) []matcher {
	out := make([]matcher, 0, len(rules))
	for i := range rules {
		m := matcher{rule: &rules[i]}
		for _, g := range strings.Split(m.when, " & ") {
			var group []word
			not := strings.HasPrefix(g, "!")
			for _, w := range strings.Split(strings.TrimPrefix(g, "!"), "|") {
				x := parseWord(w)
				x.not = not
				group = append(group, x)
			}
			m.groups = append(m.groups, group)
		}
		for _, s := range strings.Fields(m.at) {
			m.stages = append(m.stages, evidence.Stage(s))
		}
		out = append(out, m)
	}
	return out
}

func parseWord(w string) word {
	bad := func() { panic(fmt.Sprintf("explain: badly written word %q", w)) }
	if w == "" || strings.ToLower(w) != w {
		bad()
	}
	switch {
	case strings.Contains(w, " + "):
		x := word{kind: wordBoth}
		for _, part := range strings.Split(w, " + ") {
			x.both = append(x.both, parseWord(part))
		}
		x.text = x.both[0].text
		return x
	case strings.Contains(w, " * "):
		parts := strings.Split(w, " * ")
		for _, part := range parts {
			if part == "" {
				bad()
			}
		}
		return word{kind: wordGap, text: parts[0], then: parts[1:]}
	case w[0] == '[' && w[len(w)-1] == ']' && len(w) > 2:
		return word{kind: wordWhole, text: w[1 : len(w)-1]}
	case w[0] == '#':
		x := word{kind: wordEnhanced}
		if n, err := fmt.Sscanf(w, "#%d.%d", &x.a, &x.b); n != 2 || err != nil {
			bad()
		}
		return x
	case w[0] == '=':
		x := word{kind: wordCode}
		if n, err := fmt.Sscanf(w, "=%d", &x.a); n != 1 || err != nil {
			bad()
		}
		return x
	}
	return word{text: w}
}

// holds reports whether m's words are in text, which is the form of p that counts.
// It returns the longest of them that is, and how much they weigh together.
func (m *matcher) holds(p *passage, text string) (proof string, weight int, ok bool) {
	for _, g := range m.groups {
		longest := -1
		for i := range g {
			if n := g[i].weight(); n > longest && g[i].in(p, text) {
				longest = n
				if len(g[i].text) > len(proof) && !g[i].not {
					proof = g[i].text
				}
			}
		}
		switch hit := longest >= 0; {
		case hit == g[0].not:
			return "", 0, false
		case hit:
			weight += longest
		}
	}
	return proof, weight, true
}

// codeWeight is what a code weighs: as much as a phrase of so many octets.
const codeWeight = 16

// wholeWeight is what a whole word weighs beside its length.
const wholeWeight = 8

// weight is how much w says: the more of a text it explains, the more.
func (w *word) weight() int {
	n := len(w.text)
	switch w.kind {
	case wordEnhanced, wordCode:
		return codeWeight
	case wordWhole:
		return n + wholeWeight // a name or an abbreviation says more than its length
	case wordGap:
		for _, t := range w.then {
			n += len(t)
		}
	case wordBoth:
		n = 0
		for i := range w.both {
			n += w.both[i].weight()
		}
	}
	return n
}

// fits reports whether m holds in a setting, and whether that is known for sure.
// An unknown stage of the conversation fits every rule but those for bounces or
// clients alone.
func (m *matcher) fits(c setting) (fits, sure bool) {
	if len(m.stages) == 0 {
		return true, true
	}
	inside := false // a stage of the conversation is among them
	for _, s := range m.stages {
		switch {
		case s == evidence.StageBounce && c.fromServer, s == evidence.StageClient && c.fromClient, s == c.stage:
			return true, true
		case s != evidence.StageBounce && s != evidence.StageClient:
			inside = true
		}
	}
	return inside && c.stage == "" || c.unknown && !inside && m.stages[0] == evidence.StageClient, false
}

func (w *word) in(t *passage, text string) bool {
	switch w.kind {
	case wordEnhanced:
		return t.hasEnhanced(w.a, w.b)
	case wordCode:
		return t.reply.Code == w.a
	case wordWhole:
		return wholeWord(text, w.text)
	case wordGap:
		return gapped(text, w.text, w.then)
	case wordBoth:
		for i := range w.both {
			if !w.both[i].in(t, text) {
				return false
			}
		}
		return true
	}
	return strings.Contains(text, w.text)
}

// wholeWord reports whether w stands in text with no letter or digit beside it.
func wholeWord(text, w string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(w)
		if (i == 0 || !wordByte(text[i-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		from = i + 1
	}
}

// gapped reports whether the words of then stand in text after a, in order, each
// at most gap octets after the one before.
func gapped(text, a string, then []string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], a)
		if i < 0 {
			return false
		}
		from += i + len(a)
		if followed(text[from:], then) {
			return true
		}
	}
}

func followed(rest string, then []string) bool {
	for _, b := range then {
		i := strings.Index(rest[:min(len(rest), gap+len(b))], b)
		if i < 0 {
			return false
		}
		rest = rest[i+len(b):]
	}
	return true
}

func wordByte(c byte) bool { return c >= 'a' && c <= 'z' || digit(c) || c >= 0x80 }

func digit(c byte) bool { return c >= '0' && c <= '9' }
