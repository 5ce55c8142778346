package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// listedStates are the states a recipient in the queue may be in.
var listedStates = []string{string(spool.StateQueued), string(spool.StateHeld), string(spool.StateDead)}

func (a *app) queueListCommand() *cobra.Command {
	var f dispatch.Filter
	c := &cobra.Command{
		Use:   "list [--state STATE]… [--lane NAME]",
		Short: "List what waits: the cause, who must act, the next attempt",
		Long: `List every recipient that has not been delivered: its state, the cause, who must
act, and when it is tried again. Lanes that are paused come first.

--json prints one object for each recipient.`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			for _, s := range f.States {
				if !slices.Contains(listedStates, s) {
					return wrongUse(c, "no state is called %q: there is %s", printable(s), strings.Join(listedStates, ", "))
				}
			}
			q, err := a.orders(c.Context())
			if errors.Is(err, errNoSpool) {
				return a.printNoQueue(err)
			}
			if err != nil {
				return err
			}
			defer q.close()
			if a.json {
				return a.listJSON(c.Context(), q, f)
			}
			return a.listText(c.Context(), q, f)
		},
	}
	c.Flags().StringArrayVar(&f.States, "state", nil, "only recipients in `STATE`: "+strings.Join(listedStates, ", "))
	c.Flags().StringVar(&f.Lane, "lane", "", "only recipients of the lane `NAME`")
	return c
}

// printNoQueue prints the empty list of a server that has never run.
func (a *app) printNoQueue(why error) error {
	fmt.Fprintf(a.stderr, "wellsent: %s\n", why)
	if a.json {
		return (&jsonList{w: a.stdout}).end()
	}
	p := a.page(a.stdout)
	p.line("the queue is empty")
	return p.err
}

func (a *app) listJSON(ctx context.Context, q *orders, f dispatch.Filter) error {
	out := &jsonList{w: a.stdout}
	for e, err := range q.List(ctx, f) {
		if err != nil {
			return orderError("list the queue", err)
		}
		e.Do = list(e.Do)
		if err := out.add(e); err != nil {
			return err
		}
	}
	return out.end()
}

// listText lists for a person. It keeps nothing but a sum for each lane.
func (a *app) listText(ctx context.Context, q *orders, f dispatch.Filter) error {
	p := a.page(a.stdout)
	now := time.Now()
	lanes, err := q.Lanes(ctx)
	if err != nil {
		return orderError("list the queue", err)
	}
	p.worryBanner(ctx, q, lanes)
	sum := newSummary()
	for i := range lanes {
		if l := &lanes[i]; f.Lane == "" || f.Lane == l.Name {
			p.paused(l, now)
			p.notices(l)
			sum.lanes[l.Name] = laneWords(l, now)
		}
	}
	var last spool.QueueID
	for e, err := range q.List(ctx, f) {
		if err != nil {
			return orderError("list the queue", err)
		}
		if e.QueueID != last {
			sum.messages++
			last = e.QueueID
			p.message(&e, now)
		}
		p.recipient(&e, now)
		sum.add(&e)
		if p.err != nil {
			return p.err
		}
	}
	p.summary(sum, now)
	return p.err
}

// message writes the line that begins a message.
func (p *page) message(e *dispatch.Entry, now time.Time) {
	p.line(p.strong(printable(string(e.QueueID))), "  ", durationText(now.Sub(e.Received)), " old, ",
		bytesText(e.Size), ", from ", printable(sender(e.From)), ofDevice(e.Device))
}

// ofDevice names the device of a message, "" where it is of none.
func ofDevice(name string) string {
	if name == "" {
		return ""
	}
	return " (device " + printable(name) + ")"
}

// sender names a reverse-path; the null one is that of notifications.
func sender(from smtp.Path) string {
	if from.IsNull() {
		return "<> (a notification)"
	}
	return string(from)
}

// recipient writes one recipient: where it is, why, who must act and when it goes
// on.
func (p *page) recipient(e *dispatch.Entry, now time.Time) {
	state := stateWords(e)
	if e.State == spool.StateQueued && e.Attempts == 0 && e.Cause == "" {
		state = p.faint(state)
	} else {
		state = p.warn(state)
	}
	p.line("  ", printable(string(e.Address)))
	if e.Waits != "" {
		p.line("    ", state, " for ", e.Waits, ", next ", atWords(e, now))
	} else {
		p.line("    ", state, ": ", nextWords(e, now))
	}
	switch {
	case e.Waits != "" && e.Attempts == 0 && e.Reply == "": // it is said
	case e.Cause != "":
		p.paragraph(4, causeWords(e))
		p.paragraph(4, actWords(e))
	case e.Reply != "" || e.Detail != "":
		p.paragraph(4, "the cause has no name yet: "+seenWords(e))
	}
	if e.Unsure {
		p.paragraph(4, "may arrive twice: the connection died before the server's answer")
	}
	p.line()
}

// actWords says who must act, and that waiting may do where it may.
func actWords(e *dispatch.Entry) string {
	if e.Retry == cause.RetryLater {
		return "may pass by itself; if not, must act: " + who(e.Actor)
	}
	return "must act: " + who(e.Actor)
}

// stateWords names a recipient's state for a person.
func stateWords(e *dispatch.Entry) string {
	switch e.State {
	case spool.StateQueued:
		return "waiting"
	case spool.StateHeld:
		return "held"
	case spool.StateDead:
		return "dead letter"
	}
	return string(e.State)
}

// nextWords says when a recipient is tried next, or what it takes.
func nextWords(e *dispatch.Entry, now time.Time) string {
	attempts := ""
	if e.Attempts > 0 {
		attempts = ", after " + count(e.Attempts, "attempt", "attempts")
	}
	switch {
	case e.State == spool.StateHeld:
		return "until wellsent queue resume " + printable(string(e.QueueID))
	case e.State == spool.StateDead:
		return "nobody can be told; kept until resumed or cancelled"
	case e.LanePaused:
		return "its lane " + printable(e.Lane) + " is paused" + attempts
	case e.NextAttempt == nil || !e.NextAttempt.After(now):
		return "due now" + attempts
	}
	return "next attempt " + whenWords(*e.NextAttempt, now) + attempts
}

// atWords says when what waits for its pace goes on.
func atWords(e *dispatch.Entry, now time.Time) string {
	if e.NextAttempt == nil || !e.NextAttempt.After(now) {
		return "now"
	}
	return "at " + clock(*e.NextAttempt, now)
}

// causeWords names a recipient's cause in words, with its id.
func causeWords(e *dispatch.Entry) string {
	if e.Title == "" {
		return string(e.Cause)
	}
	return e.Title + " [" + string(e.Cause) + "]"
}

// summary counts the recipients listed, in all and by lane.
type summary struct {
	messages int
	all      laneSum
	byLane   map[string]*laneSum
	lanes    map[string]string // what holds a lane up, by its name
}

type laneSum struct {
	queued, held, dead int
	next               *time.Time // of those queued; nil: none, or one is due
	due                bool       // one is due now
}

func newSummary() *summary {
	return &summary{byLane: map[string]*laneSum{}, lanes: map[string]string{}}
}

func (s *summary) add(e *dispatch.Entry) {
	lane := s.byLane[e.Lane]
	if lane == nil {
		lane = &laneSum{}
		s.byLane[e.Lane] = lane
	}
	lane.add(e)
	s.all.add(e)
}

func (l *laneSum) add(e *dispatch.Entry) {
	switch e.State {
	case spool.StateHeld:
		l.held++
	case spool.StateDead:
		l.dead++
	default:
		l.queued++
		switch {
		case e.NextAttempt == nil:
			l.due = true
		case l.next == nil || e.NextAttempt.Before(*l.next):
			l.next = e.NextAttempt
		}
	}
}

// words returns "3 waiting, 1 held, 1 dead letter".
func (l *laneSum) words() string {
	var parts []string
	if l.queued > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting", l.queued))
	}
	if l.held > 0 {
		parts = append(parts, fmt.Sprintf("%d held", l.held))
	}
	if l.dead > 0 {
		parts = append(parts, count(l.dead, "dead letter", "dead letters"))
	}
	return strings.Join(parts, ", ")
}

// summary writes the sum and a line for each lane.
func (p *page) summary(s *summary, now time.Time) {
	n := s.all.queued + s.all.held + s.all.dead
	if n == 0 {
		p.line("the queue is empty")
		return
	}
	p.line(p.strong(count(s.messages, "message", "messages")+", "+count(n, "recipient", "recipients")), ": ", s.all.words())
	names := make([]string, 0, len(s.byLane))
	for name := range s.byLane {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l := s.byLane[name]
		words := l.words()
		switch {
		case s.lanes[name] != "":
			words += "; " + s.lanes[name]
		case l.queued == 0:
		case l.due || l.next == nil || !l.next.After(now):
			words += ", due now"
		default:
			words += ", next in " + durationText(l.next.Sub(now))
		}
		p.named(name, words)
	}
}
