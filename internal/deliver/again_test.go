package deliver

import (
	"errors"
	"testing"
	"time"
)

// TestAgain_IsAskedBeforeEachFurtherTransaction: a server that takes few
// recipients at once must not make more of a message than the pace allows.
func TestAgain_IsAskedBeforeEachFurtherTransaction(t *testing.T) {
	first := open + begin + bob + "C: RCPT TO:<cleo@example.net>\nS: 452 4.5.3 too many recipients\n" + data
	second := begin + "C: RCPT TO:<cleo@example.net>\nS: 250 ok\n" + data
	for _, allow := range []bool{true, false} {
		script := first + quit
		if allow {
			script = first + second + quit
		}
		w := newWorld(t, map[string][]string{"192.0.2.1:25": {script}})
		d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"example.net": {"192.0.2.1"}}}, Dial: w.dial})
		conv := d.Open(mxRoute, "example.net")
		r := to("bob@example.net", "cleo@example.net")
		var asked []int
		r.Again = func(n int) bool { asked = append(asked, n); return allow }
		res := conv.Send(t.Context(), r)
		conv.Close()
		if len(asked) != 1 || asked[0] != 1 {
			t.Errorf("asked %v, want once for one", asked)
		}
		held := res.Outcomes[1].Err != nil && errors.Is(res.Outcomes[1].Err, ErrHeldBack)
		if res.Outcomes[0].Status != Delivered || held == allow || (res.Outcomes[1].Status == Delivered) != allow {
			t.Errorf("allowed %v: %+v", allow, res.Outcomes)
		}
		if want := map[bool]int{true: 2, false: 1}[allow]; res.Transactions != want {
			t.Errorf("allowed %v: %d transactions, want %d", allow, res.Transactions, want)
		}
	}
}

func TestRetryAfter_IsWhatTheServerSaid(t *testing.T) {
	w := newWorld(t, map[string][]string{"192.0.2.1:25": {open + begin + "C: RCPT TO:<bob@example.net>\nS: 451 4.7.1 rate limit exceeded, try again in 7 minutes\n" + quit}})
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"example.net": {"192.0.2.1"}}}, Dial: w.dial})
	conv := d.Open(mxRoute, "example.net")
	res := conv.Send(t.Context(), to("bob@example.net"))
	conv.Close()
	if res.RetryAfter != 7*time.Minute {
		t.Errorf("%v: %+v", res.RetryAfter, res.Outcomes)
	}
}

// TestTransactions_NoneWhereMAILWasNotReached: nothing was spent.
func TestTransactions_NoneWhereMAILWasNotReached(t *testing.T) {
	w := newWorld(t, nil)
	d := New(Options{Hostname: "post.test", Resolver: names{addresses: map[string][]string{"example.net": {"192.0.2.1"}}}, Dial: w.dial})
	conv := d.Open(mxRoute, "example.net")
	if res := conv.Send(t.Context(), to("bob@example.net")); res.Transactions != 0 || res.Attempted || res.Trouble == nil {
		t.Errorf("%+v", res)
	}
}
