package daemon

import (
	"context"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/route"
)

// routeTable returns the routes of cfg, each with the source of its tokens.
func (d *Daemon) routeTable(cfg *config.Config) (*route.Table, error) {
	t, err := cfg.RouteTable()
	if err != nil || cfg.Sandbox {
		return t, err
	}
	for i := range cfg.Routes {
		if cfg.Routes[i].OAuth == nil {
			continue
		}
		set := *cfg.Routes[i].OAuth
		set.Roots = t.Routes[i].Roots
		if p := t.Routes[i].Proxy; p != nil {
			set.Dial, set.Way = p.DialContext, p.String() // where mail does not get out directly, tokens do not get in
		}
		t.Routes[i].Token = tokensOf(d.tokens.Source(set))
	}
	return t, nil
}

// tokensOf returns what a route asks for its tokens.
func tokensOf(s *oauth.Source) route.Token {
	return func(ctx context.Context, scheme route.Scheme, refused string) (string, error) {
		a := oauth.SMTP
		switch scheme {
		case route.SchemeGraph:
			a = oauth.Graph
		case route.SchemeGmail:
			a = oauth.Gmail
		}
		return s.Token(ctx, a, refused)
	}
}
