package daemon

import (
	"context"

	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/route"
)

// routeTable returns the routes of cfg. Before they are used attach gives each the
// source of its tokens, which cannot fail: sources that work are not given up for a
// configuration that is not taken.
func (d *Daemon) routeTable(cfg *config.Config) (t *route.Table, attach func(), err error) {
	if t, err = cfg.RouteTable(); err != nil || cfg.Sandbox {
		return t, func() {}, err
	}
	sets := make([]*oauth.Settings, len(cfg.Routes))
	for i := range cfg.Routes {
		if sets[i], err = cfg.Routes[i].TokenSettings(); err != nil {
			return nil, nil, err
		}
	}
	return t, func() {
		names := map[string]bool{}
		for i, set := range sets {
			if set != nil {
				t.Routes[i].Token = tokensOf(d.tokens.Source(*set))
				names[set.Route] = true
			}
		}
		d.tokens.Keep(names)
	}, nil
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
