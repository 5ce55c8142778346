package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/worry"
)

// TestWorryBanner_SaysWhatTheListDoesNotShow: and is silent where nobody can tell.
func TestWorryBanner_SaysWhatTheListDoesNotShow(t *testing.T) {
	for _, c := range []struct {
		name string
		give []worry.Worry
		err  error
		want string
	}{
		{"a secret that ends", []worry.Worry{{Kind: worry.Expiring, What: "the client secret of route m365 ends in 9 days", Do: []string{"make a new one"}}}, nil, "the client secret of route m365 ends in 9 days: make a new one"},
		{"a paused lane, which the list shows", []worry.Worry{{Kind: worry.LanePaused, What: "lane m365 is paused"}}, nil, ""},
		{"a device, which is not about sending", []worry.Worry{{Kind: worry.Device + "silent", What: "the scanner is silent"}}, nil, ""},
		{"a server that cannot tell", nil, errors.New("no such request"), ""},
	} {
		var out strings.Builder
		a := &app{stdout: &out}
		p := a.page(&out)
		p.worryBanner(t.Context(), &orders{worries: func(context.Context) ([]worry.Worry, error) { return c.give, c.err }})
		if got := strings.Join(strings.Fields(out.String()), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
