package cause

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The list of ids is kept beside the test: an id that disappears is a broken
// promise to whoever has written it into a script.
func TestCatalogue_KeepsEveryID(t *testing.T) {
	b, err := os.ReadFile("testdata/ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(string(b)) {
		if _, ok := Lookup(ID(id)); !ok {
			t.Errorf("%s is gone", id)
		}
	}
	if n := len(strings.Fields(string(b))); n != len(All()) {
		t.Errorf("testdata/ids.txt has %d ids, the catalogue %d: add the new ones", n, len(All()))
	}
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func TestCatalogue_EntriesAreWhole(t *testing.T) {
	known := map[string]bool{"{host}": true, "{port}": true, "{user}": true, "{domain}": true, "{rcpt}": true, "{sender}": true}
	actors := map[Actor]bool{ActorUser: true, ActorSenderAdmin: true, ActorProvider: true, ActorRecipient: true, ActorRecipientAdmin: true, ActorNetworkAdmin: true}
	for _, c := range All() {
		if c.Title == "" || c.Why == "" || len(c.Do) == 0 || c.Evidence == "" {
			t.Errorf("%s lacks a text", c.ID)
		}
		if strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: the title ends in a full stop", c.ID)
		}
		if !actors[c.Actor] || c.Retry != RetryNo && c.Retry != RetryLater {
			t.Errorf("%s: actor %q, retry %q", c.ID, c.Actor, c.Retry)
		}
		for _, s := range append([]string{c.Title, c.Why}, c.Do...) {
			for _, p := range placeholder.FindAllString(s, -1) {
				// Braces of examples hold a blank: pace = { connections = … }.
				if !known[p] && !strings.Contains(p, " ") {
					t.Errorf("%s: unknown placeholder %s", c.ID, p)
				}
			}
			if strings.Contains(strings.ToLower(s), "check your settings") {
				t.Errorf("%s says nothing: %q", c.ID, s)
			}
		}
		for _, h := range c.Hides {
			if _, ok := Lookup(h); !ok {
				t.Errorf("%s hides %s, which does not exist", c.ID, h)
			}
		}
		for _, f := range []Facts{{}, {Host: "mx.example.net", Port: "25", User: "ann", Domain: "example.net", Recipient: "bob@example.net", Sender: "ann@example.org"}} {
			text := c.Fill(f)
			for _, s := range append([]string{text.Title, text.Why}, text.Do...) {
				for _, p := range placeholder.FindAllString(s, -1) {
					if known[p] {
						t.Errorf("%s: %s is left in %q", c.ID, p, s)
					}
				}
			}
		}
	}
}
