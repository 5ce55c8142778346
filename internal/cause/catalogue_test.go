package cause

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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

// texts returns all texts of c that a person reads.
func texts(c *Cause) []string {
	all := []string{c.Title, c.Why}
	for _, a := range c.actors() {
		all = append(all, c.Remedies[a]...)
	}
	return all
}

func TestCatalogue_EntriesAreWhole(t *testing.T) {
	for _, c := range All() {
		if c.Title == "" || c.Why == "" || c.Evidence == "" || len(c.Refs) == 0 || len(c.Related) == 0 {
			t.Errorf("%s lacks a title, why, evidence, refs or related", c.ID)
		}
		if c.ProbeOnly != (len(c.Says) == 0) {
			t.Errorf("%s: what programs say is for causes that a text can show, and for all of them", c.ID)
		}
		if !slices.Contains(Actors(), c.Actor) || c.Retry != RetryNo && c.Retry != RetryLater {
			t.Errorf("%s: actor %q, retry %q", c.ID, c.Actor, c.Retry)
		}
		if len(c.Remedies[c.Actor]) == 0 || len(c.Remedies[ActorUser]) == 0 {
			t.Errorf("%s: %s must act, and the user is always told what to do; one of them is not", c.ID, c.Actor)
		}
		for a := range c.Remedies {
			if !slices.Contains(Actors(), a) {
				t.Errorf("%s: nobody is called %q", c.ID, a)
			}
		}
		for _, s := range texts(c) {
			if s == "" || s != strings.TrimSpace(s) || strings.Contains(s, "  ") || strings.ContainsAny(s, "\n\t") {
				t.Errorf("%s: blanks too many in %q", c.ID, s)
			}
		}
	}
}

// What is longer is not read.
func TestCatalogue_TextsAreShort(t *testing.T) {
	const maxTitle, maxWhy, maxStep, maxSteps = 80, 420, 270, 4
	for _, c := range All() {
		if n := utf8.RuneCountInString(c.Fill(Facts{}).Title); n > maxTitle {
			t.Errorf("%s: the title has %d letters", c.ID, n)
		}
		if n := utf8.RuneCountInString(c.Why); n < 60 || n > maxWhy {
			t.Errorf("%s: why has %d letters", c.ID, n)
		}
		for a, steps := range c.Remedies {
			if len(steps) > maxSteps {
				t.Errorf("%s: %d steps for %s", c.ID, len(steps), a)
			}
			for _, s := range steps {
				if n := utf8.RuneCountInString(s); n > maxStep {
					t.Errorf("%s: a step for %s has %d letters: %q", c.ID, a, n, s)
				}
			}
		}
		if n := len(c.Fill(Facts{}).Do); n < 1 || n > 6 {
			t.Errorf("%s: %d steps in all", c.ID, n)
		}
	}
}

func TestCatalogue_TextsAreSentences(t *testing.T) {
	end := regexp.MustCompile("[.!?][\")]?$|[`]$|`\\)?\\.$|[\")]$")
	for _, c := range All() {
		text := c.Fill(Facts{})
		if strings.HasSuffix(text.Title, ".") {
			t.Errorf("%s: the title ends in a full stop", c.ID)
		}
		sentences := []string{text.Title, text.Why}
		for _, r := range text.Remedies {
			sentences = append(sentences, r.Do...)
			for _, s := range r.Do {
				if !end.MatchString(s) {
					t.Errorf("%s: a step without an end: %q", c.ID, s)
				}
			}
		}
		for _, s := range sentences {
			first, _ := utf8.DecodeRuneInString(s)
			if strings.ToLower(string(first)) == string(first) && first != '"' && first != '`' {
				t.Errorf("%s: begins without a capital: %q", c.ID, s)
			}
		}
		if !strings.HasSuffix(text.Why, ".") {
			t.Errorf("%s: why ends without a full stop", c.ID)
		}
		if strings.Contains(strings.ToLower(text.Why), strings.ToLower(text.Title)) {
			t.Errorf("%s: why repeats the title", c.ID)
		}
	}
}

// Advice that anybody could give about anything.
var vague = []string{
	"check your settings", "check the settings", "check your configuration", "check the configuration", "verify your settings", "contact support",
	"contact your administrator.", "contact your provider.", "contact the administrator.", "please try again", "something went wrong", "an error occurred",
	"make sure that everything", "as appropriate", "as needed", "if necessary", "various reasons", "may or may not", "etc.", "fix the problem", "fix the issue",
}

func TestCatalogue_NothingVague(t *testing.T) {
	for _, c := range All() {
		for _, s := range texts(c) {
			for _, v := range vague {
				if strings.Contains(strings.ToLower(s), v) {
					t.Errorf("%s says nothing: %q", c.ID, s)
				}
			}
			// Who switches the check off gives the password to whoever asks.
			if l := strings.ToLower(s); strings.Contains(l, "disable certificate") || strings.Contains(l, "ignore the certificate") || strings.Contains(l, "trust all certificates") {
				t.Errorf("%s advises against safety: %q", c.ID, s)
			}
		}
	}
}

// jargon are words that a person who is no mail admin does not know, with words of
// which one explains it in the same entry. What is only for admins may use them.
var jargon = map[string][]string{
	"PTR": {"name"}, "MX": {"mail server", "takes its mail", "takes a domain's mail"}, "SPF": {"list"}, "DKIM": {"sign"}, "DMARC": {"rule"},
	"HELO": {"greet"}, "EHLO": {"greet"}, "MTU": {"packet"}, "SPA": {"Secure Password"}, "OAuth": {"browser"}, "OAuth2": {"browser", "sign-in"},
	"NTLM": {"way"}, "DNSBL": {"list"}, "PBL": {"list"}, "NXDOMAIN": {"exist"}, "SERVFAIL": {"answer"}, "SASL": {"sign"}, "TLS": {"encrypt", "STARTTLS", "465"},
	"IPv6": {"address"}, "MTA-STS": {"encrypt"}, "DANE": {"encrypt"}, "SMTPUTF8": {"letters"}, "ICMP": {"packet"}, "tarpit": {"wait"}, "greylist": {"come back"},
	"relay": {"pass", "server of", "sends", "sign"}, "smart host": {"relay", "server"}, "DNS": {"name", "director", "domain", "public"}, "CRLF": {"line"},
}

func TestCatalogue_JargonIsExplained(t *testing.T) {
	for _, c := range All() {
		forAll := c.Title + "\n" + c.Why + "\n" + strings.Join(c.Remedies[ActorUser], "\n") + "\n" + strings.Join(c.Remedies[ActorRecipient], "\n")
		for word, explains := range jargon {
			if !regexp.MustCompile(`(^|[^A-Za-z])` + regexp.QuoteMeta(word) + `($|[^A-Za-z])`).MatchString(forAll) {
				continue
			}
			if !slices.ContainsFunc(explains, func(e string) bool { return strings.Contains(forAll, e) }) {
				t.Errorf("%s speaks of %q and does not say what it is", c.ID, word)
			}
		}
	}
}

func TestCatalogue_NamesOtherCausesThatExist(t *testing.T) {
	for _, c := range All() {
		for _, id := range append(slices.Clone(c.DependsOn), c.Related...) {
			if _, ok := Lookup(id); !ok || id == c.ID {
				t.Errorf("%s names %s", c.ID, id)
			}
		}
		for _, l := range [][]ID{c.DependsOn, c.Related} {
			sorted := slices.Sorted(slices.Values(l))
			if len(slices.Compact(sorted)) != len(l) {
				t.Errorf("%s names a cause twice in %v", c.ID, l)
			}
		}
	}
}

func TestCatalogue_DependsOnHasNoCircle(t *testing.T) {
	const (
		entered = 1
		left    = 2
	)
	state := map[ID]int{}
	var visit func(id ID, path []ID)
	visit = func(id ID, path []ID) {
		path = append(path, id)
		switch state[id] {
		case entered:
			t.Errorf("a circle: %v", path)
			return
		case left:
			return
		}
		state[id] = entered
		if c, ok := Lookup(id); ok {
			for _, d := range c.DependsOn {
				visit(d, path)
			}
		}
		state[id] = left
	}
	for _, c := range All() {
		visit(c.ID, nil)
	}
}
