package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

// maxLogLine bounds one line of a log; a longer one is passed over.
const maxLogLine = 1 << 20

// maxFolded bounds the pairs of cause and recipient that are remembered. Beyond
// it a new pair is counted under its cause alone.
const maxFolded = 100_000

// explainFollow explains each line of a log that tells of a failure, and sums up
// at its end or at an interrupt. That there was nothing to explain is no fault.
func (a *app) explainFollow(ctx context.Context, how explainOptions) error {
	from, done, err := a.linesToExplain(how)
	if err != nil {
		return err
	}
	defer done()
	ctx, stop := interruptible(ctx)
	defer stop()
	if terminal(from) {
		a.note("paste the lines of a log, or use: journalctl -f -u postfix | wellsent explain --follow")
	}
	w := &watch{page: a.page(a.stdout), json: a.json, seen: map[folded]int{}, sums: map[cause.ID]*sum{}}
	lines := logLines(ctx, from)
	for {
		select {
		case <-ctx.Done():
			return w.end()
		case l, ok := <-lines:
			switch {
			case !ok:
				return w.end()
			case errors.Is(l.err, errLongLine):
				a.note("a line longer than %s is passed over", bytesText(maxLogLine))
			case l.err != nil:
				return errors.Join(w.end(), fmt.Errorf("read the log: %w", l.err))
			default:
				if err := w.line(l.text); err != nil {
					return err
				}
			}
		}
	}
}

// logLine is a line of a log, or why it could not be read.
type logLine struct {
	text string
	err  error
}

// logLines reads lines until the end of r, which closes the channel, or until ctx
// ends. A read that waits for a line of a pipe cannot be called off: its goroutine
// then ends with the process, which an interrupt is about to end anyway.
func logLines(ctx context.Context, r io.Reader) <-chan logLine {
	lines := make(chan logLine) // closed by the reader below
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(r, 64<<10)
		for {
			b, err := readLine(in, maxLogLine)
			if errors.Is(err, io.EOF) {
				return
			}
			select {
			case lines <- logLine{strings.ToValidUTF8(string(b), "\ufffd"), err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, errLongLine) {
				return
			}
		}
	}()
	return lines
}

// folded is what is counted as the same failure.
type folded struct {
	cause     cause.ID
	recipient string
}

// sum is what is said of a cause at the end.
type sum struct {
	Cause      cause.ID    `json:"cause"`
	Title      string      `json:"title"`
	Actor      cause.Actor `json:"actor"`
	Count      int         `json:"count"`
	Recipients int         `json:"recipients"`
	order      int
}

// watch is one run of --follow.
type watch struct {
	*page
	json     bool
	seen     map[folded]int
	sums     map[cause.ID]*sum
	failures int
}

// followed is what --follow --json prints for a failure.
type followed struct {
	told
	Count int `json:"count"` // how often this cause was seen with this recipient
}

// line explains one line of the log if it tells of a failure.
func (w *watch) line(text string) error {
	if !tellsOfFailure(text) {
		return nil
	}
	facts := factsIn(text)
	f := tell(text, facts)[0]
	if f.Cause == "" {
		return nil
	}
	if f.Recipient == "" {
		f.Recipient = facts.Recipient
	}
	w.failures++
	s := w.sums[f.Cause]
	isNew := s == nil
	if isNew {
		s = &sum{Cause: f.Cause, Title: title(alternativeTitle(f.Cause), f.Cause), Actor: f.Actor, order: len(w.sums)}
		w.sums[f.Cause] = s
	}
	s.Count++
	key := folded{f.Cause, strings.ToLower(f.Recipient)}
	n, known := w.seen[key]
	if !known && len(w.seen) >= maxFolded {
		key.recipient = ""
		n = w.seen[key]
	}
	n++
	w.seen[key] = n
	if n == 1 && f.Recipient != "" {
		s.Recipients++
	}
	if w.json {
		return w.jsonLine(followed{f, n})
	}
	return w.print(&f, n, isNew)
}

// alternativeTitle is the title of a cause without the facts of a case.
func alternativeTitle(id cause.ID) string {
	if c, ok := cause.Lookup(id); ok {
		return c.Fill(cause.Facts{}).Title
	}
	return ""
}

// print writes a failure: in full when its cause is new, in one line when only the
// recipient is, and as a count when it is the same again, at 2, 5, 10, 20, 50 …
func (w *watch) print(f *told, n int, isNew bool) error {
	switch {
	case isNew:
		if w.failures > 1 {
			w.page.line()
		}
		w.finding(f)
	case n == 1 || isRound(n):
		text := string(f.Cause)
		if f.Recipient != "" {
			text += "  " + f.Recipient
		}
		if n > 1 {
			text += fmt.Sprintf("  (%d times)", n)
		}
		w.page.line(w.bad("✗"), " ", printable(text))
	}
	return w.err
}

// isRound reports whether a count is worth a line: 2, 5, 10, 20, 50, 100 …
func isRound(n int) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1 || n == 2 || n == 5
}

func (w *watch) jsonLine(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = w.w.Write(append(b, '\n'))
	return err
}

// causeSums is the last line of --follow --json.
type causeSums struct {
	Summary  []*sum `json:"summary"`
	Failures int    `json:"failures"`
}

// end sums up by cause, the most frequent first.
func (w *watch) end() error {
	sums := []*sum{}
	for _, s := range w.sums {
		sums = append(sums, s)
	}
	sort.Slice(sums, func(i, j int) bool {
		if sums[i].Count != sums[j].Count {
			return sums[i].Count > sums[j].Count
		}
		return sums[i].order < sums[j].order
	})
	if w.json {
		return w.jsonLine(causeSums{sums, w.failures})
	}
	p := w.page
	if w.failures == 0 {
		p.line("No line told of a failure.")
		return p.err
	}
	p.line()
	p.line(p.strong(fmt.Sprintf("%s of %s:", count(w.failures, "failure", "failures"), count(len(sums), "cause", "causes"))))
	for _, s := range sums {
		of := ""
		if s.Recipients > 1 {
			of = fmt.Sprintf(", %d recipients", s.Recipients)
		}
		p.line(fmt.Sprintf("%6d  ", s.Count), p.strong(string(s.Cause)), of)
		p.paragraph(8, s.Title+". Who must act: "+who(s.Actor)+".")
	}
	return p.err
}
