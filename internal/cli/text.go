package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// The columns text is wrapped to: as many as the terminal has, within bounds that
// stay readable, and 80 where there is no terminal.
const (
	defaultColumns = 80
	minColumns     = 40
	maxColumns     = 110
)

// columns returns the width that text for w is wrapped to.
func columns(w io.Writer) int {
	fd, ok := descriptor(w)
	if !ok {
		return defaultColumns
	}
	width, _, err := term.GetSize(fd)
	if err != nil || width <= 0 {
		return defaultColumns
	}
	return min(max(width, minColumns), maxColumns)
}

// printable returns s fit for a terminal: whatever a terminal would obey or that
// would reorder the line is replaced, and line ends become spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// page writes text of a fixed width. The first error of the writer stops it and
// is returned by err.
type page struct {
	w     io.Writer
	width int
	*look
	err error
}

func (a *app) page(w io.Writer) *page {
	return &page{w: w, width: columns(w), look: a.look(w)}
}

// line writes one line as it is.
func (p *page) line(parts ...string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, strings.TrimRight(strings.Join(parts, ""), " ")+"\n")
	}
}

// field writes a label and its text, wrapped beside it:
//
//	why     Exchange Online's regional servers were
//	        replaced by one name
func (p *page) field(indent int, label string, text string) {
	const labelWidth = 8 // the longest label and a space
	lead := strings.Repeat(" ", indent) + p.faint(pad(label, labelWidth))
	hang := strings.Repeat(" ", indent+labelWidth)
	for i, l := range wrap(printable(text), p.width-indent-labelWidth) {
		if i == 0 {
			p.line(lead, l)
		} else {
			p.line(hang, l)
		}
	}
}

// paragraph writes text wrapped behind an indent.
func (p *page) paragraph(indent int, text string) {
	for _, l := range wrap(printable(text), p.width-indent) {
		p.line(strings.Repeat(" ", indent), l)
	}
}

// wrap breaks text into lines of at most width columns between words. A word is
// never broken: an address or a command must stay fit for copying.
func wrap(text string, width int) []string {
	var lines []string
	var line strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		n := columnsOf(word)
		if used > 0 && used+1+n > width {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		line.WriteString(word)
		used += n
	}
	return append(lines, line.String())
}

// pad fills s with spaces to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columnsOf(s)))
}

// bytesText returns a number of octets in words of at most four digits.
func bytesText(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d B", n)
	case n < 10*unit:
		return fmt.Sprintf("%.1f KiB", float64(n)/unit)
	case n < unit*unit:
		return fmt.Sprintf("%d KiB", n/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/unit/unit/unit)
}

// durationText returns a duration as a person would say it, in one unit or two.
func durationText(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 10*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// clock returns t as a person reads it now: the time today, the day and the time
// otherwise, in the local zone.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04:05")
	case t.Sub(now).Abs() < 6*24*time.Hour:
		return t.Format("Mon 15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// count returns "1 message", "2 messages".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// columnsOf returns the columns that s takes on a terminal.
func columnsOf(s string) int { return lipgloss.Width(s) }
