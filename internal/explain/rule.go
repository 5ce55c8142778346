package explain

import (
	"fmt"
	"slices"
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
	//	host ~ refused  both, at most 50 octets apart
	//	pop3 + first    both, anywhere
	//	{mailbox}       one of a family of words (families.go)
	//	#1.1            the enhanced status code of that subject and detail, any class
	//	=535            that reply code
	//	@gmail          a word of that provider (provider.go)
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
	layer *int   // what the layer weighs
	signs []rule // words that mean one thing only; URLs count too
	words []rule // plain words for it
	hints []rule // words that leave room for doubt
}

// matcher is a rule made ready.
type matcher struct {
	*rule
	groups [][]word
	stages []evidence.Stage
	layer  *int
}

// word is one alternative of a rule.
type word struct {
	kind  wordKind
	text  string    // as it is written
	parts [][]int32 // the literals of which one must stand there; wordGap and wordNear have more than one part
	both  []word    // wordBoth
	a, b  int       // wordEnhanced: subject and detail; wordCode: the code
	not   bool      // must not match
}

type wordKind int

const (
	wordAnywhere wordKind = iota
	wordGap
	wordNear
	wordBoth
	wordEnhanced
	wordCode
	wordProvider
)

// How far apart the parts of a word may stand, in octets.
const (
	gap  = 80 // wordGap
	near = 50 // wordNear
)

// compile makes rules ready. It panics on a rule that is badly written; a test
// compiles all of them.
func compile(rules []rule, layer *int, lits *literals) []matcher {
	out := make([]matcher, 0, len(rules))
	for i := range rules {
		m := matcher{rule: &rules[i], layer: layer}
		for _, g := range strings.Split(m.when, " & ") {
			var group []word
			not := strings.HasPrefix(g, "!")
			for _, w := range strings.Split(strings.TrimPrefix(g, "!"), "|") {
				x := parseWord(w, lits)
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

func parseWord(w string, lits *literals) word {
	bad := func() { panic(fmt.Sprintf("explain: badly written word %q", w)) }
	if w == "" || strings.ToLower(w) != w {
		bad()
	}
	x := word{text: w}
	switch {
	case strings.Contains(w, " + "):
		x.kind = wordBoth
		for _, part := range strings.Split(w, " + ") {
			x.both = append(x.both, parseWord(part, lits))
		}
		return x
	case strings.Contains(w, " * "), strings.Contains(w, " ~ "):
		x.kind = wordGap
		parts := strings.Split(w, " * ")
		if len(parts) == 1 {
			x.kind = wordNear
			if parts = strings.Split(w, " ~ "); len(parts) != 2 {
				bad()
			}
		}
		for _, part := range parts {
			x.parts = append(x.parts, parsePart(part, lits))
		}
	case w[0] == '#':
		x.kind = wordEnhanced
		if n, err := fmt.Sscanf(w, "#%d.%d", &x.a, &x.b); n != 2 || err != nil {
			bad()
		}
	case w[0] == '@' && providers[w[1:]] != "":
		x.kind = wordProvider
		x.parts = [][]int32{parseAll(providers[w[1:]], lits)}
	case w[0] == '=':
		x.kind = wordCode
		if n, err := fmt.Sscanf(w, "=%d", &x.a); n != 1 || err != nil {
			bad()
		}
	default:
		x.parts = [][]int32{parsePart(w, lits)}
	}
	return x
}

// parsePart returns the literals of a part: of a family, or one.
func parsePart(part string, lits *literals) []int32 {
	n := len(part)
	switch {
	case n > 2 && part[0] == '{' && part[n-1] == '}':
		members, ok := families[part[1:n-1]]
		if !ok {
			panic("explain: no family of words is called " + part)
		}
		return parseAll(members, lits)
	case n > 2 && part[0] == '[' && part[n-1] == ']':
		return []int32{lits.id(literal{part[1 : n-1], true})}
	case n == 0:
		panic("explain: an empty word")
	}
	return []int32{lits.id(literal{part, false})}
}

// parseAll returns the literals of parts parted by "|".
func parseAll(parts string, lits *literals) []int32 {
	var ids []int32
	for _, p := range strings.Split(parts, "|") {
		ids = append(ids, parsePart(p, lits)...)
	}
	return ids
}

// holds reports whether m's words are in p; prose leaves the URLs out. It returns
// the longest of them that is, and how much they weigh together.
func (m *matcher) holds(p *passage, prose bool) (proof string, weight int, ok bool) {
	for _, g := range m.groups {
		longest := -1
		for i := range g {
			n, lit := g[i].in(p, prose)
			if n > longest {
				longest = n
				if n >= 0 && len(lit) > len(proof) && !g[i].not {
					proof = lit
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

// providerWeight is what it weighs to know who speaks.
const providerWeight = 8

// wholeWeight is what a whole word weighs beside its length: a name or an
// abbreviation says more than its length.
const wholeWeight = 8

// in returns how much w says of p, which is more the more of the text it explains,
// and a literal of it that stands there; -1 when w is not in p.
func (w *word) in(p *passage, prose bool) (weight int, lit string) {
	switch w.kind {
	case wordEnhanced:
		if p.hasEnhanced(w.a, w.b) {
			return codeWeight, ""
		}
	case wordCode:
		if p.reply.Code == w.a {
			return codeWeight, ""
		}
	case wordProvider:
		if p.seesAll(w.parts, false) {
			return providerWeight, ""
		}
	case wordBoth:
		for i := range w.both {
			n, l := w.both[i].in(p, prose)
			if n < 0 {
				return -1, ""
			}
			if weight += n; len(l) > len(lit) {
				lit = l
			}
		}
		return weight, lit
	case wordGap:
		if p.seesAll(w.parts, prose) {
			return p.gapped(w.parts, gap, prose)
		}
	case wordNear:
		if p.seesAll(w.parts, prose) {
			if weight, lit = p.gapped(w.parts, near, prose); weight < 0 {
				return p.gapped([][]int32{w.parts[1], w.parts[0]}, near, prose)
			}
			return weight, lit
		}
	default:
		weight = -1
		for _, id := range w.parts[0] {
			if !p.sees(id, prose) {
				continue
			}
			n, l := 0, &compiled().lits.all[id]
			if n = len(l.text); l.whole {
				n += wholeWeight
			}
			if n > weight {
				weight, lit = n, l.text
			}
		}
		return weight, lit
	}
	return -1, ""
}

func (p *passage) sees(id int32, prose bool) bool {
	if prose {
		return p.seen.prose.has(id)
	}
	return p.seen.all.has(id)
}

// seesAll reports whether one literal of each part is in p.
func (p *passage) seesAll(parts [][]int32, prose bool) bool {
	for _, part := range parts {
		if !slices.ContainsFunc(part, func(id int32) bool { return p.sees(id, prose) }) {
			return false
		}
	}
	return true
}

// maxStarts bounds the places from which the parts of a word are looked for.
const maxStarts = 64

// gapped looks for literals of the parts in order, each at most gap octets after
// the one before. It returns what they weigh together, -1 when there are none, and
// the first.
func (p *passage) gapped(parts [][]int32, gap int32, prose bool) (weight int, lit string) {
	weight = -1
	starts := 0
	for i := range p.seen.hits {
		h := &p.seen.hits[i]
		if prose && h.url || !slices.Contains(parts[0], h.lit) {
			continue
		}
		if n := p.followed(i, parts[1:], gap, prose); n >= 0 && n+int(h.end-h.at) > weight {
			weight, lit = n+int(h.end-h.at), compiled().lits.all[h.lit].text
		}
		if starts++; starts == maxStarts {
			break
		}
	}
	return weight, lit
}

// followed returns what the literals of parts after hit i weigh, or -1.
func (p *passage) followed(i int, parts [][]int32, gap int32, prose bool) int {
	if len(parts) == 0 {
		return 0
	}
	end, best := p.seen.hits[i].end, -1
	for j := i + 1; j < len(p.seen.hits); j++ {
		h := &p.seen.hits[j]
		if h.end > end+gap+maxLiteral {
			break
		}
		if h.at < end || h.at > end+gap || prose && h.url || !slices.Contains(parts[0], h.lit) {
			continue
		}
		if n := p.followed(j, parts[1:], gap, prose); n >= 0 && n+int(h.end-h.at) > best {
			best = n + int(h.end-h.at)
		}
	}
	return best
}

// maxLiteral is no less than the length of the longest literal, in octets.
const maxLiteral = 80

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
		case s == evidence.StageBounce, s == evidence.StageClient:
		case s == evidence.StageAuth && c.stage == "" && (c.fromServer || !c.login): // servers seldom sign in to each other
		default:
			inside = true
		}
	}
	if m.stages[0] == evidence.StageBounce && !inside { // between a client and its server the same fault has another cause
		return c.unknown && m.id != "delivery.host-unreachable" && m.id != "delivery.dns-failed", false
	}
	return inside && c.stage == "" || c.unknown && !inside, false
}

func wordByte(c byte) bool { return c >= 'a' && c <= 'z' || digit(c) || c >= 0x80 }

func digit(c byte) bool { return c >= '0' && c <= '9' }
