package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/oauth"
)

func (a *app) routeCommand() *cobra.Command {
	c := group(&cobra.Command{Use: "route", Short: "List the routes; sign in for one that needs it"})
	c.AddCommand(a.routeListCommand(), a.routeShowCommand(), a.routeLoginCommand(), a.routeLogoutCommand())
	return c
}

// routeLine is one route as it is listed.
type routeLine struct {
	Name     string   `json:"name"`
	Via      []string `json:"via"`
	User     string   `json:"user"`
	Login    string   `json:"login"`     // "none", "password" or a grant of OAuth
	SignedIn *bool    `json:"signed_in"` // nil: nobody needs to
	Failing  string   `json:"failing"`   // why no token is had; "": it works, or was not tried
}

func (a *app) routeListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the routes and how they log in",
		Args:  args(noArgs),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			if err := becomeOwner(cfg.Data); err != nil {
				return err
			}
			tokens := oauth.New(cfg.Data, oauth.Options{})
			defer tokens.Close()
			all := []routeLine{}
			for i := range cfg.Routes {
				line, err := lineOf(&cfg.Routes[i], tokens)
				if err != nil {
					return err
				}
				all = append(all, line)
			}
			if a.json {
				return a.printJSON(all)
			}
			p := a.page(a.stdout)
			if len(all) == 0 {
				p.line("there is no [[route]]: nothing leaves this machine")
			}
			for _, r := range all {
				p.named(r.Name, r.words())
			}
			return p.err
		},
	}
}

func lineOf(rt *config.Route, tokens *oauth.Sources) (routeLine, error) {
	out := routeLine{Name: rt.Name, User: rt.User, Login: "none", Via: []string{}}
	for _, v := range rt.Via {
		out.Via = append(out.Via, v.String())
	}
	if rt.PasswordFile != "" {
		out.Login = "password"
	}
	set, err := rt.TokenSettings()
	if err != nil || set == nil {
		return out, err
	}
	out.Login = string(set.Grant)
	st := tokens.Source(*set).Status()
	if out.Failing = st.Failing; st.Problem != "" {
		out.Failing = st.Problem
	}
	if set.Grant == oauth.RefreshToken {
		out.SignedIn = &st.SignedIn
	}
	return out, nil
}

// words describes a route for a person.
func (r *routeLine) words() string {
	s := "via " + strings.Join(r.Via, ", ")
	if r.User != "" {
		s += " as " + r.User + ", by " + strings.ReplaceAll(r.Login, "_", " ")
	}
	switch {
	case r.SignedIn != nil && !*r.SignedIn:
		s += "; nobody has signed in: wellsent route login " + r.Name
	case r.Failing != "":
		s += "; it gets no token: wellsent doctor --route " + r.Name
	}
	return s
}

// source returns the source of the route of that name.
func (a *app) source(name string) (*oauth.Source, *oauth.Sources, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	for i := range cfg.Routes {
		if cfg.Routes[i].Name != name {
			continue
		}
		set, err := cfg.Routes[i].TokenSettings()
		switch {
		case err != nil:
			return nil, nil, err
		case set == nil:
			return nil, nil, fmt.Errorf("route %s logs in without tokens: give it oauth or token_command", printable(name))
		}
		if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
			return nil, nil, fmt.Errorf("make the data directory: %w", err)
		}
		if err := becomeOwner(cfg.Data); err != nil {
			return nil, nil, err
		}
		tokens := oauth.New(cfg.Data, oauth.Options{})
		return tokens.Source(*set), tokens, nil
	}
	return nil, nil, usageError("no route is called %q: see wellsent route list", printable(name))
}

func (a *app) routeShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a route's tokens: for whom, for what, until when",
		Long: `Show what is known of a route's tokens: whom they are of, what they allow, until
when they hold, and when the secret behind them ends. The tokens themselves are
not shown, and what they say of themselves is not verified here.`,
		Args: args(oneNamed("the name of the route")),
		RunE: func(_ *cobra.Command, words []string) error {
			s, tokens, err := a.source(words[0])
			if err != nil {
				return err
			}
			defer tokens.Close()
			st := s.Status()
			if a.json {
				return a.printJSON(st)
			}
			p := a.page(a.stdout)
			p.tokenStatus(&st, time.Now())
			return p.err
		},
	}
}

// tokenStatus writes what is known of a route's tokens.
func (p *page) tokenStatus(st *oauth.Status, now time.Time) {
	p.field(0, "route", st.Route+", as "+st.User)
	p.field(0, "grant", string(st.Grant))
	switch {
	case st.Problem != "":
		p.field(0, "problem", st.Problem)
	case !st.SignedIn:
		p.field(0, "state", "nobody has signed in: wellsent route login "+st.Route)
	case st.Failing != "":
		p.field(0, "state", "no token since "+clock(st.FailingSince, now)+": "+st.Failing)
		p.field(0, "do", "find out why: wellsent doctor --route "+st.Route)
	case st.Renewed.IsZero():
		p.field(0, "state", "no token was needed yet")
	default:
		p.field(0, "state", "a token was last had "+clock(st.Renewed, now))
	}
	for _, e := range st.Expires {
		p.field(0, "ends", "the "+e.What+" on "+e.At.Format(time.DateOnly)+": "+e.Means)
	}
	for _, t := range st.Tokens {
		p.field(0, "token", "for "+string(t.Audience)+", renewed before "+clock(t.Spent, now))
		c := t.Claims
		if c == nil {
			p.field(2, "says", "nothing that can be read")
			continue
		}
		for _, f := range []struct{ label, text string }{{"user", c.User}, {"sub", c.Subject}, {"aud", strings.Join(c.Audience, ", ")}, {"scopes", strings.Join(c.Scopes, " ")},
			{"roles", strings.Join(c.Roles, " ")}, {"app", c.AppID}, {"tenant", c.Tenant}, {"issuer", c.Issuer}} {
			if f.text != "" {
				p.field(2, f.label, f.text)
			}
		}
	}
}

func (a *app) routeLoginCommand() *cobra.Command {
	var browser, device bool
	var port int
	c := &cobra.Command{
		Use:   "login NAME [--browser|--device] [--port PORT]",
		Short: "Sign in for a route with OAuth",
		Long: `Sign in at the identity provider for a route whose oauth grant is refresh_token.
A running server sees it at once; a paused lane goes on with
wellsent queue resume --lane NAME, or by itself at its next try.

By device code (--device) the browser may be on any machine: it shows an address
and a code to enter there. With --browser it must reach this machine's loopback:
run this on your own machine's terminal, or forward --port PORT there, as in
ssh -L PORT:127.0.0.1:PORT. Without either, the provider decides.`,
		Args: args(oneNamed("the name of the route")),
		RunE: func(c *cobra.Command, words []string) error {
			if browser && device {
				return wrongUse(c, "--browser and --device exclude each other")
			}
			s, tokens, err := a.source(words[0])
			if err != nil {
				return err
			}
			defer tokens.Close()
			if set := s.Settings(); set.Grant != oauth.RefreshToken {
				return fmt.Errorf("nobody signs in for route %s: it gets its tokens by %s; whether that works says wellsent doctor --route %s", set.Route, strings.ReplaceAll(string(set.Grant), "_", " "), set.Route)
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return a.signIn(ctx, s, browser, device, port)
		},
	}
	c.Flags().BoolVar(&browser, "browser", false, "sign in with a browser that reaches this machine's loopback")
	c.Flags().BoolVar(&device, "device", false, "sign in by a code, with a browser anywhere")
	c.Flags().IntVar(&port, "port", 0, "the loopback `PORT` that the browser is sent back to (default any)")
	return c
}

// signIn signs in and proves that the sign-in gives the tokens the route needs.
func (a *app) signIn(ctx context.Context, s *oauth.Source, browser, device bool, port int) error {
	set := s.Settings()
	if !browser && !device {
		browser = !s.HasDevice(ctx)
	}
	l := oauth.Login{Port: port, Show: func(x oauth.Prompt) {
		p := a.page(a.stderr)
		if x.Code != "" {
			p.line("Open ", printable(x.URL), " in any browser, enter the code ", p.strong(printable(x.Code)), ",")
			p.line("and sign in as ", printable(set.User), ".")
		} else {
			p.line("Open this address in a browser on this machine, and sign in as ", printable(set.User), ":")
			p.line(printable(x.URL))
		}
		if !x.Expires.IsZero() {
			p.line("Waiting until ", clock(x.Expires, time.Now()), ".")
		}
	}}
	sign := s.Device
	if browser {
		sign = s.Browser
	}
	if err := sign(ctx, l); err != nil {
		return a.tokenError("sign in for route "+set.Route, err)
	}
	for _, audience := range set.Audiences {
		if _, err := s.Token(ctx, audience, ""); err != nil {
			return a.tokenError("signed in, but there is no token for "+string(audience), err)
		}
	}
	st := s.Status()
	if a.json {
		return a.printJSON(st)
	}
	p := a.page(a.stdout)
	p.line("signed in for route ", printable(set.Route))
	for _, t := range st.Tokens {
		if t.Claims != nil && t.Claims.User != "" && !strings.EqualFold(t.Claims.User, set.User) {
			p.paragraph(0, "Signed in as "+printable(t.Claims.User)+", and the route sends as "+printable(set.User)+": that works only where the one may send as the other.")
			break
		}
	}
	p.line("if its lane is paused: wellsent queue resume --lane ", printable(set.Route))
	return p.err
}

// tokenError tells of a failure to have a token, with its cause and what to do.
func (a *app) tokenError(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("given up")
	}
	p := a.page(a.stderr)
	f := explain.Error(&evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Err: err}, explain.Facts{Port: 443})
	p.paragraph(0, "wellsent: "+what+": "+err.Error())
	if f.Cause != "" {
		p.heading(f.Title, string(f.Cause))
		p.steps("do", f.Do)
	}
	return didNot()
}

func (a *app) routeLogoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout NAME",
		Short: "Forget what a route signs in with",
		Long: `Forget the refresh token and the access tokens of a route; a running server sees
it at once. The provider is not told: end the sign-in there too where it may
have been stolen.`,
		Args: args(oneNamed("the name of the route")),
		RunE: func(_ *cobra.Command, words []string) error {
			s, tokens, err := a.source(words[0])
			if err != nil {
				return err
			}
			defer tokens.Close()
			if err := s.SignOut(); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s.Status())
			}
			p := a.page(a.stdout)
			p.line("signed out of route ", printable(words[0]))
			return p.err
		},
	}
}
