package explain

import (
	"regexp"
	"slices"
	"strings"
)

// mailSigns are words of which one stands in nearly every text about mail, and in
// few others.
var mailSigns = []string{
	"smtp", "mail", "recipient", "rcpt", "sender", "postmaster", "mailbox", "helo", "ehlo", "starttls", "[spam]", "[spf]", "dkim", "dmarc", "relay",
	"[mx]", "bounce", "undeliver", "greylist", "postfix", "exim", "aadsts", "xoauth2", "oauthbearer", "0x800ccc", "0x800421", "sendgrid", "imap", "pop3", "[dsn]",
	"blocklist", "dnsbl", "[rbl]", "spamhaus", "subscriber", "the message was", "your message", "this message", "retry timeout", "(#4.", "(#5.", "returned to sender",
}

// hintSigns stand in texts about mail and in others too.
var hintSigns = []string{
	"authenticat", "[auth]", "login", "oauth", "invalid_grant", "access token", "sasl", "gssapi", "lookup", "queue", "[message]", "domain", "delivery", "[dns]", "dns error",
	"blacklisted", "sign in", "log in", "password", "credentials", "host name", "group",
}

// otherSigns are words of programs that have nothing to do with mail.
var otherSigns = []string{
	"[ssh]", "sshd", "rsync", "postgres", "mysql", "mariadb", "[sql]", "[docker]", "[npm]", "[git]", "kernel", "[cron]", "segmentation fault", "port 22:", "port 5432", "port 3306",
	"[apt]", "[redis]", "mongodb", "ldap_bind", "[nfs]", "/dev/sd", "[systemd]", "port 443", "port 80:", "repository",
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
	case f.Stage != "", f.FromServer, f.Origin != "", a.mail && !a.other:
		return true
	case x.Confidence == Possible:
		return false
	case a.mail, a.hinted:
		return true
	case family == "net", family == "dns", family == "tls":
		return !a.other
	}
	return strings.HasPrefix(string(x.Cause), "service.wrong-protocol-") && !strings.HasSuffix(string(x.Cause), "http")
}

var (
	aSuccess = regexp.MustCompile(`^\s*(?:[sS<][:<]* *)?[23]\d\d[- ]|status=(?:sent|delivered|2\.)|^\S* ?\S* ?\S+ (?:=>|->|<=) \S+@|\bCompleted$|dsn=2\.\d\.\d`)
	aFailing = regexp.MustCompile(`(?:^|[^\d.])[45]\d\d[- ]|[45]\.\d\.\d|status=(?:deferred|bounced|expired)|(?i:error|fail|denied|reject|refus|timed out|timeout|invalid|closed|lost)|\*\*\*|XXXX|334 [A-Za-z0-9+/=]{16}`)
)

// successful reports whether a text tells of nothing but success.
func successful(text string) bool {
	some := false
	for _, line := range strings.Split(text[:min(len(text), 8<<10)], "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case !aSuccess.MatchString(line), aFailing.MatchString(line) && !strings.Contains(line, "status=sent"):
			return false
		default:
			some = true
		}
	}
	return some
}
