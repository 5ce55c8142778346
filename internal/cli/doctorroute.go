package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/deliver/gmail"
	"github.com/wellsent/wellsent/internal/deliver/graph"
	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// targetOfRoute sets the server, the login and the tokens of a configured route.
// end is called when the question is answered.
func (a *app) targetOfRoute(c *cobra.Command, f *doctorFlags, q *doctor.Question) (end func(), err error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	rt, r, err := routeNamed(cfg, f.route)
	if err != nil {
		return nil, err
	}
	via := rt.Via[0]
	note := func(format string, args ...any) { q.Origin = append(q.Origin, fmt.Sprintf(format, args...)) }
	note("route %s of the configuration: %s", rt.Name, via.String())
	for _, v := range rt.Via[1:] {
		note("the route has %s too, which was not tested", v.String())
	}
	if rt.Certificate != nil {
		note("the route's client certificate was not shown")
	}
	q.Proxy, q.Environ = rt.Proxy, nil
	if q.Hostname == "" {
		q.Hostname = cfg.Hostname
	}
	if f.resolver == "" && len(cfg.Resolver.Servers) > 0 {
		q.Resolver, q.OnlyResolver = resolver.New(resolver.Options{Timeout: lookUpWait, Servers: cfg.Resolver.Servers}), true
	}
	if rt.Roots != nil {
		q.Roots = rt.Roots
	}
	if rt.From != "" && q.From == "" {
		q.From = string(rt.From)
	}
	switch via.Scheme {
	case route.SchemeSMTP, route.SchemeSMTPS:
		q.Host, q.Port, q.Typed, q.User = via.Host, via.Port, true, rt.User
		q.Security = routeSecurity(via, rt.TLS)
		if rt.Password != nil {
			if q.Password, err = rt.Password(); err != nil {
				return nil, usageError("route %s: %s", rt.Name, err)
			}
		}
		if q.From == "" && strings.Contains(rt.User, "@") {
			q.From = rt.User
		}
	case route.SchemeGraph, route.SchemeGmail:
		q.From = rt.User
	default:
		return nil, wrongUse(c, "route %s has no server of its own (%s): give a server, such as one of the recipient's MX", rt.Name, via.String())
	}
	settings, err := r.TokenSettings()
	if err != nil {
		return nil, usageError("%s", err)
	}
	if settings == nil {
		return nil, nil
	}
	if err := becomeOwner(cfg.Data); err != nil { // what is renewed must stay the server's to read
		return nil, err
	}
	tokens := oauth.New(cfg.Data, oauth.Options{})
	q.Grant = grantOf(tokens.Source(*settings), via, rt, q)
	return tokens.Close, nil
}

// routeNamed returns a route as it is used, and as it is configured.
func routeNamed(cfg *config.Config, name string) (*route.Route, *config.Route, error) {
	table, err := cfg.RouteTable()
	if err != nil {
		return nil, nil, usageError("%s", err)
	}
	var names []string
	for i, r := range table.Routes {
		if r.Name == name && i < len(cfg.Routes) {
			return r, &cfg.Routes[i], nil
		}
		names = append(names, r.Name)
	}
	switch {
	case cfg.Sandbox:
		return nil, nil, usageError("nothing leaves a sandbox: the configuration says sandbox = true")
	case len(names) == 0:
		return nil, nil, usageError("the configuration has no route")
	}
	return nil, nil, usageError("there is no route %q: the configuration has %s", printable(name), strings.Join(names, ", "))
}

// routeSecurity returns how the doctor connects for a route.
func routeSecurity(v route.Via, policy route.TLSPolicy) doctor.Security {
	switch {
	case v.Scheme == route.SchemeSMTPS:
		return doctor.Implicit
	case policy == route.TLSNone:
		return doctor.Clear
	case policy == route.TLSOpportunistic:
		return doctor.Auto
	}
	return doctor.StartTLS
}

// grantOf returns how the doctor has tokens of a route.
func grantOf(source *oauth.Source, via route.Via, rt *route.Route, q *doctor.Question) *doctor.Grant {
	s := source.Settings()
	audience := oauth.SMTP
	g := &doctor.Grant{Route: rt.Name, Provider: string(s.Provider), Kind: string(s.Grant), Via: "smtp", Tenant: s.Tenant, ClientID: s.ClientID, Mailbox: rt.User}
	switch via.Scheme {
	case route.SchemeGraph:
		audience, g.Via = oauth.Graph, "graph"
	case route.SchemeGmail:
		audience, g.Via = oauth.Gmail, "gmail"
	}
	g.Token = func(ctx context.Context) (string, doctor.GrantAnswer) { return newToken(ctx, source, audience) }
	if address := directoryOf(&s); address != "" {
		g.Directory = func(ctx context.Context) doctor.DirectoryAnswer { return askDirectory(ctx, address, &s) }
	}
	if g.Via != "smtp" {
		g.Send = func(ctx context.Context, token, to string, message []byte) *evidence.Error {
			return sendByAPI(ctx, via, rt, q, token, to, message)
		}
	}
	return g
}

// newToken has a token issued now. One that was kept would say nothing of a secret
// that has expired since.
func newToken(ctx context.Context, source *oauth.Source, a oauth.Audience) (string, doctor.GrantAnswer) {
	kept, err := source.Token(ctx, a, "")
	if err == nil {
		fresh, again := source.Token(ctx, a, kept)
		switch {
		case errors.Is(again, oauth.ErrFresh):
			return kept, doctor.GrantAnswer{} // it has just been issued
		case again == nil:
			return fresh, doctor.GrantAnswer{}
		}
		err = again
	}
	answer := doctor.GrantAnswer{Words: err.Error(), Passes: oauth.IsTemporary(err)}
	var refused *oauth.Error
	if errors.As(err, &refused) {
		answer.Host, answer.Status = refused.Host, refused.Status
		if words := strings.TrimSuffix(strings.TrimPrefix(refused.Code+": "+refused.Words, ": "), ": "); words != "" {
			answer.Words = words
		}
	}
	if errors.Is(err, oauth.ErrSignedOut) {
		answer.Words, answer.Passes = oauth.ErrSignedOut.Error(), false
	}
	return "", answer
}

// The ends of Entra ID's addresses for a directory.
const (
	tokenEnd     = "/oauth2/v2.0/token"
	discoveryEnd = "/v2.0/.well-known/openid-configuration"
)

// directoryOf returns where Entra ID publishes the settings of a route's tenant; ""
// where it does not.
func directoryOf(s *oauth.Settings) string {
	switch {
	case s.Provider != oauth.Microsoft || s.Tenant == "" || s.Grant != oauth.ClientCredentials && s.Grant != oauth.RefreshToken:
		return ""
	case strings.HasSuffix(s.TokenURL, tokenEnd):
		return strings.TrimSuffix(s.TokenURL, tokenEnd) + discoveryEnd
	case s.TokenURL != "" || s.Issuer != "":
		return ""
	}
	return "https://login.microsoftonline.com/" + s.Tenant + discoveryEnd
}

// maxDirectory bounds an answer, in octets.
const maxDirectory = 64 << 10

// askDirectory asks for the settings of a tenant. No secret is sent.
func askDirectory(ctx context.Context, address string, s *oauth.Settings) doctor.DirectoryAnswer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return doctor.DirectoryAnswer{}
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if s.Dial != nil { // the route's proxy, for this as for the tokens
		transport.Proxy, transport.DialContext = nil, s.Dial
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return doctor.DirectoryAnswer{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDirectory))
	if err != nil || res.StatusCode >= 500 {
		return doctor.DirectoryAnswer{}
	}
	return doctor.DirectoryAnswer{Asked: true, Exists: res.StatusCode == http.StatusOK, Words: evidence.Clip(evidence.Printable(string(body)), 400)}
}

// apiWait bounds one message sent by an HTTP API.
const apiWait = 15 * time.Second

// sendByAPI sends a message by Microsoft Graph or the Gmail API.
func sendByAPI(ctx context.Context, via route.Via, rt *route.Route, q *doctor.Question, token, to string, message []byte) *evidence.Error {
	o := api.Options{
		Host: via.Host, Port: via.Port, Addresses: q.Resolver.Addresses, Roots: rt.Roots, User: rt.User, Answers: apiWait,
		Token: func(context.Context, string) (string, error) { return token, nil },
	}
	if rt.Proxy != nil {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return rt.Proxy.DialContext(ctx, network, address)
		}
	}
	m := &api.Mail{
		Recipients: []smtp.Path{smtp.Path(to)}, Size: int64(len(message)),
		Content: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(message)), nil },
	}
	var client interface {
		Send(context.Context, *api.Mail) *api.Answer
		Close() error
	}
	if via.Scheme == route.SchemeGmail {
		client = gmail.New(o)
	} else {
		client = graph.New(o)
	}
	defer client.Close()
	return client.Send(ctx, m).Err
}
