package doctor

import (
	"regexp"
	"strings"
)

// setting is a name with a value in a file. The name is in lower case, with the
// sections it stands in before it: "spring.mail.host".
type setting struct {
	name     string
	value    Value
	computed bool // the value is an expression, which is not worked out here
}

// The ways in which INI, properties, YAML, PHP, Ruby and Python files say that a
// name has a value. Each has the groups name and value; the first that fits counts.
var settingForms = []*regexp.Regexp{
	regexp.MustCompile(`^(?P<base>define)\(\s*['"](?P<name>\w+)['"]\s*,\s*(?P<value>.*)\)\s*;`),
	regexp.MustCompile(`^-\s+['"]?(?P<name>[A-Za-z_]\w*)(?P<raw>=)(?P<value>.*)$`), // an environment list of Compose
	regexp.MustCompile(`^:?['"]?(?P<name>[\w.]+)['"]?\s*=>\s*(?P<value>.*)$`),
	regexp.MustCompile(`^\$?(?P<base>[\w.]+)\[\s*:?['"]?(?P<name>[\w.]+)['"]?\s*\]\s*=\s*(?P<value>.*)$`),
	regexp.MustCompile(`^(?:export\s+)?(?P<name>[A-Z][A-Z0-9_]*(?:__\w+)?)(?P<raw>=)(?P<value>\S.*)$`),
	regexp.MustCompile(`^\$?(?P<name>[\w.:-]+)\s*=\s*(?P<value>.*)$`),
	regexp.MustCompile(`^(?:-\s+)?['"]?(?P<name>[\w.-]+)['"]?\s*:(?:\s+(?P<value>.*))?$`),
}

var (
	sectionLine = regexp.MustCompile(`^\[([\w. -]+)\]\s*$`)
	expression  = regexp.MustCompile(`^[A-Za-z_][\w.:]*[\[(]|^\$\{|^\{\{|^ENV\b|^%\w*\(`)
	placeholder = regexp.MustCompile(`^\$\{[\w.]+:-?([^}]*)\}$`) // Spring and Compose: a name, and what counts without it
)

// scan returns the settings of a file, in its order.
func scan(path, text string) []setting {
	var list []setting
	section := ""
	type level struct {
		indent int
		name   string
	}
	var levels []level // of YAML and of hashes, by their indent
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, " \t\r")
		body := strings.TrimLeft(l, " \t")
		if body == "" || strings.ContainsRune("#;*", rune(body[0])) || strings.HasPrefix(body, "//") || strings.HasPrefix(body, "/*") {
			continue
		}
		if m := sectionLine.FindStringSubmatch(body); m != nil {
			section, levels = strings.ToLower(m[1])+".", nil
			continue
		}
		indent := len(l) - len(body)
		for len(levels) > 0 && levels[len(levels)-1].indent >= indent {
			levels = levels[:len(levels)-1]
		}
		prefix := section
		if len(levels) > 0 {
			prefix = levels[len(levels)-1].name
		}
		name, value, raw, ok := cutSetting(body)
		if !ok {
			continue
		}
		name = prefix + name
		inner, hash := strings.CutPrefix(value, "{")
		if array, ok := strings.CutPrefix(value, "["); ok && (strings.TrimSpace(array) == "" || strings.Contains(array, "=>")) { // of PHP
			inner, hash = strings.TrimRight(array, "], "), true
		} else if array, ok := strings.CutPrefix(value, "array"); ok && strings.Trim(array, " (") == "" {
			inner, hash = "", true
		}
		if value == "" || hash && strings.TrimSpace(inner) == "" {
			if len(levels) < 32 {
				levels = append(levels, level{indent, name + "."})
			}
			continue
		}
		if hash && !strings.HasPrefix(inner, "{") { // a hash on one line
			for _, part := range strings.Split(strings.TrimRight(inner, "} "), ",") {
				if n, v, _, ok := cutSetting(strings.TrimSpace(part)); ok {
					list = append(list, literal(name+"."+n, Value{v, path, i + 1}, false))
				}
			}
			continue
		}
		list = append(list, literal(name, Value{value, path, i + 1}, raw))
	}
	return list
}

// cutSetting splits a line into name and value. raw says that the value is that of
// an environment variable, in which nothing but quotes has a meaning.
func cutSetting(line string) (name, value string, raw, ok bool) {
	for _, form := range settingForms {
		m := form.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for i, group := range form.SubexpNames() {
			switch group {
			case "base":
				name = m[i] + "."
			case "name":
				name += m[i]
			case "value":
				value = strings.TrimSpace(m[i])
			case "raw":
				raw = true
			}
		}
		return strings.ToLower(name), value, raw, true
	}
	return "", "", false, false
}

// literal reads a value as it is written: in quotes, or bare with what ends it.
func literal(name string, v Value, raw bool) setting {
	s := v.Text
	quoted := s != "" && strings.IndexByte("\"'`", s[0]) >= 0
	if inner, ok := strings.CutPrefix(s, `"""`); ok { // of grafana.ini and app.ini
		s, _, _ = strings.Cut(inner, `"""`)
	} else if quoted {
		if inner, rest := unquote(s); !strings.HasPrefix(strings.TrimSpace(rest), "<") { // "Name" <address>
			s = inner
		}
	} else if !raw {
		for _, comment := range []string{" #", " ;", " //"} {
			s, _, _ = strings.Cut(s, comment)
		}
		s = strings.TrimRight(s, ",; \t")
	} else {
		s = strings.TrimRight(s, `"'`) // - "NAME=VALUE", with the quote before the name
	}
	if m := placeholder.FindStringSubmatch(s); m != nil {
		return setting{name, Value{m[1], v.File, v.Line}, m[1] == ""}
	}
	if strings.HasPrefix(s, "${") || !raw && !quoted && expression.MatchString(s) {
		return setting{name, Value{"", v.File, v.Line}, true}
	}
	if s == "null" || s == "None" || s == "nil" || s == "~" {
		s = ""
	}
	return setting{name, Value{s, v.File, v.Line}, false}
}

// unquote returns what stands in the quotes at the start of s, and what comes after.
func unquote(s string) (inner, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == s[0] || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
