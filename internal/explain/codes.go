package explain

import (
	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// meaning is what an enhanced status code says by itself.
type meaning struct {
	id      cause.ID
	between cause.ID // between servers; "": id
	alt     []cause.ID
}

// meanings are the enhanced status codes by subject and detail. Codes that
// servers use for anything (X.0.0, X.1.0, X.7.0, X.7.1, X.5.0) are not among
// them. RFC 3463, and the registry that RFC 5248 began.
var meanings = map[[2]int]meaning{
	{1, 1}:  {id: "recipient.unknown"},
	{1, 2}:  {id: "recipient.domain-not-found"},
	{1, 3}:  {id: "recipient.address-syntax", alt: []cause.ID{"recipient.unknown"}},
	{1, 4}:  {id: "recipient.unknown"},
	{1, 6}:  {id: "recipient.moved"},
	{1, 7}:  {id: "sender.address-invalid"},
	{1, 8}:  {id: "sender.domain-not-found"},
	{1, 10}: {id: "recipient.unknown", alt: []cause.ID{"recipient.null-mx"}}, // RFC 7505; Exchange says it of addresses
	{2, 1}:  {id: "recipient.disabled"},
	{2, 2}:  {id: "recipient.mailbox-full"},
	{2, 3}:  {id: "message.too-large"},
	{3, 1}:  {id: "server.insufficient-storage"},
	{3, 2}:  {id: "server.temporary-failure", alt: []cause.ID{"server.not-accepting-mail"}},
	{3, 4}:  {id: "message.too-large"},
	{3, 5}:  {id: "server.misconfigured"},
	{4, 1}:  {id: "net.timeout", between: "delivery.host-unreachable"},
	{4, 2}:  {id: "protocol.idle-timeout", between: "delivery.host-unreachable"},
	{4, 3}:  {id: "dns.lookup-failed", between: "delivery.dns-failed"},
	{4, 4}:  {id: "recipient.domain-not-found", alt: []cause.ID{"server.misconfigured"}},
	{4, 5}:  {id: "limit.quota", alt: []cause.ID{"server.temporary-failure"}},
	{4, 6}:  {id: "routing.loop"},
	{4, 7}:  {id: "delivery.expired"},
	{4, 14}: {id: "routing.loop"}, // Exchange
	{5, 1}:  {id: "protocol.bad-sequence", alt: []cause.ID{"protocol.syntax-error"}},
	{5, 2}:  {id: "protocol.syntax-error"},
	{5, 3}:  {id: "recipient.too-many"},
	{5, 4}:  {id: "protocol.syntax-error"},
	{5, 6}:  {id: "auth.malformed-exchange"}, // RFC 4954 §6
	{6, 0}:  {id: "message.malformed"},
	{6, 1}:  {id: "message.malformed", alt: []cause.ID{"message.attachment-blocked"}},
	{6, 2}:  {id: "message.malformed"},
	{6, 3}:  {id: "message.malformed"},
	{6, 5}:  {id: "message.malformed"},
	{6, 6}:  {id: "message.malformed"},
	{6, 7}:  {id: "message.smtputf8-unsupported"}, // RFC 6531
	{6, 8}:  {id: "message.smtputf8-unsupported"},
	{6, 9}:  {id: "message.smtputf8-unsupported"},
	{6, 11}: {id: "message.bare-lf"}, // Exchange
	{7, 2}:  {id: "recipient.restricted", alt: []cause.ID{"policy.organisation-rule"}},
	{7, 4}:  {id: "auth.no-shared-mechanism"},
	{7, 5}:  {id: "tls.delivery-policy", alt: []cause.ID{"tls.handshake-failed"}},
	{7, 8}:  {id: "auth.credentials-rejected"}, // RFC 4954 §6
	{7, 11}: {id: "auth.encryption-required"},
	{7, 12}: {id: "recipient.restricted"}, // Exchange; RFC 4954's meaning is not seen
	{7, 13}: {id: "auth.account-disabled"},
	{7, 14}: {id: "auth.web-login-required"}, // Gmail
	{7, 17}: {id: "recipient.unknown", alt: []cause.ID{"recipient.moved"}},
	{7, 20}: {id: "policy.dkim-failed"}, // RFC 7372
	{7, 21}: {id: "policy.dkim-failed"},
	{7, 22}: {id: "policy.dkim-failed"},
	{7, 23}: {id: "policy.spf-failed"},
	{7, 24}: {id: "policy.spf-failed"},
	{7, 25}: {id: "sender.no-reverse-dns"},
	{7, 26}: {id: "policy.unauthenticated", alt: []cause.ID{"policy.dmarc-failed", "policy.spf-failed"}},
	{7, 27}: {id: "policy.spf-failed", alt: []cause.ID{"recipient.null-mx", "sender.domain-not-found"}},
	{7, 28}: {id: "limit.rate"},
	{7, 29}: {id: "tls.delivery-policy"},
	{7, 57}: {id: "auth.required"},
	{7, 60}: {id: "sender.send-as-denied"},
	{7, 64}: {id: "relay.tenant-attribution"},
}

// byEnhanced returns what the enhanced status codes of p mean by themselves, or
// "".
func byEnhanced(p *passage, stage evidence.Stage, f Facts) (cause.ID, []cause.ID) {
	for _, e := range p.enhanced {
		switch { // where the stage tells more
		case e == [2]int{1, 0} && stage == evidence.StageRcpt:
			return "recipient.unknown", []cause.ID{"server.unspecified-rejection"}
		case e == [2]int{1, 0} && stage == evidence.StageMail:
			return "sender.blocked", []cause.ID{"sender.address-invalid"}
		case e == [2]int{2, 1} && p.reply.Code/100 == 4:
			return "recipient.rate-limited", []cause.ID{"recipient.disabled"} // X.2.1 for a while only
		case e == [2]int{3, 2} && p.reply.Code/100 == 5:
			return "server.not-accepting-mail", []cause.ID{"server.temporary-failure"}
		case e == [2]int{4, 4} && p.reply.Code/100 == 4:
			return "delivery.dns-failed", []cause.ID{"recipient.domain-not-found", "server.misconfigured"}
		case e == [2]int{1, 8} && p.reply.Code/100 == 4:
			return "sender.domain-not-found", nil
		case (e == [2]int{7, 9} || e == [2]int{7, 8} || e == [2]int{7, 3} || e == [2]int{7, 139}) && stage == evidence.StageAuth:
			return "auth.credentials-rejected", []cause.ID{"auth.app-password-required", "auth.smtp-auth-disabled"}
		case e == [2]int{5, 1} && stage == evidence.StageAuth:
			return "auth.not-offered", []cause.ID{"protocol.bad-sequence"}
		case e[0] == 7 && e[1] >= 606 && e[1] <= 649:
			return "reputation.ip-blocklisted", nil // Exchange Online
		case e[0] == 7 && e[1] >= 133 && e[1] <= 136, e == [2]int{7, 124}:
			return "recipient.restricted", nil // Exchange Online
		}
		if e == [2]int{4, 1} && p.reply.Permanent() {
			continue // X.4.1 for good is "access denied" at Exchange Online, and more elsewhere
		}
		if e == [2]int{5, 1} && p.reply.Code != 503 && p.reply.Code != 0 {
			continue // X.5.1 is "invalid command" too, and many servers' favourite
		}
		m, ok := meanings[e]
		if !ok {
			continue
		}
		if f.FromServer && m.between != "" {
			return m.between, m.alt
		}
		return m.id, m.alt
	}
	return "", nil
}

// byDigits returns what a reply code means at a stage when no word helps, or "".
// RFC 5321 §4.2.2, 4954 §6, 7504.
func byDigits(code int, stage evidence.Stage) (cause.ID, []cause.ID) {
	at := func(stages ...evidence.Stage) bool {
		for _, s := range stages {
			if s == stage {
				return true
			}
		}
		return false
	}
	switch {
	case code == 0:
		return "", nil
	case at(evidence.StageAuth) && code == 535:
		return "auth.credentials-rejected", []cause.ID{"auth.app-password-required", "auth.smtp-auth-disabled"}
	case at(evidence.StageAuth) && code == 538:
		return "auth.encryption-required", nil
	case at(evidence.StageAuth) && code == 504:
		return "auth.no-shared-mechanism", nil
	case at(evidence.StageAuth) && (code == 502 || code == 503):
		return "auth.not-offered", []cause.ID{"protocol.syntax-error"}
	case at(evidence.StageAuth) && (code == 500 || code == 501):
		return "auth.malformed-exchange", []cause.ID{"auth.not-offered"}
	case at(evidence.StageAuth) && code/100 == 4:
		return "auth.server-failure", []cause.ID{"server.temporary-failure"}
	case at(evidence.StageAuth):
		return "auth.credentials-rejected", []cause.ID{"server.unspecified-rejection"}
	case at(evidence.StageStartTLS) && code == 454, at(evidence.StageStartTLS) && code/100 == 4:
		return "tls.server-unavailable", nil
	case at(evidence.StageStartTLS):
		return "tls.starttls-not-offered", []cause.ID{"tls.server-unavailable"}
	case code == 521, at(evidence.StageGreeting) && code == 554:
		return "server.not-accepting-mail", []cause.ID{"reputation.ip-blocklisted", "server.unspecified-rejection"}
	case code == 556:
		return "recipient.null-mx", []cause.ID{"recipient.domain-not-found"}
	case code == 530:
		return "auth.required", []cause.ID{"tls.required"}
	case code == 535:
		return "auth.credentials-rejected", nil
	case code == 534:
		return "auth.web-login-required", []cause.ID{"auth.app-password-required"}
	case code == 503:
		return "protocol.bad-sequence", nil
	case code == 500, code == 501, code == 502, code == 504, code == 555:
		return "protocol.syntax-error", nil
	case code == 551:
		return "recipient.moved", []cause.ID{"recipient.unknown", "relay.denied"}
	case code == 552 && at(evidence.StageRcpt), code == 522:
		return "recipient.mailbox-full", []cause.ID{"message.too-large"}
	case code == 552:
		return "message.too-large", []cause.ID{"recipient.mailbox-full"}
	case code == 553 && at(evidence.StageMail):
		return "sender.address-invalid", []cause.ID{"sender.address-not-owned"}
	case code == 553 && at(evidence.StageRcpt):
		return "recipient.address-syntax", []cause.ID{"recipient.unknown", "relay.denied"}
	case code == 452:
		return "server.insufficient-storage", []cause.ID{"recipient.too-many", "server.temporary-failure"}
	case code == 432:
		return "recipient.rate-limited", []cause.ID{"server.temporary-failure"}
	case code == 441, code == 426:
		return "delivery.host-unreachable", nil
	case code/100 == 4:
		return "server.temporary-failure", []cause.ID{"greylist.deferred"}
	case code == 550 && at(evidence.StageRcpt):
		return "server.unspecified-rejection", []cause.ID{"recipient.unknown"}
	case code/100 == 5:
		return "server.unspecified-rejection", nil
	}
	return "", nil
}
