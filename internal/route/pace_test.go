package route

import "testing"

func TestProviderPace(t *testing.T) {
	smtp := func(host string) Via { return Via{SchemeSMTP, host, 587} }
	for _, c := range []struct {
		via  []Via
		host string
		want Pace // some of it
	}{
		{[]Via{smtp("smtp.office365.com")}, "smtp.office365.com", Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000, Recipients: 1000}},
		{[]Via{smtp("SMTP.Office365.com.")}, "smtp.office365.com", Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000, Recipients: 1000}},
		{[]Via{{Scheme: SchemeGraph}, smtp("smtp.gmail.com")}, "smtp.office365.com", Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000, Recipients: 1000}},
		{[]Via{smtp("relay.example.net"), smtp("smtp.office365.com")}, "smtp.office365.com", Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000, Recipients: 1000}},
		{[]Via{smtp("smtp-emea.outlook.com")}, "smtp.office365.com", Pace{Connections: 3, PerMinute: 30, RecipientsPerDay: 10000, Recipients: 1000}}, // withdrawn
		{[]Via{smtp("relay.example.net")}, "", Pace{}},
		{[]Via{smtp("outlook.office365.com")}, "", Pace{}}, // it is no outgoing server
		{[]Via{{Scheme: SchemeMX, Port: 25}}, "", Pace{}},
		{[]Via{{Scheme: SchemeSandbox}}, "", Pace{}},
	} {
		if got, host := ProviderPace(c.via); got != c.want || host != c.host {
			t.Errorf("%v: %+v of %q, want %+v of %q", c.via, got, host, c.want, c.host)
		}
	}
}

func TestRoute_Account(t *testing.T) {
	office := []Via{{SchemeSMTP, "smtp.office365.com", 587}}
	a := (&Route{Name: "a", Via: office, User: "Relay@example.org"}).Account()
	for _, r := range []*Route{
		{Name: "b", Via: []Via{{SchemeSMTP, "SMTP.office365.com.", 25}}, User: "relay@example.org"},
		{Name: "c", Via: []Via{{Scheme: SchemeGraph}}, User: "relay@example.org"},
		{Name: "d", Via: []Via{{SchemeSMTP, "smtp.outlook.com", 587}}, User: "relay@example.org"},
		{Name: "e", Via: []Via{{SchemeSMTP, "relay.example.net", 587}, office[0]}, User: "relay@example.org"},
	} {
		if got := r.Account(); got != a {
			t.Errorf("%s is %q, want that of a, %q", r.Name, got, a)
		}
	}
	if got := (&Route{Via: office, User: "other@example.org"}).Account(); got == a {
		t.Error("another login is the same account")
	}
	if own := []Via{{SchemeSMTP, "relay.example.net", 587}}; (&Route{Via: own}).Account() == "" || (&Route{Via: own}).Account() != (&Route{Name: "x", Via: own}).Account() {
		t.Error("a relay without login is no account")
	}
	if got := (&Route{Via: []Via{{Scheme: SchemeMX}}}).Account(); got != "" {
		t.Errorf("mx is the account %q", got)
	}
}
