package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/provider"
)

// printKnown prints what is known of a name; nothing of an unknown one, unless as
// JSON.
func (a *app) printKnown(k known, now time.Time) error {
	if a.json {
		return a.printJSON(k)
	}
	p := a.page(a.stdout)
	name := printable(k.Name)
	switch {
	case k.Retired != nil && k.Retired.Successor != "":
		p.mark(p.bad("✗"), name+" was withdrawn; it is "+k.Retired.Successor+" now")
		p.note(k.Retired.Note)
	case k.Retired != nil:
		p.mark(p.bad("✗"), name+" was withdrawn and has no successor")
		p.note(k.Retired.Note)
	case k.Closed != nil:
		p.mark(p.bad("✗"), closedWords(k.Closed))
		p.note(k.Closed.Note)
	case k.Is == "host" && k.Role != provider.RoleOutgoing:
		p.mark(p.warn("!"), name+" takes no mail to send: "+roleWords(k))
	}
	for i, one := range k.Providers {
		if i > 0 || k.Retired != nil || k.Is == "host" && k.Role != provider.RoleOutgoing {
			p.line()
		}
		p.card(one, now)
	}
	return p.err
}

// mark writes a sentence behind a mark.
func (p *page) mark(mark, sentence string) {
	for i, l := range wrap(sentence, p.width-2) {
		if i > 0 {
			mark = " "
		}
		p.line(mark, " ", p.strong(l))
	}
}

// note writes what else is to be said, if anything.
func (p *page) note(text string) {
	if text != "" {
		p.paragraph(2, text)
	}
}

func closedWords(c *provider.Closed) string {
	s := "the mail service " + c.Name + " was closed"
	if c.Since != "" {
		s += " in " + c.Since
	}
	return s
}

// roleWords says what a host is for that is no outgoing server.
func roleWords(k known) string {
	switch {
	case k.Why != "":
		return "it " + k.Why
	case k.Role == provider.RoleIncoming:
		return "mail is read there"
	case k.Role == provider.RoleMX:
		return "it takes mail for its own domains, without login"
	}
	return "it is no mail server"
}

// card writes what one needs to know to send by a provider.
func (p *page) card(one *provider.Provider, now time.Time) {
	room := max(2, p.width-columnsOf(one.Name)-columnsOf(string(one.ID)))
	p.line(p.strong(one.Name), strings.Repeat(" ", room), p.faint(string(one.ID)))
	if one.Works() {
		send := servers(one.Submission)
		if len(send) == 0 {
			send = servers(one.Patterns)
		}
		if one.PatternNote != "" {
			send = append(send, one.PatternNote)
		}
		p.list("send", send)
		p.field(2, "user", userWords(one))
	}
	p.field(2, "login", loginWords(one, now))
	for i := range one.Changes {
		if c := &one.Changes[i]; c.Since.After(now) {
			p.field(2, "soon", "from "+c.Since.Format(time.DateOnly)+": "+c.Note)
		}
	}
	p.list("setup", one.Setup)
	if one.From != "" {
		p.field(2, "from", one.From)
	}
	if text := limitWords(&one.Limits); text != "" {
		p.field(2, "limits", text)
	}
	var incoming []provider.Server
	for _, in := range one.Incoming {
		incoming = append(incoming, in.Server)
	}
	p.list("read", servers(incoming))
	p.list("note", one.Notes)
	var docs []string
	for _, d := range one.Docs {
		docs = append(docs, "“"+d.Title+"” "+d.URL)
	}
	p.list("docs", docs)
	p.field(2, "sure", sureWords(one.Confidence))
}

// servers says the ports of each host in one line: "smtp.example.com 465 TLS,
// 587 STARTTLS".
func servers(all []provider.Server) []string {
	var lines []string
	last := ""
	for _, s := range all {
		port := strconv.Itoa(s.Port) + " " + portWords(s.Security)
		if s.Host == last {
			lines[len(lines)-1] += ", " + port
			continue
		}
		last = s.Host
		lines = append(lines, s.Host+" "+port)
	}
	return lines
}

func portWords(s provider.Security) string {
	switch s {
	case provider.TLS:
		return "TLS"
	case provider.StartTLS:
		return "STARTTLS"
	}
	return "without TLS"
}

func userWords(one *provider.Provider) string {
	words := one.User.Words()
	switch {
	case one.User == "" && one.UserNote != "":
		return one.UserNote
	case one.User == "":
		return "none is asked for"
	case one.UserNote != "":
		return words + "; " + one.UserNote
	}
	return words
}

// loginWords says how to sign in now, and what no longer works.
func loginWords(one *provider.Provider, now time.Time) string {
	var ways, not []string
	for _, l := range one.Logins {
		switch s, c := one.Standing(l, now); s {
		case provider.Accepted:
			ways = append(ways, loginName(l))
		case provider.OffByDefault:
			ways = append(ways, loginName(l)+" (off since "+c.Since.Format(time.DateOnly)+" until an admin switches it on)")
		}
	}
	for i := range one.Changes {
		if c := &one.Changes[i]; c.Standing == provider.Ended && !c.Since.After(now) {
			not = append(not, loginName(c.Login)+" (ended "+c.Since.Format(time.DateOnly)+")")
		}
	}
	text := strings.Join(ways, ", or ")
	if len(not) > 0 {
		text += "; not " + strings.Join(not, ", nor ")
	}
	return text
}

func loginName(l provider.Login) string {
	switch l {
	case provider.OAuth2:
		return "OAuth2"
	case provider.AppPassword:
		return "an app password"
	case provider.Password:
		return "the password"
	case provider.Challenge:
		return "the password by CRAM-MD5"
	case provider.AuthorizationCode:
		return "an authorization code of the web settings"
	case provider.APIKey:
		return "an API key"
	case provider.Credential:
		return "SMTP credentials of the service"
	case provider.Token:
		return "an SMTP token"
	case provider.BridgePassword:
		return "the password that the bridge shows"
	case provider.ByAddress:
		return "an allowed IP address"
	case provider.NoLogin:
		return "none"
	case provider.NoAccess:
		return "not possible"
	}
	return string(l)
}

func limitWords(l *provider.Limits) string {
	var words []string
	add := func(n int, one, many string) {
		if n > 0 {
			words = append(words, count(n, one, many))
		}
	}
	add(l.Connections, "connection", "connections")
	add(l.PerMinute, "message a minute", "messages a minute")
	add(l.PerHour, "message an hour", "messages an hour")
	add(l.PerDay, "message a day", "messages a day")
	add(l.Recipients, "recipient a message", "recipients a message")
	add(l.RecipientsPerHour, "recipient an hour", "recipients an hour")
	add(l.RecipientsPerDay, "recipient a day", "recipients a day")
	if l.MessageBytes > 0 {
		words = append(words, bytesText(l.MessageBytes)+" a message")
	}
	text := strings.Join(words, ", ")
	if l.Note != "" {
		text = strings.TrimPrefix(text+"; "+l.Note, "; ")
	}
	return text
}

func sureWords(c provider.Confidence) string {
	switch c {
	case provider.High:
		return "well known"
	case provider.Medium:
		return "fairly"
	}
	return "hardly"
}
