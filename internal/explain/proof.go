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
	if len(s) > 8*maxProof {
		s = s[:8*maxProof]
	}
	return evidence.Clip(evidence.Printable(strings.Join(strings.Fields(s), " ")), maxProof)
}

// quote returns what of a text is shown: all of it when it is short, else the
// surroundings of word.
func quote(s, word string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), maxPassage)]), " ")
	if len(s) <= maxProof {
		return proof(s)
	}
	i := 0
	if word != "" {
		i = strings.Index(strings.ToLower(s), word)
	}
	if i < maxProof/2 || i > len(s) {
		return proof(s)
	}
	from := i - maxProof/3
	if n := strings.IndexByte(s[from:], ' '); n >= 0 && n < maxProof/3 {
		from += n + 1
	}
	return "…" + proof(s[from:])
}
