package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/smtp"
)

func TestReversePath(t *testing.T) {
	ann := Sender{Account: "ann", Patterns: []string{"ann@example.org"}}
	domain := Sender{Account: "app", Patterns: []string{"*@example.org", "app@example.net"}}
	all := Sender{Account: "root", Patterns: []string{"*"}}
	none := Sender{Account: "nobody"}
	host := Sender{}
	printer := Sender{Patterns: []string{"scan@example.org"}}
	for _, c := range []struct {
		name string
		who  Sender
		from smtp.Path
		want string // the reply's beginning; "" for allowed
	}{
		{"own address", ann, "ann@example.org", ""},
		{"domain in capitals", ann, "ann@EXAMPLE.ORG", ""},
		{"local part in capitals", ann, "Ann@example.org", ""},
		{"domain with a final dot", ann, "ann@example.org.", ""},
		{"sub-address", ann, "ann+lists@example.org", ""},
		{"quoted form of the same", ann, `"ann"@example.org`, ""},
		{"quoted form with a quoted pair", ann, `"a\nn"@example.org`, ""},
		{"null reverse-path", ann, "", ""},
		{"somebody else", ann, "bob@example.org", "553 5.7.1 "},
		{"longer name", ann, "anna@example.org", "553 5.7.1 "},
		{"sub-address of somebody else", ann, "bob+ann@example.org", "553 5.7.1 "},
		{"own name elsewhere", ann, "ann@example.net", "553 5.7.1 "},
		{"subdomain", ann, "ann@mail.example.org", "553 5.7.1 "},
		{"domain that ends alike", ann, "ann@notexample.org", "553 5.7.1 "},
		{"address in the local part", ann, `"ann@example.org"@evil.example`, "553 5.7.1 "},
		{"no domain", ann, "ann", "553 5.1.7 "},
		{"anybody of the domain", domain, "whoever@Example.org", ""},
		{"one more address", domain, "app@example.net", ""},
		{"another of that domain", domain, "x@example.net", "553 5.7.1 "},
		{"subdomain of a whole domain", domain, "x@sub.example.org", "553 5.7.1 "},
		{"anything", all, "x@anywhere.example", ""},
		{"anything needs a domain too", all, "x", "553 5.1.7 "},
		{"account without addresses", none, "x@example.org", "553 5.7.1 "},
		{"account without addresses, null", none, "", ""},
		{"host, any sender", host, "x@example.org", ""},
		{"host with senders, right", printer, "scan@example.org", ""},
		{"host with senders, wrong", printer, "boss@example.org", "553 5.7.1 "},
	} {
		r := ReversePath(c.who, c.from)
		switch {
		case c.want == "" && r != nil:
			t.Errorf("%s: %q is refused: %s", c.name, c.from, r)
		case c.want != "" && (r == nil || !strings.HasPrefix(r.String(), c.want)):
			t.Errorf("%s: %q: got %v, want %s…", c.name, c.from, r, c.want)
		}
	}
}

func TestFrom(t *testing.T) {
	ann := Sender{Account: "ann", Patterns: []string{"ann@example.org"}}
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"none", nil, ""},
		{"bare", []string{"ann@example.org"}, ""},
		{"with a name", []string{`Ann Example <ann@example.org>`}, ""},
		{"with an encoded name", []string{`=?iso-8859-15?Q?Ann_=C4?= <ann@example.org>`}, ""},
		{"with a name in an unknown character set", []string{`=?x-odd?Q?Ann?= <ann@example.org>`}, ""},
		{"with a comma that is not quoted", []string{`Example, Inc. <ann@example.org>`}, ""},
		{"with its own address as name, not quoted", []string{`ann@example.org <ann@example.org>`}, ""},
		{"another", []string{"bob@example.org"}, "550 5.7.1 "},
		{"own and another", []string{"ann@example.org, bob@example.org"}, "550 5.7.1 "},
		{"two fields", []string{"ann@example.org", "bob@example.org"}, "550 5.7.1 "},
		{"in a group", []string{"x: bob@example.org;"}, "550 5.7.1 "},
		{"another as name, not quoted", []string{`bob@example.org <ann@example.org>`}, "550 5.7.1 "},
		{"another behind broken grammar", []string{`"<ann@example.org>" bob@example.org, ,(`}, "550 5.7.1 "},
		{"own name on another host by a quoted string", []string{`"ann@example.org"@evil.example`}, "550 5.7.1 "},
		{"another that ends in one's own", []string{"eve@evil.example@ann@example.org"}, "550 5.7.1 "},
		{"another before a NUL", []string{"eve@evil.example\x00ann@example.org"}, "550 5.7.1 "},
		{"another before what turns the text round", []string{"<eve@evil.example\u202e@example.org>"}, "550 5.7.1 "},
		{"empty", []string{""}, "550 5.6.0 "},
		{"no address", []string{"Ann"}, "550 5.6.0 "},
	} {
		r := From(ann, c.fields)
		switch {
		case c.want == "" && r != nil:
			t.Errorf("%s: %q is refused: %s", c.name, c.fields, r)
		case c.want != "" && (r == nil || !strings.HasPrefix(r.String(), c.want)):
			t.Errorf("%s: %q: got %v, want %s…", c.name, c.fields, r, c.want)
		}
	}
	if r := From(Sender{}, []string{"whatever"}); r != nil {
		t.Errorf("a host that may send as anything is refused: %s", r)
	}
}

func TestMailboxes(t *testing.T) {
	for _, c := range []struct {
		field string
		want  []smtp.Path
	}{
		{"ann@example.org", []smtp.Path{"ann@example.org"}},
		{"a@x.example, B <b@x.example>", []smtp.Path{"a@x.example", "b@x.example"}},
		{"(comment) a@x.example (more)", []smtp.Path{"a@x.example"}},
		{"jürgen@bücher.example", []smtp.Path{"jürgen@bücher.example"}},
		{"A, Inc. <a@x.example>", []smtp.Path{"a@x.example"}},
		{"<>", nil},
		{"@x.example", nil},
	} {
		got, ok := Mailboxes(c.field)
		if d := cmp.Diff(c.want, got); d != "" || ok != (c.want != nil) {
			t.Errorf("%q: %t %s", c.field, ok, d)
		}
	}
}

func TestHops(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "", 50: "", 51: "554 5.4.6 ", 1000: "554 5.4.6 "} {
		r := Hops(n)
		if want == "" && r != nil || want != "" && (r == nil || !strings.HasPrefix(r.String(), want)) {
			t.Errorf("%d: %v", n, r)
		}
	}
}

func TestHeader(t *testing.T) {
	if r := Header(MaxHeader); r != nil {
		t.Errorf("at the limit: %s", r)
	}
	if r := Header(MaxHeader + 1); r == nil || r.Code != 552 {
		t.Errorf("above the limit: %v", r)
	}
}

func TestCheckPattern(t *testing.T) {
	for _, c := range []struct {
		pattern string
		good    bool
	}{
		{"*", true},
		{"*@example.org", true},
		{"ann@example.org", true},
		{"ann+x@example.org", true},
		{"", false},
		{"ann", false},
		{"example.org", false},
		{"@example.org", false},
		{"ann@", false},
		{"*@*", false},
		{"*@*.example.org", false},
		{"a*@example.org", false},
		{"Ann <ann@example.org>", false},
		{"a@x.example,b@x.example", false},
		{"ann@example..org", false},
		{"ann@.org", false},
		{"ann@example.org.", false},
	} {
		if err := CheckPattern(c.pattern); (err == nil) != c.good {
			t.Errorf("%q: %v", c.pattern, err)
		}
	}
}

// A reply goes on the wire: one line each, ASCII, at most 512 octets with code and
// line end. RFC 5321 §4.2, §4.5.3.1.5.
func TestReplies_FitTheWire(t *testing.T) {
	long := strings.Repeat("ä", 400) + "\r\n250 ok@" + strings.Repeat("x", 400)
	who := Sender{Account: long, Patterns: []string{long, long, long, long, long}}
	for _, r := range []*smtp.Reply{
		reversePathNotOwned(who, smtp.Path(long)), senderNeedsDomain(smtp.Path(long)), fromNotOwned(who, smtp.Path(long)),
		fromNotUnderstood(), tooManyHops(1 << 30), headerTooLarge(),
	} {
		wire := string(r.Append(nil))
		for line := range strings.SplitSeq(strings.TrimSuffix(wire, "\r\n"), "\r\n") {
			if len(line) > 510 || strings.ContainsAny(line, "\r\n") || strings.IndexFunc(line, func(c rune) bool { return c > '~' || c < ' ' }) >= 0 {
				t.Errorf("%d octets: %q", len(line), line)
			}
			if !strings.HasPrefix(line, "55") {
				t.Errorf("a line of its own: %q", line)
			}
		}
	}
}

// FuzzMailboxes: no panic, and an account's own pattern never covers what is not
// its own.
func FuzzMailboxes(f *testing.F) {
	f.Add(`Ann <ann@example.org>`)
	f.Add(`"a, b" <x@y>, z@w`)
	f.Add(`x: a@b, c@d;`)
	f.Fuzz(func(t *testing.T, field string) {
		addresses, ok := Mailboxes(field)
		if ok != (len(addresses) > 0) {
			t.Fatalf("%q: %v %t", field, addresses, ok)
		}
		for _, a := range addresses {
			if covers("ann@example.org", a) && !strings.EqualFold(strings.TrimSuffix(a.Domain(), "."), "example.org") {
				t.Fatalf("%q: %q is covered", field, a)
			}
		}
	})
}
