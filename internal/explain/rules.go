package explain

import "sync"

// rulesets are the rule sets in the order in which they are tried on each rung:
// what is said about a narrow thing before what is said about a wide one. A text
// that speaks of DMARC mentions SPF too; a refusal of the sender's domain speaks of
// a domain that does not exist.
var rulesets = []ruleset{
	providerRules, softwareRules, libraryRules, languageRules, meaningRules, tenantRules, authRules, reputationRules, policyRules, senderRules, limitRules, recipientRules, messageRules,
	tlsRules, serviceRules, clientRules, netRules, deliveryRules, serverRules, protocolRules,
}

// ready is all rules, made ready, by rung.
type ready struct {
	signs, words, hints []matcher
	lits                literals
}

var compiled = sync.OnceValue(func() *ready {
	var r ready
	for _, s := range rulesets {
		r.signs = append(r.signs, compile(s.signs, s.layer, &r.lits)...)
		r.words = append(r.words, compile(s.words, s.layer, &r.lits)...)
		r.hints = append(r.hints, compile(s.hints, s.layer, &r.lits)...)
	}
	r.lits.build()
	return &r
})
