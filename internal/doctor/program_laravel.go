package doctor

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// laravelEnv is env('NAME') or env('NAME', default) in a PHP file.
var laravelEnv = regexp.MustCompile(`\benv\(\s*['"](\w+)['"]\s*(?:,\s*((?:[^()]|\([^()]*\))*))?\)`)

// readLaravel reads config/mail.php, with the values that .env beside it has for the
// variables it names; by read it reads that file. It returns nil when the file is
// another.
func readLaravel(path, text string, read func(path string) ([]byte, error)) *Program {
	if filepath.Ext(path) != ".php" || !strings.Contains(text, "return [") && !strings.Contains(text, "return array") ||
		!strings.Contains(text, "'mailers'") && !strings.Contains(text, "MAIL_HOST") && !(strings.Contains(text, "'host'") && strings.Contains(text, "'encryption'")) {
		return nil
	}
	variables := map[string]Value{}
	beside := filepath.Join(filepath.Dir(path), "..", ".env")
	if b, err := read(beside); err == nil {
		for i, l := range strings.Split(string(b), "\n") {
			name, value, ok := strings.Cut(strings.TrimSpace(l), "=")
			if ok && !strings.HasPrefix(name, "#") {
				variables[strings.TrimSpace(name)] = Value{strings.Trim(strings.TrimSpace(value), `"'`), beside, i + 1}
			}
		}
	}
	moved := map[int]Value{} // by line of mail.php: where its value stands
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = laravelEnv.ReplaceAllStringFunc(l, func(call string) string {
			m := laravelEnv.FindStringSubmatch(call)
			if v, ok := variables[m[1]]; ok {
				moved[i+1] = v
				return "'" + strings.ReplaceAll(v.Text, "'", `\'`) + "'"
			}
			if fallback := strings.TrimSpace(m[2]); fallback != "" {
				return fallback
			}
			return "null"
		})
	}
	list := scan(path, strings.Join(lines, "\n"))
	for i, s := range list {
		if v, ok := moved[s.value.Line]; ok {
			list[i].value.File, list[i].value.Line = v.File, v.Line
		}
	}
	return laravelProgram(list)
}

// laravelProgram takes the mailer that is the default, or the one of the older form
// with a single one.
func laravelProgram(list []setting) *Program {
	get := func(names ...string) setting {
		for _, n := range names {
			for _, s := range list {
				if s.name == n {
					return s
				}
			}
		}
		return setting{}
	}
	mailer := get("default").value
	if !mailer.set() {
		mailer.Text = "smtp"
	}
	at := "mailers." + strings.ToLower(mailer.Text) + "."
	if get(at+"host").name == "" {
		at = "mailers.smtp."
	}
	a := application{name: "Laravel"}
	found := map[string]setting{}
	for what, name := range map[string]string{"host": "host", "port": "port", "user": "username", "password": "password", "mode": "encryption", "hello": "local_domain", "url": "url"} {
		found[what] = get(at+name, name)
	}
	if s := get(at+"scheme", "scheme"); s.value.set() {
		found["mode"] = s
	}
	found["from"] = get("from.address")
	p := a.program(found)
	if u := found["url"].value; u.set() {
		p.fromURL(u)
	}
	if driver := get("default", "driver").value; driver.set() && driver.Text != "smtp" && !strings.Contains(driver.Text, "failover") {
		p.Notes = append(p.Notes, fmt.Sprintf("the mailer in use is %q (%s), not smtp", driver.Text, driver.where()))
	}
	return p
}
