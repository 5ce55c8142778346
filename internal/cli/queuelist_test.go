package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/httpapi"
	"github.com/wellsent/wellsent/internal/spool"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", path, diff)
	}
	for line := range strings.Lines(got) {
		if columnsOf(strings.TrimSuffix(line, "\n")) > defaultColumns {
			t.Errorf("%s: wider than 80 columns: %s", path, line)
		}
	}
}

// listed is an operator with a fixed queue that is only looked at.
type listed struct {
	httpapi.Operator
	entries []dispatch.Entry
	lanes   []dispatch.LaneStatus
}

func (l *listed) List(_ context.Context, f dispatch.Filter) iter.Seq2[dispatch.Entry, error] {
	return func(yield func(dispatch.Entry, error) bool) {
		for _, e := range l.entries {
			if (f.Lane == "" || f.Lane == e.Lane) && !yield(e, nil) {
				return
			}
		}
	}
}

func (l *listed) Lanes(context.Context) ([]dispatch.LaneStatus, error) { return l.lanes, nil }

// inBubble runs f at a fixed time, at midnight of 1 January 2000 UTC.
func inBubble(t *testing.T, f func(t *testing.T, a *app, out *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		var out, notes bytes.Buffer
		f(t, &app{stdin: strings.NewReader(""), stdout: &out, stderr: &notes}, &out)
		if notes.Len() > 0 {
			t.Errorf("standard error: %s", notes.String())
		}
	})
}

// sample is a queue with one of each: waiting, throttled, behind a paused lane,
// held, dead, and perhaps sent already.
func sample() *listed {
	now := time.Now()
	in := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	first := dispatch.Entry{QueueID: "0k3v9x2m4p7q1r5t", From: "ann@example.org", Size: 12 << 10, Received: now.Add(-5 * time.Minute)}
	of := func(base dispatch.Entry, change func(*dispatch.Entry)) dispatch.Entry { change(&base); return base }
	second := dispatch.Entry{QueueID: "0k3v9x2m4p7q1r5u", Size: 900, Received: now.Add(-50 * time.Hour)}
	lanes := []dispatch.LaneStatus{
		{Name: "m365", State: "paused", Cause: "auth.credentials-rejected", Title: "smtp.office365.com does not accept this user name and password",
			Reply: "535 5.7.3 Authentication unsuccessful", Since: in(-20 * time.Minute), NextProbe: in(10 * time.Minute), Queued: 1, Actor: "user",
			Why: "smtp.office365.com refused the login of relay@example.org.", Do: []string{"Put the right password into relay.secret."}},
		{Name: "direct/example.net", State: "down", Cause: "net.refused", Title: "The server refused the connection", NextProbe: in(2 * time.Minute)},
		{Name: "direct/example.com", State: "open"},
		{Name: "outlook", State: "open", Notices: []string{"smtp.live.com was withdrawn by its provider, and mail goes to its successor: write via = [\"smtp://smtp-mail.outlook.com:587\"] in the route"}},
	}
	return &listed{lanes: lanes, entries: []dispatch.Entry{
		of(first, func(e *dispatch.Entry) {
			e.Address, e.State, e.Lane = "new@example.net", spool.StateQueued, "direct/example.net"
		}),
		of(first, func(e *dispatch.Entry) {
			e.Address, e.State, e.Lane = "bob@example.net", spool.StateQueued, "direct/example.net"
			e.Cause, e.Title, e.Actor, e.Retry = "greylist.deferred", "The server puts off a first message on purpose", "recipient-admin", "later"
			e.NextAttempt, e.Attempts, e.Reply, e.Unsure = in(3*time.Minute+10*time.Second), 2, "451 4.7.1 Greylisted", true
			e.Why, e.Do = "It refuses a sender it does not know for some minutes.", []string{"Wait: it is tried again by itself."}
		}),
		of(first, func(e *dispatch.Entry) {
			e.Address, e.State, e.Lane, e.LanePaused = "eve@example.com", spool.StateQueued, "m365", true
			e.Cause, e.Title, e.Actor, e.Retry = "auth.credentials-rejected", "smtp.office365.com does not accept this user name and password", "user", "no"
			e.Attempts, e.NextAttempt = 1, in(time.Minute)
		}),
		of(second, func(e *dispatch.Entry) {
			e.Address, e.State, e.Lane = "a-long-local-part@a-rather-long-domain-name.some-organisation.example", spool.StateHeld, "m365"
			e.Cause, e.Actor = "sender.address-not-owned", "sender-admin"
		}),
		of(second, func(e *dispatch.Entry) {
			e.Address, e.State, e.Lane = "gone\x1b[2J@example.net", spool.StateDead, "direct/example.net"
			e.Cause, e.Title, e.Actor = "recipient.unknown", "There is no mailbox gone\x1b[2J@example.net", "user"
		}),
	}}
}

func TestQueueList_Text(t *testing.T) {
	inBubble(t, func(t *testing.T, a *app, out *bytes.Buffer) {
		if err := a.listText(t.Context(), &orders{Operator: sample()}, dispatch.Filter{}); err != nil {
			t.Fatal(err)
		}
		golden(t, "queue-list.txt", out.String())
	})
}

func TestQueueList_EmptyText(t *testing.T) {
	inBubble(t, func(t *testing.T, a *app, out *bytes.Buffer) {
		if err := a.listText(t.Context(), &orders{Operator: &listed{}}, dispatch.Filter{}); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "the queue is empty\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestQueueList_JSONHasOneObjectForEachRecipient(t *testing.T) {
	for _, tc := range []struct {
		name string
		q    *listed
		want int
	}{{"empty", &listed{}, 0}, {"sample", sample(), 5}} {
		var out bytes.Buffer
		a := &app{stdout: &out}
		if err := a.listJSON(t.Context(), &orders{Operator: tc.q}, dispatch.Filter{}); err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got == nil || len(got) != tc.want {
			t.Fatalf("%s: %d objects and %v, want %d: %s", tc.name, len(got), err, tc.want, out.String())
		}
		for _, o := range got {
			for _, key := range []string{"queue_id", "address", "state", "cause", "reply", "next_attempt", "lane", "do"} {
				if _, ok := o[key]; !ok {
					t.Errorf("%s: no %q in %v", tc.name, key, o)
				}
			}
			if _, ok := o["do"].([]any); !ok {
				t.Errorf("%s: do is %v, want a list", tc.name, o["do"])
			}
		}
	}
}

func TestQueueShow_Text(t *testing.T) {
	inBubble(t, func(t *testing.T, a *app, out *bytes.Buffer) {
		now, q := time.Now(), sample()
		p := a.page(out)
		p.detail(&dispatch.Detail{QueueID: "0k3v9x2m4p7q1r5t", From: "ann@example.org", Account: "ann", Peer: "10.0.0.7", Listener: ":587",
			Received: now.Add(-5 * time.Minute), Size: 12 << 10, Header: "Received: by post.example.org\r\n\tid x\r\n", Entries: q.entries[:3]}, now)
		p.line()
		p.detail(&dispatch.Detail{QueueID: "0k3v9x2m4p7q1r5u", Received: now.Add(-50 * time.Hour), Size: 900, Entries: q.entries[3:]}, now)
		golden(t, "queue-show.txt", out.String())
	})
}

func TestLowerFirst(t *testing.T) {
	for in, want := range map[string]string{"": "", "The server": "the server", "TLS fails": "TLS fails", "A server": "a server",
		"IPv6 fails": "IPv6 fails", "smtp.x": "smtp.x", "Ärger": "Ärger", "SmtpUTF8 is": "SmtpUTF8 is"} {
		if got := lowerFirst(in); got != want {
			t.Errorf("lowerFirst(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestOneSelection_NeedsExactlyOneWay(t *testing.T) {
	for _, tc := range []struct {
		args []string
		ok   bool
	}{
		{nil, false},
		{[]string{"a"}, true},
		{[]string{"a", "b"}, true},
		{[]string{""}, false},
		{[]string{"--all"}, true},
		{[]string{"--lane", "x"}, true},
		{[]string{"--lane", ""}, false},
		{[]string{"--lane", "x", "--all"}, false},
		{[]string{"a", "--all"}, false},
	} {
		a := &app{}
		c := a.orderCommand(queueOrders[slices.IndexFunc(queueOrders, func(o order) bool { return o.name == "cancel" })])
		if err := c.ParseFlags(tc.args); err != nil {
			t.Fatal(err)
		}
		lane, _ := c.Flags().GetString("lane")
		all, _ := c.Flags().GetBool("all")
		err := oneSelection(c, dispatch.Selection{IDs: c.Flags().Args(), Lane: lane, All: all})
		if (err == nil) != tc.ok {
			t.Errorf("%q: %v, want ok %v", tc.args, err, tc.ok)
		}
	}
}
