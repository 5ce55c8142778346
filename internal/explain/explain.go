package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Error names a failure that smtpclient or deliver has seen. What is typed counts
// before what is worded. It never returns a finding without a cause.
func Error(err *evidence.Error, f Facts) Finding {
	f.Stage, f.Origin = err.Stage, err.Origin
	if f.Host == "" {
		f.Host = err.Host
	}
	if err.Cause != "" {
		return Known(err.Cause, f, err.Error())
	}
	return Known("server.unspecified-rejection", f, err.Error())
}

// Text names what a pasted text, a line of a log, a transcript or a bounce tells
// of. A bounce has one finding for each recipient that failed, anything else one;
// its cause is "" when it is no failure of mail.
func Text(text string, f Facts) []Finding {
	return []Finding{{}}
}

// Known returns the finding of a cause that is known already, with text as its
// proof. An id that is not in the catalogue gives a finding with nothing but that.
func Known(id cause.ID, f Facts, text string) Finding {
	x := Finding{Cause: id, Confidence: Certain, Proof: []string{}, Alternatives: []cause.ID{}, Do: []string{}, Recipient: f.Recipient}
	if text = strings.TrimSpace(text); text != "" {
		x.Proof = append(x.Proof, proof(text))
	}
	c, ok := cause.Lookup(id)
	if !ok {
		return x
	}
	t := c.Fill(f.fill())
	x.Actor, x.Retry, x.Why, x.Do = c.Actor, retry(c, replyCode(text), text), t.Why, t.Do
	return x
}
