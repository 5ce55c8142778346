package cause

import (
	"regexp"
	"strings"
	"testing"
)

// Every step has what a person is told, and names causes of the catalogue.
func TestSteps_AreWhole(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	seen := map[string]bool{}
	for _, s := range steps() {
		key := s.Provider + "/" + s.ID
		if seen[key] || s.ID == "" || s.Title == "" {
			t.Errorf("%s: it stands twice, or lacks its id or title", key)
		}
		seen[key] = true
		for _, c := range append([]StepCase{s.StepCase}, s.Cases...) {
			if c.Cause == "" {
				c.Cause = s.Cause
			}
			if _, ok := Lookup(c.Cause); !ok || c.Failed == "" || c.Why == "" || len(c.Do) == 0 || c.Sure != "" && c.Sure != "likely" {
				t.Errorf("%s: %q lacks a known cause, a title, a reason or a remedy", key, c.Failed)
			}
			text := c.Fill(Facts{App: "11111111-2222-3333-4444-555555555555", Tenant: "contoso.com", Mailbox: "relay@contoso.com", Object: "66666666-7777-8888-9999-000000000000", Route: "m365", Sender: "a@contoso.com"})
			for _, x := range append([]string{text.Title, text.Why}, text.Do...) {
				if strings.Count(x, "`")%2 != 0 || placeholder.MatchString(x) {
					t.Errorf("%s: an unfilled or unfinished text: %q", key, x)
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d steps", len(seen))
	}
}

func TestStep_Match(t *testing.T) {
	find := func(provider, via, grant, answer string) string {
		for _, s := range Steps(provider, via, grant) {
			if c := s.Match(answer); c != nil {
				return s.ID + ": " + c.Failed
			}
		}
		return ""
	}
	for _, tt := range []struct{ answer, want string }{
		{"AADSTS7000222: The provided client secret keys for app 'x' are expired.", "credential: The app's secret has expired"},
		{"AADSTS700022: The provided value for the input parameter scope isn't valid", ""},
		{"AADSTS70002: Error validating credentials. AADSTS50012: Invalid client secret is provided.", "credential: The app's secret is wrong"},
		{"AADSTS700016: Application with identifier 'x' was not found in the directory 'y'.", "application: The directory has no app[ {app}]"},
		{"AADSTS90002: Tenant 'x' not found.", "tenant: Entra ID knows no directory[ {tenant}]"},
		{"AADSTS65001", "consent: Nobody has agreed that the app[ {app}] may send mail"},
	} {
		if got := find("microsoft", "smtp", "client_credentials", tt.answer); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.answer, got, tt.want)
		}
	}
}

// Facts come from configurations and tokens, and commands are pasted into shells.
func TestStep_FillKeepsCommandsSafe(t *testing.T) {
	for _, s := range steps() {
		for _, c := range append([]StepCase{s.StepCase}, s.Cases...) {
			for _, d := range c.Fill(Facts{App: "x; rm -rf /", Mailbox: "$(id)", Tenant: "a`b", Object: "'", Route: "a b"}).Do {
				for i, part := range strings.Split(d, "`") {
					if i%2 == 1 && (strings.Contains(part, "rm -rf") || strings.Contains(part, "$(id)")) {
						t.Errorf("%s: %q", s.ID, d)
					}
				}
			}
		}
	}
}
