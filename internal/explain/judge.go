package explain

import (
	"regexp"
	"slices"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

var aColour = regexp.MustCompile("\x1b\\[[0-9;]*[a-zA-Z]")

// judge names the failure that passages tell of. They come in the order in which
// they count; whole is all there is, for what must be known of the surroundings.
//
// The ladder: words, of which the weightiest win; what an enhanced status code
// says; vague words; what the digits say. On the lower rungs the earlier passage
// wins.
func judge(passages []*passage, whole *passage, f Facts) Finding {
	c := f.setting(whole)
	stage := c.stage
	var best candidate
	for i, p := range passages {
		bonus := 0
		switch {
		case p == whole && len(passages) > 1:
			bonus = -besideMalus
		case p != whole:
			bonus = replyBonus - 12*i // what a server said, the first before the others
		}
		best.search(&compiled().signs, p, false, c, bonus+signBonus, f)
		best.search(&compiled().words, p, true, c, bonus, f)
	}
	if best.rule != nil && !(best.p == whole && best.rule.blamesPath() && refused(passages)) {
		return best.finding(Certain, f)
	}
	for _, p := range passages {
		if id, alt := byEnhanced(p, stage, f); id != "" {
			return named(id, alt, Likely, p, p.reply.Enhanced.String(), f)
		}
	}
	if f.Stage != "" || f.FromServer || aboutOf(whole).mail {
		for _, p := range passages {
			var vague candidate
			if vague.search(&compiled().hints, p, true, c, 0, f); vague.rule != nil {
				return vague.finding(Possible, f)
			}
		}
	}
	for _, p := range passages {
		if id, alt := byDigits(p.reply.Code, stage); id != "" {
			return named(id, alt, Possible, p, "", f)
		}
	}
	return none()
}

// blamesPath reports whether m says that a server could not be reached or spoken to.
func (m *matcher) blamesPath() bool {
	return m.id == "delivery.host-unreachable" || m.between == "delivery.host-unreachable"
}

// refused reports whether a server refused for good, so that it was reached.
func refused(passages []*passage) bool {
	return len(passages) > 1 && slices.ContainsFunc(passages[:len(passages)-1], func(p *passage) bool {
		return p.reply.Permanent() && !slices.ContainsFunc(p.enhanced, func(e [2]int) bool { return e[0] == 4 })
	})
}

// What weighs beside the words, in octets of words.
var (
	besideMalus = 12 // they stand around what a server said
	replyBonus  = 4  // the words are in what a server said
	signBonus   = 9  // they mean one thing only
	agreedBonus = 14 // the enhanced status code says the same
	guessMalus  = 8  // whether they belong to this stage is not known
	keyBonus    = 26 // they decide
	weakMalus   = 32 // they are common

	byProvider, bySoftware, byLibrary, byLanguage, byFamilies, byMeaning = 14, 6, 16, 6, -8, 0
)

// setting is where a text comes from.
type setting struct {
	stage      evidence.Stage // of the conversation, "" when it is not known
	fromServer bool           // a server's log or bounce
	fromClient bool           // a client's own message
	unknown    bool           // nothing is known
	login      bool           // it speaks of signing in
}

// candidate is the weightiest rule so far.
type candidate struct {
	rule   *matcher
	weight int
	p      *passage
	proof  string
}

// search tries all rules on a passage; prose leaves its URLs out.
func (c *candidate) search(rules *rung, p *passage, prose bool, ctx setting, bonus int, f Facts) {
	coded, _ := byEnhanced(p, ctx.stage, f)
	for _, i := range rules.candidates(p) {
		m := &rules.rules[i]
		fits, known := m.fits(ctx)
		if !fits {
			continue
		}
		proof, weight, ok := m.holds(p, prose)
		if !ok {
			continue
		}
		weight += bonus + *m.layer
		if !known {
			weight -= guessMalus
		}
		switch {
		case m.key:
			weight += keyBonus
		case m.weak:
			weight -= weakMalus
		}
		if m.id == coded || m.between == coded && coded != "" {
			weight += agreedBonus
		}
		if c.rule == nil || weight > c.weight {
			*c = candidate{m, weight, p, proof}
		}
	}
}

// finding makes the finding of the rule that won.
func (c *candidate) finding(sure Confidence, f Facts) Finding {
	m := c.rule
	if len(m.alt) > 0 && sure == Certain {
		sure = Likely
	}
	id := m.id
	if f.FromServer && m.between != "" {
		id = m.between
	}
	return named(id, m.alt, sure, c.p, c.proof, f)
}

// named makes the finding of a cause that p shows; word is what in p shows it.
func named(id cause.ID, alt []cause.ID, sure Confidence, p *passage, word string, f Facts) Finding {
	code := p.reply.Code
	if code == 0 && p.reply.Enhanced.Class == 4 {
		code = 450 // "4.7.25 …", the code cut off
	}
	x := known(id, f, code, p.all)
	x.Confidence = sure
	x.Proof = append(x.Proof, quote(p.shown, word))
	for _, a := range alt {
		if a != id {
			x.Alternatives = append(x.Alternatives, a)
		}
	}
	return x
}

// none is the finding of a text that is no failure of mail.
func none() Finding {
	return Finding{Proof: []string{}, Alternatives: []cause.ID{}, Do: []string{}}
}
