package cli

import (
	"fmt"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

func (a *app) printFindings(findings []told) error {
	p := a.page(a.stdout)
	for i := range findings {
		if i > 0 {
			p.line()
		}
		if findings[i].Cause == "" {
			p.unnamed(&findings[i])
		} else {
			p.finding(&findings[i])
		}
	}
	return p.err
}

// unnamed writes that no cause can be named: of one recipient among several, or of
// the whole text.
func (p *page) unnamed(f *told) {
	if f.Recipient != "" {
		p.paragraph(0, "For "+f.Recipient+" no cause can be named.")
		p.list("seen", f.Proof)
		return
	}
	p.paragraph(0, "This does not look like a failure of mail: no cause can be named.")
	p.paragraph(0, "Give the whole text of the error, or the bounce as a file: wellsent explain -f bounce.eml")
}

// finding writes one finding: its title and id, what shows it, why it is so, what
// to do, who must do it and what others can do.
//
//	✗ The recipient's mailbox is full                       recipient.mailbox-full
//	  seen    552 5.2.2 over quota
//	  why     The address is right. The mailbox has used up its space …
//	  do      1. Tell the person by phone …
//	  who     the person written to:
//	          1. Delete or archive large mail …
//	  again   the same message may go out later
//	  sure    certain
//	  or      recipient.disabled: The recipient's mailbox is closed
func (p *page) finding(f *told) {
	p.heading(title(f.Title, f.Cause), string(f.Cause))
	if f.Recipient != "" {
		p.field(2, "for", f.Recipient)
	}
	p.list("seen", f.Proof)
	p.field(2, "why", f.Why)
	own, rest := split(f)
	p.steps("do", own)
	if f.Actor.Sends() {
		p.field(2, "who", who(f.Actor))
	} else {
		p.field(2, "who", who(f.Actor)+", by these steps:")
		p.steps("", theirs(f))
	}
	for _, r := range rest {
		p.field(2, "also", who(r.Actor)+" can:")
		p.steps("", r.Do)
	}
	p.field(2, "again", again(f.Retry))
	p.field(2, "sure", string(f.Confidence))
	for i, id := range f.Alternatives {
		if i == maxAlternatives {
			break
		}
		p.field(2, "or", alternative(id))
	}
}

// maxAlternatives bounds the lines "or" of a report; JSON has all of them.
const maxAlternatives = 3

// split parts what the reader is to do from what others can do. The steps of the
// one who must act are in neither where that is nobody on the sending side.
func split(f *told) (own []string, rest []cause.Remedy) {
	if f.Actor.Sends() {
		return f.Do, f.Others
	}
	for _, r := range f.Others {
		if r.Actor == cause.ActorUser {
			own = r.Do
		} else {
			rest = append(rest, r)
		}
	}
	return own, rest
}

// theirs returns the steps of the one who must act, where that is nobody on the
// sending side: the last of all steps, without the reader's own.
func theirs(f *told) []string {
	own, _ := split(f)
	steps := f.Do[min(len(own), len(f.Do)):]
	if len(steps) == 0 {
		return nil
	}
	first := strings.TrimPrefix(steps[0], "For "+f.Actor.Name()+": ")
	return append([]string{first}, steps[1:]...)
}

// alternative returns the id and the title of what it may be too.
func alternative(id cause.ID) string {
	c, ok := cause.Lookup(id)
	if !ok {
		return string(id)
	}
	return string(id) + ": " + c.Fill(cause.Facts{}).Title
}

// heading writes "✗ title … id", the id at the right edge, or below the title
// where both do not fit.
func (p *page) heading(title, id string) { p.marked(p.bad("✗"), title, id) }

// marked is heading with another mark.
func (p *page) marked(mark, title, id string) {
	lines := wrap(printable(title), p.width-2)
	for i, l := range lines {
		lead := mark + " "
		if i > 0 {
			lead = "  "
		}
		text := lead + p.strong(l)
		room := p.width - 2 - columnsOf(l) - columnsOf(id)
		switch {
		case i < len(lines)-1:
			p.line(text)
		case room >= 2:
			p.line(text, strings.Repeat(" ", room), p.faint(id))
		default:
			p.line(text)
			p.line("  ", p.faint(id))
		}
	}
}

// list writes the label before the first text and each text as a paragraph of its
// own; nothing without texts.
func (p *page) list(label string, texts []string) {
	for _, t := range texts {
		p.field(2, label, t)
		label = ""
	}
}

// steps writes the label before the first step and numbers them. Commands are
// kept on one line where they fit on one, so that they can be copied.
func (p *page) steps(label string, steps []string) {
	const indent = 2 + 8 // as field has it
	for i, s := range steps {
		number := fmt.Sprintf("%d. ", i+1)
		if len(steps) == 1 {
			number = ""
		}
		lead := strings.Repeat(" ", 2) + p.faint(pad(label, indent-2)) + number
		hang := strings.Repeat(" ", indent+len(number))
		width := p.width - len(hang)
		for j, l := range wrap(keepCommands(printable(s), p.width-2), width) {
			indent := hang
			if over := columnsOf(l) - width; over > 0 {
				indent = hang[:max(2, len(hang)-over)] // a long command, moved to the left as far as it must
			}
			l = p.commands(strings.ReplaceAll(l, keptBlank, " "))
			if j == 0 {
				p.line(lead, l)
			} else {
				p.line(indent, l)
			}
		}
		label = ""
	}
}

// keptBlank stands for a blank at which a line is not broken. It is of those code
// points that nobody else may use; printable lets none through.
const keptBlank = "\ue000"

// keepCommands keeps the blanks of commands that fit on a line of width columns.
func keepCommands(s string, width int) string {
	parts := strings.Split(s, "`")
	for i := 1; i < len(parts)-1; i += 2 {
		if columnsOf(parts[i])+3 <= width { // the backquotes and a full stop
			parts[i] = strings.ReplaceAll(parts[i], " ", keptBlank)
		}
	}
	return strings.Join(parts, "`")
}

// commands makes the commands of a line stand out. A command that goes on in the
// next line is left as it is.
func (p *page) commands(l string) string {
	parts := strings.Split(l, "`")
	if p.isPlain || len(parts)%2 == 0 {
		return l
	}
	for i := 1; i < len(parts); i += 2 {
		parts[i] = p.strong(parts[i])
	}
	return strings.Join(parts, "")
}

// title returns the words that name a cause, or its id where there are none.
func title(words string, id cause.ID) string {
	if words == "" {
		return string(id)
	}
	return words
}

// who says in words who must act.
func who(a cause.Actor) string {
	if name := a.Name(); name != "" {
		return name
	}
	return string(a)
}

// again says in words whether sending again can help.
func again(r cause.Retry) string {
	switch r {
	case cause.RetryNo:
		return "sending the same message again will fail until this is changed"
	case cause.RetryLater:
		return "the same message may go out later"
	case cause.RetryYes:
		return "the same message may go out at once"
	}
	return string(r)
}
