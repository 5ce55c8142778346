package doctor

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Value is one setting of a program, with where it stands.
type Value struct {
	Text string
	File string
	Line int // 0: the file has no lines, and File says where in it
}

// where says where the setting stands.
func (v Value) where() string {
	if v.Line == 0 {
		return v.File
	}
	return fmt.Sprintf("%s line %d", v.File, v.Line)
}

// set reports whether the setting is there.
func (v Value) set() bool { return v.Text != "" }

// Program is what a program's configuration says of its outgoing server.
type Program struct {
	Name     string // "msmtp"
	Host     Value
	Port     Value
	Security Value // the words of the file; Mode is what they mean
	Mode     Security
	User     Value
	Password Value
	From     Value
	Hello    Value
	Notes    []string // what the file says and cannot be taken from it
	unread   string   // why the login that the program makes is not known; "" where it is, or none is made
}

// maxProgramFile bounds a configuration file, in octets.
const maxProgramFile = 1 << 20

// ErrNoServer is a file in which no outgoing server is found.
var ErrNoServer = errors.New("it names no outgoing server in a form that is known")

// Programs are the kinds of files that ReadProgram knows.
var Programs = []string{
	"msmtprc", "Postfix main.cf with sasl_passwd", "Exim with passwd.client", "nullmailer remotes", "ssmtp.conf", "muttrc", "Thunderbird prefs.js",
	"Outlook .prf and .reg", "Outlook Express .iaf", "Windows Mail .oeaccount", "Apple .mobileconfig", "Nextcloud config.php", "Gitea app.ini", "Grafana grafana.ini", "GitLab gitlab.rb",
	"Discourse app.yml", "Laravel config/mail.php", "WordPress wp-config.php", "Spring application.properties or .yml", "Django settings.py", "Rails production.rb",
	"environment variables in .env, docker-compose.yml or manifests of Kubernetes",
}

// ReadProgram reads the configuration of a program. It tells the kind of file by
// its content. It runs no command that the file names.
func ReadProgram(path string) (*Program, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	if p := readIAF(path, b); p != nil {
		if !p.Host.set() {
			return nil, fmt.Errorf("%s: %w", path, ErrNoServer)
		}
		return p, nil
	}
	text := plainText(b)
	p := readMailer(path, text)
	if p == nil {
		p = readRelay(path, text, readSmall)
	}
	switch {
	case p != nil:
	case strings.Contains(text, "user_pref("):
		p = readPrefs(path, text)
	case strings.HasSuffix(filepath.Base(path), "main.cf") || strings.Contains(text, "relayhost"):
		p = readPostfix(path, text, readSmall)
	case isMSMTP(text):
		p = readMSMTP(path, text)
	default:
		p = readSettings(path, text)
	}
	if p == nil || !p.Host.set() {
		return nil, fmt.Errorf("%s: %w", path, ErrNoServer)
	}
	return p, nil
}

// readSettings reads a file of an application, or one of environment variables.
func readSettings(path, text string) *Program {
	if p := readKubernetes(path, text); p != nil {
		return p
	}
	if p := readLaravel(path, text, readSmall); p != nil && p.Host.set() {
		return p
	}
	list := scan(path, text)
	if p := readApplication(path, list); p != nil {
		return p
	}
	switch filepath.Ext(path) {
	case ".yml", ".yaml": // Compose
		return environment(list)
	}
	if p := readEnv(path, text); p.Host.set() {
		return p
	}
	return environment(list)
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProgramFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxProgramFile {
		return nil, fmt.Errorf("%s is too large for a configuration", path)
	}
	return b, nil
}

// Apply puts the settings into a question where it has none of its own, and
// returns where each came from. The file names the host, so the login may go there.
func (p *Program) Apply(q *Question) ([]string, error) {
	var origin []string
	note := func(what string, v Value, shown string) {
		if v.set() {
			origin = append(origin, fmt.Sprintf("%s %s: %s", what, shown, v.where()))
		}
	}
	q.Host, q.Typed, q.program = p.Host.Text, true, p
	note("host", p.Host, p.Host.Text)
	if p.Port.set() {
		n, err := strconv.Atoi(p.Port.Text)
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%s: %q is no port", p.Port.where(), p.Port.Text)
		}
		q.Port = n
		note("port", p.Port, p.Port.Text)
	}
	if q.free() && p.Mode != "" {
		q.Security = p.Mode
		note("encryption", p.Security, p.Security.Text+" (that is "+securityWords(p.Mode)+")")
	}
	if q.User == "" && p.User.set() {
		q.User = p.User.Text
		note("user", p.User, p.User.Text)
	}
	switch {
	case q.Password != "" || !p.Password.set():
	case q.User == "":
		note("password", p.Password, "(left out: no user is known for it)")
	default:
		q.Password = p.Password.Text
		note("password", p.Password, "(not shown)")
	}
	if q.From == "" && strings.Contains(p.From.Text, "@") {
		q.From = p.From.Text
		note("from", p.From, p.From.Text)
	}
	if q.Hostname == "" && p.Hello.set() {
		q.Hostname = p.Hello.Text
		note("greeting name", p.Hello, p.Hello.Text)
	}
	return append(origin, p.Notes...), nil
}

func isMSMTP(text string) bool {
	for _, l := range strings.Split(text, "\n") {
		f := strings.Fields(l)
		if len(f) >= 1 && (f[0] == "account" || f[0] == "defaults") || len(f) == 2 && f[0] == "host" {
			return true
		}
	}
	return false
}

// readMSMTP reads msmtprc: the default account, or the first.
func readMSMTP(path, text string) *Program {
	type account map[string]Value
	accounts := map[string]account{}
	defaults := account{}
	now, first := defaults, ""
	var slipped []string
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		key, rest, _ := strings.Cut(l, " ")
		if k, r, ok := strings.Cut(l, "\t"); ok && len(k) < len(key) {
			key, rest = k, r
		}
		rest = strings.Trim(strings.TrimSpace(rest), `"`)
		switch key {
		case "defaults":
			now = defaults
		case "account":
			name, base, _ := strings.Cut(rest, ":")
			name = strings.TrimSpace(name)
			now = account{}
			for k, v := range defaults {
				now[k] = v
			}
			for _, b := range strings.Split(base, ",") {
				for k, v := range accounts[strings.TrimSpace(b)] {
					now[k] = v
				}
			}
			if accounts[name] = now; first == "" {
				first = name
			}
		default:
			now[key] = Value{rest, path, i + 1}
			if meant := msmtpSlip(key); meant != "" {
				slipped = append(slipped, fmt.Sprintf("%s line %d: msmtp knows no %q; %s is probably meant", path, i+1, key, meant))
			}
		}
	}
	a, ok := accounts["default"]
	if !ok {
		a = accounts[first]
	}
	if a == nil {
		a = defaults
	}
	p := &Program{Name: "msmtp", Host: a["host"], Port: a["port"], User: a["user"], Password: a["password"], From: a["from"], Hello: a["domain"], Notes: slipped}
	tls, starttls := a["tls"], a["tls_starttls"]
	switch {
	case tls.Text != "on":
		p.Mode, p.Security = Clear, orValue(tls, p.Host, "tls off")
	case starttls.Text == "off":
		p.Mode, p.Security = Implicit, Value{"tls on, tls_starttls off", starttls.File, starttls.Line}
	default:
		p.Mode, p.Security = StartTLS, Value{"tls on", tls.File, tls.Line}
	}
	if !p.Port.set() {
		p.Port = Value{map[bool]string{true: "465", false: "25"}[p.Mode == Implicit], p.Host.File, p.Host.Line} // msmtp(1), port
	}
	if auth := a["auth"]; auth.Text == "off" || !auth.set() {
		p.User, p.Password = Value{}, Value{}
	}
	if eval := a["passwordeval"]; eval.set() && !p.Password.set() {
		p.Notes = append(p.Notes, fmt.Sprintf("the password comes from a command (%s line %d), which is not run here: give --password-file", eval.File, eval.Line))
	}
	return p
}

// msmtpWords are the settings of msmtp(1) that decide how mail goes out.
var msmtpWords = []string{"host", "port", "timeout", "protocol", "domain", "auth", "user", "password", "passwordeval", "from", "tls", "tls_starttls", "tls_trust_file", "tls_certcheck", "tls_fingerprint", "proxy_host", "proxy_port", "source_ip", "socket"}

// msmtpSlip returns the setting that a word is a slip for, or "".
func msmtpSlip(word string) string {
	if slices.Contains(msmtpWords, word) || len(word) < 4 {
		return ""
	}
	for _, w := range msmtpWords {
		if slips(word, w) == 1 || len(w) > 6 && slips(word, w) == 2 {
			return w
		}
	}
	return ""
}

func orValue(v, at Value, text string) Value {
	if v.set() {
		return Value{text, v.File, v.Line}
	}
	return Value{text, at.File, at.Line}
}

// parameter is a parameter in a value; postconf(5).
var parameter = regexp.MustCompile(`\$(\w+|\{\w+\}|\(\w+\))`)

// maxParameter bounds a value with parameters in it, in octets.
const maxParameter = 1024

// readPostfix reads main.cf, and by read the passwords that it names where they are
// in a text file.
func readPostfix(path, text string, read func(path string) ([]byte, error)) *Program {
	set := map[string]Value{}
	last := ""
	for i, l := range strings.Split(text, "\n") {
		if strings.TrimSpace(l) == "" || l[0] == '#' {
			continue
		}
		if l[0] == ' ' || l[0] == '\t' { // goes on from the line before; postconf(5)
			v := set[last]
			v.Text += " " + strings.TrimSpace(l)
			set[last] = v
			continue
		}
		k, v, ok := strings.Cut(l, "=")
		if !ok {
			continue
		}
		last = strings.TrimSpace(k)
		set[last] = Value{strings.TrimSpace(v), path, i + 1}
	}
	get := func(key string) Value {
		v := set[key]
		for range 4 { // parameters in values, which may name themselves
			if len(v.Text) > maxParameter {
				break
			}
			v.Text = parameter.ReplaceAllStringFunc(v.Text, func(s string) string {
				if text := set[strings.Trim(s, "${}()")].Text; len(text) <= maxParameter {
					return text
				}
				return ""
			})
		}
		return v
	}
	relay := get("relayhost")
	p := &Program{Name: "Postfix", Hello: get("smtp_helo_name")}
	if !p.Hello.set() {
		p.Hello = get("myhostname")
	}
	p.Host, p.Port = relay, relay
	p.Host.Text, p.Port.Text = relayHost(relay.Text)
	level, wrapper := get("smtp_tls_security_level"), get("smtp_tls_wrappermode")
	switch {
	case wrapper.Text == "yes":
		p.Mode, p.Security = Implicit, Value{"smtp_tls_wrappermode = yes", path, wrapper.Line}
	case level.Text == "none" || !level.set() && get("smtp_use_tls").Text != "yes":
		p.Mode, p.Security = Clear, orValue(level, relay, "no smtp_tls_security_level")
	case level.Text == "may":
		p.Mode, p.Security = Auto, Value{"smtp_tls_security_level = may", path, level.Line}
	default:
		p.Mode, p.Security = StartTLS, Value{"smtp_tls_security_level = " + level.Text, path, level.Line}
	}
	if get("smtp_sasl_auth_enable").Text == "yes" {
		p.saslPasswd(get("smtp_sasl_password_maps"), relay.Text, read)
	}
	return p
}

// relayHost splits a relayhost: [host]:port, host:port, host.
func relayHost(s string) (host, port string) {
	host, port = s, "25" // postconf(5), relayhost
	if strings.HasPrefix(s, "[") {
		var rest string
		host, rest, _ = strings.Cut(s[1:], "]")
		if after, ok := strings.CutPrefix(rest, ":"); ok {
			port = after
		}
	} else if h, p, ok := strings.Cut(s, ":"); ok {
		host, port = h, p
	}
	if port == "submission" {
		port = "587"
	} else if port == "submissions" || port == "smtps" {
		port = "465"
	} else if port == "smtp" {
		port = "25"
	}
	return host, port
}

// saslPasswd reads user and password of a relayhost from the text file of a map.
func (p *Program) saslPasswd(maps Value, relay string, read func(path string) ([]byte, error)) {
	for _, m := range strings.FieldsFunc(maps.Text, func(r rune) bool { return r == ',' || r == ' ' }) {
		kind, file, _ := strings.Cut(m, ":")
		if kind == "static" {
			user, password, _ := strings.Cut(file, ":")
			p.User, p.Password = Value{user, maps.File, maps.Line}, Value{password, maps.File, maps.Line}
			return
		}
		b, err := read(file)
		if err != nil {
			p.unread = fmt.Sprintf("the passwords in %s (%s line %d) could not be read: give --user and --password-file", file, maps.File, maps.Line)
			continue
		}
		for i, l := range strings.Split(string(b), "\n") {
			f := strings.Fields(l)
			if len(f) < 2 || f[0] != relay && f[0] != p.Host.Text {
				continue
			}
			user, password, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(l), f[0])), ":")
			p.User, p.Password, p.unread = Value{user, file, i + 1}, Value{password, file, i + 1}, ""
			return
		}
		p.unread = fmt.Sprintf("%s (%s line %d) has no line for %s, so that Postfix does not log in: give it one, or --user and --password-file", file, maps.File, maps.Line, relay)
	}
}

// readPrefs reads Thunderbird's prefs.js: its default outgoing server.
func readPrefs(path, text string) *Program {
	set := map[string]Value{}
	for i, l := range strings.Split(text, "\n") {
		inner, ok := strings.CutPrefix(strings.TrimSpace(l), "user_pref(")
		if !ok {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(inner, ";"), ")"), ",")
		if !ok {
			continue
		}
		set[strings.Trim(strings.TrimSpace(name), `"`)] = Value{strings.Trim(strings.TrimSpace(value), `"`), path, i + 1}
	}
	server := set["mail.smtp.defaultserver"].Text
	if server == "" {
		server, _, _ = strings.Cut(set["mail.smtpservers"].Text, ",")
	}
	at := "mail.smtpserver." + server + "."
	p := &Program{Name: "Thunderbird", Host: set[at+"hostname"], Port: set[at+"port"], User: set[at+"username"]}
	ssl := set[at+"try_ssl"]
	p.Security = Value{"try_ssl " + ssl.Text, ssl.File, ssl.Line}
	switch ssl.Text {
	case "3":
		p.Mode = Implicit
	case "1", "2": // 1: STARTTLS if offered, of old profiles
		p.Mode = StartTLS
	default:
		p.Mode, p.Security = Clear, orValue(ssl, p.Host, "no try_ssl")
	}
	if !p.Port.set() {
		p.Port = Value{map[bool]string{true: "465", false: "587"}[p.Mode == Implicit], p.Host.File, p.Host.Line}
	}
	for name, v := range set { // the address of the identity that uses this server
		if id, ok := strings.CutSuffix(name, ".smtpServer"); ok && strings.HasPrefix(name, "mail.identity.") && v.Text == server {
			p.From = set[id+".useremail"]
		}
	}
	if p.User.set() {
		p.Notes = append(p.Notes, "Thunderbird keeps the password elsewhere: give --password-file")
	}
	return p
}

// The ends of names in NAME=VALUE files, by what they set, in lower case without
// separators.
var envNames = map[string][]string{
	"host":     {"smtphost", "mailhost", "emailhost", "smtpserver", "smtpaddress", "mailhub", "mailserver", "smtphostname"},
	"port":     {"smtpport", "mailport", "emailport"},
	"user":     {"smtpuser", "smtpusername", "mailuser", "mailusername", "emailhostuser", "smtplogin", "authuser", "emailuser"},
	"password": {"smtppassword", "smtppass", "mailpassword", "mailpass", "emailhostpassword", "authpass", "emailpassword"},
	"from":     {"smtpfrom", "mailfrom", "mailfromaddress", "emailfrom", "defaultfromemail", "smtpfromaddress", "smtpsender"},
	"hello":    {"smtphelo", "smtpdomain", "smtphelodomain", "smtphelloname"},
	"mode":     {"smtpsecurity", "smtpsecure", "mailencryption", "smtpencryption", "mailscheme", "smtpprotocol", "smtpssltls"},
	"ssl":      {"smtpssl", "smtptls", "emailusessl", "smtpusessl", "mailssl", "smtpforcetls", "mailusessl"},
	"starttls": {"smtpstarttls", "emailusetls", "smtpusetls", "mailusetls", "mailtls", "smtpenablestarttls", "smtpenablestarttlsauto", "usestarttls", "smtpstarttlsrequired"},
	"usetls":   {"usetls"}, // ssmtp: TLS at once, unless UseSTARTTLS says otherwise
	"url":      {"mailerdsn", "smtpurl", "mailurl", "emailurl", "emailserver", "smtpdsn", "maildsn", "smtpuri"},
}

// readEnv reads NAME=VALUE lines.
func readEnv(path, text string) *Program {
	set := map[string]Value{}
	for i, l := range strings.Split(text, "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(l), "export "), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		name = strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(name))
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		for what, ends := range envNames {
			for _, end := range ends {
				if strings.HasSuffix(name, end) && !set[what].set() {
					set[what] = Value{value, path, i + 1}
				}
			}
		}
	}
	return programOf("NAME=VALUE", set)
}

// fromURL takes the settings out of smtp://user:password@host:port.
func (p *Program) fromURL(v Value) {
	u, err := url.Parse(v.Text)
	if err != nil || u.Host == "" {
		return
	}
	at := func(s string) Value { return Value{s, v.File, v.Line} }
	p.Host, p.Port = at(u.Hostname()), at(u.Port())
	if u.User != nil {
		password, _ := u.User.Password()
		p.User, p.Password = at(u.User.Username()), at(password)
	}
	if strings.HasPrefix(u.Scheme, "smtps") {
		p.Mode, p.Security = Implicit, at(u.Scheme)
	}
}

// envMode reads how the connection is secured. Words differ by program: "tls" is
// STARTTLS in most and TLS at once in some, so that the port decides then.
func (p *Program) envMode(set map[string]Value) {
	yes := func(v Value) bool {
		switch strings.ToLower(v.Text) {
		case "true", "yes", "1", "on", "always", "ssl":
			return true
		}
		return false
	}
	mode := set["mode"]
	switch m := strings.ToLower(mode.Text); {
	case p.Mode != "":
	case m == "ssl", m == "smtps", m == "force_tls", m == "ssl/tls", m == "true" && p.Port.Text != "587":
		p.Mode, p.Security = Implicit, mode
	case m == "starttls", m == "smtp+starttls", m == "mandatorystarttls", m == "opportunisticstarttls" && p.Port.Text != "465":
		p.Mode, p.Security = StartTLS, mode
	case m == "true":
		p.Mode, p.Security = Implicit, mode // nodemailer: secure is TLS at once, whatever the port
	case m == "tls" && p.Port.Text == "465":
		p.Mode, p.Security = Auto, mode
	case m == "tls":
		p.Mode, p.Security = StartTLS, mode
	case m == "none", m == "off", m == "nostarttls":
		p.Mode, p.Security = Clear, mode
	case yes(set["usetls"]) && !yes(set["starttls"]):
		p.Mode, p.Security = Implicit, set["usetls"]
	case yes(set["ssl"]):
		p.Mode, p.Security = Implicit, set["ssl"]
	case yes(set["starttls"]):
		p.Mode, p.Security = StartTLS, set["starttls"]
	}
}

// edits returns what to change in the program's file so that it has the settings
// that work.
func (p *Program) edits(w *Works) []string {
	if p == nil || w.Empty() {
		return nil
	}
	var list []string
	change := func(v Value, what, is, want string) {
		if is != want {
			list = append(list, fmt.Sprintf("In %s: %s %s → %s", v.where(), what, is, want))
		}
	}
	change(p.Host, "host", p.Host.Text, w.Host)
	if p.Port.set() {
		change(p.Port, "port", p.Port.Text, strconv.Itoa(w.Port))
	}
	if p.Mode != "" && p.Mode != Auto {
		change(p.Security, "encryption", securityWords(p.Mode), securityWords(w.Security))
	}
	if w.User != "" && p.User.set() {
		change(p.User, "user", p.User.Text, w.User)
	}
	return list
}
