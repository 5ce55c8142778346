package cli

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// printMarkdown writes findings as Markdown, to be pasted into a ticket.
func (a *app) printMarkdown(findings []told) error {
	var b strings.Builder
	for i := range findings {
		if i > 0 {
			b.WriteString("\n---\n\n")
		}
		markdownFinding(&b, &findings[i])
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

func markdownFinding(b *strings.Builder, f *told) {
	if f.Cause == "" {
		b.WriteString("No cause can be named")
		if f.Recipient != "" {
			b.WriteString(" for " + markdown(f.Recipient))
		}
		b.WriteString(".\n")
		return
	}
	fmt.Fprintf(b, "## %s\n\n", markdown(title(f.Title, f.Cause)))
	fmt.Fprintf(b, "- **Cause:** `%s` (%s)\n", f.Cause, f.Confidence)
	if f.Recipient != "" {
		fmt.Fprintf(b, "- **Recipient:** %s\n", markdown(f.Recipient))
	}
	fmt.Fprintf(b, "- **Who must act:** %s\n", who(f.Actor))
	fmt.Fprintf(b, "- **Sending again:** %s\n", again(f.Retry))
	for _, p := range f.Proof {
		// Four blanks: no words of a stranger can end such a block.
		fmt.Fprintf(b, "\nSeen:\n\n    %s\n", printable(p))
	}
	fmt.Fprintf(b, "\n%s\n", markdown(f.Why))
	own, rest := split(f)
	markdownSteps(b, "What to do", own)
	if !f.Actor.Sends() {
		markdownSteps(b, "For "+who(f.Actor), theirs(f))
	}
	for _, r := range rest {
		markdownSteps(b, "For "+who(r.Actor), r.Do)
	}
	if len(f.Alternatives) > 0 {
		b.WriteString("\n### It may also be\n\n")
		for _, id := range f.Alternatives {
			fmt.Fprintf(b, "- %s\n", markdown(alternative(id)))
		}
	}
}

func markdownSteps(b *strings.Builder, heading string, steps []string) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", heading)
	for i, s := range steps {
		fmt.Fprintf(b, "%d. %s\n", i+1, markdown(s))
	}
}

var ordersOfMarkdown = regexp.MustCompile(`[\\*_<>\[\]#|!]`)

// markdown returns a text in which nothing is an order to Markdown, save for the
// commands between backquotes.
func markdown(s string) string {
	parts := strings.Split(printable(s), "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = ordersOfMarkdown.ReplaceAllString(parts[i], `\$0`)
		}
	}
	return strings.Join(parts, "`")
}
