package allowance

import (
	"fmt"
	"time"
)

// The windows in which providers count.
const (
	minute = iota
	hour
	day
	windows
)

var lengths = [windows]time.Duration{time.Minute, time.Hour, 24 * time.Hour}

// grains is into how many parts a window is cut: a spend is forgotten at most one
// part late.
const grains = 288

// margin returns what is added to a window: a second for providers that count in
// whole ones, and a thousandth for clocks, which NTP lets run apart by half of it
// while it mends them (RFC 5905 §11.3: 500 ppm).
func margin(w time.Duration) time.Duration { return time.Second + w/1000 }

// Unit is what a bound counts.
type Unit string

// The units.
const (
	Messages   Unit = "messages"
	Recipients Unit = "recipients"
)

// Bound is one limit.
type Bound struct {
	Max  int
	Unit Unit
	Per  time.Duration // a minute, an hour or 24 hours
}

// String returns "30 messages a minute".
func (b Bound) String() string {
	per := map[time.Duration]string{time.Minute: "a minute", time.Hour: "an hour", 24 * time.Hour: "a day"}[b.Per]
	unit := string(b.Unit)
	if b.Max == 1 {
		unit = unit[:len(unit)-1]
	}
	return fmt.Sprintf("%d %s %s", b.Max, unit, per)
}

// Key returns the name of the bound in a configuration: "per_minute".
func (b Bound) Key() string {
	key := map[time.Duration]string{time.Minute: "per_minute", time.Hour: "per_hour", 24 * time.Hour: "per_day"}[b.Per]
	if b.Unit == Recipients {
		key = "recipients_" + key
	}
	return key
}

// Limits are the bounds of one taker. Zero is no bound.
type Limits struct {
	PerMinute, PerHour, PerDay          int // messages
	RecipientsPerHour, RecipientsPerDay int
}

// None reports that nothing is bounded.
func (l Limits) None() bool { return l == Limits{} }

// bound returns the limit of a window and unit; Max is 0 when there is none.
func (l Limits) bound(w int, u Unit) Bound {
	b := Bound{Unit: u, Per: lengths[w]}
	switch {
	case u == Messages && w == minute:
		b.Max = l.PerMinute
	case u == Messages && w == hour:
		b.Max = l.PerHour
	case u == Messages && w == day:
		b.Max = l.PerDay
	case w == hour:
		b.Max = l.RecipientsPerHour
	case w == day:
		b.Max = l.RecipientsPerDay
	}
	return b
}

// Of returns what l has for the window and unit of b; 0 when nothing.
func (l Limits) Of(b Bound) int {
	for w := range windows {
		if lengths[w] == b.Per {
			return l.bound(w, b.Unit).Max
		}
	}
	return 0
}

// most is how much may be spent between two records where nothing bounds it.
const most = 1000

// Ahead returns what may be spent between two records. A crash costs that much of
// the allowance, and each record a synced write: so it is a third of a minute's,
// which comes back soon, and a hundredth of a day's.
func (l Limits) Ahead() Spend {
	s := Spend{most, most}
	for _, p := range []struct{ max, parts, unit int }{{l.PerMinute, 3, 0}, {l.PerHour, 20, 0}, {l.PerDay, 100, 0}, {l.RecipientsPerHour, 20, 1}, {l.RecipientsPerDay, 100, 1}} {
		if p.max > 0 {
			s[p.unit] = min(s[p.unit], max(1, p.max/p.parts))
		}
	}
	return s
}

// Spend is a number of messages and a number of recipients.
type Spend [2]int

// Of returns the spend of one message to n recipients.
func Of(n int) Spend { return Spend{1, n} }

func (s Spend) of(u Unit) int {
	if u == Messages {
		return s[0]
	}
	return s[1]
}

// Plus returns the sum.
func (s Spend) Plus(t Spend) Spend { return Spend{s[0] + t[0], s[1] + t[1]} }

// Minus returns the difference, nothing below zero.
func (s Spend) Minus(t Spend) Spend { return Spend{max(0, s[0]-t[0]), max(0, s[1]-t[1])} }

// Within reports whether s is covered by t.
func (s Spend) Within(t Spend) bool { return s[0] <= t[0] && s[1] <= t[1] }

// entry is what was spent in one grain of a window.
type entry struct {
	first, last time.Time
	spend       Spend
}

// window is what was spent within one length of time, oldest first.
type window struct {
	entries []entry
	sum     Spend
}

func (w *window) add(at time.Time, s Spend, length time.Duration) {
	w.sum = w.sum.Plus(s)
	if n := len(w.entries); n > 0 && at.Sub(w.entries[n-1].first) < length/grains {
		e := &w.entries[n-1]
		if at.After(e.last) {
			e.last = at
		}
		e.spend = e.spend.Plus(s)
		return
	}
	w.entries = append(w.entries, entry{at, at, s})
}

// forget drops what no interval that ends at now or later has in it.
func (w *window) forget(now time.Time, length time.Duration) {
	n := 0
	for n < len(w.entries) && !w.entries[n].last.Add(length+margin(length)).After(now) {
		w.sum = w.sum.Minus(w.entries[n].spend)
		n++
	}
	if n > 0 {
		w.entries = append(w.entries[:0], w.entries[n:]...)
	}
}

// Log is what was handed over with one account. The zero Log is empty.
type Log struct {
	windows [windows]window
	flying  Spend
}

// Wait is why nothing may be handed over now.
type Wait struct {
	Until time.Time // when to ask again; zero: when something in flight ends
	Bound Bound
}

// Room returns how many recipients one message may have now, at most want, or why
// none may go.
func (l *Log) Room(now time.Time, lim Limits, want int) (int, Wait) {
	var wait Wait
	full := false
	n := want
	for w := range windows {
		win := &l.windows[w]
		win.forget(now, lengths[w])
		for _, u := range []Unit{Messages, Recipients} {
			b := lim.bound(w, u)
			if b.Max == 0 {
				continue
			}
			room := b.Max - win.sum.of(u) - l.flying.of(u)
			if room < 1 {
				if until := win.frees(1-room, u, lengths[w]); !full || later(until, wait.Until) {
					wait = Wait{until, b}
				}
				full = true
			}
			if u == Recipients {
				n = min(n, room)
			}
		}
	}
	if full {
		return 0, wait
	}
	return n, Wait{}
}

// frees returns when n have been forgotten; zero: not by time alone.
func (w *window) frees(n int, u Unit, length time.Duration) time.Time {
	for i := range w.entries {
		if n -= w.entries[i].spend.of(u); n <= 0 {
			return w.entries[i].last.Add(length + margin(length))
		}
	}
	return time.Time{}
}

// later compares two instants of which zero is never.
func later(a, b time.Time) bool { return !b.IsZero() && (a.IsZero() || a.After(b)) }

// Take spends one message to at most want recipients, and returns how many these
// are; when none, why. Each Take is followed by Done or Back with what it took.
func (l *Log) Take(now time.Time, lim Limits, want int) (int, Wait) {
	n, wait := l.Room(now, lim, want)
	if n > 0 {
		l.flying = l.flying.Plus(Of(n))
	}
	return n, wait
}

// MostAhead is how far ahead of its call Done may be told an instant, of what may
// be counted later than is seen.
const MostAhead = time.Minute

// Done notes that what was taken was handed over, at now at the latest.
func (l *Log) Done(now time.Time, s Spend) {
	l.flying = l.flying.Minus(s)
	for w := range windows {
		l.windows[w].add(now, s, lengths[w]) // what is old, Room forgets: now may be ahead
	}
}

// Back gives back what was taken and not handed over.
func (l *Log) Back(s Spend) { l.flying = l.flying.Minus(s) }

// Empty reports that nothing is remembered.
func (l *Log) Empty(now time.Time) bool {
	for w := range windows {
		l.windows[w].forget(now, lengths[w])
		if len(l.windows[w].entries) > 0 {
			return false
		}
	}
	return l.flying == Spend{}
}
