package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// routes reads all [[route]] tables.
func (r *reader) routes(t *table, c *Config) {
	seen := map[string]bool{}
	for i, s := range r.tablesOf(t, "route") {
		rt, name := r.route(s, "route."+strconv.Itoa(i))
		if rt.Name != "" && seen[rt.Name] {
			r.wrong(name.at, "route.name", "%q is there twice: give each route its own name", rt.Name)
		}
		seen[rt.Name] = true
		for i := range c.Routes {
			earlier := &c.Routes[i]
			if !earlier.pattern().Covers(rt.pattern()) {
				continue
			}
			what := "all of its mail"
			if earlier.Match.IsZero() && slices.Contains(earlier.Recipients, "*") {
				what = "everything"
			}
			if !r.devicesOwn(c, rt.Name) {
				r.warn(s.at, "route", "%s is never used, as %s before it takes %s: put it first", rt.Name, earlier.Name, what)
			}
			break
		}
		r.signedOut(s, c, &rt)
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
	rt.Recipients = r.patterns(recipients, "route.recipients")
	if len(recipients) == 0 {
		r.wrong(at, "route.recipients", "must say whose mail takes this route: [\"*\"] for everybody's")
	}
	viaAt := r.via(s, prefix, &rt)
	r.security(s, prefix, &rt)
	r.login(s, prefix, &rt, viaAt)
	r.tokens(s, prefix, &rt)
	r.outbound(s, prefix, &rt)
	rt.From = r.address(s, prefix, "from")
	r.match(s, prefix, &rt)
	r.rewriting(s, prefix, &rt)
	r.pace(s, prefix, &rt)
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
		case err != nil:
			r.wrong(g.at, "route.via", "%v", err).Suggestion = suggestion
		default:
			rt.Via = append(rt.Via, v)
			r.viaNeeds(s, v, g.at)
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

// viaNeeds looks at what a via asks of its route, and at its host's name.
func (r *reader) viaNeeds(s *table, v route.Via, at place) {
	if retired, ok := provider.ByRetired(v.Host); ok && retired.Protocol == "smtp" && retired.Successor != "" {
		r.warn(at, "route.via", "%s was withdrawn by its provider: write %s instead. Until then mail goes there when the old name fails, over verified TLS only", v.Host, retired.Successor)
	}
	if !v.IsAPI() {
		return
	}
	service := map[route.Scheme]string{route.SchemeGraph: "Microsoft Graph", route.SchemeGmail: "the Gmail API"}[v.Scheme]
	if s.find("oauth") == nil && s.find("token_command") == nil {
		r.wrong(at, "route.via", "%s takes no password: say how the route comes by an access token, with oauth or token_command", service)
	}
	if s.find("user") == nil {
		r.wrong(at, "route.user", "is missing: say from which mailbox %s is to send", service)
	}
}

// parseVia reads a via and, where it cannot be read, suggests what was probably
// meant.
func parseVia(s string) (v route.Via, suggestion string, err error) {
	v, err = route.ParseVia(s)
	if err == nil {
		if _, notIP := netip.ParseAddr(v.Host); notIP != nil && v.Host != "" {
			err = checkHost(v.Host)
		}
		return v, "", err
	}
	if strings.Contains(s, "@") {
		// What is before it may be a password, so the text is not repeated.
		return v, "", errors.New("a host and a port, and nothing else, belong here: use the keys user and password_file")
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if bare := strings.ToLower(strings.TrimRight(s, ":/")); bare == string(route.SchemeGraph) || bare == string(route.SchemeGmail) {
		return v, strconv.Quote(bare + "://"), err
	}
	if !ok {
		// The scheme is what most people leave out.
		scheme, rest = "smtp", s
		if strings.HasSuffix(s, ":465") {
			scheme = "smtps"
		}
	} else if n := nearest(scheme, []string{"smtp", "smtps", "graph", "gmail"}); n != "" {
		scheme = n
	}
	if v, bad := route.ParseVia(scheme + "://" + rest); bad == nil && (v.IsAPI() && v.Host == "" || checkHost(v.Host) == nil) {
		suggestion = strconv.Quote(scheme + "://" + rest)
	}
	return v, suggestion, err
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
	case user.text != "" && file.text == "":
		// A token is its login; see tokens.
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

// checkHost reports what is wrong with a host name, or nil.
func checkHost(s string) error {
	if err := smtp.ValidDomain(strings.TrimSuffix(s, ".")); err != nil {
		return fmt.Errorf("%q is not a host name", s)
	}
	return nil
}

// checkMailbox reports what is wrong with an address that mail is sent to or from,
// or nil.
func checkMailbox(s string) error {
	if smtp.Path(s).Domain() == "" || smtp.ValidPath(s, true) != nil {
		return fmt.Errorf("%q is not an address with a domain, such as ann@example.org", s)
	}
	return nil
}
