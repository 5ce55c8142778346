package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/spool"
)

// TestQueueList_SaysThatItWaitsForTheProvidersLimit: in the list, in its summary,
// in show, and in JSON.
func TestQueueList_SaysThatItWaitsForTheProvidersLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, a *app, out *bytes.Buffer) {
		now := time.Now()
		at := now.Add(5 * time.Minute)
		const limit = "the provider's limit (30 messages a minute)"
		e := dispatch.Entry{QueueID: "0k3v9x2m4p7q1r5t", From: "ann@example.org", Address: "bob@example.net", State: spool.StateQueued, Lane: "m365", Received: now,
			Cause: "limit.rate", Title: "Waiting for " + limit, Waits: limit, NextAttempt: &at, Do: []string{}}
		q := &orders{Operator: &listed{lanes: []dispatch.LaneStatus{{Name: "m365", State: "open", Waits: limit, NextProbe: &at, Queued: 1}}, entries: []dispatch.Entry{e}}}
		if err := a.listText(t.Context(), q, dispatch.Filter{}); err != nil {
			t.Fatal(err)
		}
		const want = "waiting for the provider's limit (30 messages a minute), next at 00:05:00"
		if got := out.String(); strings.Count(strings.Join(strings.Fields(got), " "), want) != 2 || strings.Contains(got, "must act") {
			t.Errorf("want %q of the recipient and of the lane, and nobody who must act:\n%s", want, got)
		}
		out.Reset()
		p := a.page(out)
		p.detail(&dispatch.Detail{QueueID: e.QueueID, From: e.From, Received: now, Entries: []dispatch.Entry{e}}, now)
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, want) {
			t.Errorf("show:\n%s", out.String())
		}
		out.Reset()
		if err := a.listJSON(t.Context(), q, dispatch.Filter{}); err != nil {
			t.Fatal(err)
		}
		var all []dispatch.Entry
		if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != 1 || all[0].Waits != limit {
			t.Errorf("%v: %s", err, out.String())
		}
	})
}
