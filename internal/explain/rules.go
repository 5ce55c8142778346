package explain

import (
	mathbits "math/bits"
	"sync"
)

// rulesets are the rule sets in the order in which they are tried on each rung:
// what is said about a narrow thing before what is said about a wide one. A text
// that speaks of DMARC mentions SPF too; a refusal of the sender's domain speaks of
// a domain that does not exist.
var rulesets = []ruleset{
	apiRules, providerRules, softwareRules, saidRules, libraryRules, languageRules, meaningRules, tenantRules, authRules, reputationRules, policyRules, senderRules, limitRules, recipientRules, messageRules,
	tlsRules, serviceRules, clientRules, netRules, deliveryRules, serverRules, protocolRules,
}

// rung is the rules that prove as much as each other, made ready. Those of which
// no word is in a passage are not looked at.
type rung struct {
	rules  []matcher
	by     [][]int32 // the rules that may hold where a literal is seen, by literal
	always []int32   // those that a code alone may make hold
}

// ready is all rules, made ready, by rung.
type ready struct {
	signs, words, hints rung
	lits                literals
}

var compiled = sync.OnceValue(func() *ready {
	var r ready
	for _, s := range rulesets {
		r.signs.rules = append(r.signs.rules, compile(s.signs, s.layer, &r.lits)...)
		r.words.rules = append(r.words.rules, compile(s.words, s.layer, &r.lits)...)
		r.hints.rules = append(r.hints.rules, compile(s.hints, s.layer, &r.lits)...)
	}
	r.lits.build()
	for _, x := range []*rung{&r.signs, &r.words, &r.hints} {
		x.index(len(r.lits.all))
	}
	return &r
})

// index finds out which rules a literal may make hold: of the first words that
// must be there, each needs one of its literals.
func (r *rung) index(lits int) {
	r.by = make([][]int32, lits)
	for i := range r.rules {
		always := false
		for _, g := range r.rules[i].groups {
			if g[0].not {
				continue
			}
			for j := range g {
				ids, ok := g[j].needs()
				always = always || !ok
				for _, id := range ids {
					if n := len(r.by[id]); n == 0 || r.by[id][n-1] != int32(i) {
						r.by[id] = append(r.by[id], int32(i))
					}
				}
			}
			break
		}
		if always {
			r.always = append(r.always, int32(i))
		}
	}
}

// needs returns literals of which one must be seen where w holds; false when there
// are none.
func (w *word) needs() ([]int32, bool) {
	switch {
	case w.kind == wordBoth:
		for i := range w.both {
			if ids, ok := w.both[i].needs(); ok {
				return ids, true
			}
		}
	case len(w.parts) > 0:
		return w.parts[0], true
	}
	return nil, false
}

// candidates returns the rules that may hold in p, in order.
func (r *rung) candidates(p *passage) []int32 {
	may := make(bits, len(r.rules)/64+1)
	for _, i := range r.always {
		may.add(i)
	}
	for n, w := range p.seen.all {
		for ; w != 0; w &= w - 1 {
			for _, i := range r.by[n*64+mathbits.TrailingZeros64(w)] {
				may.add(i)
			}
		}
	}
	out := make([]int32, 0, 64)
	for n, w := range may {
		for ; w != 0; w &= w - 1 {
			out = append(out, int32(n*64+mathbits.TrailingZeros64(w)))
		}
	}
	return out
}
