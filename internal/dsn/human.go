package dsn

import (
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// humanDate is a date as people read it.
const humanDate = "Monday, 2 January 2006, 15:04 (MST)"

// textWidth is where the lines of the part for people are broken.
const textWidth = 72

// maxListed bounds the recipients that the part for people names in one group;
// the part for programs names all.
const maxListed = 50

// human returns the part for people: what happened, why, what to do, and who must
// act. RFC 3464 §2.
func (r *Report) human(returned part) part {
	var w writer
	w.paragraph(fmt.Sprintf("This is %s, which takes care of mail you send.", oneLine(r.ReportingMTA, false)))
	groups := r.groups()
	for i, g := range groups {
		if i > 0 {
			w.line(strings.Repeat("-", 24))
			w.line("")
		}
		r.writeGroup(&w, g, i == 0)
	}
	if strings.HasPrefix(returned.contentType, "message/rfc822") || returned.contentType == "message/global" {
		w.paragraph("Your message is attached.")
	} else {
		w.paragraph("The header of your message is attached; its text was not sent back.")
	}
	if r.QueueID != "" {
		w.paragraph("If you ask the postmaster about it, give this number: " + oneLine(r.QueueID, true))
	}
	text := strings.TrimRight(w.b.String(), "\r\n") + "\r\n"
	p := part{contentType: "text/plain; charset=utf-8", description: "Notification", body: []byte(text)}
	if !isASCII(text) || slices.ContainsFunc(strings.Split(text, "\r\n"), func(l string) bool { return len(l) > maxLine }) {
		p.encoding, p.body = "quoted-printable", []byte(quotedPrintable(text))
	}
	return p
}

// groups returns the recipients in groups that share what happened and why, in
// the order of the first of each.
func (r *Report) groups() [][]*Recipient {
	var groups [][]*Recipient
	at := map[string]int{}
	for i := range r.Recipients {
		x := &r.Recipients[i]
		key := strings.Join(append([]string{string(x.Action), x.CauseID, x.Why, x.Who, x.WillRetryUntil.String()}, x.Do...), "\x00")
		n, ok := at[key]
		if !ok {
			n = len(groups)
			at[key] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], x)
	}
	return groups
}

// writeGroup writes what became of one group.
func (r *Report) writeGroup(w *writer, g []*Recipient, first bool) {
	x := g[0]
	message := "The same message"
	if first {
		message = r.message()
	}
	switch x.Action {
	case Failed:
		w.paragraph(message + " could not be delivered to:")
	case Delayed:
		w.paragraph(message + " has not been delivered yet to:")
	case Relayed:
		w.paragraph(message + " was handed on to the next mail server for:")
	case Expanded:
		w.paragraph(message + " was delivered to this list, which sends it on to its members:")
	default:
		w.paragraph(message + " was delivered to:")
	}
	for i, y := range g {
		if i == maxListed {
			w.line(fmt.Sprintf("    and %d more, listed in the delivery report", len(g)-maxListed))
			break
		}
		w.line("    " + oneLine(y.Final, false))
	}
	w.line("")
	switch x.Action {
	case Failed:
		w.cause(x)
		w.steps(x)
		w.who(x)
	case Delayed:
		w.paragraph(r.next(x))
		w.cause(x)
	case Relayed:
		w.paragraph("That server does not tell what it does with mail. You get no further notice if the message is delivered, and one if it is not.")
	}
	w.answers(g)
}

// message names the message by its subject and date, as far as they are known.
func (r *Report) message() string {
	s := "Your message"
	decoder := mime.WordDecoder{CharsetReader: nil}
	subject := r.original().Get("Subject")
	if decoded, err := decoder.DecodeHeader(subject); err == nil {
		subject = decoded
	}
	if subject = oneLine(subject, false); subject != "" {
		if runes := []rune(subject); len(runes) > 100 {
			subject = string(runes[:100]) + "…"
		}
		s += fmt.Sprintf(" \"%s\"", subject)
	}
	if !r.Arrival.IsZero() {
		s += " of " + r.people(r.Arrival)
	}
	return s
}

// next says what happens to delayed mail.
func (r *Report) next(x *Recipient) string {
	s := "You do not need to do anything, and please do not send it again: it is kept and tried again by itself"
	if !x.WillRetryUntil.IsZero() {
		s += " until " + r.people(x.WillRetryUntil)
	}
	return s + ". If it cannot be delivered by then, you get another notice."
}

// people returns a time as people read it, in the zone of the report.
func (r *Report) people(t time.Time) string {
	if !r.Date.IsZero() {
		t = t.In(r.Date.Location())
	}
	return t.Format(humanDate)
}

// writer writes the part for people.
type writer struct{ b strings.Builder }

func (w *writer) line(s string) {
	w.b.WriteString(s)
	w.b.WriteString("\r\n")
}

// paragraph writes s in lines of textWidth and an empty line.
func (w *writer) paragraph(s string) {
	w.wrapped("", s)
	w.line("")
}

// wrapped writes s in lines; lead stands before the first, and blanks as wide
// before the others.
func (w *writer) wrapped(lead, s string) {
	line := lead
	indent := strings.Repeat(" ", len(lead))
	empty := true
	for _, word := range strings.Fields(s) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > textWidth {
			w.line(line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	w.line(strings.TrimRight(line, " "))
}

// cause writes what happened and why.
func (w *writer) cause(x *Recipient) {
	title, why := strings.TrimSuffix(oneLine(x.Title, false), "."), oneLine(x.Why, false)
	if title != "" {
		title += "."
	}
	if text := strings.TrimSpace(title + " " + why); text != "" {
		w.paragraph("What happened: " + text)
	}
}

// steps writes what to do.
func (w *writer) steps(x *Recipient) {
	if len(x.Do) == 0 {
		return
	}
	w.line("What to do:")
	for i, d := range x.Do {
		w.wrapped(fmt.Sprintf("  %d. ", i+1), oneLine(d, false))
	}
	w.line("")
}

// who writes who must act.
func (w *writer) who(x *Recipient) {
	if who := Who(cause.Actor(x.Who)); who != "" {
		w.paragraph("Who must act: " + who + ".")
	}
}

// Who names an actor to the sender of a message; "" for one that is not known.
func Who(a cause.Actor) string {
	switch a {
	case cause.ActorUser:
		return "you"
	case cause.ActorSenderAdmin:
		return "the administrator of the mail server, domain or account you send from"
	case cause.ActorProvider:
		return "the operator of the mail server that refused the message"
	case cause.ActorRecipient:
		return "the person you wrote to"
	case cause.ActorRecipientAdmin:
		return "the administrator of the recipient's mail server"
	case cause.ActorNetworkAdmin:
		return "the administrator of the network between the mail servers"
	}
	return ""
}

// answers writes the servers' answers, each once.
func (w *writer) answers(g []*Recipient) {
	seen := map[string]bool{}
	for _, x := range g {
		answer := oneLine(x.Diagnostic, false)
		if answer == "" {
			continue
		}
		host := oneLine(x.RemoteMTA, false)
		key := host + "\x00" + answer
		if seen[key] || len(seen) == maxListed {
			continue
		}
		seen[key] = true
		if host != "" {
			w.line("The answer of " + host + " was:")
		} else {
			w.line("The exact error was:")
		}
		w.wrapped("    ", answer)
		w.line("")
	}
}
