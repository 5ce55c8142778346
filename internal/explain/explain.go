package explain

import (
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Known returns the finding of a cause that is known already; proof is the text
// that shows it. An unknown id gives the finding of the proof alone.
func Known(id cause.ID, f Facts, proof string) Finding {
	c, ok := cause.Lookup(id)
	if !ok {
		if proof == "" {
			return none()
		}
		return line(proof, f)
	}
	x := finding(c, f, Certain)
	if proof != "" {
		x.Proof = append(x.Proof, proof)
		x.Retry = retryOf(c, replyIn(proof), strings.ToLower(proof))
	}
	return x
}

// none is the finding of a text that is no mail failure.
func none() Finding {
	return Finding{Proof: []string{}, Alternatives: []cause.ID{}, Do: []string{}}
}

// finding makes a finding of a catalogue entry.
func finding(c *cause.Cause, f Facts, sure Confidence) Finding {
	t := c.Fill(f.fill())
	return Finding{Cause: c.ID, Title: t.Title, Confidence: sure, Proof: []string{}, Alternatives: []cause.ID{}, Actor: c.Actor, Retry: c.Retry,
		Why: t.Why, Do: t.Do, Recipient: f.Recipient}
}

// replyIn returns the first SMTP reply that stands in text, or none.
func replyIn(text string) smtp.Reply {
	for rest := text; ; {
		i := strings.IndexAny(rest, "245")
		if i < 0 {
			return smtp.Reply{}
		}
		at := rest[i:]
		boundary := i == 0 || !isWord(rest[i-1])
		if boundary && len(at) > 3 && (at[3] == ' ' || at[3] == '-') {
			end := strings.IndexByte(at, '\n')
			if end < 0 {
				end = len(at)
			}
			if code, enhanced, words, _, err := smtp.ParseReplyLine([]byte(strings.TrimRight(at[:end], "\r"))); err == nil {
				return smtp.Reply{Code: code, Enhanced: enhanced, Lines: []string{words}}
			}
		}
		rest = rest[i+1:]
	}
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '#' || c == '/' || c == ':' || c >= 0x80
}

// lasting are the families whose faults no wait cures, whatever the digits say.
var lasting = []string{"tls", "auth", "relay", "account", "message"}

// retryOf returns whether the same message may succeed later: the entry's own
// word, changed by the class of the reply.
func retryOf(c *cause.Cause, r smtp.Reply, lower string) cause.Retry {
	switch {
	case r.Temporary() && c.Retry == cause.RetryNo:
		if strings.Contains(lower, "will not succeed") || c.ID == "sender.not-verified" || c.ID == "recipient.too-many" {
			return cause.RetryNo
		}
		if slices.Contains(lasting, c.ID.Family()) && !strings.Contains(lower, "temporar") {
			return cause.RetryNo
		}
		return cause.RetryLater
	case r.Permanent() && (c.ID == "reputation.low" || c.ID == "tls.delivery-policy"):
		return cause.RetryNo
	}
	return c.Retry
}

// line explains one text.
func line(text string, f Facts) Finding {
	lower := strings.ToLower(text)
	r := replyIn(text)
	stage := string(f.Stage)
	if stage == "" && f.FromServer {
		stage = "bounce"
	}
	for i := range compiledRules {
		c := &compiledRules[i]
		if c.stages != nil && !slices.Contains(c.stages, stage) && !(f.FromServer && slices.Contains(c.stages, "bounce")) {
			continue
		}
		proof := c.match(lower)
		if proof == nil {
			continue
		}
		id := translate(c.id, f)
		entry, ok := cause.Lookup(id)
		if !ok {
			continue
		}
		x := finding(entry, f, Likely)
		x.Proof = append(x.Proof, quote(text, lower, proof[0]))
		x.Retry = retryOf(entry, r, lower)
		return x
	}
	return byCode(r, f, text)
}

// quote returns the line of text in which the literal stands.
func quote(text, lower, literal string) string {
	if len(text) != len(lower) { // lower-casing changed lengths: positions do not agree
		return literal
	}
	i := strings.Index(lower, literal)
	from := strings.LastIndexByte(text[:i], '\n') + 1
	to := len(text)
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		to = i + n
	}
	const most = 240
	if to-from > most {
		from = max(from, i-most/2)
		to = min(to, from+most)
	}
	return strings.ToValidUTF8(strings.TrimSpace(text[from:to]), "")
}

// byCode gives the general meaning of a reply's codes, when no words helped.
func byCode(r smtp.Reply, f Facts, text string) Finding {
	var id cause.ID
	switch {
	case r.IsZero() || r.Positive():
		return none()
	case r.Enhanced.Subject == 1 && f.Stage != evidence.StageMail && r.Permanent() && !r.Enhanced.IsZero():
		id = "recipient.unknown"
	case r.Enhanced.Subject == 2 && r.Enhanced.Detail == 2:
		id = "recipient.mailbox-full"
	case r.Enhanced.Subject == 3 && r.Enhanced.Detail == 4 || r.Code == 552 && f.Stage != evidence.StageRcpt:
		id = "message.too-large"
	case r.Code == 535 || f.Stage == evidence.StageAuth && r.Permanent():
		id = "auth.credentials-rejected"
	case r.Code == 530:
		id = "auth.required"
	case r.Code == 452 && r.Enhanced.Subject == 3:
		id = "server.insufficient-storage"
	case r.Temporary():
		id = "server.temporary-failure"
	case r.Code == 550 && f.Stage == evidence.StageRcpt:
		id = "recipient.unknown"
	default:
		id = "server.unspecified-rejection"
	}
	c, ok := cause.Lookup(id)
	if !ok {
		return none()
	}
	x := finding(c, f, Possible)
	x.Proof = append(x.Proof, r.String())
	x.Retry = retryOf(c, r, strings.ToLower(text))
	return x
}

// translate names a failure between servers as such where a post office saw it.
func translate(id cause.ID, f Facts) cause.ID {
	if !f.FromServer {
		return id
	}
	switch id {
	case "net.refused", "net.timeout", "net.unreachable", "net.connection-lost", "net.host-down":
		return "delivery.host-unreachable"
	case "dns.lookup-failed":
		return "delivery.dns-failed"
	case "dns.name-not-found":
		return "recipient.domain-not-found"
	}
	return id
}
