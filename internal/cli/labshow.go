package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/lab"
)

// labVersion is the version of the JSON forms.
const labVersion = 1

// labList prints what can be played.
func (a *app) labList() error {
	all := lab.Scenarios()
	if a.json {
		return a.printJSON(struct {
			Version   int            `json:"version"`
			Scenarios []lab.Scenario `json:"scenarios"`
			Personas  []lab.Persona  `json:"personas"`
		}{labVersion, all, lab.Personas()})
	}
	p := a.page(a.stdout)
	family := cause.ID("")
	for i := range all {
		s := &all[i]
		f := s.Cause.Family()
		if i > 0 && f != string(family) {
			p.line()
		}
		family = cause.ID(f)
		p.line(p.strong(s.ID))
		p.paragraph(4, capitalised(s.Title)+": "+s.Shows+".")
	}
	p.line()
	p.line(p.strong("Personas"))
	for _, persona := range lab.Personas() {
		p.paragraph(4, persona.Name+": "+persona.Title)
	}
	return p.err
}

func capitalised(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// labStarted is a line of --json: a scenario listens.
type labStarted struct {
	Version  int          `json:"version"`
	Event    string       `json:"event"` // "listening"
	Scenario lab.Scenario `json:"scenario"`
	Persona  string       `json:"persona"`
	Address  string       `json:"address"`
	Settings lab.Settings `json:"settings"`
	Try      string       `json:"try"`
}

// labEnded is a line of --json: a conversation has ended.
type labEnded struct {
	Version      int              `json:"version"`
	Event        string           `json:"event"` // "conversation"
	ID           string           `json:"id"`    // of the scenario
	Conversation lab.Conversation `json:"conversation"`
}

// started shows what a scenario needs of a client.
func (o *labOutput) started(s *lab.Server, files labFiles) {
	sc, set := s.Scenario(), s.Settings()
	if o.app.json {
		o.json(labStarted{labVersion, "listening", sc, s.Persona().Name, s.Addr(), set, try(sc, set, files)})
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.page
	p.line(p.strong(sc.ID))
	p.field(2, "what", capitalised(sc.Title))
	p.field(2, "listens", s.Addr()+", as "+s.Persona().Title)
	p.field(2, "shows", sc.Shows)
	p.field(2, "use", fmt.Sprintf("host %s, port %d, %s", set.Host, set.Port, securityWords(set.Security)))
	if set.User != "" {
		word := "password"
		if set.Auth != "" {
			word = set.Auth + ", token"
		}
		p.field(2, "", fmt.Sprintf("user %s, %s %s", set.User, word, set.Password))
	} else {
		p.field(2, "", "no login")
	}
	p.field(2, "", "from "+set.From+" to "+set.To)
	p.field(2, "expect", expected(&sc))
	p.line("  ", p.faint(pad("try", 8)), try(sc, set, files)) // not wrapped: it is for copying
	p.line()
}

func securityWords(s string) string {
	switch s {
	case "tls":
		return "TLS at once (SSL/TLS)"
	case "none":
		return "no encryption"
	}
	return "STARTTLS"
}

// expected says in words what a diagnosis should find.
func expected(s *lab.Scenario) string {
	switch {
	case s.Cause == "":
		return "no failure"
	case s.Harmless:
		return string(s.Cause) + ", which a patient client only waits for"
	case len(s.Words) == 0:
		return string(s.Cause)
	}
	words := make([]string, len(s.Words))
	for i, id := range s.Words {
		words[i] = string(id)
	}
	return string(s.Cause) + "; the words alone may look like " + strings.Join(words, " or ")
}

// try returns the command that has the doctor look at a scenario.
func try(sc lab.Scenario, s lab.Settings, files labFiles) string {
	words := []string{"wellsent", "doctor", s.URL()}
	if s.Security == "none" {
		words = append(words, "--security", "none")
	}
	if files.password != "" {
		flag := "--password-file"
		if s.Auth != "" {
			words = append(words, "--auth", s.Auth)
			flag = "--oauth-token-file"
		}
		words = append(words, "--user", s.User, flag, files.password)
	}
	if files.ca != "" {
		words = append(words, "--ca", files.ca)
	}
	switch sc.Stage {
	case evidence.StageMail, evidence.StageRcpt:
		words = append(words, "--from", s.From, "--to", s.To)
	case evidence.StageData, evidence.StagePostData:
		words = append(words, "--from", s.From, "--to", s.To, "--send")
	}
	return strings.Join(words, " ")
}

// ready says that everything listens.
func (o *labOutput) ready() {
	if o.app.json {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.page.line(o.page.faint("Nothing sent here goes anywhere. Ctrl-C ends it."))
}

// line shows a line of a conversation, where that was asked for.
func (o *labOutput) line(id string, l lab.Line) {
	if !o.verbose || o.app.json {
		return
	}
	from := l.From
	if from == "" {
		from = "-"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.page.line(o.page.faint(fmt.Sprintf("%s #%d %6.2f ", id, l.Conversation, l.At.Seconds())), from, " ", printable(l.Text))
}

// conversation shows in one line what a client did.
func (o *labOutput) conversation(id string, c lab.Conversation) {
	if o.app.json {
		o.json(labEnded{labVersion, "conversation", id, c})
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.page.line(o.page.faint(time.Now().Format("15:04:05")), " ", id, " #", fmt.Sprint(c.Number), " ", printable(did(&c)))
}

// did says what a client did, and what it heard last.
func did(c *lab.Conversation) string {
	facts := []string{c.Client}
	if c.HELO != "" {
		facts = append(facts, "EHLO "+c.HELO)
	}
	if c.TLS != "" {
		facts = append(facts, c.TLS)
	}
	switch {
	case c.SignedIn:
		facts = append(facts, "signed in as "+c.User)
	case c.User != "":
		facts = append(facts, "not signed in as "+c.User)
	}
	if c.Accepted > 0 {
		facts = append(facts, count(c.Accepted, "message", "messages")+" accepted")
	}
	return strings.Join(facts, ", ") + lastWord(c)
}

// lastWord returns the last refusal, or the last remark where none was.
func lastWord(c *lab.Conversation) string {
	remark := ""
	for i := len(c.Lines) - 1; i >= 0; i-- {
		switch l := c.Lines[i]; {
		case l.From == "S" && l.Text != "" && (l.Text[0] == '4' || l.Text[0] == '5'):
			return ": " + l.Text
		case l.From == "" && remark == "" && i < len(c.Lines)-1 && !strings.HasPrefix(l.Text, "TLS "):
			remark = ": " + l.Text
		}
	}
	return remark
}

// json writes one value a line, at once: its reader may wait for it.
func (o *labOutput) json(v any) {
	b, err := marshal(v)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		_, err = io.WriteString(o.app.stdout, string(b)+"\n")
	}
	if o.err == nil {
		o.err = err
	}
}
