package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/worry"
)

// TestWorryBanner_SaysWhatTheListDoesNotShow: and is silent where nobody can tell.
func TestWorryBanner_SaysWhatTheListDoesNotShow(t *testing.T) {
	lanes := []dispatch.LaneStatus{{Name: "revoked", State: lanePaused, Cause: "auth.oauth-refresh-failed"}}
	for _, c := range []struct {
		name string
		give []worry.Worry
		err  error
		want string
	}{
		{"a secret that ends", []worry.Worry{{Kind: worry.Expiring, What: "the client secret of route m365 ends in 9 days", Do: []string{"make a new one"}}}, nil, "the client secret of route m365 ends in 9 days: make a new one"},
		{"a paused lane, which the list shows", []worry.Worry{{Kind: worry.LanePaused, What: "lane m365 is paused"}}, nil, ""},
		{"a sign-in that has ended, which its paused lane says", []worry.Worry{{Kind: worry.TokenFails, Subject: "revoked", Cause: "auth.oauth-refresh-failed", What: "route revoked gets no new token"}}, nil, ""},
		{"a sign-in that has ended, of another route", []worry.Worry{{Kind: worry.TokenFails, Subject: "m365", Cause: "auth.oauth-refresh-failed", What: "route m365 gets no new token"}}, nil, "route m365 gets no new token"},
		{"a device, which is not about sending", []worry.Worry{{Kind: worry.Device + "silent", What: "the scanner is silent"}}, nil, ""},
		{"a server that cannot tell", nil, errors.New("no such request"), ""},
	} {
		var out strings.Builder
		a := &app{stdout: &out}
		p := a.page(&out)
		p.worryBanner(t.Context(), &orders{worries: func(context.Context) ([]worry.Worry, error) { return c.give, c.err }}, lanes)
		if got := strings.Join(strings.Fields(out.String()), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
