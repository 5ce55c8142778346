package config

import (
	"strings"

	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/route"
)

// pattern returns of a route what decides which mail it takes.
func (rt *Route) pattern() *route.Route {
	return &route.Route{Recipients: rt.Recipients, Match: rt.Match}
}

// patterns returns patterns of addresses as routes know them; "<>" is the null
// reverse-path, where nullOK says so.
func (r *reader) patterns(items []got, key string) (all []string) {
	for _, g := range items {
		domain := strings.TrimPrefix(g.text, "*.") // "*.example.org" is every domain below it
		if policy.CheckPattern(g.text) != nil && checkHost(domain) != nil && (g.text != "<>" || key != "route.senders") {
			r.wrong(g.at, key, "%q: write \"*\", \"example.org\", \"*.example.org\", \"*@example.org\" or \"ann@example.org\"", g.text)
			continue
		}
		all = append(all, g.text)
	}
	return all
}

// match reads what else of a message must fit a route. Whether its listeners and
// devices exist is known when all has been read.
func (r *reader) match(s *table, prefix string, rt *Route) {
	senders, at := r.list(s, prefix, "senders")
	rt.Match.Senders = r.patterns(senders, "route.senders")
	for _, k := range []struct {
		key  string
		list *[]string
	}{{"accounts", &rt.Match.Accounts}, {"listeners", &rt.Match.Listeners}, {"devices", &rt.Match.Devices}} {
		items, at := r.list(s, prefix, k.key)
		for _, g := range items {
			if g.text == "" {
				r.wrong(g.at, "route."+k.key, "has an empty entry: take it out")
				continue
			}
			*k.list = append(*k.list, g.text)
			r.named = append(r.named, reference{k.key, g})
		}
		if s.find(k.key) != nil && len(items) == 0 {
			r.wrong(at, "route."+k.key, "is empty: leave it out to ask for nothing")
		}
	}
	if s.find("senders") != nil && len(senders) == 0 {
		r.wrong(at, "route.senders", "is empty: leave it out to take everybody's mail")
	}
}

// reference is a name of something else in the file, in a route.
type reference struct {
	key string // "accounts", "listeners" or "devices"
	got got
}

// rewriting reads what of a message becomes the route's mailbox.
func (r *reader) rewriting(s *table, prefix string, rt *Route) {
	rt.Rewrite = r.rewrite(s, prefix)
	aliases, at := r.list(s, prefix, "aliases")
	for _, g := range aliases {
		if err := policy.CheckPattern(g.text); err != nil {
			r.wrong(g.at, "route.aliases", "%v", err)
			continue
		}
		rt.Aliases = append(rt.Aliases, g.text)
	}
	switch e := s.find("rewrite"); {
	case !rt.From.IsNull() || s.find("from") != nil && e == nil && len(aliases) == 0:
	case e != nil && rt.Rewrite != "" && rt.Rewrite != route.RewriteKeep:
		r.wrong(e.at, "route.from", "is missing: say as which mailbox the mail is to be sent")
	case len(aliases) > 0:
		r.wrong(at, "route.from", "is missing: aliases are what the mailbox in it may send as beside itself")
	}
}

// rewrite returns the word at rewrite, "" when there is none.
func (r *reader) rewrite(s *table, prefix string) route.Rewrite {
	g := r.text(s, prefix, "rewrite", "")
	if s.find("rewrite") == nil || g.origin == "" {
		return ""
	}
	words := []string{string(route.RewriteKeep), string(route.RewriteEnvelope), string(route.RewriteFrom), string(route.RewriteBoth)}
	for _, w := range words {
		if g.text == w {
			return route.Rewrite(w)
		}
	}
	r.unknownWord(g.at, join(prefix, "rewrite"), g.text, words)
	return ""
}
