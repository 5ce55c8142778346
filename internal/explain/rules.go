package explain

import "sync"

// families are the rule sets in the order in which they are tried on each rung:
// what is said about a narrow thing before what is said about a wide one. A text
// that speaks of DMARC mentions SPF too; a refusal of the sender's domain speaks of
// a domain that does not exist.
var families = []ruleset{
	tenantRules, authRules, reputationRules, policyRules, senderRules, limitRules, recipientRules, messageRules,
	tlsRules, serviceRules, clientRules, netRules, deliveryRules, serverRules, protocolRules,
}

// ready is all rules, made ready, by rung.
type ready struct{ signs, words, hints []matcher }

var compiled = sync.OnceValue(func() *ready {
	var r ready
	for _, f := range families {
		r.signs = append(r.signs, compile(f.signs)...)
		r.words = append(r.words, compile(f.words)...)
		r.hints = append(r.hints, compile(f.hints)...)
	}
	return &r
})
