package explain

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
)

// mailSigns are words of which one stands in nearly every text about mail, and in
// few others.
var mailSigns = []string{
	"smtp", "mail", "recipient", "rcpt", "sender", "postmaster", "mailbox", "helo", "ehlo", "starttls", "[spam]", "[spf]", "dkim", "dmarc", "relay",
	"[mx]", "bounce", "undeliver", "greylist", "postfix", "exim", "aadsts", "xoauth2", "oauthbearer", "0x800ccc", "0x800421", "sendgrid", "imap", "pop3", "[dsn]",
	"blocklist", "dnsbl", "[rbl]", "spamhaus", "subscriber", "the message was", "your message", "this message", "retry timeout", "(#4.", "(#5.", "returned to sender",
	"dt:spm", "hl:i", "sendgrid", "throttling", "bare <lf>", "envelope", "retry time", "prohibition", "invalid greeting",
	"postfach", "empfänger", "nachricht", "destinatair", "messagerie", "courriel", "destinatari", "destinatári", "buzón", "mensaje", "correo", "mensagem", "caixa postal", "casella", "messaggio",
	"ontvanger", "postvak", "geadresseerde", "skrzynk", "wiadomo", "письм", "ящик", "получател", "почт", "メール", "宛先", "受信者", "邮", "郵", "信箱", "收件人", "发件人", "用户不存在", "메일",
}

// hintSigns stand in texts about mail and in others too.
var hintSigns = []string{
	"authenticat", "[auth]", "login", "oauth", "invalid_grant", "access token", "sasl", "gssapi", "lookup", "queue", "[message]", "domain", "delivery", "[dns]", "dns error",
	"blacklisted", "sign in", "log in", "password", "credentials", "host name", "group",
}

// otherSigns are words of programs that have nothing to do with mail.
var otherSigns = []string{
	"[ssh]", "sshd", "rsync", "postgres", "mysql", "mariadb", "[sql]", "[docker]", "[npm]", "[git]", "kernel", "[cron]", "segmentation fault", "port 22:", "port 5432", "port 3306",
	"psql", "publickey", "(28000)", "error response from daemon", ":6379", ":5432", ":3306", ":27017", ":9200", ":11211", "from upstream", "to upstream", "[apt]", "[redis]", "mongodb", "ldap_bind", "[nfs]", "/dev/sd", "[systemd]", "port 443", "port 80:", "repository",
}

// codeSigns stand in the errors of a program that does not run at all, whatever it
// was to do with mail.
var codeSigns = []string{
	"no module named", "modulenotfounderror", "importerror", "cannot find module", "classnotfoundexception", "noclassdeffounderror", "undefined method", "syntaxerror:", "nameerror:",
	"undefined function", "call to undefined", "is not a function", "cannot find symbol", "undefined reference", "indentationerror", "attributeerror:", "nullpointerexception", "nullreferenceexception",
}

// anAccess is a line of a web server's log.
var anAccess = regexp.MustCompile(`"(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) \S+ HTTP/\d`)

// about says what a text is about.
type about struct {
	mail   bool // words of mail stand in it
	hinted bool // words of which some are about mail
	other  bool // words of something else do
}

// aboutOf reads what p is about. A reply with an enhanced status code speaks of
// mail, and so does one that begins the text.
func aboutOf(p *passage) about {
	var a about
	any := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return has(p.all, w) })
	}
	a.other = any(otherSigns)
	a.mail = any(mailSigns) || p.address || p.leads || !p.reply.Enhanced.IsZero() && p.reply.Code != 0
	if a.other {
		a.mail = strings.Contains(p.all, "smtp") || strings.Contains(p.all, "mail")
	}
	a.hinted = a.mail || !a.other && any(hintSigns)
	return a
}

// has reports whether w stands in text; [w] as a word of its own.
func has(text, w string) bool {
	if w[0] != '[' {
		return strings.Contains(text, w)
	}
	w = w[1 : len(w)-1]
	for from := 0; ; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(w)
		if (i == 0 || !wordByte(text[i-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		from = i + 1
	}
}

// believable reports whether a text that gave x is likely to be about mail at all.
// Who says at which stage it was, or holds a bounce, knows that it is.
func (x *Finding) believable(f Facts, a about) bool {
	switch family := x.Cause.Family(); {
	case a.other && !a.mail && (f.Stage == "" || f.Stage == evidence.StageClient) && !f.FromServer && f.Origin == "":
		return false
	case f.Stage != "", f.FromServer, f.Origin != "", a.mail && !a.other:
		return true
	case x.Confidence == Possible:
		return false
	case a.mail, a.hinted:
		return true
	case family == "net", family == "dns", family == "tls":
		return !a.other
	}
	return !a.other && strings.HasPrefix(string(x.Cause), "service.wrong-protocol-") && !strings.HasSuffix(string(x.Cause), "http")
}

var (
	aSuccess = regexp.MustCompile(`^\s*(?:[sS<][:<]* *)?[23]\d\d[- ]|status=(?:sent|delivered|2\.)|^\S* ?\S* ?\S+ (?:=>|->|<=) \S+@|\bCompleted$|dsn=2\.\d\.\d`)
	aSending = regexp.MustCompile(`(?s)^\s*\{?\s*"?accepted"?:.{0,900}"?rejected"?: *\[ *\].{0,900}"?response"?: *['"]2\d\d`) // what Nodemailer returns
	aFailing = regexp.MustCompile(`(?:^|[^\d.])[45]\d\d[- ]|[45]\.\d\.\d|status=(?:deferred|bounced|expired)|(?i:error|fail|denied|reject|refus|timed out|timeout|invalid|closed|lost)|\*\*\*|XXXX|334 [A-Za-z0-9+/=]{16}`)
)

// successful reports whether a text tells of nothing but success.
func successful(text string) bool {
	if aSending.MatchString(text) {
		return true
	}
	some := false
	for _, line := range strings.Split(text[:min(len(text), 8<<10)], "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case !mayTell(line):
			return false
		case !aSuccess.MatchString(line), aFailing.MatchString(line) && !strings.Contains(line, "status=sent"):
			return false
		default:
			some = true
		}
	}
	return some
}

// mayTell reports whether a line has a chance to tell of success; it is quick.
func mayTell(line string) bool {
	line = strings.TrimLeft(line, " \tsS<:")
	return line[:min(len(line), 1)] == "2" || line[:min(len(line), 1)] == "3" || strings.Contains(line, "status=") || strings.Contains(line, "dsn=2") ||
		strings.Contains(line, "@") && (strings.Contains(line, "=> ") || strings.Contains(line, "-> ") || strings.Contains(line, "<= ")) || strings.HasSuffix(line, "Completed")
}

// failing are words of which one stands in every text about a failure, in English.
var failing = []string{
	"error", "fail", "cannot", "can't", "can not", "could not", "couldn't", "unable", "n't", "not ", "no ", "non-", "denied", "reject", "refus", "invalid", "unknown", "timeout", "timed out",
	"time-out", "expire", "lost", "closed", "reset", "unreach", "block", "missing", "must", "require", "exceed", "too ", "wrong", "incorrect", "bad", "abort", "problem", "unsupported",
	"disconnect", "eof", "mismatch", "full", "quota", "suspend", "disabled", "spam", "virus", "delay", "defer", "undeliver", "bounce", "return", "locked", "banned", "listed", "rate limit", "over limit",
	"untrusted", "self-signed", "self signed", "loop", "exception", "interrupt", "drop", "broken", "offline", "down", "try again", "later", "please", "forbid", "prohibit", "illegal",
	"malformed", "unrecogni", "unauth", "insufficient", "violat", "empty", "unavailable", "overload", "never", "without", "[dt:", "insecure", "unexpected", "conflict", "moved", "inactive",
	"virus", "malware", "infected", "banned", "terminated", "stopped", "sorry", "undefined", "unrouteable", "greylist", "temporar", "xxxx", "____", "****", "fatal", "alert", "only", "need", "0x8", "aadsts", "enotfound", "econn", "etimedout",
	"eai_again", "ehost", "enet", "epipe", "eacces", "unroutable", "unresolv", "doubtful", "suspicious", "poor", " low ", "less ", "threat", "trojan", "excessive", "retry", "throttl", "slow",
}

// succeeding are words of success; grave are those that take it back.
var (
	succeeding = []string{"has been sent", "sent successfully", "successfully sent", "verify return code: 0 (ok)", "accepted for delivery", "queued as", "authentication succe", "auth succeeded", "mail sent", "message sent", "message accepted"}
	grave      = []string{"error", "fail", "reject", "denied", "refus", "could not", "unable", "timed out", "bounced", "deferred", "not sent", "not been sent", "undeliver", "cannot"}
)

// troubled reports whether the text that gave x tells of any trouble at all. Where
// x rests on plain words they are trouble enough.
func (x *Finding) troubled(p *passage) bool {
	contains := func(w string) bool { return strings.Contains(p.all, w) }
	switch {
	case p.reply.Code != 0 || len(p.enhanced) > 0:
		return true
	case slices.ContainsFunc(codeSigns, contains):
		return false
	case slices.ContainsFunc(succeeding, contains):
		return slices.ContainsFunc(grave, contains)
	}
	return x.Confidence != Possible || strings.IndexFunc(p.all, func(r rune) bool { return r >= 0x80 }) >= 0 || slices.ContainsFunc(failing, contains)
}
