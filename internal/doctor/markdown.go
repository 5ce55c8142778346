package doctor

import (
	"fmt"
	"strings"
)

// Markdown returns the report for a ticket.
func (r *Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("## Mail server %s: %s", code(r.Where()), r.Verdict)
	for i := range r.Findings {
		markFinding(&b, &r.Findings[i])
	}
	if len(r.Steps) > 0 {
		line("\n### The way of the token\n\n| step | | seen |\n| --- | --- | --- |")
		for _, s := range r.Steps {
			line("| %s | %s | %s |", escaped(s.Title), s.State, escaped(strings.Join(s.Seen, "; ")))
		}
	}
	for _, u := range r.Untested {
		line("\nNot tested: %s", escaped(u))
	}
	if len(r.Warnings) > 0 {
		line("\n### What does not stop this mail")
		for i := range r.Warnings {
			w := &r.Warnings[i]
			line("\n- **%s** (%s): %s", escaped(w.Title), code(string(w.Cause)), escaped(strings.Join(w.Seen, "; ")))
		}
	}
	if rows := r.Works.Rows(); len(rows) > 0 {
		line("\n### What was tried and works\n\n| setting | value |\n| --- | --- |")
		for _, row := range rows {
			line("| %s | %s |", row.Name, escaped(row.Value))
		}
	}
	for _, o := range r.Origin {
		line("\n- %s", escaped(o))
	}
	line("\n<details><summary>What was tried</summary>\n\n| probe | about | outcome | ms |\n| --- | --- | --- | --- |")
	for i := range r.Evidence {
		e := &r.Evidence[i]
		line("| %s | %s | %s | %d |", e.Probe, code(e.About), escaped(e.Outcome), e.TookMS)
	}
	for i := range r.Evidence {
		if t := r.Evidence[i].transcript(); t != "" {
			line("\n%s\n\n```\n%s```", escaped(r.Evidence[i].About), strings.ReplaceAll(t, "```", "'''"))
		}
	}
	line("\n</details>")
	return b.String()
}

func markFinding(b *strings.Builder, f *Finding) {
	fmt.Fprintf(b, "\n### %s\n\n%s, %s: %s\n\n", escaped(f.Title), code(string(f.Cause)), f.Confidence, escaped(f.Why))
	list := func(title string, items []string) {
		if len(items) == 0 {
			return
		}
		fmt.Fprintf(b, "**%s**\n\n", title)
		for _, s := range items {
			fmt.Fprintf(b, "- %s\n", escapedProse(s))
		}
		b.WriteString("\n")
	}
	list("Seen", f.Seen)
	list("To do", f.Do)
	list("Tested and fine", f.RuledOut)
	fmt.Fprintf(b, "Who must act: %s\n", f.Actor)
}

// transcript returns the dialogue, "" without one.
func (i *Item) transcript() string {
	if i.Record == nil {
		return ""
	}
	var b strings.Builder
	for _, l := range i.Record.Lines {
		fmt.Fprintf(&b, "%s: %s\n", l.From, l.Text)
	}
	return b.String()
}

// code returns text in code marks.
func code(s string) string { return "`" + strings.ReplaceAll(oneLine(s), "`", "'") + "`" }

// escaped returns text that Markdown shows as it is.
func escaped(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "<", "&lt;", ">", "&gt;", "`", "\\`", "[", "\\[", "#", "\\#").Replace(oneLine(s))
}

// escapedProse is escaped for a text of ours: commands in backquotes stay so.
func escapedProse(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return escaped(s) // one is open
	}
	for i, part := range parts {
		if i%2 == 1 {
			parts[i] = code(part)
			continue
		}
		text := strings.TrimSpace(part)
		before, after, _ := strings.Cut(part, text) // the blanks around it
		if parts[i] = before + escaped(text) + after; text == "" {
			parts[i] = part
		}
	}
	return strings.Join(parts, "")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Row is one line of a settings card.
type Row struct{ Name, Value string }

// Rows returns the settings card for people, without what is not known.
func (w *Works) Rows() []Row {
	if w.Empty() {
		return nil
	}
	encryption := map[Security]string{StartTLS: "STARTTLS", Implicit: "SSL/TLS (at once)", Clear: "none"}[w.Security]
	all := []Row{
		{"server", w.Host}, {"port", fmt.Sprint(w.Port)}, {"encryption", encryption}, {"user name", w.User}, {"login by", w.Auth},
		{"greet with", w.Hello}, {"proxy", w.Proxy}, {"from", w.From}, {"to", w.To}, {"TLS", w.TLS}, {"certificate until", w.Until},
	}
	if w.MaxSize > 0 {
		all = append(all, Row{"largest message", fmt.Sprintf("%d octets", w.MaxSize)})
	}
	var rows []Row
	for _, r := range all {
		if r.Value != "" {
			rows = append(rows, r)
		}
	}
	return rows
}
