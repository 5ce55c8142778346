package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// application is a program with its settings in INI, properties, YAML, PHP, Ruby or
// Python. It is known by the name of its host setting.
type application struct {
	name  string
	ext   string              // of its file, where its names are those of others too; "": any
	keys  map[string][]string // as in envNames, but whole names: "smtp.host"
	unset Security            // what it does when nothing is said; "": not known
}

var applications = []application{
	{name: "Nextcloud", keys: map[string][]string{
		"host": {"mail_smtphost"}, "port": {"mail_smtpport"}, "user": {"mail_smtpname"}, "password": {"mail_smtppassword"},
		"mode": {"mail_smtpsecure"}, "local": {"mail_from_address"}, "domain": {"mail_domain"},
	}},
	{name: "GitLab", unset: StartTLS, keys: map[string][]string{
		"host": {"gitlab_rails.smtp_address"}, "port": {"gitlab_rails.smtp_port"}, "user": {"gitlab_rails.smtp_user_name"},
		"password": {"gitlab_rails.smtp_password"}, "ssl": {"gitlab_rails.smtp_tls", "gitlab_rails.smtp_ssl"},
		"starttls": {"gitlab_rails.smtp_enable_starttls_auto"}, "from": {"gitlab_rails.gitlab_email_from"}, "enabled": {"gitlab_rails.smtp_enable"},
	}},
	{name: "Discourse", unset: StartTLS, keys: map[string][]string{
		"host": {"discourse_smtp_address"}, "port": {"discourse_smtp_port"}, "user": {"discourse_smtp_user_name"}, "password": {"discourse_smtp_password"},
		"starttls": {"discourse_smtp_enable_start_tls"}, "ssl": {"discourse_smtp_force_tls"}, "hello": {"discourse_smtp_domain"},
		"from": {"discourse_notification_email"},
	}},
	{name: "Discourse", ext: ".conf", unset: StartTLS, keys: map[string][]string{
		"host": {"smtp_address"}, "port": {"smtp_port"}, "user": {"smtp_user_name"}, "password": {"smtp_password"},
		"starttls": {"smtp_enable_start_tls"}, "ssl": {"smtp_force_tls"}, "hello": {"smtp_domain"},
	}},
	{name: "WordPress", keys: map[string][]string{
		"host": {"define.wpms_smtp_host", "define.smtp_host"}, "port": {"define.wpms_smtp_port", "define.smtp_port"},
		"user": {"define.wpms_smtp_user", "define.smtp_user", "define.smtp_username"}, "password": {"define.wpms_smtp_pass", "define.smtp_pass", "define.smtp_password"},
		"mode": {"define.wpms_ssl", "define.smtp_secure"}, "from": {"define.wpms_mail_from", "define.smtp_from"},
	}},
	{name: "Spring", unset: Clear, keys: map[string][]string{
		"host": {"spring.mail.host"}, "port": {"spring.mail.port"}, "user": {"spring.mail.username"}, "password": {"spring.mail.password"},
		"starttls": {"spring.mail.properties.mail.smtp.starttls.enable"},
		"ssl":      {"spring.mail.properties.mail.smtp.ssl.enable", "spring.mail.ssl.enabled"},
		"from":     {"spring.mail.properties.mail.smtp.from"}, "hello": {"spring.mail.properties.mail.smtp.localhost"},
	}},
	{name: "Rails", unset: StartTLS, keys: map[string][]string{
		"host": {"smtp_settings.address"}, "port": {"smtp_settings.port"}, "user": {"smtp_settings.user_name"}, "password": {"smtp_settings.password"},
		"ssl": {"smtp_settings.ssl", "smtp_settings.tls"}, "starttls": {"smtp_settings.enable_starttls_auto", "smtp_settings.enable_starttls"},
		"hello": {"smtp_settings.domain"},
	}},
	{name: "Gitea", keys: map[string][]string{
		"host": {"mailer.smtp_addr", "mailer.host"}, "port": {"mailer.smtp_port"}, "user": {"mailer.user"}, "password": {"mailer.passwd"},
		"mode": {"mailer.protocol"}, "ssl": {"mailer.is_tls_enabled"}, "from": {"mailer.from"}, "hello": {"mailer.helo_hostname"}, "enabled": {"mailer.enabled"},
	}},
	{name: "Gitea", keys: map[string][]string{ // as environment-to-ini reads it; Forgejo is a fork
		"host": gitea("smtp_addr", "host"), "port": gitea("smtp_port"), "user": gitea("user"), "password": gitea("passwd"),
		"mode": gitea("protocol"), "ssl": gitea("is_tls_enabled"), "from": gitea("from"), "hello": gitea("helo_hostname"), "enabled": gitea("enabled"),
	}},
	{name: "Grafana", keys: map[string][]string{
		"host": {"smtp.host"}, "user": {"smtp.user"}, "password": {"smtp.password"}, "mode": {"smtp.starttls_policy"},
		"from": {"smtp.from_address"}, "hello": {"smtp.ehlo_identity"}, "enabled": {"smtp.enabled"},
	}},
	{name: "Django", ext: ".py", unset: Clear, keys: map[string][]string{
		"host": {"email_host"}, "port": {"email_port"}, "user": {"email_host_user"}, "password": {"email_host_password"},
		"starttls": {"email_use_tls"}, "ssl": {"email_use_ssl"}, "from": {"default_from_email"},
	}},
}

// gitea returns the environment variables of keys of the section mailer.
func gitea(keys ...string) []string {
	var names []string
	for _, k := range keys {
		names = append(names, "gitea__mailer__"+k, "forgejo__mailer__"+k)
	}
	return names
}

// readApplication reads the settings of the first application whose host is named;
// nil when none is.
func readApplication(path string, list []setting) *Program {
	for _, a := range applications {
		if a.ext != "" && filepath.Ext(path) != a.ext {
			continue
		}
		found := map[string]setting{}
		for _, s := range list {
			for what, names := range a.keys {
				if slices.ContainsFunc(names, func(n string) bool { return s.name == n || strings.HasSuffix(s.name, "."+n) }) && found[what].name == "" {
					found[what] = s
				}
			}
		}
		if found["host"].name != "" {
			return a.program(found)
		}
	}
	return nil
}

func (a application) program(found map[string]setting) *Program {
	set := map[string]Value{}
	var notes []string
	for _, what := range []string{"host", "port", "user", "password", "from", "hello", "mode", "ssl", "starttls", "local", "domain", "enabled"} {
		s := found[what]
		if set[what] = s.value; s.computed {
			notes = append(notes, fmt.Sprintf("%s (%s) is worked out when the program runs, and is not known here", s.name, s.value.where()))
		}
	}
	p := programOf(a.name, set)
	p.Notes = append(p.Notes, notes...)
	if l, d := set["local"], set["domain"]; l.set() && d.set() {
		p.From = Value{l.Text + "@" + d.Text, l.File, l.Line}
	}
	if v := set["enabled"]; strings.EqualFold(v.Text, "false") {
		p.Notes = append(p.Notes, fmt.Sprintf("sending is switched off (%s: %s)", v.where(), found["enabled"].name))
	}
	if p.Mode == "" && a.unset != "" && !found["mode"].computed && !found["ssl"].computed && !found["starttls"].computed {
		p.Mode, p.Security = a.unset, orValue(Value{}, p.Host, "no setting for it")
		if v := set["starttls"]; strings.EqualFold(v.Text, "false") {
			p.Mode, p.Security = Clear, v
		}
	}
	return p
}

// programOf makes a program of settings by what they set.
func programOf(name string, set map[string]Value) *Program {
	p := &Program{Name: name, Host: set["host"], Port: set["port"], User: set["user"], Password: set["password"], From: set["from"], Hello: set["hello"]}
	if u := set["url"]; u.set() && !p.Host.set() {
		p.fromURL(u)
	}
	if scheme, rest, ok := strings.Cut(p.Host.Text, "://"); ok { // Nextcloud, Laravel: ssl://host
		if p.Host.Text = rest; scheme == "ssl" || scheme == "smtps" {
			p.Mode, p.Security = Implicit, Value{scheme + "://", p.Host.File, p.Host.Line}
		}
	}
	if h, port, ok := strings.Cut(p.Host.Text, ":"); ok && !p.Port.set() { // ssmtp, Grafana: host:port
		p.Port = Value{port, p.Host.File, p.Host.Line}
		p.Host.Text = h
	}
	if _, address, ok := strings.Cut(p.From.Text, "<"); ok { // Name <address>
		p.From.Text, _, _ = strings.Cut(address, ">")
	}
	p.envMode(set)
	return p
}

// environment finds settings by the ends of their names, which differ by program.
func environment(list []setting) *Program {
	set := map[string]Value{}
	for _, s := range list {
		name := s.name[strings.LastIndexByte(s.name, '.')+1:]
		name = strings.NewReplacer("_", "", "-", "").Replace(name)
		for what, ends := range envNames {
			for _, end := range ends {
				if strings.HasSuffix(name, end) && !set[what].set() {
					set[what] = s.value
				}
			}
		}
	}
	return programOf("NAME=VALUE", set)
}
