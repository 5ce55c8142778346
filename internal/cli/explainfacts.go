package cli

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Where a text names the server spoken to. Only forms that mean nothing else: a
// wrong name in advice is worse than none.
const (
	aHost    = `((?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z]|localhost|\d{1,3}(?:\.\d{1,3}){3})`
	mailPort = `(25|465|587|2525|2465|2587)`
)

var hostForms = []*regexp.Regexp{
	// Postfix: relay=mx.example.net[192.0.2.1]:25, connect to …, host … said.
	regexp.MustCompile(`(?:relay=|onnect to |onnection with |onversation with |[hH]ost |while talking to )` + aHost + ` ?\[[0-9a-fA-F.:]+\](?::(\d{1,5})\b)?`),
	// smtps://smtp.example.net:465
	regexp.MustCompile(`\b(?:smtps?|ssl|tls|tcp)://(?:[^\s/@]*@)?` + aHost + `(?::(\d{1,5})\b)?`),
	// host: smtp.example.net, port: 465
	regexp.MustCompile(`(?i)(?:smtp[ -]?host|smtp[ -]?server|host|server|connect to|mailserver at|connecting to)[:=]? ?['"]?` + aHost + `['"]?,? (?:on )?(?:at )?port[:=]? ?"?(\d{1,5})\b`),
	// smtp.example.net:587
	regexp.MustCompile(`(?:^|[\s('"<\[])` + aHost + `:` + mailPort + `\b`),
	// lookup smtp.example.net, getaddrinfo ENOTFOUND smtp.example.net
	regexp.MustCompile(`(?i)(?:\blookup|enotfound|eai_again|resolve host(?:name)?|resolve address for|resolving|remote name could not be resolved|unknown host|unknownhostexception|smtp host|php_network_getaddresses: getaddrinfo for|name or service not known:)[:=]? ?['"(]?` + aHost + `()`),
	// tls: certificate is valid for …, not smtp.example.net; altnames: Host: smtp.example.net. is not in
	regexp.MustCompile(`(?:altnames: Host: |, not |certificate for ")` + aHost + `()`),
}

var (
	aRecipient = regexp.MustCompile(`(?:\bto=|RCPT TO: ?|rcpt to |^|[\s:])<([^\s<>@]+@[^\s<>@]+)>: (?:Recipient|host |User|unknown|mailbox|connect|lost|conversation|delivery|mail for|Relay)|\bto=<([^\s<>@]+@[^\s<>@]+)>|(?i:rcpt to): ?<([^\s<>@]+@[^\s<>@]+)>`)
	aSender    = regexp.MustCompile(`<([^\s<>@]+@[^\s<>@]+)>: Sender address|\bfrom=<([^\s<>@]+@[^\s<>@]+)>|(?i:mail from): ?<([^\s<>@]+@[^\s<>@]+)>`)
)

// factsIn returns what a text says of its own surroundings, for the places that
// the catalogue's texts hold open. A report in the form of RFC 3464 is left to
// package explain, which reads it field by field.
func factsIn(text string) explain.Facts {
	var f explain.Facts
	if strings.Contains(text, "Final-Recipient:") {
		return f
	}
	text = text[:min(len(text), 64<<10)]
	best := len(text) + 1
	for _, form := range hostForms {
		m := form.FindStringSubmatchIndex(text)
		if m == nil || m[2] >= best {
			continue // the first in the text counts, not the first form
		}
		best = m[2]
		f.Host, f.Port = text[m[2]:m[3]], 0
		if m[4] >= 0 && m[5] > m[4] {
			f.Port, _ = strconv.Atoi(text[m[4]:m[5]])
		}
	}
	f.Recipient = firstOf(aRecipient, text)
	f.Sender = firstOf(aSender, text)
	return f
}

// firstOf returns the first group of form that the text has.
func firstOf(form *regexp.Regexp, text string) string {
	m := form.FindStringSubmatch(text)
	for i := 1; i < len(m); i++ {
		if m[i] != "" {
			return m[i]
		}
	}
	return ""
}

// catalogueFacts returns the facts as the catalogue wants them.
func catalogueFacts(f explain.Facts) cause.Facts {
	c := cause.Facts{Host: f.Host, User: f.User, Sender: f.Sender, Recipient: f.Recipient, Domain: smtp.Path(f.Recipient).Domain()}
	if host, port, err := net.SplitHostPort(f.Host); err == nil {
		c.Host, c.Port = host, port
	}
	if f.Port != 0 {
		c.Port = strconv.Itoa(f.Port)
	}
	return c
}
