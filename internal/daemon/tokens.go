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
	names := map[string]bool{}
	for i := range cfg.Routes {
		set, err := cfg.Routes[i].TokenSettings()
		if err != nil {
			return nil, err
		}
		if set != nil {
			t.Routes[i].Token = tokensOf(d.tokens.Source(*set))
			names[set.Route] = true
		}
	}
	d.tokens.Keep(names)
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
