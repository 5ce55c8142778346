package doctor

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	nullmailerLine = regexp.MustCompile(`(?m)^[ \t]*[\w.-]+[ \t]+(smtp|smtps|esmtp)([ \t]+--[^\n]*)?[ \t\r]*$`)
	muttSetting    = regexp.MustCompile("\\b(smtp_url|smtp_pass|from|ssl_starttls|ssl_force_tls|hostname)\\s*=\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|'[^']*'|`[^`]*`|[^\\s;]+)")
	muttLine       = regexp.MustCompile(`(?m)^\s*set\s.*\bsmtp_url\s*=`)
	eximTransport  = regexp.MustCompile(`(?m)^\s*(driver\s*=\s*(smtp|manualroute)|begin\s+(transports|routers))\s*$`)
)

// readRelay reads the settings of programs that pass all mail to a relay, and of
// mutt; nil when the file is none. By read it reads what stands beside the file.
func readRelay(path, text string, read func(path string) ([]byte, error)) *Program {
	switch {
	case strings.Contains(text, "dc_smarthost"):
		return readDebianExim(path, text, read)
	case muttLine.MatchString(text):
		return readMutt(path, text)
	case eximTransport.MatchString(text):
		return readExim(path, text)
	case filepath.Base(path) == "remotes" || nullmailerLine.MatchString(text):
		return readNullmailer(path, text)
	}
	return nil
}

// readNullmailer reads the first line of remotes: host, protocol, options.
func readNullmailer(path, text string) *Program {
	for i, l := range strings.Split(text, "\n") {
		words := shellWords(l)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		at := func(s string) Value { return Value{s, path, i + 1} }
		p := &Program{Name: "nullmailer", Host: at(words[0]), Mode: Clear, Security: at("neither --ssl nor --starttls")}
		for _, w := range words[1:] {
			name, value, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
			switch name {
			case "port":
				p.Port = at(value)
			case "user":
				p.User = at(value)
			case "pass":
				p.Password = at(value)
			case "ssl", "tls":
				p.Mode, p.Security = Implicit, at("--"+name)
			case "starttls":
				p.Mode, p.Security = StartTLS, at("--starttls")
			}
		}
		if !p.Port.set() {
			p.Port = at(map[bool]string{true: "465", false: "25"}[p.Mode == Implicit]) // nullmailer-send(8), smtp
		}
		return p
	}
	return nil
}

// shellWords splits a line at blanks that are not in quotes.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\r'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// readMutt reads muttrc. What a command in it prints is not known.
func readMutt(path, text string) *Program {
	set := map[string]Value{}
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if !strings.HasPrefix(l, "set ") && !strings.HasPrefix(l, "set\t") {
			continue
		}
		for _, m := range muttSetting.FindAllStringSubmatch(l, 16) {
			v := m[2]
			if v[0] == '"' || v[0] == '\'' {
				v, _ = unquote(v)
			}
			set[m[1]] = Value{v, path, i + 1}
		}
	}
	p := &Program{Name: "mutt", From: set["from"], Hello: set["hostname"]}
	p.fromURL(set["smtp_url"])
	if _, address, ok := strings.Cut(p.From.Text, "<"); ok {
		p.From.Text, _, _ = strings.Cut(address, ">")
	}
	if v := set["smtp_pass"]; strings.HasPrefix(v.Text, "`") || strings.HasPrefix(v.Text, "$") {
		p.Notes = append(p.Notes, fmt.Sprintf("the password comes from a command or a variable (%s line %d), which is not worked out here: give --password-file", v.File, v.Line))
	} else if v.set() {
		p.Password = v
	}
	if p.Mode == "" && p.Host.set() {
		if v := set["ssl_starttls"]; v.Text == "no" && set["ssl_force_tls"].Text != "yes" {
			p.Mode, p.Security = Clear, Value{"ssl_starttls=no", v.File, v.Line}
		} else {
			p.Mode, p.Security = StartTLS, orValue(Value{}, p.Host, "smtp://, with ssl_starttls")
		}
	}
	if p.Host.set() && !p.Port.set() {
		p.Port = orValue(Value{}, p.Host, map[bool]string{true: "465", false: "25"}[p.Mode == Implicit])
	}
	return p
}

// readDebianExim reads update-exim4.conf.conf: the first smart host, and its login in
// passwd.client beside the file.
func readDebianExim(path, text string, read func(path string) ([]byte, error)) *Program {
	set := map[string]Value{}
	for i, l := range strings.Split(text, "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok && strings.HasPrefix(k, "dc_") {
			set[k] = Value{strings.Trim(strings.TrimSpace(v), `'"`), path, i + 1}
		}
	}
	p := &Program{Name: "Exim"}
	p.smartHost(set["dc_smarthost"])
	if kind := set["dc_eximconfig_configtype"]; kind.set() && kind.Text != "smarthost" && kind.Text != "satellite" {
		p.Notes = append(p.Notes, fmt.Sprintf("the smart host is not used: dc_eximconfig_configtype is %s (%s line %d)", kind.Text, kind.File, kind.Line))
	}
	if !p.Host.set() {
		return p
	}
	p.Mode, p.Security = Auto, orValue(Value{}, p.Host, "STARTTLS where it is offered")
	file := filepath.Join(filepath.Dir(path), "passwd.client")
	b, err := read(file)
	if err != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("the logins in %s could not be read: give --user and --password-file", file))
		return p
	}
	for i, l := range strings.Split(string(b), "\n") {
		host, login, _ := strings.Cut(strings.TrimSpace(l), ":")
		user, password, ok := strings.Cut(login, ":")
		if !ok || strings.HasPrefix(host, "#") {
			continue
		}
		if domain, wild := strings.CutPrefix(host, "*"); host == p.Host.Text || wild && strings.HasSuffix(p.Host.Text, domain) {
			p.User, p.Password = Value{user, file, i + 1}, Value{strings.ReplaceAll(password, "^^", "^"), file, i + 1}
			break
		}
	}
	return p
}

// smartHost takes host::port, or the first of a list of them.
func (p *Program) smartHost(v Value) {
	s, _, _ := strings.Cut(v.Text, ";")
	host, port, ok := strings.Cut(strings.TrimSpace(s), "::")
	if !ok || port == "" {
		host, port = strings.TrimSuffix(host, ":"), "25"
	}
	if host == "" {
		return
	}
	p.Host, p.Port = Value{host, v.File, v.Line}, Value{port, v.File, v.Line}
}

var (
	eximRoute = regexp.MustCompile(`^"?\s*\S+\s+"?([\w.-]+(?:::\d+)?)`)
	eximPlain = regexp.MustCompile(`^"?\^([^^]+)\^([^"]+?)"?$`)
	eximLogin = regexp.MustCompile(`^"?\s*:\s*([^:]+?)\s*:\s*(.+?)"?$`)
)

// readExim reads exim.conf: the smart host of a route or of a transport.
func readExim(path, text string) *Program {
	p := &Program{Name: "Exim", Mode: Auto}
	for i, l := range strings.Split(text, "\n") {
		k, s, ok := strings.Cut(strings.TrimSpace(l), "=")
		v := Value{strings.TrimSpace(s), path, i + 1}
		if !ok || v.Text == "" {
			continue
		}
		switch strings.TrimSpace(k) {
		case "route_list":
			if m := eximRoute.FindStringSubmatch(v.Text); m != nil && !p.Host.set() {
				port := p.Port
				if p.smartHost(Value{m[1], path, i + 1}); port.set() {
					p.Port = port
				}
			}
		case "hosts":
			if !p.Host.set() && !strings.Contains(v.Text, "$") {
				host, _, _ := strings.Cut(v.Text, " ")
				p.Host = Value{strings.Trim(host, `"`), path, i + 1}
			}
		case "port":
			p.Port = v
		case "protocol":
			if v.Text == "smtps" {
				p.Mode, p.Security = Implicit, Value{"protocol = smtps", path, i + 1}
			}
		case "hosts_require_tls":
			if p.Mode == Auto {
				p.Mode, p.Security = StartTLS, Value{"hosts_require_tls = " + v.Text, path, i + 1}
			}
		case "client_send":
			m := eximPlain.FindStringSubmatch(v.Text)
			if m == nil {
				m = eximLogin.FindStringSubmatch(v.Text)
			}
			if m != nil && !strings.Contains(m[0], "$") {
				p.User, p.Password = Value{m[1], path, i + 1}, Value{m[2], path, i + 1}
			}
		}
	}
	if p.Host.set() && p.Port.Text == "" {
		p.Port = orValue(Value{}, p.Host, map[bool]string{true: "465", false: "25"}[p.Mode == Implicit])
	}
	if p.Mode == Auto {
		p.Security = orValue(Value{}, p.Host, "STARTTLS where it is offered")
	}
	return p
}
