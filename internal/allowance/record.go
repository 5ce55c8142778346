package allowance

import (
	"encoding/json"
	"fmt"
	"time"
)

// version is that of a record. 1: the first. On disk; must not change.
const version = 1

// Record is what is kept of a log between processes.
type Record struct {
	Version int                 `json:"version"`
	Account string              `json:"account"`
	Open    Spend               `json:"open"`    // in flight, and ahead
	Windows [windows][][4]int64 `json:"windows"` // minute, hour, day: first and last in Unix milliseconds, messages, recipients
}

// Record returns what is to be kept so that ahead may be spent before the next
// record.
func (l *Log) Record(account string, now time.Time, ahead Spend) Record {
	r := Record{Version: version, Account: account, Open: l.flying.Plus(ahead)}
	for w := range windows {
		l.windows[w].forget(now, lengths[w])
		r.Windows[w] = make([][4]int64, 0, len(l.windows[w].entries))
		for _, e := range l.windows[w].entries {
			// The next millisecond: a spend must not seem older than it is.
			r.Windows[w] = append(r.Windows[w], [4]int64{e.first.UnixMilli(), e.last.UnixMilli() + 1, int64(e.spend[0]), int64(e.spend[1])})
		}
	}
	return r
}

// Restore returns the log of a record, and whose it is. What the record has open
// is taken for spent at now.
func Restore(record []byte, now time.Time) (account string, l *Log, err error) {
	var r Record
	if err := json.Unmarshal(record, &r); err != nil {
		return "", nil, fmt.Errorf("record of an allowance: %w", err)
	}
	if r.Version != version {
		return "", nil, fmt.Errorf("record of the allowance of %s: version %d", r.Account, r.Version)
	}
	l = &Log{}
	for w := range windows {
		for _, e := range r.Windows[w] {
			x := entry{time.UnixMilli(e[0]), time.UnixMilli(e[1]), Spend{int(e[2]), int(e[3])}}
			if latest := now.Add(MostAhead); x.last.After(latest) {
				x.first, x.last = now, latest // the clock was set back
			}
			l.windows[w].entries = append(l.windows[w].entries, x)
			l.windows[w].sum = l.windows[w].sum.Plus(x.spend)
		}
	}
	if r.Open != (Spend{}) {
		l.Done(now, r.Open)
	}
	return r.Account, l, nil
}
