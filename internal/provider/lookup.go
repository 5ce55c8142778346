package provider

import (
	"slices"
	"strings"
)

// Use is what a host is to a provider.
type Use struct {
	Provider *Provider
	Role     Role
	Protocol string   // "imap" or "pop3" of an incoming host, else ""
	Servers  []Server // its ports in that role, the preferred first; none of an MX host
	Why      string   // what a host does that people mistake for another, or ""
}

// globUse is the use of hosts whose names match a pattern.
type globUse struct {
	pattern string
	use     Use
}

// index makes the indexes. Where data conflict the first provider wins; the
// validator reports it.
func (d *database) index() {
	d.byID, d.byDomain, d.byMX = map[ID]*Provider{}, map[string]*Provider{}, map[string]*Provider{}
	d.byHost, d.retired, d.gone = map[string][]Use{}, map[string]Retired{}, map[string]*Closed{}
	for _, p := range d.providers {
		first(d.byID, p.ID, p)
		for _, domain := range p.Domains {
			first(d.byDomain, domain, p)
		}
		for _, domain := range p.Vanity {
			first(d.byDomain, domain, p)
		}
		for _, suffix := range p.MX {
			first(d.byMX, suffix, p)
		}
		for _, r := range p.Retired {
			if strings.Contains(r.Host, "*") {
				d.retiredG = append(d.retiredG, r)
			} else {
				first(d.retired, r.Host, r)
			}
		}
	}
	// Hosts by role, so that the role a host is best known for comes first; an
	// alias of one provider is another's own host.
	for _, add := range []func(*Provider){d.addSubmission, d.addAliases, d.addIncoming, d.addMistaken} {
		for _, p := range d.providers {
			add(p)
		}
	}
	for i := range d.closed {
		c := &d.closed[i]
		for _, name := range slices.Concat(c.Hosts, c.Domains) {
			first(d.gone, name, c)
		}
	}
	d.near = d.nearNames()
}

func first[K comparable, V any](m map[K]V, key K, value V) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

func (d *database) addSubmission(p *Provider) {
	for _, s := range p.Submission {
		d.addServer(p, RoleOutgoing, "", s)
	}
}

func (d *database) addAliases(p *Provider) {
	if len(p.Submission) > 0 {
		for _, alias := range p.Aliases {
			for _, s := range p.Submission {
				if s.Host == p.Submission[0].Host {
					d.addServer(p, RoleOutgoing, "", Server{Host: alias, Port: s.Port, Security: s.Security})
				}
			}
		}
	}
	for _, pattern := range p.Patterns {
		i := slices.IndexFunc(d.globs, func(g globUse) bool { return g.pattern == pattern.Host })
		if i < 0 {
			i = len(d.globs)
			d.globs = append(d.globs, globUse{pattern.Host, Use{Provider: p, Role: RoleOutgoing}})
		}
		d.globs[i].use.Servers = append(d.globs[i].use.Servers, pattern)
	}
}

func (d *database) addIncoming(p *Provider) {
	for _, in := range p.Incoming {
		d.addServer(p, RoleIncoming, in.Protocol, in.Server)
	}
}

// addServer adds a port to the use of its host.
func (d *database) addServer(p *Provider, role Role, protocol string, s Server) {
	uses := d.byHost[s.Host]
	for i := range uses {
		if u := &uses[i]; u.Provider == p && u.Role == role && u.Protocol == protocol {
			u.Servers = append(u.Servers, s)
			return
		}
	}
	d.byHost[s.Host] = append(uses, Use{Provider: p, Role: role, Protocol: protocol, Servers: []Server{s}})
}

func (d *database) addMistaken(p *Provider) {
	for _, m := range p.Mistaken {
		u := Use{Provider: p, Role: m.Role, Why: m.Why}
		if strings.Contains(m.Host, "*") {
			d.globs = append(d.globs, globUse{m.Host, u})
		} else {
			d.byHost[m.Host] = append(d.byHost[m.Host], u)
		}
	}
}

// All returns all providers, by kind and within a kind as the files have them.
func All() []*Provider { return slices.Clone(data().providers) }

// ByID returns the provider with this id.
func ByID(id ID) (*Provider, bool) {
	p, ok := data().byID[id]
	return p, ok
}

// ByDomain returns the provider whose users have addresses in this mail domain.
// It knows the providers' own domains, not those of their customers; for these
// see [ByMX].
func ByDomain(domain string) (*Provider, bool) {
	domain = clean(domain)
	if p, ok := data().byDomain[domain]; ok {
		return p, true
	}
	for rest := domain; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return nil, false
		}
		if p, ok := data().byDomain["*."+after]; ok {
			return p, true
		}
		rest = after
	}
}

// ByMX returns the provider that takes the mail of a domain with these MX hosts,
// which are in the order of preference. The first host that ends as some
// provider's do decides, by its longest such end. A filter before a provider
// hides it.
func ByMX(hosts ...string) (*Provider, bool) {
	for _, host := range hosts {
		for rest := clean(host); rest != ""; {
			if p, ok := data().byMX[rest]; ok {
				return p, true
			}
			_, rest, _ = strings.Cut(rest, ".")
		}
	}
	return nil, false
}

// ByHost returns what a host is to the providers that use it: as outgoing server
// first, then as another's alias, incoming, and mistaken. It is empty for an
// unknown host; retired names are unknown to it, see [ByRetired].
func ByHost(host string) []Use {
	d, host := data(), clean(host)
	if uses, ok := d.byHost[host]; ok {
		return slices.Clone(uses)
	}
	var uses []Use
	for _, g := range d.globs {
		if matches(g.pattern, host) {
			u := g.use
			u.Servers = slices.Clone(u.Servers)
			for i := range u.Servers {
				u.Servers[i].Host = host
			}
			uses = append(uses, u)
		}
	}
	return uses
}

// clean returns a name as the data have it.
func clean(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// matches reports whether name is pattern with some characters, at least one, in
// place of each "*".
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := -1
		if len(rest) > 0 {
			i = strings.Index(rest[1:], part)
		}
		if i < 0 {
			return false
		}
		rest = rest[1+i+len(part):]
	}
	last := parts[len(parts)-1]
	return len(rest) > len(last) && strings.HasSuffix(rest, last)
}
