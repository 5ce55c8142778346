package cause

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFill_Text(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		facts      Facts
		want       string
	}{
		{"a fact", "{host} refuses", Facts{Host: "mx.example.net"}, "mx.example.net refuses"},
		{"none: a general word with a capital", "{host} refuses. {host} is down", Facts{}, "The server refuses. The server is down"},
		{"an option with its fact", "No answer[ on port {port}].", Facts{Port: "25"}, "No answer on port 25."},
		{"an option without", "No answer[ on port {port}].", Facts{}, "No answer."},
		{"an alternative with", "[{user}|this account] may not", Facts{User: "ann"}, "ann may not"},
		{"an alternative without", "[{user}|This account] may not", Facts{}, "This account may not"},
		{"an option that needs two", "x[ {user} as {sender}|]", Facts{User: "ann"}, "x"},
		{"a command", "run `dig MX {domain}` now", Facts{Domain: "example.net"}, "run `dig MX example.net` now"},
		{"a command without its fact", "run `dig MX {domain}`", Facts{}, "run `dig MX DOMAIN`"},
		{"brackets in a command", "use `[{host}]:587`", Facts{Host: "mx"}, "use `[mx]:587`"},
		{"a fact that would end the command", "run `dig {host}`", Facts{Host: "a;reboot"}, "run `dig HOST`"},
		{"a fact that would be an option", "run `dig {host}`", Facts{Host: "-f/etc/passwd"}, "run `dig HOST`"},
		{"a fact is not filled again", "{host}", Facts{Host: "{user}", User: "ann"}, "{user}"},
		{"a fact with brackets", "{host} x", Facts{Host: "[{port}]"}, "[{port}] x"},
		{"a fact that would begin a command", "{host} x", Facts{Host: "`reboot`"}, "The server x"},
		{"braces of a setting", "`pace = { per_minute = 5 }`", Facts{}, "`pace = { per_minute = 5 }`"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := filler{facts: tc.facts}
			if got := f.text(tc.text); got != tc.want {
				t.Errorf("%q with %+v:\n got %q\nwant %q", tc.text, tc.facts, got, tc.want)
			}
		})
	}
}

func TestFill_DomainIsTheSendersWhereTheCauseIs(t *testing.T) {
	facts := Facts{Domain: "recipient.example", Sender: "ann@sender.example"}
	spf, _ := Lookup("policy.spf-failed")
	if got := spf.Fill(facts).Title; !strings.Contains(got, "sender.example") {
		t.Errorf("SPF is about the sender: %q", got)
	}
	mx, _ := Lookup("recipient.domain-not-found")
	if got := mx.Fill(facts).Title; !strings.Contains(got, "recipient.example") {
		t.Errorf("this is about the recipient: %q", got)
	}
}

func TestFill_AdviceIsForTheReader(t *testing.T) {
	c := &Cause{ID: "recipient.x", Actor: ActorRecipient, Remedies: map[Actor][]string{
		ActorRecipient: {"Make room.", "Empty the bin."}, ActorUser: {"Call {recipient}."}, ActorRecipientAdmin: {"Raise the quota."},
	}}
	got := c.Fill(Facts{Recipient: "bob@example.net"})
	want := Text{
		Do: []string{"Call bob@example.net.", "For the person written to: Make room.", "Empty the bin."},
		Remedies: []Remedy{
			{ActorRecipient, []string{"Make room.", "Empty the bin."}}, {ActorUser, []string{"Call bob@example.net."}},
			{ActorRecipientAdmin, []string{"Raise the quota."}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Every text reads well with all facts, with each missing, and with none.
func TestFill_CatalogueReadsWellWithAndWithoutFacts(t *testing.T) {
	full := Facts{Host: "mx.example.net", Port: "25", User: "ann", Domain: "example.net", Recipient: "bob@example.net", Sender: "ann@example.org"}
	cases := []Facts{{}, full}
	for i := range 6 {
		f := full
		*[]*string{&f.Host, &f.Port, &f.User, &f.Domain, &f.Recipient, &f.Sender}[i] = ""
		cases = append(cases, f)
	}
	placeholder := regexp.MustCompile(`\{[a-z]*\}`)
	option := regexp.MustCompile(`\[[^\]]*\]|\|`)
	odd := regexp.MustCompile(` [,.;:]( |$)|\(\)|  |\b(the the|as as)\b|[a-z] (The|Your) (server|sender|recipient|user name)\b`)
	for _, c := range All() {
		for _, f := range cases {
			text := c.Fill(f)
			all := []string{text.Title, text.Why}
			for _, r := range text.Remedies {
				all = append(all, r.Do...)
			}
			for _, s := range all {
				if strings.Count(s, "`")%2 != 0 {
					t.Errorf("%s: a command without an end in %q", c.ID, s)
				}
				if p := placeholder.FindString(s); p != "" {
					t.Errorf("%s: %s is no placeholder: %q", c.ID, p, s)
				}
				prose := outsideCommands(s)
				if m := option.FindString(prose); m != "" {
					t.Errorf("%s: %q is left in %q", c.ID, m, s)
				}
				if m := odd.FindString(prose); m != "" {
					t.Errorf("%s: %q reads oddly in %q", c.ID, m, s)
				}
			}
		}
	}
}

// outsideCommands returns s with an x for each command.
func outsideCommands(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		if i%2 == 1 {
			parts[i] = "x"
		}
	}
	return strings.Join(parts, "")
}

func FuzzFill(f *testing.F) {
	f.Add("mx.example.net", "587", "ann@example.org", "bob@example.net")
	f.Add("$(reboot)", "`id`", "[{host}|x]", "{port}\n")
	ids := slices.Collect(func(yield func(ID) bool) {
		for _, c := range All() {
			if !yield(c.ID) {
				return
			}
		}
	})
	f.Fuzz(func(t *testing.T, host, port, sender, recipient string) {
		c, _ := Lookup(ids[(len(host)+len(port)+len(sender)+len(recipient))%len(ids)])
		facts := Facts{Host: host, Port: port, User: sender, Domain: host, Sender: sender, Recipient: recipient}
		bare := c.Fill(Facts{})
		for i, r := range c.Fill(facts).Remedies {
			if len(r.Do) != len(bare.Remedies[i].Do) {
				t.Fatalf("%s: facts change the number of steps", c.ID)
			}
		}
	})
}
