package route

import (
	"testing"

	"github.com/wellsent/wellsent/internal/smtp"
)

func TestParseVia(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Via
		text string // as String gives it back
	}{
		{"mx", Via{Scheme: SchemeMX, Port: 25}, "mx"},
		{"MX", Via{Scheme: SchemeMX, Port: 25}, "mx"},
		{"smtp://smtp.office365.com:587", Via{SchemeSMTP, "smtp.office365.com", 587}, "smtp://smtp.office365.com:587"},
		{"smtp://smtp.example.net", Via{SchemeSMTP, "smtp.example.net", 587}, "smtp://smtp.example.net:587"},
		{"SMTPS://smtp.example.net/", Via{SchemeSMTPS, "smtp.example.net", 465}, "smtps://smtp.example.net:465"},
		{"smtps://backup.example.net:4465", Via{SchemeSMTPS, "backup.example.net", 4465}, "smtps://backup.example.net:4465"},
		{"smtp://192.0.2.1:25", Via{SchemeSMTP, "192.0.2.1", 25}, "smtp://192.0.2.1:25"},
		{"smtp://[2001:db8::1]", Via{SchemeSMTP, "2001:db8::1", 587}, "smtp://[2001:db8::1]:587"},
		{"smtp://[2001:db8::1]:25", Via{SchemeSMTP, "2001:db8::1", 25}, "smtp://[2001:db8::1]:25"},
		{"graph://", Via{Scheme: SchemeGraph}, "graph://"},
		{"Graph:///", Via{Scheme: SchemeGraph}, "graph://"},
		{"graph://graph.microsoft.us", Via{SchemeGraph, "graph.microsoft.us", 443}, "graph://graph.microsoft.us:443"},
		{"graph://127.0.0.1:8443", Via{SchemeGraph, "127.0.0.1", 8443}, "graph://127.0.0.1:8443"},
		{"gmail://", Via{Scheme: SchemeGmail}, "gmail://"},
	} {
		got, err := ParseVia(c.in)
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("ParseVia(%q) = %+v (%s), %v; want %+v (%s)", c.in, got, got, err, c.want, c.text)
		}
	}
}

func TestParseVia_SaysWhatIsWrong(t *testing.T) {
	for _, in := range []string{
		"", "smtp.example.net", "smtp.example.net:587", "http://example.net", "smtp://", "smtp://:587", "smtp://host:",
		"smtp://host:0", "smtp://host:65536", "smtp://host:smtp", "smtp://2001:db8::1", "smtp://[2001:db8::zz]:25",
		"smtp://user:secret@host", "smtp://host/path", "smtp://a b", "mx://example.org",
		"graph", "gmail", "graph:", "graph://a/b", "graph://:443", "gmail://me@",
	} {
		if got, err := ParseVia(in); err == nil {
			t.Errorf("ParseVia(%q) = %+v, want an error", in, got)
		}
	}
}

func TestTable_FirstMatchingRouteWins(t *testing.T) {
	mx := []Via{{Scheme: SchemeMX, Port: 25}}
	table := &Table{Routes: []*Route{
		{Name: "ann", Recipients: []string{"Ann@Example.ORG"}},
		{Name: "org", Recipients: []string{"", "example.org"}},
		{Name: "below", Recipients: []string{"*.example.org"}},
		{Name: "net", Recipients: []string{"*@EXAMPLE.net", "other.example"}},
		{Name: "idn", Recipients: []string{"bücher.example"}},
		{Name: "rest", Recipients: []string{"*"}, Via: mx},
	}}
	for _, c := range []struct {
		rcpt smtp.Path
		want string
		lane string
	}{
		{"ann@example.org", "ann", "ann"},
		{"ANN@EXAMPLE.ORG", "ann", "ann"},
		{"anna@example.org", "org", "org"},
		{"bob@Example.Org", "org", "org"},
		{"bob@mail.example.org", "below", "below"},
		{"bob@a.b.example.org", "below", "below"},
		{"bob@badexample.org", "rest", "rest/badexample.org"},
		{"bob@example.net", "net", "net"},
		{"bob@other.example", "net", "net"},
		{"bob@xn--bcher-kva.example", "idn", "idn"},
		{"bob@BÜCHER.example", "idn", "idn"},
		{"bob@straße.example", "rest", "rest/xn--strae-oqa.example"},
		{`"a@example.org"@Example.COM`, "rest", "rest/example.com"},
		{"postmaster", "rest", "rest/"},
	} {
		r := table.For(Question{Recipient: c.rcpt})
		if r == nil || r.Name != c.want {
			t.Errorf("For(%q) = %v, want %s", c.rcpt, r, c.want)
			continue
		}
		if got := r.Lane(c.rcpt); got != c.lane {
			t.Errorf("Lane(%q) = %q, want %q", c.rcpt, got, c.lane)
		}
		back, _ := table.ByLane(c.lane)
		if back != r {
			t.Errorf("ByLane(%q) = %v, want %s", c.lane, back, c.want)
		}
	}
}

func TestTable_NoRoute(t *testing.T) {
	table := &Table{Routes: []*Route{{Name: "org", Recipients: []string{"example.org"}}, {Name: "none"}}}
	if r := table.For(Question{Recipient: "ann@example.net"}); r != nil {
		t.Errorf("For = %s, want none", r.Name)
	}
	if r := table.For(Question{Recipient: "postmaster"}); r != nil {
		t.Errorf("For(postmaster) = %s, want none", r.Name)
	}
	if r, domain := table.ByLane("gone/example.net"); r != nil || domain != "example.net" {
		t.Errorf("ByLane = %v, %q", r, domain)
	}
}
