package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// routes reads all [[route]] tables.
func (r *reader) routes(t *table, c *Config) {
	all := "" // the first route that takes everything
	seen := map[string]bool{}
	for i, s := range r.tablesOf(t, "route") {
		rt, name := r.route(s, "route."+strconv.Itoa(i))
		if rt.Name != "" && seen[rt.Name] {
			r.wrong(name.at, "route.name", "%q is there twice: give each route its own name", rt.Name)
		}
		seen[rt.Name] = true
		if all != "" {
			r.warn(s.at, "route", "%s is never used, as %s before it takes everything: put it first", rt.Name, all)
		}
		for _, p := range rt.Recipients {
			if p == "*" && all == "" {
				all = rt.Name
			}
		}
		c.Routes = append(c.Routes, rt)
	}
}

func (r *reader) route(s *table, prefix string) (rt Route, name got) {
	defer func() { r.rest(s, "route") }()
	name = r.text(s, prefix, "name", "")
	rt.Name = name.text
	switch {
	case s.find("name") == nil:
		r.wrong(s.at, "route.name", "is missing: give the route a short name, which lanes and logs then bear")
	case name.origin != "" && !validRouteName(name.text):
		r.wrong(name.at, "route.name", "%q: use letters, digits, dot, dash and underscore, at most 64", name.text)
	}
	recipients, at := r.list(s, prefix, "recipients")
	for _, g := range recipients {
		if err := policy.CheckPattern(g.text); err != nil && checkHost(g.text) != nil {
			r.wrong(g.at, "route.recipients", "%q: write \"*\", \"example.org\", \"*@example.org\" or \"ann@example.org\"", g.text)
			continue
		}
		rt.Recipients = append(rt.Recipients, g.text)
	}
	if len(recipients) == 0 {
		r.wrong(at, "route.recipients", "must say whose mail takes this route: [\"*\"] for everybody's")
	}
	viaAt := r.via(s, prefix, &rt)
	r.security(s, prefix, &rt)
	r.login(s, prefix, &rt, viaAt)
	rt.From = r.address(s, prefix, "from")
	p, _ := r.tableOf(s, prefix, "pace")
	rt.Pace = route.Pace{
		Connections:      r.number(p, prefix+".pace", "connections", 0, 1, 10_000),
		PerMinute:        r.number(p, prefix+".pace", "per_minute", 0, 1, 10_000_000),
		RecipientsPerDay: r.number(p, prefix+".pace", "recipients_per_day", 0, 1, 1_000_000_000),
	}
	r.rest(p, "route.pace")
	for _, k := range []struct{ key, what string }{{"oauth", "OAuth 2"}, {"token_command", "token_command"}, {"proxy", "sending through a proxy"}} {
		if e := s.take(k.key); e != nil && !(e.value.kind == kindString && e.value.text == "") {
			r.later(e.at, "route."+k.key, k.what)
		}
	}
	return rt, name
}

func validRouteName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false // a slash divides route and domain in a lane's name
		}
	}
	return s != "" && len(s) <= 64
}

func (r *reader) via(s *table, prefix string, rt *Route) place {
	items, at := r.list(s, prefix, "via")
	for _, g := range items {
		v, suggestion, err := parseVia(g.text)
		switch {
		case errors.Is(err, errLater):
			r.later(g.at, "route.via", quote(g.text))
		case err != nil:
			r.wrong(g.at, "route.via", "%v", err).Suggestion = suggestion
		default:
			rt.Via = append(rt.Via, v)
			if v.Scheme == route.SchemeMX && len(items) > 1 {
				r.wrong(g.at, "route.via", "\"mx\" stands alone: what an MX refuses no other host is asked for; make a route of its own for the other hosts")
			}
		}
	}
	if len(items) == 0 {
		r.wrong(at, "route.via", "must say where the mail goes: [\"smtp://HOST:587\"] for a smart host, [\"mx\"] for the recipients' own servers")
	}
	return at
}

var errLater = errors.New("not available in this version")

// The usual ports of the schemes. RFC 6409 §3.1, 8314 §7.3.
const (
	portSMTP  = 587
	portSMTPS = 465
	portMX    = 25
)

// parseVia reads "mx", "smtp://host:port" or "smtps://host:port". The port may be
// missing.
func parseVia(s string) (v route.Via, suggestion string, err error) {
	if s == "mx" {
		return route.Via{Scheme: route.SchemeMX, Port: portMX}, "", nil
	}
	if s == "graph" || strings.HasPrefix(s, "graph:") {
		return v, "", errLater
	}
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok && s != "" && checkHost(hostOf(s)) == nil && !strings.EqualFold(s, "mx"):
		suggestion = strconv.Quote("smtp://" + s)
		if strings.HasSuffix(s, ":465") {
			suggestion = strconv.Quote("smtps://" + s)
		}
		return v, suggestion, fmt.Errorf("%q does not say how the host is spoken to: write smtp:// (STARTTLS) or smtps:// (TLS at once) before it", s)
	case !ok:
		return v, strconv.Quote("mx"), fmt.Errorf("%q is neither \"mx\" nor \"smtp://HOST:PORT\" nor \"smtps://HOST:PORT\"", s)
	case scheme == "smtp":
		v = route.Via{Scheme: route.SchemeSMTP, Port: portSMTP}
	case scheme == "smtps":
		v = route.Via{Scheme: route.SchemeSMTPS, Port: portSMTPS}
	default:
		if n := nearest(scheme, []string{"smtp", "smtps"}); n != "" {
			suggestion = strconv.Quote(n + "://" + rest)
		}
		return v, suggestion, fmt.Errorf("%q: %s:// is not known; use smtp:// or smtps://", s, scheme)
	}
	if strings.Contains(rest, "@") {
		return v, "", fmt.Errorf("%q: user and password do not belong here: use the keys user and password_file", hideUser(s))
	}
	rest = strings.TrimSuffix(rest, "/")
	v.Host = rest
	if host, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return v, "", fmt.Errorf("%q: port %q is not a number from 1 to 65535", s, port)
		}
		v.Host, v.Port = host, int(n)
	}
	v.Host = strings.TrimSuffix(strings.TrimPrefix(v.Host, "["), "]")
	if _, err := netip.ParseAddr(v.Host); err == nil {
		return v, "", nil
	}
	if err := checkHost(v.Host); err != nil {
		return v, "", fmt.Errorf("%q: %w", s, err)
	}
	return v, "", nil
}

func hostOf(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		return h
	}
	return s
}

// hideUser takes what may be a password out of a URL for a message.
func hideUser(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	return scheme + "://…" + rest[strings.LastIndexByte(rest, '@'):]
}

func (r *reader) security(s *table, prefix string, rt *Route) {
	words := []string{string(route.TLSVerified), string(route.TLSOpportunistic), "dane", string(route.TLSNone)}
	if len(rt.Via) > 0 && rt.Via[0].Scheme == route.SchemeMX {
		words[0], words[1] = words[1], words[0] // the first is the default
	}
	g, ok := r.choice(s, prefix, "tls", words...)
	if ok && g.text == "dane" {
		r.later(g.at, "route.tls", `"dane"`)
	}
	rt.TLS = route.TLSPolicy(g.text)
	ca := r.path(s, prefix, "ca", "")
	if ca.text == "" {
		return
	}
	if _, err := rootsWith(ca.text); err != nil {
		r.wrong(ca.at, "route.ca", "%v", err)
	}
	rt.CA = ca.text
}

// login reads user and password_file and looks at the file.
func (r *reader) login(s *table, prefix string, rt *Route, viaAt place) {
	user := r.text(s, prefix, "user", "")
	file := r.path(s, prefix, "password_file", "")
	rt.User, rt.PasswordFile = user.text, file.text
	switch {
	case user.text != "" && file.text == "" && s.find("oauth") == nil && s.find("token_command") == nil:
		r.wrong(user.at, "route.password_file", "is missing: put the password of %s into a file that only the server may read, and name it", user.text)
	case user.text == "" && file.text != "":
		r.wrong(file.at, "route.user", "is missing: say whose password this is")
	case user.text != "" && len(rt.Via) > 0 && rt.Via[0].Scheme == route.SchemeMX:
		r.wrong(viaAt, "route.user", "other people's servers know no login: leave out user and password_file, or name a smart host in via")
	case user.text != "" && rt.TLS == route.TLSNone:
		r.warn(user.at, "route.tls", "the password of %s is sent in clear text: remove tls = \"none\"", user.text)
	case user.text != "" && rt.TLS == route.TLSOpportunistic:
		r.warn(user.at, "route.tls", "the password of %s may be sent to whoever answers: remove tls = \"opportunistic\"", user.text)
	}
	if file.text == "" {
		return
	}
	info, err := os.Stat(file.text)
	if err != nil {
		r.wrong(file.at, "route.password_file", "%s cannot be read: %s", file.text, reason(err))
		return
	}
	password, err := passwordFrom(file.text)()
	switch {
	case err != nil:
		r.wrong(file.at, "route.password_file", "%s cannot be read by user id %d: %s", file.text, os.Geteuid(), reason(err))
	case password == "":
		r.wrong(file.at, "route.password_file", "%s is empty: put the password into it", file.text)
	case info.Mode().Perm()&0o004 != 0:
		r.warn(file.at, "route.password_file", "%s may be read by everybody on this machine: chmod o= %s", file.text, file.text)
	}
}

// serverAddress reads the address of a DNS server; its port is 53 when missing.
func serverAddress(s string) (string, error) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.String(), nil
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	return "", fmt.Errorf("%q is not an IP address, with or without a port: such as \"192.0.2.53\" or \"[2001:db8::53]:53\"", s)
}

// checkHost reports what is wrong with a host name, or nil. RFC 1123 §2.1, with
// the underscore that some networks use; RFC 5891 names come in their ASCII form
// or in UTF-8.
func checkHost(s string) error {
	if s == "" {
		return errors.New("the host name is empty")
	}
	if len(s) > 253 {
		return fmt.Errorf("%q is too long for a host name", s)
	}
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("%q is not a host name", s)
		}
		for _, c := range []byte(label) {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c >= 0x80:
			default:
				return fmt.Errorf("%q is not a host name: %q does not belong into one", s, c)
			}
		}
	}
	return nil
}

// checkMailbox reports what is wrong with an address that mail is sent to or from,
// or nil.
func checkMailbox(s string) error {
	p := smtp.Path(s)
	if p.Local() == "" || p.Domain() == "" || strings.ContainsAny(s, "<> \t\r\n*") {
		return fmt.Errorf("%q is not an address with a domain, such as ann@example.org", s)
	}
	return checkHost(p.Domain())
}
