package config

import (
	"strconv"

	"github.com/wellsent/wellsent/internal/route"
)

// unlimited is the word for a bound that is not to hold though the provider is
// known to have it.
const unlimited = "unlimited"

// pace reads what a route may be given. Where the file says nothing of a bound,
// the data on the provider do.
func (r *reader) pace(s *table, prefix string, rt *Route) {
	p, _ := r.tableOf(s, prefix, "pace")
	known, host := route.ProviderPace(rt.Via)
	origin := originDefault
	if host != "" {
		origin = "provider data of " + host
	}
	for _, b := range []struct {
		name    string
		highest int
		known   int
		own     *int
		holds   *int
	}{
		{"connections", 10_000, known.Connections, &rt.PaceOwn.Connections, &rt.Pace.Connections},
		{"per_minute", 10_000_000, known.PerMinute, &rt.PaceOwn.PerMinute, &rt.Pace.PerMinute},
		{"per_hour", 100_000_000, known.PerHour, &rt.PaceOwn.PerHour, &rt.Pace.PerHour},
		{"per_day", 1_000_000_000, known.PerDay, &rt.PaceOwn.PerDay, &rt.Pace.PerDay},
		{"recipients", 100_000, known.Recipients, &rt.PaceOwn.Recipients, &rt.Pace.Recipients},
		{"recipients_per_hour", 100_000_000, known.RecipientsPerHour, &rt.PaceOwn.RecipientsPerHour, &rt.Pace.RecipientsPerHour},
		{"recipients_per_day", 1_000_000_000, known.RecipientsPerDay, &rt.PaceOwn.RecipientsPerDay, &rt.Pace.RecipientsPerDay},
	} {
		*b.own, *b.holds = r.bound(p, prefix+".pace", b.name, b.highest, b.known, origin)
		if *b.holds == b.known && *b.own == 0 && b.known != 0 {
			rt.PaceHost = host
		}
	}
	r.rest(p, "route.pace")
}

// bound returns one bound of a pace: the operator's own, 0 when there is none, and
// the one that holds, 0 for no bound.
func (r *reader) bound(t *table, prefix, name string, highest, known int, origin string) (own, holds int) {
	e := t.find(name)
	if e != nil && e.value.kind == kindString && e.value.text == unlimited {
		t.take(name)
		r.record(join(prefix, name), quote(unlimited), r.originOf(e.at, nil))
		return 0, 0
	}
	if e == nil {
		t.take(name)
		if known != 0 {
			r.record(join(prefix, name), strconv.Itoa(known), origin)
		}
		return 0, known
	}
	before := len(r.mistakes)
	own = r.number(t, prefix, name, 0, 1, highest)
	if len(r.mistakes) > before {
		m := &r.mistakes[len(r.mistakes)-1]
		m.Message += `; write "unlimited" for no bound`
		return 0, known
	}
	return own, own
}
