package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/explain"
)

// width is the width of the output, in columns.
const width = 78

// page writes the demonstration. After the first failed write it writes nothing.
type page struct {
	w     io.Writer
	color bool
	err   error
}

func newPage(w io.Writer, color bool) *page { return &page{w: w, color: color} }

func (p *page) style(s lipgloss.Style, text string) string {
	if !p.color {
		return text
	}
	return s.Render(text)
}

var (
	strong = lipgloss.NewStyle().Bold(true)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	red    = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	faint  = lipgloss.NewStyle().Faint(true)
)

func (p *page) print(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, s)
	}
}

// block writes text wrapped, the first line after first, the others after rest.
func (p *page) block(first, rest, text string) {
	line, lead := "", first
	flush := func() {
		p.print(lead + line + "\n")
		line, lead = "", rest
	}
	for _, w := range strings.Fields(text) {
		if line != "" && len([]rune(rest))+len([]rune(line))+1+len([]rune(w)) > width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	flush()
}

func (p *page) title(s string) { p.print("\n" + p.style(strong, s) + "\n\n") }
func (p *page) text(s string)  { p.block("", "", s); p.print("\n") }

func (p *page) fact(name, s string) {
	p.block(fmt.Sprintf("  %-17s", name), strings.Repeat(" ", 19), s)
}

func (p *page) step(n int, title string) {
	p.print("\n" + p.style(strong, fmt.Sprintf("%d  %s", n, title)) + "\n")
}

func (p *page) say(s, more string) {
	if more != "" {
		s += ": " + more
	}
	p.block("   ", "   ", s)
}

func (p *page) good(s string) { p.block("   "+p.style(green, "✓")+" ", "     ", s) }
func (p *page) bad(s string)  { p.block("   "+p.style(red, "✗")+" ", "     ", s) }
func (p *page) wait(s string) { p.block("   "+p.style(yellow, "…")+" ", "     ", s) }

// command writes a command to copy: never wrapped.
func (p *page) command(s string) { p.print("  " + p.style(strong, s) + "\n\n") }

// quote writes the text of a message as it stands.
func (p *page) quote(s string) {
	for l := range strings.Lines(s + "\n") {
		p.print("     " + p.style(faint, "│") + " " + strings.TrimRight(l, "\n") + "\n")
	}
}

// label writes a field of a finding.
func (p *page) label(name, s string) {
	if s != "" {
		p.block("     "+fmt.Sprintf("%-6s", name), strings.Repeat(" ", 11), s)
	}
}

// who are the actors, in words.
var who = map[cause.Actor]string{
	cause.ActorUser: "you", cause.ActorSenderAdmin: "your administrator", cause.ActorProvider: "the server's operator",
	cause.ActorRecipient: "the recipient", cause.ActorRecipientAdmin: "the recipient's administrator", cause.ActorNetworkAdmin: "whoever runs the network",
}

// finding writes what package explain says.
func (p *page) finding(f explain.Finding) {
	title := f.Title
	if c, ok := cause.Lookup(f.Cause); ok && title == "" {
		title = c.Title
	}
	p.label("what", fmt.Sprintf("%s [%s]", title, f.Cause))
	p.label("why", f.Why)
	for i, d := range f.Do {
		p.label(map[bool]string{true: "do"}[i == 0], d)
	}
	p.label("who", who[f.Actor])
}

// entry writes one line of the queue.
func (p *page) entry(e dispatch.Entry) {
	p.label("what", fmt.Sprintf("%s [%s]", e.Title, e.Cause))
	seen := e.Reply
	if seen == "" {
		seen = e.Detail
	}
	p.label("seen", seen)
	p.label("why", e.Why)
	for i, d := range e.Do {
		p.label(map[bool]string{true: "do"}[i == 0], d)
	}
	if e.NextAttempt != nil {
		p.label("next", fmt.Sprintf("attempt in %.1f s; given up only on %s", time.Until(*e.NextAttempt).Seconds(), e.Expires.Format("Monday 2 January, 15:04")))
	}
}
