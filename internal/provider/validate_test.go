package provider

import (
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sources are the words for where facts come from; NOTICE explains them.
var sources = []string{"ispdb", "nodemailer", "delta-chat", "thunderbird", "vendor", "public", "general"}

// faults returns what is wrong with the data beyond what decoding finds.
func faults(d *database) []string {
	var found []string
	ids := map[ID]bool{}
	owner := map[string]ID{}       // of domains, MX suffixes and retired names
	ports := map[string]Security{} // by host and port
	closed := map[string]bool{}
	hosts := map[string]map[ID]bool{} // by host
	for _, p := range d.providers {
		bad := func(format string, args ...any) {
			found = append(found, fmt.Sprintf("%s: ", p.ID)+fmt.Sprintf(format, args...))
		}
		if ids[p.ID] {
			bad("the id is taken")
		}
		ids[p.ID] = true
		own := func(what, name string) {
			key := what + " " + name
			if o, taken := owner[key]; taken {
				bad("%s belongs to %s", key, o)
			}
			owner[key] = p.ID
		}
		p.check(bad, own)
		servers := slices.Clone(p.Submission)
		for _, in := range p.Incoming {
			servers = append(servers, in.Server)
		}
		for _, s := range servers {
			key := fmt.Sprintf("%s:%d", s.Host, s.Port)
			if other, ok := ports[key]; ok && other != s.Security && !strings.HasPrefix(s.Host, "127.") && s.Host != "localhost" {
				bad("%s is %s and %s", key, other, s.Security)
			}
			ports[key] = s.Security
			if hosts[s.Host] == nil {
				hosts[s.Host] = map[ID]bool{}
			}
			hosts[s.Host][p.ID] = true
		}
		for _, a := range p.Aliases {
			if hosts[a] == nil {
				hosts[a] = map[ID]bool{}
			}
			hosts[a][p.ID] = true
		}
	}
	for _, p := range d.providers {
		for _, r := range p.Retired {
			switch {
			case hosts[r.Host] != nil:
				found = append(found, fmt.Sprintf("%s: retired %s is in use", p.ID, r.Host))
			case r.Successor != "" && !hosts[r.Successor][p.ID]:
				found = append(found, fmt.Sprintf("%s: %s, successor of %s, is no host of the provider", p.ID, r.Successor, r.Host))
			}
		}
	}
	for _, c := range d.closed {
		if c.Name == "" || len(c.Hosts)+len(c.Domains) == 0 {
			found = append(found, "closed "+c.Name+": name or hosts are empty")
		}
		for _, n := range slices.Concat(c.Hosts, c.Domains) {
			if closed[n] || hosts[n] != nil || owner["domain "+n] != "" || owner["retired "+n] != "" || !isName(n) {
				found = append(found, "closed "+n+": not a name, given twice, or in use")
			}
			closed[n] = true
		}
	}
	seen := map[string]bool{}
	for _, n := range d.networks {
		if seen[n.ID] || n.ID == "" || n.Name == "" || n.How == "" || n.Lift == "" || len(n.Blocks) == 0 || !isConfidence(n.Confidence) {
			found = append(found, "network "+n.ID+": given twice, or a field is empty")
		}
		seen[n.ID] = true
		for _, port := range slices.Concat(n.Blocks, n.Open) {
			if port < 1 || port > 65535 || slices.Contains(n.Blocks, port) && slices.Contains(n.Open, port) {
				found = append(found, fmt.Sprintf("network %s: port %d", n.ID, port))
			}
		}
	}
	return found
}

// check reports what is wrong with one provider by itself.
func (p *Provider) check(bad func(string, ...any), own func(what, name string)) {
	if p.ID == "" || strings.Trim(string(p.ID), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		bad("the id is empty or has other characters than a-z, 0-9 and -")
	}
	if p.Name == "" || len(p.Countries) == 0 || len(p.Logins) == 0 || len(p.Sources) == 0 || !isConfidence(p.Confidence) {
		bad("name, countries, login, sources or confidence is empty")
	}
	for _, c := range p.Countries {
		if c != "*" && c != "eu" && (len(c) != 2 || strings.ToLower(c) != c) {
			bad("country %q", c)
		}
	}
	if len(p.Submission)+len(p.Patterns) == 0 && p.PatternNote == "" && p.Works() {
		bad("it has no outgoing host and does not say that programs are not served")
	}
	for _, domain := range slices.Concat(p.Domains, p.Vanity) {
		own("domain", domain)
		if !isName(strings.TrimPrefix(domain, "*.")) {
			bad("domain %q", domain)
		}
	}
	for _, suffix := range p.MX {
		own("mx", suffix)
		if !isName(suffix) {
			bad("mx %q", suffix)
		}
	}
	seen := map[Server]bool{}
	for _, s := range p.Submission {
		if seen[s] || !isHost(s.Host) {
			bad("server %v is no name or given twice", s)
		}
		seen[s] = true
		if s.Port == 465 && s.Security == None || s.Port == 587 && s.Security == TLS {
			bad("server %v has the other port's security", s)
		}
	}
	for _, s := range p.Incoming {
		if !isHost(s.Host) {
			bad("incoming %v", s)
		}
	}
	for _, a := range p.Aliases {
		if !isName(a) || len(p.Submission) == 0 {
			bad("alias %q", a)
		}
	}
	for _, s := range p.Patterns {
		if !isName(strings.ReplaceAll(s.Host, "*", "x")) || !strings.Contains(s.Host, "*") {
			bad("pattern %v", s)
		}
	}
	if p.User == "" && p.UserNote == "" && p.Works() && !slices.Contains(p.Logins, NoLogin) {
		bad("the user name is not said")
	}
	if strings.Count(string(p.User), "%")%2 != 0 || strings.Contains(UserForm.Fill(p.User, "a@b.example"), "%") {
		bad("user name %q", p.User)
	}
	logins := []Login{OAuth2, AppPassword, Password, Challenge, AuthorizationCode, APIKey, Credential, Token, BridgePassword, ByAddress, NoLogin, NoAccess}
	for _, l := range p.Logins {
		if !slices.Contains(logins, l) {
			bad("login %q", l)
		}
	}
	if p.OAuth != nil && (!slices.Contains(p.Logins, OAuth2) || !isName(p.OAuth.Issuer) || len(p.OAuth.Scopes) == 0 || len(p.OAuth.Mechanisms) == 0) {
		bad("oauth is not complete")
	}
	for _, c := range p.Changes {
		if !slices.Contains(logins, c.Login) || c.Note == "" || c.Since.IsZero() || !slices.Contains([]Standing{Accepted, OffByDefault, Ended}, c.Standing) {
			bad("change %v", c)
		}
	}
	for _, r := range p.Retired {
		own("retired", r.Host)
		if !isName(strings.ReplaceAll(r.Host, "*", "x")) || !slices.Contains([]string{"smtp", "imap", "pop3"}, r.Protocol) || !isConfidence(r.Confidence) {
			bad("retired %v", r)
		}
	}
	for _, m := range p.Mistaken {
		if !isName(strings.ReplaceAll(m.Host, "*", "x")) || m.Why == "" || !slices.Contains([]Role{RoleIncoming, RoleMX, RoleWeb, RoleUnknown}, m.Role) {
			bad("mistaken %v", m)
		}
	}
	for _, doc := range p.Docs {
		if u, err := url.Parse(doc.URL); err != nil || u.Scheme != "https" || u.Host == "" || doc.Title == "" {
			bad("doc %v", doc)
		}
	}
	for _, text := range slices.Concat(p.Setup, p.Notes) {
		if !strings.HasSuffix(text, ".") {
			bad("%q is no sentence", text)
		}
	}
	for _, s := range p.Sources {
		if !slices.Contains(sources, s) {
			bad("source %q", s)
		}
	}
	l := p.Limits
	for _, n := range []int64{int64(l.Connections), int64(l.PerMinute), int64(l.PerHour), int64(l.PerDay), int64(l.Recipients), int64(l.RecipientsPerHour), int64(l.RecipientsPerDay), l.MessageBytes} {
		if n < 0 {
			bad("a limit is below zero")
		}
	}
}

func isConfidence(c Confidence) bool { return c == High || c == Medium || c == Low }

// isHost reports whether s is a name or this machine.
func isHost(s string) bool { return isName(s) || s == "127.0.0.1" || s == "localhost" }

// isName reports whether s is a domain name of two labels or more as the data
// have them.
func isName(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	return len(labels) > 1 && len(s) < 254 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func TestData_IsValid(t *testing.T) {
	d := data()
	for _, fault := range faults(d) {
		t.Error(fault)
	}
	if n := len(d.providers); n < 240 {
		t.Errorf("%d providers: some are lost", n)
	}
}

// broken returns the embedded files with one of them replaced.
func broken(t *testing.T, name, text string) fs.FS {
	t.Helper()
	dir := fstest.MapFS{}
	for _, kind := range Kinds() {
		dir[string(kind)+".toml"] = &fstest.MapFile{}
	}
	dir["network.toml"], dir["closed.toml"] = &fstest.MapFile{}, &fstest.MapFile{}
	dir[name] = &fstest.MapFile{Data: []byte(text)}
	return dir
}

func TestDecode_IsStrict(t *testing.T) {
	for _, text := range []string{
		"[[provider]]\nid = 'x'\ncolour = 'red'",
		"[[provider]]\nid = 'x'\nsubmission = ['smtp.example.com:0 tls']",
		"[[provider]]\nid = 'x'\nsubmission = ['smtp.example.com:99999 tls']",
		"[[provider]]\nid = 'x'\nsubmission = ['smtp.example.com:0587 starttls']",
		"[[provider]]\nid = 'x'\nsubmission = ['smtp.example.com:587 ssl']",
		"[[provider]]\nid = 'x'\nsubmission = ['smtp.example.com tls']",
		"[[provider]]\nid = 'x'\nincoming = ['nntp news.example.com:563 tls']",
		"[[provider]]\nid = 'x'\n[[provider.change]]\nsince = 'soon'",
		"[provider",
	} {
		if _, err := decode(broken(t, "isp.toml", text)); err == nil || !strings.Contains(err.Error(), "isp.toml") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestFaults_AreFound(t *testing.T) {
	const good = `[[provider]]
id = "x"
name = "X"
countries = ["de"]
domains = ["x.example"]
submission = ["smtp.x.example:465 tls"]
user = "%EMAILADDRESS%"
login = ["password"]
confidence = "high"
sources = ["vendor"]
`
	const second = `
[[provider]]
id = "y"
name = "Y"
countries = ["de"]
submission = ["smtp.y.example:465 tls"]
user = "%EMAILADDRESS%"
login = ["password"]
confidence = "high"
sources = ["vendor"]
`
	d, err := decode(broken(t, "isp.toml", good+second))
	if err != nil || len(faults(d)) > 0 {
		t.Fatal(err, faults(d))
	}
	for _, test := range []struct{ old, new, fault string }{
		{`id = "x"`, `id = "X"`, "other characters"},
		{`id = "x"`, `id = "y"`, "the id is taken"},
		{`name = "X"`, `name = ""`, "empty"},
		{`["de"]`, `["germany"]`, "country"},
		{`["x.example"]`, `["x_example"]`, "domain"},
		{`smtp.x.example:465 tls`, `smtp.y.example:465 starttls`, "is starttls and tls"},
		{`smtp.x.example:465 tls`, `smtp.x.example:587 tls`, "the other port's security"},
		{`["smtp.x.example:465 tls"]`, `["smtp.x.example:465 tls", "smtp.x.example:465 tls"]`, "twice"},
		{`["smtp.x.example:465 tls"]`, `[]`, "no outgoing host"},
		{`user = "%EMAILADDRESS%"`, `user = "%EMAIL%"`, "user name"},
		{`user = "%EMAILADDRESS%"`, ``, "the user name is not said"},
		{`["password"]`, `["secret"]`, "login"},
		{`["vendor"]`, `["rumour"]`, "source"},
		{`"high"`, `"certain"`, "confidence"},
		{`["vendor"]`, "[\"vendor\"]\n[[provider.retired]]\nhost='old.x.example'\nprotocol='smtp'\nsuccessor='smtp.y.example'\nconfidence='low'", "is no host of the provider"},
		{`["vendor"]`, "[\"vendor\"]\n[[provider.retired]]\nhost='smtp.y.example'\nprotocol='smtp'\nconfidence='low'", "is in use"},
		{`["vendor"]`, "[\"vendor\"]\n[[provider.doc]]\ntitle='T'\nurl='http://x.example/'", "doc"},
		{`["vendor"]`, "[\"vendor\"]\nsetup = ['do it']", "no sentence"},
	} {
		text := strings.Replace(good, test.old, test.new, 1)
		if text == good {
			t.Fatalf("%q is not in the data", test.old)
		}
		d, err := decode(broken(t, "isp.toml", text+second))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(faults(d), "\n"); !strings.Contains(got, test.fault) {
			t.Errorf("%q: faults %q, want %q", test.new, got, test.fault)
		}
	}
}
