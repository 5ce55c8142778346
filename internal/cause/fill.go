package cause

import (
	"regexp"
	"strings"
)

// Facts are what is known of one case. Any may be empty.
type Facts struct {
	Host, Port, User, Domain, Recipient, Sender string

	// Of a route that logs in by OAuth: the client id, the directory, the mailbox, the
	// object id of the app's service principal, and the route's name.
	App, Tenant, Mailbox, Object, Route string
}

// Text is an entry with the facts of one case in it.
type Text struct {
	Title string
	Why   string

	// Do is what to do, for a reader on the sending side: the steps of whoever must
	// act, and where that is somebody else, what the reader can do first and what to
	// hand on after it.
	Do []string

	// Remedies are the same steps and those of everybody else who can act, whoever
	// must act first, then the nearest to the sender.
	Remedies []Remedy
}

// Remedy is what one actor can do.
type Remedy struct {
	Actor Actor    `json:"actor"`
	Do    []string `json:"do"`
}

// Fill returns the texts of c with f in them.
func (c *Cause) Fill(f Facts) Text {
	if c.aboutSender() {
		_, f.Domain, _ = strings.Cut(f.Sender, "@")
	}
	fill := filler{facts: f, aboutSender: c.aboutSender()}
	t := Text{Title: fill.text(c.Title), Why: fill.text(c.Why)}
	for _, a := range c.actors() {
		r := Remedy{Actor: a}
		for _, s := range c.Remedies[a] {
			r.Do = append(r.Do, fill.text(s))
		}
		t.Remedies = append(t.Remedies, r)
	}
	t.Do = advice(t.Remedies)
	return t
}

// aboutSender reports whether {domain} is the sender's in the texts of c. In all
// others it is the recipient's.
func (c *Cause) aboutSender() bool {
	switch c.ID.Family() {
	case "sender", "policy", "reputation", "account", "tenant":
		return true
	}
	return false
}

// actors returns who can do something about c, whoever must act first.
func (c *Cause) actors() []Actor {
	actors := []Actor{c.Actor}
	for _, a := range Actors() {
		if a != c.Actor && len(c.Remedies[a]) > 0 {
			actors = append(actors, a)
		}
	}
	return actors
}

// advice returns the steps for a reader on the sending side. The first of all is
// whoever must act.
func advice(all []Remedy) []string {
	must := all[0]
	if must.Actor.Sends() {
		return must.Do
	}
	var do []string
	for _, r := range all[1:] {
		if r.Actor == ActorUser {
			do = append(do, r.Do...)
		}
	}
	for i, s := range must.Do {
		if i == 0 {
			s = "For " + must.Actor.Name() + ": " + s
		}
		do = append(do, s)
	}
	return do
}

// filler puts facts into texts.
type filler struct {
	facts       Facts
	aboutSender bool // the domain is the sender's
}

// fact returns a fact by the name of its placeholder, "" when it is missing or
// would look like a part of the text around it. known is whether there is such a
// placeholder.
func (f *filler) fact(name string) (fact string, known bool) {
	switch name {
	case "host":
		fact = f.facts.Host
	case "port":
		fact = f.facts.Port
	case "user":
		fact = f.facts.User
	case "domain":
		fact = f.facts.Domain
	case "sender":
		fact = f.facts.Sender
	case "recipient":
		fact = f.facts.Recipient
	case "app":
		fact = f.facts.App
	case "tenant":
		fact = f.facts.Tenant
	case "mailbox":
		fact = f.facts.Mailbox
	case "object":
		fact = f.facts.Object
	case "route":
		fact = f.facts.Route
	default:
		return "", false
	}
	if strings.ContainsAny(fact, "`\n\r") {
		fact = ""
	}
	return fact, true
}

// general returns the words in place of a missing fact.
func (f *filler) general(name string) string {
	switch name {
	case "host":
		return "the server"
	case "port":
		return "the port in use"
	case "user":
		return "your user name"
	case "sender":
		return "the sender's address"
	case "recipient":
		return "the recipient"
	case "app":
		return "the app's client id"
	case "tenant":
		return "the directory"
	case "mailbox":
		return "the mailbox"
	case "object":
		return "the object id of the app's service principal"
	case "route":
		return "the route"
	}
	if f.aboutSender {
		return "the sender's domain"
	}
	return "the recipient's domain"
}

var (
	aPlaceholder = regexp.MustCompile(`\{[a-z]+\}`)
	anOption     = regexp.MustCompile(`\[[^\[\]]*\{[a-z]+\}[^\[\]]*\]`)

	// Facts come from strangers, and commands are pasted into shells.
	safeInCommand = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:@+=-]*$`)
)

// text fills one text: prose and, between backquotes, commands.
func (f *filler) text(s string) string {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			b.WriteString("`" + f.command(part) + "`")
		} else {
			b.WriteString(f.prose(part))
		}
	}
	return capitals(b.String())
}

// command fills a command. A word in capitals stands for what is missing.
func (f *filler) command(s string) string {
	return aPlaceholder.ReplaceAllStringFunc(s, func(p string) string {
		name := p[1 : len(p)-1]
		switch fact, known := f.fact(name); {
		case !known:
			return p
		case safeInCommand.MatchString(fact):
			return fact
		}
		return strings.ToUpper(name)
	})
}

// prose fills what is no command: the options first, then what stands alone.
func (f *filler) prose(s string) string {
	s = anOption.ReplaceAllStringFunc(s, func(option string) string {
		with, without, _ := strings.Cut(option[1:len(option)-1], "|")
		for _, p := range aPlaceholder.FindAllString(with, -1) {
			if fact, known := f.fact(p[1 : len(p)-1]); known && fact == "" {
				return without
			}
		}
		return with
	})
	return aPlaceholder.ReplaceAllStringFunc(s, func(p string) string {
		name := p[1 : len(p)-1]
		switch fact, known := f.fact(name); {
		case !known:
			return p
		case fact != "":
			return fact
		}
		return f.general(name)
	})
}

var (
	aSentence = regexp.MustCompile(`(^|[.?!] )(the|your|a|an|this|it) `)
	twoSpaces = regexp.MustCompile(` {2,}`)
)

// capitals gives a sentence that begins with a filled-in word its capital letter.
// Names of hosts and addresses stay as they are.
func capitals(s string) string {
	s = strings.TrimSpace(twoSpaces.ReplaceAllString(s, " "))
	return aSentence.ReplaceAllStringFunc(s, func(m string) string {
		i := strings.LastIndexAny(strings.TrimRight(m, " "), " ") + 1
		return m[:i] + strings.ToUpper(m[i:i+1]) + m[i+1:]
	})
}
