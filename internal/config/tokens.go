package config

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
)

// TokenSettings returns where the route's tokens come from, with the roots of the
// file at ca; nil where it logs in otherwise.
func (rt *Route) TokenSettings() (*oauth.Settings, error) {
	if rt.OAuth == nil {
		return nil, nil
	}
	set := *rt.OAuth
	if rt.CA != "" {
		roots, err := rootsWith(rt.CA)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", rt.Name, err)
		}
		set.Roots = roots
	}
	if p := rt.Proxy; p != nil {
		if rt.ProxyPasswordFile != "" {
			p = p.WithPassword(passwordFrom(rt.ProxyPasswordFile))
		}
		set.Proxy = p.Address() + " " + p.User() + " " + rt.ProxyPasswordFile
		set.Dial = p.WithRoots(set.Roots).DialContext
		if !p.RemoteNames() {
			set.Dial = lookedUp(set.Dial)
		}
	}
	return &set, nil
}

// lookedUp returns dial for names, which a proxy does not look up.
func lookedUp(dial proxy.Dial) proxy.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			var conn net.Conn
			if conn, err = dial(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil || ctx.Err() != nil {
				return conn, err
			}
		}
		return nil, err
	}
}

// tokens reads oauth and token_command.
func (r *reader) tokens(s *table, prefix string, rt *Route) {
	command := r.text(s, prefix, "token_command", "")
	t, present := r.tableOf(s, prefix, "oauth")
	if !present && command.text == "" {
		return
	}
	set := &oauth.Settings{Route: rt.Name, User: rt.User, Audiences: audiences(rt.Via), Command: command.text}
	at := map[string]place{"user": s.at, "": s.at}
	if e := s.find("token_command"); e != nil {
		at[""] = e.at
	}
	if present {
		if e := s.find("oauth"); e != nil {
			at[""] = e.at
		}
		if !r.tokenTable(t, prefix+".oauth", set, at) {
			return // what else there is to say follows from the provider
		}
	}
	*set = set.WithDefaults()
	for _, m := range set.Check() {
		p, ok := at[m.Key]
		if !ok {
			p = at[""]
		}
		key := "route.oauth." + m.Key
		if m.Key == "user" {
			key = "route.user"
		}
		r.wrong(p, key, "%s", m.Text)
	}
	for _, m := range set.CheckFiles() {
		r.wrong(at[m.Key], "route.oauth."+m.Key, "%s", m.Text)
	}
	r.tokenRoute(s, rt, set.Provider, at[""], set.Command != "" && others(t))
	for _, f := range []struct{ key, path string }{{"client_secret_file", set.SecretFile}, {"key_file", set.KeyFile}, {"service_account_file", set.ServiceAccountFile}} {
		if info, err := os.Stat(f.path); f.path != "" && err == nil && info.Mode().Perm()&0o004 != 0 {
			r.warn(at[f.key], "route.oauth."+f.key, "%s may be read by everybody on this machine: chmod o= %s", f.path, f.path)
		}
	}
	rt.OAuth = set
}

// others reports whether oauth has another key than token_command.
func others(t *table) bool {
	return len(t.entries) > 1 || len(t.entries) == 1 && t.find("token_command") == nil
}

// tokenRoute looks at what of the route does not go with tokens.
func (r *reader) tokenRoute(s *table, rt *Route, p oauth.Provider, at place, both bool) {
	switch {
	case both:
		r.wrong(at, "route.oauth", "token_command stands alone: leave out the other keys of oauth, or the command")
	case rt.PasswordFile != "" && !slices.ContainsFunc(rt.Via, route.Via.IsAPI): // else the password is for SMTP, and the token for the interface
		r.wrong(at, "route.oauth", "a route logs in by password or by token: leave out password_file, or oauth and token_command")
	case rt.User == "" && s.find("oauth") == nil:
		r.wrong(at, "route.user", "is missing: say as which mailbox the route sends")
	}
	for _, v := range rt.Via {
		if v.Scheme == route.SchemeGraph && p == oauth.Google || v.Scheme == route.SchemeGmail && p == oauth.Microsoft {
			r.wrong(at, "route.oauth", "%s takes no token of provider %q", v, p)
		}
	}
	if len(rt.Via) > 0 && rt.Via[0].Scheme == route.SchemeMX {
		r.wrong(at, "route.oauth", "other people's servers know no login: leave it out, or name a smart host in via")
	}
	if (rt.TLS == route.TLSNone || rt.TLS == route.TLSOpportunistic) && !(len(rt.Via) > 0 && rt.Via[0].Scheme == route.SchemeMX) {
		where := at
		if e := s.find("tls"); e != nil {
			where = e.at
		}
		r.wrong(where, "route.tls", "a token is sent over verified TLS only: remove tls = %q", string(rt.TLS))
	}
}

// placeholders stand in the walk-throughs for what is everybody's own.
var placeholders = []string{"DIRECTORY_ID", "APPLICATION_ID", "OBJECT_ID", "CLIENT_ID", "…"}

// tokenTable reads the keys of oauth and notes where each stands. It reports whether
// the provider is known.
func (r *reader) tokenTable(t *table, prefix string, set *oauth.Settings, at map[string]place) (known bool) {
	known = true
	note := func(g got, name string) string {
		if t.find(name) != nil {
			at[name] = g.at
		}
		return g.text
	}
	text := func(name string) string { return note(r.text(t, prefix, name, ""), name) }
	path := func(name string) string { return note(r.path(t, prefix, name, ""), name) }
	inside := text("token_command")
	if inside != "" {
		set.Command = inside
	}
	words := []string{string(oauth.Custom), string(oauth.Microsoft), string(oauth.Google)}
	if t.find("provider") != nil || inside == "" {
		var g got
		g, known = r.choice(t, prefix, "provider", words...)
		set.Provider = oauth.Provider(note(g, "provider"))
	} else {
		t.take("provider")
	}
	if t.find("grant") != nil {
		g, _ := r.choice(t, prefix, "grant", string(oauth.RefreshToken), string(oauth.ClientCredentials), string(oauth.JWTBearer), string(oauth.ManagedIdentity))
		set.Grant = oauth.Grant(note(g, "grant"))
	} else {
		t.take("grant")
	}
	set.Tenant, set.ClientID = text("tenant"), text("client_id")
	set.SecretFile, set.CertificateFile, set.KeyFile, set.KeyID = path("client_secret_file"), path("certificate_file"), path("key_file"), text("key_id")
	set.SecretExpires = r.day(t, prefix, "client_secret_expires")
	set.ServiceAccountFile = path("service_account_file")
	set.Issuer, set.TokenURL, set.AuthURL, set.DeviceURL = text("issuer"), text("token_url"), text("auth_url"), text("device_url")
	set.Audience, set.IdentityURL = text("assertion_audience"), text("identity_url")
	scopes, _ := r.list(t, prefix, "scopes")
	for _, g := range scopes {
		set.Scopes = append(set.Scopes, g.text)
	}
	at["scopes"] = at[""]
	if e := t.find("scopes"); e != nil {
		at["scopes"] = e.at
	}
	r.rest(t, "route.oauth")
	for _, f := range []struct{ key, text string }{{"tenant", set.Tenant}, {"client_id", set.ClientID}} {
		if slices.Contains(placeholders, f.text) {
			r.wrong(at[f.key], "route.oauth."+f.key, "%s stands in the walk-through for your own: put that here", f.text)
		}
	}
	return known
}

// day reads a date such as 2027-01-31; the zero time when it is absent.
func (r *reader) day(t *table, prefix, name string) time.Time {
	g, ok := r.scalar(t, prefix, name, kindOther, "")
	if !ok {
		return time.Time{}
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if d, err := time.Parse(form, g.text); err == nil {
			r.record(join(prefix, name), d.Format(time.DateOnly), g.origin)
			return d
		}
	}
	r.wrong(g.at, join(prefix, name), "%q is not a date such as 2027-01-31", g.text)
	return time.Time{}
}

// audiences returns what a route needs tokens for, in the order of its vias.
func audiences(vias []route.Via) []oauth.Audience {
	var all []oauth.Audience
	for _, v := range vias {
		a := oauth.SMTP
		switch v.Scheme {
		case route.SchemeGraph:
			a = oauth.Graph
		case route.SchemeGmail:
			a = oauth.Gmail
		}
		seen := false
		for _, x := range all {
			seen = seen || x == a
		}
		if !seen {
			all = append(all, a)
		}
	}
	return all
}

// signedOut warns of a route for which somebody must sign in first.
func (r *reader) signedOut(s *table, c *Config, rt *Route) {
	if rt.OAuth == nil || rt.OAuth.Grant != oauth.RefreshToken || len(r.mistakes) > 0 || !validRouteName(rt.Name) {
		return
	}
	tokens := oauth.New(c.Data, oauth.Options{})
	defer tokens.Close()
	st := tokens.Source(*rt.OAuth).Status()
	switch {
	case st.Problem != "" && os.Geteuid() != 0:
		// Perhaps it is not for this user to read: the server will say.
	case st.Problem != "":
		r.warn(s.at, "route.oauth", "%s", st.Problem)
	case !st.SignedIn:
		r.warn(s.at, "route.oauth", "%s", fmt.Sprintf("nobody has signed in for route %s yet, so it cannot send: wellsent route login %s", rt.Name, rt.Name))
	}
}
