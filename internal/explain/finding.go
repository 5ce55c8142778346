package explain

import "github.com/wellsent/wellsent/internal/cause"

// Confidence is how sure a finding is.
type Confidence string

// The confidences.
const (
	Certain  Confidence = "certain"
	Likely   Confidence = "likely"
	Possible Confidence = "possible"
)

// Finding is what some evidence means. The JSON form is that of
// `wellsent explain --json`.
type Finding struct {
	Cause        cause.ID    `json:"cause"` // "" when the text is no mail failure
	Title        string      `json:"title"` // the cause in one clause
	Confidence   Confidence  `json:"confidence"`
	Proof        []string    `json:"proof"`        // what in the evidence shows it
	Alternatives []cause.ID  `json:"alternatives"` // in order of likelihood
	Actor        cause.Actor `json:"actor"`
	Retry        cause.Retry `json:"retry"`
	Why          string      `json:"why"` // for a person who is no mail admin
	Do           []string    `json:"do"`  // concrete steps, the first one first
	Recipient    string      `json:"recipient"`
}
