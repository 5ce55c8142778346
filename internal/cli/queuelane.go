package cli

import (
	"fmt"
	"time"

	"github.com/wellsent/wellsent/internal/dispatch"
)

// The states of a lane, as dispatch names them.
const (
	laneSlow   = "slow"
	laneDown   = "down"
	lanePaused = "paused"
)

// paused writes the banner of a lane that is paused, which comes before all else:
// one cure lets all its mail go. Other lanes have a line of the summary.
func (p *page) paused(l *dispatch.LaneStatus, now time.Time) {
	if l.State != lanePaused {
		return
	}
	what := title(l.Title, l.Cause)
	if what == "" {
		what = "the reason is not known"
	}
	p.heading(fmt.Sprintf("%s is paused: %s", l.Name, lowerFirst(what)), string(l.Cause))
	if l.Reply != "" {
		p.field(2, "seen", l.Reply)
	}
	if l.Why != "" {
		p.field(2, "why", l.Why)
	}
	p.list("do", append(append([]string{}, l.Do...), "then: wellsent queue resume --lane "+l.Name+" (or wait for the next try)"))
	if l.Actor != "" {
		p.field(2, "who", who(l.Actor))
	}
	since := count(l.Queued, "recipient waits", "recipients wait")
	if l.Since != nil {
		since += fmt.Sprintf(", since %s (%s)", clock(*l.Since, now), durationText(now.Sub(*l.Since)))
	}
	p.field(2, "waits", since)
	if l.NextProbe != nil {
		p.field(2, "next", "tried again alone "+whenWords(*l.NextProbe, now)+"; when that works everything goes on")
	}
	p.line()
}

// notices writes what should be known of a lane although its mail goes.
func (p *page) notices(l *dispatch.LaneStatus) {
	for _, n := range l.Notices {
		p.field(0, "note", l.Name+": "+n)
	}
	if len(l.Notices) > 0 {
		p.line()
	}
}

// laneWords says what holds a lane up, "" when nothing does.
func laneWords(l *dispatch.LaneStatus, now time.Time) string {
	words := ""
	if l.Waits != "" && l.NextProbe != nil {
		return "waiting for " + l.Waits + ", next at " + clock(*l.NextProbe, now)
	}
	switch l.State {
	case lanePaused:
		return "paused, see above"
	case laneDown:
		words = "no connection"
	case laneSlow:
		words = "slowed down"
	default:
		return ""
	}
	if l.Cause != "" {
		words += ": " + lowerFirst(title(l.Title, l.Cause)) + " [" + string(l.Cause) + "]"
	}
	if l.NextProbe != nil {
		words += ", tried again " + whenWords(*l.NextProbe, now)
	}
	return words
}

// whenWords returns "in 3 min (14:05:10)", or "now".
func whenWords(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return fmt.Sprintf("in %s (%s)", durationText(t.Sub(now)), clock(t, now))
}

// lowerFirst makes a title fit to follow a colon. A word in capitals or with one
// inside, such as TLS or Gmail's names, stays as it is.
func lowerFirst(s string) string {
	for i := 1; i < len(s) && s[i] != ' '; i++ {
		if s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9' || s[i] == '.' {
			return s
		}
	}
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}
