package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/auth/ldapauth"
	"github.com/wellsent/wellsent/internal/auth/oidcauth"
	"github.com/wellsent/wellsent/internal/auth/upstreamauth"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Auth says where accounts are kept that neither this file nor `wellsent user` has.
type Auth struct {
	LDAP     *ldapauth.Options     // nil: none
	OIDC     *oidcauth.Options     // nil: none
	Upstream *upstreamauth.Options // nil: none; the caller adds Hostname and Addresses
}

// Kept returns what `wellsent user` keeps of a password beside its hash: what some
// listener needs.
func (c *Config) Kept() auth.Kept {
	var k auth.Kept
	for _, l := range c.Listeners {
		has := func(m string) bool { return slices.Contains(l.Mechanisms, m) }
		k.SCRAM = k.SCRAM || l.Mechanisms == nil && l.login() || has(auth.SCRAM) || has(auth.SCRAMPlus)
		k.CRAMMD5 = k.CRAMMD5 || has(auth.CRAMMD5)
		k.NTLM = k.NTLM || has(auth.NTLM)
	}
	return k
}

// login reports whether a listener asks everybody for a login. On the others a device
// with an account may log in.
func (l *Listener) login() bool {
	return l.Kind == smtp.KindSubmission || l.Kind == smtp.KindSubmissions
}

// mechanisms reads how clients of a listener may log in, and whose certificates they
// may show.
func (r *reader) mechanisms(s *table, prefix string, l *Listener) {
	items, at := r.list(s, prefix, "mechanisms")
	ca := r.path(s, prefix, "client_ca", "")
	if s.find("mechanisms") != nil && len(items) == 0 {
		r.wrong(at, "listener.mechanisms", "is empty, so nobody could log in: name some, or leave it out")
	}
	for _, g := range items {
		name := strings.ToUpper(g.text)
		switch {
		case !slices.Contains(auth.Mechanisms, name):
			r.unknownWord(g.at, "listener.mechanisms", g.text, auth.Mechanisms)
		case name == auth.CRAMMD5 || name == auth.NTLM:
			r.warn(g.at, "listener.mechanisms", "%s needs a digest of each password that is as good as the password; it is kept from the next \"wellsent user add\" or \"passwd\" on, and an account without it cannot log in so", name)
		case name == auth.External && ca.text == "":
			r.wrong(g.at, "listener.client_ca", "is missing: EXTERNAL logs in by a client's certificate, so say which authority issues them")
		}
		if name == auth.SCRAM && !slices.Contains(l.Mechanisms, auth.SCRAMPlus) {
			l.Mechanisms = append(l.Mechanisms, auth.SCRAMPlus) // the same keys, and bound to the connection
		}
		if !slices.Contains(l.Mechanisms, name) {
			l.Mechanisms = append(l.Mechanisms, name)
		}
	}
	// Clients that take the first they know take the best.
	order := func(m string) int { return slices.Index(auth.Mechanisms, m) }
	slices.SortStableFunc(l.Mechanisms, func(a, b string) int { return order(a) - order(b) })
	if ca.text == "" {
		return
	}
	pool, err := poolOf(ca.text)
	if err != nil {
		r.wrong(ca.at, "listener.client_ca", "%v", err)
	}
	if l.ClientCA = pool; len(items) > 0 && !slices.Contains(l.Mechanisms, auth.External) {
		r.warn(ca.at, "listener.client_ca", "certificates are asked for and serve for nothing: add \"EXTERNAL\" to mechanisms")
	}
	if s.find("mechanisms") == nil {
		r.wrong(ca.at, "listener.mechanisms", "is missing: name EXTERNAL and the others that clients may use, such as [\"EXTERNAL\", \"PLAIN\", \"LOGIN\"]")
	}
}

// poolOf returns the certificates of a file and no others: the system's authorities
// issue certificates to everybody.
func poolOf(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// auth reads [auth.ldap], [auth.oidc] and [auth.upstream].
func (r *reader) auth(t *table, c *Config) {
	s, _ := r.tableOf(t, "", "auth")
	if sub, present := r.tableOf(s, "auth", "ldap"); present {
		c.Auth.LDAP = r.ldap(sub)
	}
	if sub, present := r.tableOf(s, "auth", "oidc"); present {
		c.Auth.OIDC = r.oidc(sub)
	}
	if sub, present := r.tableOf(s, "auth", "upstream"); present {
		c.Auth.Upstream = r.upstream(sub)
	}
	r.rest(s, "auth")
	for i, l := range c.Listeners {
		for _, m := range l.Mechanisms {
			at := t.find("listener").at
			switch {
			case (m == auth.XOAUTH2 || m == auth.OAuthBearer) && s.find("oidc") == nil:
				r.wrong(at, "listener."+strconv.Itoa(i)+".mechanisms", "%s on %s needs a provider whose tokens are taken: add [auth.oidc]", m, l.Address)
			case (m == auth.SCRAM || m == auth.CRAMMD5 || m == auth.NTLM) && (c.Auth.LDAP != nil || c.Auth.Upstream != nil):
				r.warn(at, "listener."+strconv.Itoa(i)+".mechanisms", "%s on %s does not work for accounts that are kept elsewhere, and some programs do not try another: their password is not known here", m, l.Address)
			}
		}
	}
	if c.Auth.OIDC != nil && !slices.ContainsFunc(c.Listeners, func(l Listener) bool {
		return slices.Contains(l.Mechanisms, auth.XOAUTH2) || slices.Contains(l.Mechanisms, auth.OAuthBearer)
	}) {
		r.warn(s.find("oidc").at, "auth.oidc", "no listener takes tokens: add \"XOAUTH2\" and \"OAUTHBEARER\" to the mechanisms of one")
	}
}

// texts returns the values of a list.
func (r *reader) texts(s *table, prefix, name string) []string {
	var all []string
	items, _ := r.list(s, prefix, name)
	for _, g := range items {
		all = append(all, g.text)
	}
	return all
}

// roots reads ca; nil for the system's.
func (r *reader) roots(s *table, prefix string) *x509.CertPool {
	ca := r.path(s, prefix, "ca", "")
	if ca.text == "" {
		return nil
	}
	pool, err := rootsWith(ca.text)
	if err != nil {
		r.wrong(ca.at, prefix+".ca", "%v", err)
	}
	return pool
}

func (r *reader) ldap(s *table) *ldapauth.Options {
	const prefix = "auth.ldap"
	o := &ldapauth.Options{
		URL:         r.text(s, prefix, "url", "").text,
		StartTLS:    r.flag(s, prefix, "starttls", false),
		Roots:       r.roots(s, prefix),
		UserDN:      r.text(s, prefix, "user_dn", "").text,
		BindDN:      r.text(s, prefix, "bind_dn", "").text,
		Base:        r.text(s, prefix, "base", "").text,
		GroupBase:   r.text(s, prefix, "group_base", "").text,
		GroupFilter: r.text(s, prefix, "group_filter", "").text,
		Addresses:   r.texts(s, prefix, "addresses"),
	}
	file := r.path(s, prefix, "bind_password_file", "")
	filter := ""
	if o.UserDN == "" {
		filter = "(mail={user})"
	}
	o.Filter = r.text(s, prefix, "filter", filter).text
	o.Timeout = r.span(s, prefix, "timeout", ldapauth.DefaultTimeout)
	if s.find("addresses") == nil {
		o.Addresses = []string{"mail"}
		r.record(prefix+".addresses", `["mail"]`, originDefault)
	}
	switch {
	case o.BindDN != "" && file.text == "":
		r.wrong(s.at, prefix+".bind_password_file", "is missing: put the password of %s into a file that only the server may read, and name it", o.BindDN)
	case o.BindDN == "" && file.text != "":
		r.wrong(file.at, prefix+".bind_dn", "is missing: say whose password this is")
	case file.text != "":
		o.Password = passwordFrom(file.text)
		r.secretFile(file, prefix+".bind_password_file")
	}
	if _, err := ldapauth.New(*o); err != nil {
		r.wrong(s.at, prefix, "%v", err)
	}
	r.rest(s, prefix)
	return o
}

// span returns a positive duration as a value.
func (r *reader) span(s *table, prefix, name string, def time.Duration) time.Duration {
	d, _ := time.ParseDuration(r.duration(s, prefix, name, def).text) // written by duration
	return d
}

func (r *reader) oidc(s *table) *oidcauth.Options {
	const prefix = "auth.oidc"
	o := &oidcauth.Options{
		Issuer:    r.text(s, prefix, "issuer", "").text,
		Audiences: r.texts(s, prefix, "audience"),
		Scopes:    r.texts(s, prefix, "scopes"),
		Claim:     r.text(s, prefix, "account_claim", "email").text,
		Roots:     r.roots(s, prefix),
	}
	if len(o.Scopes) == 0 {
		r.warn(s.at, prefix+".scopes", "is missing, so that any token for this audience may send mail: name the scope that a client must have been given")
	}
	if _, err := oidcauth.New(*o); err != nil {
		r.wrong(s.at, prefix, "%v", err)
	}
	r.rest(s, prefix)
	return o
}

func (r *reader) upstream(s *table) *upstreamauth.Options {
	const prefix = "auth.upstream"
	o := &upstreamauth.Options{
		Roots:        r.roots(s, prefix),
		Remember:     r.span(s, prefix, "remember", upstreamauth.DefaultRemember),
		RememberAway: r.span(s, prefix, "remember_when_away", upstreamauth.DefaultRememberAway),
		Refusals:     r.number(s, prefix, "refusals", upstreamauth.DefaultRefusals, 1, 20),
	}
	server := r.text(s, prefix, "server", "")
	v, suggestion, err := parseVia(server.text)
	switch {
	case s.find("server") == nil:
		r.wrong(s.at, prefix+".server", "is missing: name the server whose logins count here, such as \"smtp://smtp.example.org:587\"")
	case server.origin == "":
	case err != nil || v.Scheme != route.SchemeSMTP && v.Scheme != route.SchemeSMTPS:
		r.wrong(server.at, prefix+".server", "%q is not a server such as \"smtp://smtp.example.org:587\" or \"smtps://smtp.example.org:465\"", server.text).Suggestion = suggestion
	default:
		o.Host, o.Port, o.Implicit = v.Host, v.Port, v.Scheme == route.SchemeSMTPS
	}
	for _, d := range r.texts(s, prefix, "domains") {
		o.Domains = append(o.Domains, strings.ToLower(d))
	}
	if len(o.Domains) == 0 {
		r.warn(s.at, prefix+".domains", "is missing, so that the server is asked about any name that a stranger tries: name the domains of your users")
	}
	if o.RememberAway < o.Remember {
		r.wrong(s.at, prefix+".remember_when_away", "is shorter than remember: give it at least as long")
	}
	r.rest(s, prefix)
	return o
}

// barren warns of accounts that cannot log in by a mechanism which their listener
// offers, or because of which it is not offered.
func (r *reader) barren(t *table, c *Config) {
	k := c.Kept()
	if !k.SCRAM && !k.CRAMMD5 && !k.NTLM {
		return
	}
	file, err := auth.OpenFile(filepath.Join(c.Data, auth.FileName))
	if err != nil {
		return // not ours to read, or told elsewhere
	}
	kept, err := file.List()
	if err != nil {
		return
	}
	missing := map[string][]string{}
	for _, a := range slices.Concat(kept, c.Users) {
		for _, m := range []struct {
			needed bool
			have   string
			name   string
		}{{k.SCRAM, a.SCRAM, auth.SCRAM}, {k.CRAMMD5, a.CRAMMD5, auth.CRAMMD5}, {k.NTLM, a.NTHash, auth.NTLM}} {
			if m.needed && m.have == "" {
				missing[m.name] = append(missing[m.name], a.Name)
			}
		}
	}
	at := t.at
	if e := t.find("listener"); e != nil {
		at = e.at
	}
	for _, m := range []string{auth.SCRAM, auth.CRAMMD5, auth.NTLM} {
		names := missing[m]
		if len(names) == 0 || m == auth.SCRAM && !slices.ContainsFunc(c.Listeners, func(l Listener) bool { return slices.Contains(l.Mechanisms, m) }) {
			continue // SCRAM that nobody named is simply not offered
		}
		const most = 3
		shown := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			shown += " and " + strconv.Itoa(len(names)-most) + " more"
		}
		r.warn(at, "listener.mechanisms", "what %s needs is not kept of %s, who cannot log in so: set the password again with: wellsent user passwd %s", m, shown, names[0])
	}
}
