package route

import "testing"

func TestTable_SenderAccountListenerAndDeviceDecide(t *testing.T) {
	own := &Route{Name: "own", Recipients: []string{"nobody@invalid"}}
	table := &Table{Devices: map[string]*Route{"plotter": own}, Routes: []*Route{
		own,
		{Name: "shop", Recipients: []string{"*"}, Match: Match{Senders: []string{"*@shop.example", "ann@example.org"}}},
		{Name: "ann", Recipients: []string{"*"}, Match: Match{Accounts: []string{"Ann"}}},
		{Name: "in", Recipients: []string{"example.net"}, Match: Match{Listeners: []string{"10.0.0.5:25"}}},
		{Name: "scan", Recipients: []string{"*"}, Match: Match{Devices: []string{"scanner"}}},
		{Name: "null", Recipients: []string{"*"}, Match: Match{Senders: []string{"<>"}, Devices: []string{"*"}}},
		{Name: "rest", Recipients: []string{"example.net", "example.com"}},
	}}
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{Recipient: "bob@example.net", Sender: "x@Shop.Example"}, "shop"},
		{Question{Recipient: "bob@example.net", Sender: "ANN@example.org"}, "shop"},
		{Question{Recipient: "bob@example.net", Sender: `"ann"@example.org`}, "shop"}, // the same mailbox; RFC 5321 §4.1.2
		{Question{Recipient: "bob@example.net", Sender: `"\a\n\n"@example.org.`}, "shop"},
		{Question{Recipient: "bob@example.net", Sender: "eve@example.org", Account: "ann"}, "ann"},
		{Question{Recipient: "bob@example.com", Sender: "a@b.example", Device: "ſcanner"}, "rest"}, // another name to whoever keeps accounts
		{Question{Recipient: "bob@example.net", Listener: "10.0.0.5:25"}, "in"},
		{Question{Recipient: "bob@example.com", Listener: "10.0.0.5:25"}, "rest"},
		{Question{Recipient: "bob@example.com", Sender: "a@b.example", Device: "scanner"}, "scan"},
		{Question{Recipient: "bob@example.com", Sender: "a@b.example", Device: "plotter"}, "own"},
		{Question{Recipient: "bob@example.com", Device: "fax"}, "null"},
		{Question{Recipient: "bob@example.com"}, "rest"},
		{Question{Recipient: "bob@example.org"}, ""},
	} {
		got := ""
		if r := table.For(c.q); r != nil {
			got = r.Name
		}
		if got != c.want {
			t.Errorf("For(%+v) = %q, want %q", c.q, got, c.want)
		}
	}
}

func TestRoute_Covers(t *testing.T) {
	for _, c := range []struct {
		earlier, later Route
		want           bool
	}{
		{Route{Recipients: []string{"*"}}, Route{Recipients: []string{"*"}}, true},
		{Route{Recipients: []string{"*"}}, Route{Recipients: []string{"ann@example.org"}, Match: Match{Senders: []string{"a@b.example"}}}, true},
		{Route{Recipients: []string{"*"}, Match: Match{Senders: []string{"a@b.example"}}}, Route{Recipients: []string{"*"}}, false},
		{Route{Recipients: []string{"*"}, Match: Match{Senders: []string{"b.example"}}}, Route{Recipients: []string{"*"}, Match: Match{Senders: []string{"a@b.example"}}}, true},
		{Route{Recipients: []string{"example.org"}}, Route{Recipients: []string{"ann@example.org", "*@Example.org"}}, true},
		{Route{Recipients: []string{"example.org"}}, Route{Recipients: []string{"ann@example.org", "*.example.org"}}, false},
		{Route{Recipients: []string{"*.example.org"}}, Route{Recipients: []string{"*.mail.example.org", "*.example.org", "a.example.org"}}, true},
		{Route{Recipients: []string{"ann@example.org"}}, Route{Recipients: []string{"example.org"}}, false},
		{Route{Recipients: []string{"*"}, Match: Match{Accounts: []string{"*"}}}, Route{Recipients: []string{"*"}, Match: Match{Accounts: []string{"ann"}}}, true},
		{Route{Recipients: []string{"*"}, Match: Match{Devices: []string{"a"}}}, Route{Recipients: []string{"*"}, Match: Match{Accounts: []string{"ann"}}}, false},
		{Route{Recipients: []string{"*"}}, Route{}, false},
	} {
		if got := c.earlier.Covers(&c.later); got != c.want {
			t.Errorf("%+v covers %+v: %v, want %v", c.earlier, c.later, got, c.want)
		}
	}
}

func TestRoute_RewriteFor(t *testing.T) {
	e := &Exceptions{Devices: map[string]Rewrite{"scanner": RewriteKeep}, Listeners: map[string]Rewrite{":25": RewriteEnvelope}}
	for _, c := range []struct {
		r    Route
		q    Question
		want Rewrite
	}{
		{Route{}, Question{}, RewriteKeep},
		{Route{Rewrite: RewriteBoth}, Question{}, RewriteKeep}, // no mailbox
		{Route{From: "a@b.example"}, Question{}, RewriteBoth},
		{Route{From: "a@b.example", Rewrite: RewriteEnvelope}, Question{}, RewriteEnvelope},
		{Route{From: "a@b.example", Exceptions: e}, Question{Listener: ":25"}, RewriteEnvelope},
		{Route{From: "a@b.example", Exceptions: e}, Question{Listener: ":25", Device: "scanner"}, RewriteKeep},
		{Route{From: "a@b.example", Exceptions: e}, Question{Listener: ":587", Device: "fax"}, RewriteBoth},
	} {
		if got := c.r.RewriteFor(c.q); got != c.want {
			t.Errorf("%+v, %+v: %s, want %s", c.r, c.q, got, c.want)
		}
	}
}
