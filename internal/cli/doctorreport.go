package cli

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/doctor"
)

// printReport writes a report for people: the root cause, warnings, what works, and
// the steps in the program that is meant.
func (a *app) printReport(r *doctor.Report, f *doctorFlags) error {
	p := a.page(a.stdout)
	where := r.Where()
	for i := range r.Findings {
		if i > 0 {
			p.line()
		}
		p.diagnosis(&r.Findings[i], p.bad("✗"))
	}
	switch {
	case len(r.Findings) > 0:
	case r.Verdict == doctor.OK:
		p.paragraph(0, "✓ "+where+" works: "+tried(r))
	default:
		p.paragraph(0, "? "+where+": nothing was found, but not all could be tried")
	}
	p.tokenSteps(r.Steps)
	for _, u := range r.Untested {
		p.field(2, "untried", u)
	}
	if f.login != "" && len(r.Findings) == 0 {
		p.field(2, "untried", "the login. `wellsent doctor "+f.login+" --user "+f.login+"` asks for the password and tries it")
	}
	for _, o := range r.Origin {
		p.field(2, "from", o)
	}
	if f.said != nil && len(r.Findings) == 0 {
		p.line()
		p.paragraph(0, "Nothing else was found. What your program's error says remains:")
		p.marked(p.bad("✗"), title(f.said.Title, f.said.Cause), string(f.said.Cause))
		p.steps("do", f.said.Do)
		p.field(2, "who", who(f.said.Actor))
	}
	if len(r.Warnings) > 0 {
		p.line()
	}
	for i := range r.Warnings {
		p.warning(&r.Warnings[i])
	}
	if !r.Works.Empty() {
		p.line()
		p.worksCard(&r.Works, len(r.Findings) > 0)
	}
	if f.client != "" {
		p.clientSteps(f.client, r)
	}
	return p.err
}

// tried says in words what a run without findings has tried.
func tried(r *doctor.Report) string {
	words := []string{"it greets"}
	w := &r.Works
	if r.Target.Host == "" {
		words[0] = "a token is issued"
		if e := r.Evidence; len(e) > 0 && len(r.Untested) == 0 {
			words = append(words, "a message was taken")
		}
	}
	if w.TLS != "" {
		words = append(words, w.TLS+" with a trusted certificate")
	}
	if w.User != "" {
		words = append(words, "the login is accepted")
	}
	if w.From != "" {
		words = append(words, "the sender is taken")
	}
	if w.To != "" && w.Sent {
		words = append(words, "the message was sent")
	} else if w.To != "" {
		words = append(words, "the recipient is taken")
	}
	return strings.Join(words, ", ") + " (" + strconv.FormatInt(r.TookMS, 10) + " ms)"
}

// tokenSteps writes how far a route's token comes.
func (p *page) tokenSteps(steps []doctor.Step) {
	if len(steps) == 0 {
		return
	}
	p.line()
	p.line(p.strong("The way of the token:"))
	marks := map[doctor.StepState]string{doctor.StepOK: p.good("✓"), doctor.StepFailed: p.bad("✗"), doctor.StepNotReached: p.faint("·"), doctor.StepUnknown: p.warn("?")}
	for _, s := range steps {
		text := s.Title
		switch {
		case s.State == doctor.StepNotReached:
			text += " (not reached)"
		case s.State == doctor.StepUnknown && len(s.Seen) > 0:
			text += " (not known: " + s.Seen[len(s.Seen)-1] + ")"
		case s.State == doctor.StepUnknown:
			text += " (not known)"
		}
		for i, l := range wrap(printable(text), p.width-4) {
			if i == 0 {
				p.line("  ", marks[s.State], " ", l)
				continue
			}
			p.line("    ", l)
		}
	}
	p.line()
}

// diagnosis writes one finding of the doctor.
func (p *page) diagnosis(f *doctor.Finding, mark string) {
	p.marked(mark, title(f.Title, f.Cause), string(f.Cause))
	p.list("seen", f.Seen)
	p.field(2, "why", f.Why)
	p.steps("do", f.Do)
	p.field(2, "who", who(f.Actor))
	p.field(2, "sure", string(f.Confidence))
	if len(f.RuledOut) > 0 {
		p.list("fine", f.RuledOut)
	}
}

// warning writes in a few lines what does not stop this mail.
func (p *page) warning(f *doctor.Finding) {
	p.marked(p.warn("!"), title(f.Title, f.Cause), string(f.Cause))
	p.list("seen", f.Seen)
	if len(f.Do) > 0 {
		p.field(2, "do", f.Do[0])
	}
}

// worksCard writes the settings that were tried and succeeded.
func (p *page) worksCard(w *doctor.Works, instead bool) {
	head := "These settings work, tried just now:"
	if instead {
		head = "What was tried just now and works:"
	}
	p.line(p.strong(head))
	for _, row := range w.Rows() {
		p.line("  ", p.faint(pad(row.Name, 18)), printable(row.Value))
	}
}

// doctorShow shows on standard error what is being tried: one line a probe that has
// ended, and on a terminal what is still waited for.
type doctorShow struct {
	a       *app
	p       *page
	live    bool
	mu      sync.Mutex // guards the fields below
	running []string
	tick    *time.Ticker
	done    chan struct{}
	ended   sync.WaitGroup
}

func (a *app) doctorProgress() *doctorShow {
	s := &doctorShow{a: a, p: a.page(a.stderr), live: terminal(a.stderr), done: make(chan struct{})}
	if s.live {
		s.tick = time.NewTicker(120 * time.Millisecond)
		s.ended.Go(s.spin)
	}
	return s
}

// step takes one step of the run.
func (s *doctorShow) step(p doctor.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimSpace(p.Probe + " " + p.About)
	if !p.Done {
		s.running = append(s.running, name)
		return
	}
	for i, r := range s.running {
		if r == name {
			s.running = append(s.running[:i], s.running[i+1:]...)
			break
		}
	}
	mark := s.p.good("✓")
	if !p.Well {
		mark = s.p.bad("✗")
	}
	s.clear()
	said := printable(p.Said)
	room := max(s.p.width-2-10-columnsOf(printable(p.About))-2-9, 16)
	if lines := wrap(said, room); len(lines) > 1 {
		said = lines[0] + " …"
	}
	fmt.Fprintf(s.a.stderr, "%s %s%s  %s  %s\n", mark, pad(p.Probe, 10), printable(p.About), said, s.p.faint(strconv.FormatInt(p.Took.Milliseconds(), 10)+" ms"))
}

// spin shows what is waited for until the run ends.
func (s *doctorShow) spin() {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	for i := 0; ; i++ {
		select {
		case <-s.done:
			return
		case <-s.tick.C:
		}
		s.mu.Lock()
		if n := len(s.running); n > 0 {
			text := s.running[n-1]
			if n > 1 {
				text += fmt.Sprintf(" and %d more", n-1)
			}
			s.clear()
			fmt.Fprintf(s.a.stderr, "%c %s", frames[i%len(frames)], printable(text))
		}
		s.mu.Unlock()
	}
}

// clear takes the line of the spinner away.
func (s *doctorShow) clear() {
	if s.live {
		fmt.Fprint(s.a.stderr, "\r\x1b[K")
	}
}

// end stops the spinner.
func (s *doctorShow) end() {
	close(s.done)
	if s.tick != nil {
		s.tick.Stop()
	}
	s.ended.Wait()
	s.clear()
	if s.live {
		fmt.Fprintln(s.a.stderr)
	}
}
