package explain

import (
	"errors"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/dsn"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Bounds of what is read of one text.
const (
	maxText    = 10 << 20  // octets
	maxBounce  = 256 << 10 // octets of a text that is no report which are looked at
	maxReplies = 12        // replies in it which are judged each by itself
)

// Text names what a pasted text, a line of a log, a transcript or a bounce tells
// of. A bounce or a log of several recipients has one finding for each that failed
// or is delayed, anything else one finding; its Cause is "" when the text is no
// failure of mail. No more than 10 MiB are read. The text may be in UTF-8, UTF-16
// with a byte order mark, or Windows-1252.
func Text(text string, f Facts) []Finding {
	if len(text) > maxText {
		text = text[:maxText]
	}
	if found := report(text, f); len(found) > 0 {
		return found
	}
	if l := readLetter(text); l != nil {
		if l.bounce() {
			f.FromServer = true
		}
		text = l.human
	}
	text = readable(text)
	if found := eachTold(logged(text), f); len(found) > 0 {
		return found
	}
	whole := one(text, f)
	if !f.of(text).FromServer {
		return []Finding{whole}
	}
	f.FromServer = true
	sections := bySection(withoutOriginal(text[:min(len(text), maxBounce)]))
	switch len(sections) {
	case 0:
	case 1:
		if whole.Recipient == "" && whole.Cause != "" {
			whole.Recipient = sections[0].recipient
		}
	default:
		if found := eachTold(sections, f); len(found) > 1 {
			return found
		}
	}
	return []Finding{whole}
}

// eachTold explains what is told of each recipient; those who got the mail are
// passed over. Nobody is left where all did.
func eachTold(all []told, f Facts) []Finding {
	var found []Finding
	for _, t := range all {
		if t.done {
			continue
		}
		of := f
		of.Recipient = t.recipient
		if t.stage != "" {
			of.Stage = t.stage
		}
		var x Finding
		if t.cause != "" {
			of.FromServer = true
			x = Known(t.cause, of, t.said)
		} else {
			x = one(t.said, of)
		}
		if x.Cause == "" {
			continue
		}
		x.Recipient = t.recipient
		found = append(found, x)
	}
	if len(found) == 0 && len(all) > 0 && !slices.ContainsFunc(all, func(t told) bool { return !t.done }) {
		return []Finding{none()}
	}
	return found
}

// report explains a report in the form of RFC 3464; nil for any other text.
func report(text string, f Facts) []Finding {
	if !strings.Contains(text, "-Recipient") && !strings.Contains(text, "-recipient") {
		return nil
	}
	r, err := dsn.Parse(strings.NewReader(text))
	if errors.Is(err, dsn.ErrNotReport) {
		r, err = dsn.ParseStatus(text)
	}
	if err != nil {
		return nil
	}
	f.FromServer = true
	if f.Stage == "" {
		f.Stage = evidence.StageBounce
	}
	if l := readLetter(text); l != nil {
		r.Human = l.human
	}
	var found []Finding
	for i := range r.Recipients {
		x := &r.Recipients[i]
		if x.Action == dsn.Delivered || x.Action == dsn.Relayed || x.Action == dsn.Expanded {
			continue
		}
		found = append(found, reported(r, x, f))
	}
	return found
}

// reported explains what a report says of one recipient.
func reported(r *dsn.Report, x *dsn.Recipient, f Facts) Finding {
	f.Recipient = x.Final
	if f.Host == "" {
		f.Host = x.RemoteMTA
	}
	if _, ok := cause.Lookup(cause.ID(x.CauseID)); ok { // ours
		best := Known(cause.ID(x.CauseID), f, x.Diagnostic)
		best.Recipient = x.Final
		return best
	}
	said := x.Diagnostic
	if !x.Status.IsZero() {
		said += "\n(" + x.Status.String() + ")"
	}
	best := one(said, f)
	if best.Cause == "" || best.Confidence == Possible {
		// The words for people say more than the codes at some servers.
		words := r.Human
		if len(r.Recipients) > 1 {
			words = ""
			for _, t := range bySection(r.Human) {
				if strings.EqualFold(t.recipient, x.Final) {
					words = t.said
				}
			}
		}
		if human := one(readable(words), f); human.Cause != "" && human.Confidence != Possible {
			best = human
		}
	}
	best.Recipient = x.Final
	return best
}

// one explains a text as one failure.
func one(text string, f Facts) Finding {
	f = f.of(text)
	if len(text) > maxBounce {
		text = text[:maxBounce]
	}
	text = withoutOriginal(text)
	if successful(text) || f.Stage == "" && anAccess.MatchString(text) {
		return none()
	}
	var passages []*passage
	for _, r := range replies(text, maxReplies) {
		passages = append(passages, newPassage(r))
	}
	whole := newPassage(text)
	if len(passages) != 1 || len(passages[0].shown) < len(strings.TrimSpace(text)) {
		passages = append(passages, whole)
	}
	x := judge(passages, whole, f)
	if x.Cause != "" && (!x.believable(f, aboutOf(whole)) || !x.troubled(whole)) {
		return none()
	}
	if !onTheWay(x.Cause) || f.FromServer {
		return x
	}
	if host := withdrawn(whole.all); host != "" {
		y := known("dns.retired-endpoint", f, 0, "")
		y.Confidence, y.Proof, y.Alternatives = Likely, append(y.Proof, quote(whole.shown, host)), append(y.Alternatives, x.Cause)
		return y
	}
	return x
}

// maxHosts bounds the names of hosts that are looked up in a text.
const maxHosts = 50

// withdrawn returns the first name in text of an outgoing server that its provider
// has withdrawn, or "".
func withdrawn(text string) string {
	for _, host := range aHost.FindAllString(text[:min(len(text), maxPassage)], maxHosts) {
		if retired(host) {
			return host
		}
	}
	return ""
}

// onTheWay reports a cause for which a withdrawn name is the better explanation:
// whatever has come of such a name, it is the name that must be changed.
func onTheWay(id cause.ID) bool {
	switch id.Family() {
	case "dns", "net", "service", "tls", "client":
		return true
	}
	return false
}

// withoutOriginal cuts a bounce off where the returned message begins: what it
// says of itself proves nothing.
func withoutOriginal(s string) string {
	for _, mark := range []string{
		"\n------ This is a copy of", "\n--- Below this line is a copy of", "\n   ----- Original message follows", "\n----- Original message -----",
		"\nContent-Type: message/rfc822", "\nContent-Type: text/rfc822-headers", "\n--- The header of the original message", "\nOriginal message headers:",
	} {
		if i := strings.Index(s, mark); i > 0 {
			s = s[:i]
		}
	}
	return s
}
