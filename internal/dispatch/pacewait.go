package dispatch

import (
	"fmt"
	"time"

	"github.com/wellsent/wellsent/internal/allowance"
	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/route"
)

// paceWait is why and until when a pace lets nothing go.
type paceWait struct {
	until time.Time
	bound allowance.Bound
	host  string // whose limit it is, by the data on providers; "": the operator's own
}

// askAgain is when a lane is looked at again that waits for something in flight
// on another lane.
const askAgain = time.Second

func newPaceWait(now time.Time, r *route.Route, w allowance.Wait) *paceWait {
	p := &paceWait{until: w.Until, bound: w.Bound}
	if p.until.IsZero() {
		p.until = now.Add(askAgain)
	}
	if r.PaceHost != "" && ownBound(&r.PaceOwn, w.Bound) == 0 {
		p.host = r.PaceHost
	}
	return p
}

// ownBound returns the operator's own value of a bound.
func ownBound(p *route.Pace, b allowance.Bound) int {
	l := allowance.Limits{PerMinute: p.PerMinute, PerHour: p.PerHour, PerDay: p.PerDay, RecipientsPerHour: p.RecipientsPerHour, RecipientsPerDay: p.RecipientsPerDay}
	return l.Of(b)
}

// words returns "the provider's limit (30 messages a minute)".
func (p *paceWait) words() string {
	if p.host != "" {
		return fmt.Sprintf("the provider's limit (%s)", p.bound)
	}
	return fmt.Sprintf("the route's own pace (%s)", p.bound)
}

// finding explains the wait.
func (p *paceWait) finding() explain.Finding {
	id := cause.ID("limit.quota")
	if p.bound.Per <= time.Minute {
		id = "limit.rate"
	}
	f := explain.Finding{Cause: id, Confidence: explain.Certain, Actor: cause.ActorSenderAdmin, Retry: cause.RetryLater,
		Title: "Waiting for " + p.words(),
		Why:   "The route may be given no more than this. Nothing was refused: what waits goes out as the pace allows.",
		Do:    []string{"Nothing: it goes on by itself.", "If the provider allows more, set the route's pace = { … } higher."}}
	if p.host != "" {
		f.Why = fmt.Sprintf("%s takes no more than %s from one account, and would refuse what is over. Nothing was refused: what waits goes out as the limit allows.", p.host, p.bound)
		f.Do[1] = fmt.Sprintf("If your account there is allowed more, say so in the route: pace = { %s = … }.", p.bound.Key())
	}
	return f
}
