package allowance

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)

func TestBound_String(t *testing.T) {
	for want, b := range map[string]Bound{
		"30 messages a minute":   {30, Messages, time.Minute},
		"1 message a minute":     {1, Messages, time.Minute},
		"100 recipients an hour": {100, Recipients, time.Hour},
		"10000 recipients a day": {10000, Recipients, 24 * time.Hour},
	} {
		if b.String() != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
}

func TestLog_TakesWhatThereIsAndSaysWhenThereIsMore(t *testing.T) {
	var l Log
	lim := Limits{PerMinute: 2, RecipientsPerDay: 5}
	now := start
	if n, _ := l.Take(now, lim, 3); n != 3 {
		t.Fatalf("took %d of 3", n)
	}
	if n, _ := l.Take(now, lim, 3); n != 2 {
		t.Fatalf("took %d, want the 2 that the day has left", n)
	}
	n, w := l.Take(now, lim, 1)
	if n != 0 || !w.Until.IsZero() {
		t.Fatalf("took %d, wait %+v while all is in flight", n, w)
	}
	l.Done(now.Add(10*time.Second), Of(3))
	l.Back(Of(2))
	if n, _ := l.Take(now.Add(10*time.Second), lim, 9); n != 2 {
		t.Fatalf("took %d after 2 came back", n)
	}
	l.Done(now.Add(20*time.Second), Of(2))
	n, w = l.Take(now.Add(30*time.Second), lim, 1)
	want := now.Add(10*time.Second + 24*time.Hour + margin(24*time.Hour))
	if n != 0 || w.Bound.String() != "5 recipients a day" || w.Until.Before(want) || w.Until.After(want.Add(5*time.Minute)) {
		t.Errorf("took %d, wait %+v, want until %v", n, w, want)
	}
	if n, _ := l.Take(w.Until, lim, 9); n < 3 {
		t.Errorf("took %d at the instant that was named", n)
	}
}

// TestLog_NeverOneOver has transactions of random length at random instants, and a
// provider that counts each somewhere between its begin and end. No interval of a
// window's length has more than the bound, and what may be sent is sent.
func TestLog_NeverOneOver(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		lim := Limits{PerMinute: 1 + r.IntN(40), PerHour: 200 + r.IntN(400), RecipientsPerDay: 1500 + r.IntN(4000)}
		pause := []time.Duration{700 * time.Millisecond, 10 * time.Second}[seed%2] // hours, and days in all
		var l Log
		type sent struct {
			at time.Time
			n  int
		}
		var all []sent
		type flight struct {
			ends, counted time.Time
			n             int
		}
		var flying []flight
		now, total := start, 0
		for step := 0; step < 30000; step++ {
			now = now.Add(time.Duration(r.ExpFloat64() * float64(pause)))
			for i := 0; i < len(flying); i++ {
				if f := flying[i]; !f.ends.After(now) {
					if r.IntN(20) == 0 {
						l.Back(Of(f.n)) // it never reached MAIL
					} else {
						l.Done(now, Of(f.n))
						all = append(all, sent{f.counted, f.n})
						total++
					}
					flying = append(flying[:i], flying[i+1:]...)
					i--
				}
			}
			if len(flying) < 3 {
				if n, w := l.Take(now, lim, 1+r.IntN(30)); n > 0 {
					took := time.Duration(r.ExpFloat64() * float64(2*time.Second))
					flying = append(flying, flight{now.Add(took), now.Add(time.Duration(r.Float64() * float64(took))), n})
				} else if w.Bound.Max == 0 {
					t.Fatalf("seed %d: nothing, and no bound: %+v", seed, w)
				}
			}
		}
		for _, b := range []Bound{lim.bound(minute, Messages), lim.bound(hour, Messages), lim.bound(day, Recipients)} {
			slices.SortFunc(all, func(a, b sent) int { return a.at.Compare(b.at) })
			sum, first := 0, 0
			of := func(s sent) int { return max(1, s.n*map[Unit]int{Recipients: 1}[b.Unit]) }
			for i := range all {
				sum += of(all[i])
				for ; all[i].at.Sub(all[first].at) >= b.Per; first++ {
					sum -= of(all[first])
				}
				if sum > b.Max {
					t.Fatalf("seed %d: %d within the span of %q until %v", seed, sum, b, all[i].at)
				}
			}
		}
		if total < 50 {
			t.Errorf("seed %d: only %d were sent with %+v", seed, total, lim)
		}
	}
}

// TestRestore_NeverForgets: after a crash at any instant what is counted is at
// least what was spent.
func TestRestore_NeverForgets(t *testing.T) {
	lim := Limits{PerMinute: 30, RecipientsPerDay: 1000}
	r := rand.New(rand.NewPCG(3, 3))
	var l Log
	now := start
	spent := Spend{}
	ahead := lim.Ahead()
	record, since := l.Record("me", now, ahead), Spend{}
	for range 2000 {
		now = now.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
		n, _ := l.Take(now, lim, 1+r.IntN(4))
		if n == 0 {
			continue
		}
		since, spent = since.Plus(Of(n)), spent.Plus(Of(n))
		if !since.Within(ahead) {
			record, since = l.Record("me", now, ahead), Spend{}
		}
		// A crash here, and another process a moment later.
		b, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		account, back, err := Restore(b, now)
		if err != nil || account != "me" {
			t.Fatal(account, err)
		}
		if back.windows[day].sum[1] < l.windows[day].sum[1]+l.flying[1] {
			t.Fatalf("%d remembered of %d", back.windows[day].sum[1], l.windows[day].sum[1]+l.flying[1])
		}
		if over := back.windows[day].sum[1] - l.windows[day].sum[1] - l.flying[1]; over > ahead[1] {
			t.Fatalf("the crash cost %d, more than %d", over, ahead[1])
		}
		l.Done(now, Of(n))
	}
	if spent[1] < 1000 {
		t.Fatalf("only %d were spent", spent[1])
	}
}

func TestRestore_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, s := range []string{"", "{}", `{"version":2}`, "x"} {
		if _, _, err := Restore([]byte(s), start); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

func TestRestore_AClockThatWasSetBack(t *testing.T) {
	lim := Limits{PerMinute: 1}
	var l Log
	l.Take(start, lim, 1)
	l.Done(start, Of(1))
	b, _ := json.Marshal(l.Record("me", start, Spend{}))
	now := start.Add(-time.Hour)
	_, back, err := Restore(b, now)
	if err != nil {
		t.Fatal(err)
	}
	if n, w := back.Room(now, lim, 1); n != 0 || w.Until.After(now.Add(MostAhead+2*time.Minute)) {
		t.Errorf("room %d, wait %+v", n, w)
	}
}

// TestLog_AnInstantAheadForgetsNothing that counts until then.
func TestLog_AnInstantAheadForgetsNothing(t *testing.T) {
	lim := Limits{PerMinute: 2}
	var l Log
	for _, at := range []time.Duration{0, 10 * time.Second} {
		if n, _ := l.Take(start.Add(at), lim, 1); n != 1 {
			t.Fatalf("at %v: %d", at, n)
		}
		l.Done(start.Add(at).Add(MostAhead*time.Duration(at/(10*time.Second))), Of(1)) // the second one ahead
	}
	if n, w := l.Take(start.Add(20*time.Second), lim, 1); n != 0 || !w.Until.Equal(start.Add(time.Minute+margin(time.Minute))) {
		t.Errorf("%d, %+v", n, w)
	}
	if n, _ := l.Take(start.Add(62*time.Second), lim, 2); n != 2 {
		t.Errorf("%d when the first is forgotten", n)
	}
	if n, _ := l.Take(start.Add(100*time.Second), lim, 1); n != 0 {
		t.Errorf("%d while the second counts and the third is in flight", n)
	}
}

func TestLog_IsBounded(t *testing.T) {
	var l Log
	now := start
	for range 200_000 {
		now = now.Add(time.Second)
		l.Take(now, Limits{}, 1)
		l.Done(now, Of(1))
	}
	for w := range windows {
		if n := len(l.windows[w].entries); n > grains+2 {
			t.Errorf("%d entries for %v", n, lengths[w])
		}
	}
	if b, _ := json.Marshal(l.Record("me", now, Spend{})); len(b) > 40_000 {
		t.Errorf("a record of %d octets", len(b))
	}
	if l.Empty(now) || !l.Empty(now.Add(25*time.Hour)) {
		t.Error("empty too early, or never")
	}
}
