package doctor

import (
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	manifestLine = regexp.MustCompile(`(?m)^apiVersion:\s*\S`)
	kindLine     = regexp.MustCompile(`(?m)^kind:\s*["']?(\w+)`)
	flowItem     = regexp.MustCompile(`^\s*-\s*\{(.*)\}\s*$`)
)

// readKubernetes reads the environment that manifests of Kubernetes give to
// containers: lists of name and value, ConfigMaps, and Secrets, whose data is in
// base64. It returns nil when the file is no manifest.
func readKubernetes(path, text string) *Program {
	if !manifestLine.MatchString(text) || !kindLine.MatchString(text) {
		return nil
	}
	var all []setting
	lines := strings.Split(text, "\n")
	for from := 0; from < len(lines); {
		to := from
		for to < len(lines) && (to == from || !strings.HasPrefix(lines[to], "---")) {
			to++
		}
		document := strings.Join(lines[from:to], "\n")
		list := environmentList(scan(path, unflow(document)))
		if m := kindLine.FindStringSubmatch(document); m != nil && m[1] == "Secret" {
			list = decodeSecret(list)
		}
		for i := range list {
			list[i].value.Line += from
		}
		all, from = append(all, list...), to
	}
	if p := readApplication(path, all); p != nil {
		return p
	}
	p := environment(all)
	for _, s := range all {
		if s.computed && isPassword(s.name) && !p.Password.set() {
			p.Notes = append(p.Notes, "the password ("+s.value.where()+") is in a Secret, and is not known here: give --password-file")
			break
		}
	}
	return p
}

// unflow writes list items in braces on lines of their own, with the line numbers
// kept: the parts stay on one line, each as a setting of the same line is read.
func unflow(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		m := flowItem.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		name, value := "", ""
		for _, part := range strings.Split(m[1], ",") {
			k, v, _ := strings.Cut(part, ":")
			switch strings.Trim(strings.TrimSpace(k), `"'`) {
			case "name":
				name = strings.Trim(strings.TrimSpace(v), `"'`)
			case "value":
				value = strings.TrimSpace(v)
			}
		}
		if name != "" {
			lines[i] = l[:strings.IndexByte(l, '-')] + name + ": " + value
		}
	}
	return strings.Join(lines, "\n")
}

// environmentList makes one setting of each name that a value follows.
func environmentList(list []setting) []setting {
	var out []setting
	for i := 0; i < len(list); i++ {
		s := list[i]
		prefix, isName := strings.CutSuffix(s.name, "name")
		if !isName || prefix != "" && !strings.HasSuffix(prefix, ".") || i+1 == len(list) {
			out = append(out, s)
			continue
		}
		switch next := list[i+1]; {
		case next.name == prefix+"value":
			next.name = prefix + strings.ToLower(s.value.Text)
			out = append(out, next)
			i++
		case strings.HasPrefix(next.name, prefix+"valuefrom."):
			out = append(out, setting{prefix + strings.ToLower(s.value.Text), Value{"", s.value.File, s.value.Line}, true})
		default:
			out = append(out, s)
		}
	}
	return out
}

// decodeSecret decodes what a Secret has under data; stringData is in clear.
func decodeSecret(list []setting) []setting {
	for i, s := range list {
		if !strings.HasPrefix(s.name, "data.") {
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(s.value.Text); err == nil {
			list[i].value.Text = strings.TrimRight(string(b), "\r\n")
		} else {
			list[i].value.Text, list[i].computed = "", true
		}
	}
	return list
}

// isPassword reports whether an environment variable is that of a password.
func isPassword(name string) bool {
	name = strings.NewReplacer("_", "", "-", "").Replace(name[strings.LastIndexByte(name, '.')+1:])
	for _, end := range envNames["password"] {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
