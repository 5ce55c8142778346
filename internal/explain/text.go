package explain

import (
	"errors"
	"strings"

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
// of. A report in the form of RFC 3464 has one finding for each recipient that
// failed or is delayed, anything else one finding; its Cause is "" when the text is
// no failure of mail. No more than 10 MiB are read.
func Text(text string, f Facts) []Finding {
	if len(text) > maxText {
		text = text[:maxText]
	}
	if found := report(text, f); len(found) > 0 {
		return found
	}
	return []Finding{one(text, f)}
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
	said := x.Diagnostic
	if !x.Status.IsZero() {
		said += "\n(" + x.Status.String() + ")"
	}
	best := one(said, f)
	if best.Cause == "" || best.Confidence == Possible {
		// The words for people say more than the codes at some servers.
		if human := one(r.Human, f); human.Cause != "" && human.Confidence != Possible {
			best = human
		}
	}
	best.Recipient = x.Final
	return best
}

// one explains a text as one failure.
func one(text string, f Facts) Finding {
	text = readable(text)
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
	if x.Cause != "" && !x.believable(f, aboutOf(whole)) {
		return none()
	}
	return x
}

// readable takes out what copying adds: escape sequences of terminals, quote
// marks before each line, line ends of another system.
func readable(s string) string {
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = aColour.ReplaceAllString(s, "")
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if strings.HasPrefix(s, "> ") {
		s = strings.ReplaceAll(s[2:], "\n> ", "\n")
	}
	return s
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
