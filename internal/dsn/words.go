package dsn

import (
	"fmt"
	"slices"
	"strings"
)

// words returns the part for the person: what happened, why, what to do, who must
// act. Recipients with the same fate are told of together.
func (r *Report) words() string {
	var b strings.Builder
	switch r.worst() {
	case Failed:
		para(&b, "", "Your mail could not be delivered to everybody you sent it to. What happened, and what you can do:")
	case Delayed:
		para(&b, "", "Your mail has not been delivered yet. You need not do anything: it is kept safe and tried again by itself.")
	case Relayed:
		para(&b, "", "Your mail was passed on to a server that does not report deliveries, so this is the last you hear of it from here.")
	default:
		para(&b, "", "Your mail was delivered.")
	}
	if s := headerField(r.Header, "Subject"); s != "" {
		para(&b, "", "The mail: "+cut(clean(decode(s)), 100))
	}
	for _, g := range r.groups() {
		g.write(&b)
	}
	para(&b, "", fmt.Sprintf("This report was written by the mail server %s. Its log has more under the id %s.", clean(r.ReportingMTA), clean(r.QueueID)))
	return b.String()
}

// group is recipients with the same fate.
type group struct {
	Recipient
	names []string
}

func (r *Report) groups() []*group {
	var all []*group
	for i := range r.Recipients {
		x := &r.Recipients[i]
		same := func(g *group) bool {
			return g.Action == x.Action && g.CauseID == x.CauseID && g.Diagnostic == x.Diagnostic && g.Why == x.Why && slices.Equal(g.Do, x.Do)
		}
		if j := slices.IndexFunc(all, same); j >= 0 {
			all[j].names = append(all[j].names, clean(x.Final))
			continue
		}
		all = append(all, &group{Recipient: *x, names: []string{clean(x.Final)}})
	}
	return all
}

// fates say what became of somebody.
var fates = map[Action]string{
	Failed:    "not delivered",
	Delayed:   "not delivered yet",
	Delivered: "delivered",
	Relayed:   "passed on",
	Expanded:  "passed on to several people",
}

// actors say who must act, to the sender.
var actors = map[string]string{
	"user":            "you",
	"sender-admin":    "the administrator of your own mail server",
	"provider":        "the operator of the server that refused",
	"recipient":       "the person you wrote to",
	"recipient-admin": "the administrator of the recipient's server",
	"network-admin":   "whoever runs the network in between",
}

func (g *group) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", strings.Join(g.names, "\n"))
	field(b, "what", fates[g.Action])
	if g.Title != "" {
		field(b, "", clean(g.Title)+".")
	}
	field(b, "why", clean(g.Why))
	for i, d := range g.Do {
		label := ""
		if i == 0 {
			label = "do"
		}
		field(b, label, clean(d))
	}
	if g.Action == Failed {
		field(b, "who must act", actors[g.Who])
	}
	if g.Action == Delayed && !g.WillRetryUntil.IsZero() {
		field(b, "tried until", g.WillRetryUntil.Format("Monday, 2 January 2006, 15:04 MST"))
	}
	if g.Diagnostic != "" {
		from := "the server"
		if g.RemoteMTA != "" {
			from = clean(g.RemoteMTA)
		}
		field(b, "its words", from+" said: "+clean(g.Diagnostic))
	}
	b.WriteString("\n")
}

// labelWidth is the column at which the text of a field begins.
const labelWidth = 15

// field writes a label and its text, wrapped beside it.
func field(b *strings.Builder, label, text string) {
	if text == "" {
		return
	}
	for i, l := range wrap(text, textWidth-labelWidth-2) {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(b, "  %-*s%s\n", labelWidth, label, l)
	}
}

// para writes a paragraph.
func para(b *strings.Builder, indent, text string) {
	for _, l := range wrap(text, textWidth-len(indent)) {
		b.WriteString(indent + l + "\n")
	}
	b.WriteString("\n")
}

// wrap breaks text at blanks into lines of at most width columns, longer words
// left whole.
func wrap(text string, width int) []string {
	var lines []string
	l := ""
	for _, w := range strings.Fields(text) {
		if l != "" && len([]rune(l))+1+len([]rune(w)) > width {
			lines = append(lines, l)
			l = ""
		}
		if l != "" {
			l += " "
		}
		l += w
	}
	return append(lines, l)
}
