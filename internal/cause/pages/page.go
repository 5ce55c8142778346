package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

// page returns the page of one cause.
func page(c *cause.Cause) string {
	text := c.Fill(cause.Facts{})
	b := &builder{}
	b.text(note)
	b.textf("# %s\n\n`%s`\n", prose(text.Title), c.ID)

	b.heading("What it means")
	b.paragraph(text.Why)

	b.heading("How it shows")
	for _, s := range c.Says {
		b.textf("%s:\n\n", prose(s.From))
		for l := range strings.Lines(s.Text) {
			b.text("    " + strings.TrimRight(l, "\n") + "\n")
		}
		b.text("\n")
	}
	if c.ProbeOnly {
		b.paragraph("No error text shows this cause by itself: it takes a test of the connection.")
	}
	b.paragraph("How to tell: " + c.Evidence)

	b.heading("Who must act, and does sending again help?")
	b.paragraph(capital(who(c.Actor)) + ". " + again(c.Retry))

	b.heading("What to do")
	for _, r := range text.Remedies {
		b.textf("### %s\n\n", forWhom(r.Actor))
		for i, s := range r.Do {
			b.textf("%d. %s\n", i+1, prose(s))
		}
		b.text("\n")
	}

	if len(c.DependsOn) > 0 {
		b.heading("Look at these first")
		b.paragraph("If one of these is true, it is the real reason, and this error goes away with it:")
		b.links(c.DependsOn)
	}
	b.heading("Related causes")
	b.links(c.Related)
	b.heading("References")
	for _, r := range c.Refs {
		b.textf("- %s\n", reference(r))
	}
	b.text("\n[All causes](README.md)\n")
	return b.String()
}

// builder writes a page.
type builder struct{ strings.Builder }

func (b *builder) text(s string)                 { b.WriteString(s) }
func (b *builder) textf(format string, a ...any) { fmt.Fprintf(&b.Builder, format, a...) }
func (b *builder) paragraph(s string)            { b.text(linked(prose(s)) + "\n\n") }

// heading begins a section, with one empty line before it.
func (b *builder) heading(s string) {
	text := strings.TrimRight(b.String(), "\n")
	b.Reset()
	b.text(text + "\n\n## " + s + "\n\n")
}

// links writes a list of causes.
func (b *builder) links(ids []cause.ID) {
	for _, id := range ids {
		title := ""
		if c, ok := cause.Lookup(id); ok {
			title = c.Fill(cause.Facts{}).Title
		}
		b.textf("- [%s](%s) `%s`\n", prose(title), fileOf(id), id)
	}
}

// who says who must act, to a reader who found the page by a search.
func who(a cause.Actor) string {
	if a == cause.ActorUser {
		return "you, the person sending"
	}
	return a.Name()
}

// forWhom is the heading of the steps of an actor.
func forWhom(a cause.Actor) string {
	switch a {
	case cause.ActorUser:
		return "If you are the person sending"
	case cause.ActorSenderAdmin:
		return "If you run the sending server, program, domain or account"
	case cause.ActorProvider:
		return "If you run the server that replied"
	case cause.ActorRecipient:
		return "If you are the person written to"
	case cause.ActorRecipientAdmin:
		return "If you run the recipient's mail server"
	case cause.ActorNetworkAdmin:
		return "If you run the network or the machine"
	}
	return string(a)
}

// again says whether sending again helps.
func again(r cause.Retry) string {
	if r == cause.RetryNo {
		return "Sending the same message again does not help before something is changed."
	}
	return "Sending the same message again later can help, without any change."
}

var (
	aCause    = regexp.MustCompile(`\b[a-z]+\.[a-z0-9]+(?:-[a-z0-9]+)*\b`)
	anRFC     = regexp.MustCompile(`^RFC (\d+)(?:, sections? ([0-9.]*[0-9]))?`)
	toEscape  = regexp.MustCompile(`[*_<\[\]|]`)
	aPageName = regexp.MustCompile(`<https?://[^>]*>`)
)

// prose returns a text as Markdown: what would be an order to Markdown stands for
// itself. Commands are between backquotes already.
func prose(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = toEscape.ReplaceAllString(parts[i], `\$0`)
		}
	}
	return strings.Join(parts, "`")
}

// cell returns a text fit for a table and for the words of a link.
func cell(s string) string { return prose(s) }

// linked makes a link of the name of each cause.
func linked(s string) string {
	return aCause.ReplaceAllStringFunc(s, func(m string) string {
		if _, ok := cause.Lookup(cause.ID(m)); !ok {
			return m
		}
		return fmt.Sprintf("[%s](%s)", m, fileOf(cause.ID(m)))
	})
}

// reference makes a link of the number of an RFC; addresses in angle brackets are
// links already.
func reference(s string) string {
	if m := anRFC.FindStringSubmatch(s); m != nil {
		address := "https://www.rfc-editor.org/rfc/rfc" + m[1]
		if m[2] != "" {
			address += "#section-" + m[2]
		}
		return fmt.Sprintf("[%s](%s)%s", m[0], address, prose(s[len(m[0]):]))
	}
	at := aPageName.FindStringIndex(s)
	if at == nil {
		return prose(s)
	}
	return prose(s[:at[0]]) + s[at[0]:at[1]] + prose(s[at[1]:])
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
