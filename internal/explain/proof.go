package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
)

// maxProof bounds one piece of proof, in octets.
const maxProof = 300

// proof returns a text as it is shown to prove something: one line, safe on a
// terminal, bounded.
func proof(s string) string {
	if len(s) > 4*maxProof {
		s = s[:4*maxProof]
	}
	return evidence.Clip(evidence.Printable(strings.Join(strings.Fields(s), " ")), maxProof)
}

// replyCode returns the code of the reply that text begins with, or 0.
func replyCode(text string) int {
	if len(text) < 3 || text[0] < '2' || text[0] > '5' || !digit(text[1]) || !digit(text[2]) || len(text) > 3 && digit(text[3]) {
		return 0
	}
	return int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
