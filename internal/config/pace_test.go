package config

import (
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/route"
)

const officeRoute = "[[listener]]\nkind = \"submission\"\naddress = \":587\"\n[[route]]\nname = \"m365\"\nrecipients = [\"*\"]\nvia = [\"smtp://smtp.office365.com\"]\n"

// TestPace_TheProvidersLimitsApplyUnlessTheFileSaysOtherwise: key by key.
func TestPace_TheProvidersLimitsApplyUnlessTheFileSaysOtherwise(t *testing.T) {
	known := route.Pace{Connections: 3, PerMinute: 30, Recipients: 1000, RecipientsPerDay: 10000}
	for _, c := range []struct {
		pace       string
		holds, own route.Pace
		host       string
		shown      []string
	}{
		{"", known, route.Pace{}, "smtp.office365.com", []string{
			"connections = 3 provider data of smtp.office365.com", "per_minute = 30 provider data of smtp.office365.com",
			"recipients = 1000 provider data of smtp.office365.com", "recipients_per_day = 10000 provider data of smtp.office365.com"}},
		{"pace = { per_minute = 20, per_hour = 900 }", route.Pace{Connections: 3, PerMinute: 20, PerHour: 900, Recipients: 1000, RecipientsPerDay: 10000},
			route.Pace{PerMinute: 20, PerHour: 900}, "smtp.office365.com", []string{
				"connections = 3 provider data of smtp.office365.com", "per_minute = 20 wellsent.toml:8", "per_hour = 900 wellsent.toml:8"}},
		{`pace = { per_minute = "unlimited", recipients_per_day = "unlimited" }`, route.Pace{Connections: 3, Recipients: 1000}, route.Pace{}, "smtp.office365.com",
			[]string{`per_minute = "unlimited" wellsent.toml:8`}},
		{"pace = { connections = 1, per_minute = 1, per_hour = 2, per_day = 3, recipients = 4, recipients_per_hour = 5, recipients_per_day = 6 }",
			route.Pace{Connections: 1, PerMinute: 1, PerHour: 2, PerDay: 3, Recipients: 4, RecipientsPerHour: 5, RecipientsPerDay: 6},
			route.Pace{Connections: 1, PerMinute: 1, PerHour: 2, PerDay: 3, Recipients: 4, RecipientsPerHour: 5, RecipientsPerDay: 6}, "", nil},
	} {
		cfg, err := loadText(t.TempDir(), officeRoute+c.pace+"\n", nil)
		if err != nil {
			t.Errorf("%s: %v", c.pace, err)
			continue
		}
		table, err := cfg.RouteTable()
		if err != nil {
			t.Fatal(err)
		}
		if r := table.Routes[0]; r.Pace != c.holds || r.PaceOwn != c.own || r.PaceHost != c.host {
			t.Errorf("%s:\n got %+v own %+v of %q\nwant %+v own %+v of %q", c.pace, r.Pace, r.PaceOwn, r.PaceHost, c.holds, c.own, c.host)
		}
		var all []string
		for _, v := range cfg.Effective() {
			all = append(all, v.Key+" = "+v.Value+" "+v.Origin)
		}
		for _, want := range c.shown {
			if !strings.Contains(strings.Join(all, "\n"), "route.0.pace."+want+"\n") {
				t.Errorf("%s: %q is not shown in\n%s", c.pace, want, strings.Join(all, "\n"))
			}
		}
	}
}

func TestPace_SaysWhatIsWrong(t *testing.T) {
	for pace, want := range map[string]string{
		`per_minute = "none"`:           `write "unlimited" for no bound`,
		"per_minute = 0":                `0 is outside 1 to 10000000; write "unlimited" for no bound`,
		"recipients_per_minute = 3":     "there is no such key",
		`recipients_per_day = "10_000"`: "without quotes",
	} {
		_, err := loadText(t.TempDir(), officeRoute+"pace = { "+pace+" }\n", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pace, err, want)
		}
	}
}
