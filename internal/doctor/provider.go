package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/provider"
)

// ownProvider returns the provider whose outgoing server the host is, or nil. Hosts
// on this machine, such as a bridge, belong to nobody on the Internet.
func (q *Question) ownProvider() *provider.Provider {
	if q.isIP() || !strings.Contains(q.Host, ".") {
		return nil // localhost, and names of this network
	}
	for _, u := range provider.ByHost(q.Host) {
		if u.Role == provider.RoleOutgoing && u.Provider.Kind != provider.KindLocal && u.Provider.Kind != provider.KindTestSink {
			return u.Provider
		}
	}
	return nil
}

// retired judges a name that its provider has withdrawn, whatever its failure looks
// like.
func (j *judge) retired() *Finding {
	r, ok := provider.ByRetired(j.q.Host)
	if !ok || !j.failed() {
		return j.closed()
	}
	x := j.find("dns.retired-endpoint", explain.Certain)
	if n := j.f.name(nameTarget); n != nil && n.Kind != "" {
		x.Seen = append(x.Seen, fmt.Sprintf("no address for %s (%s%s)", n.Name, notFound(n), from(n)))
	} else {
		x.Seen = append(x.Seen, j.attempts()...)
	}
	if also := j.otherNames(); also != "" {
		x.Seen = append(x.Seen, also)
	}
	x.Seen = append(x.Seen, j.q.Host+" is on the list of names that providers have withdrawn")
	x.Title = j.q.Host + " does not exist any more"
	if r.Note != "" {
		x.Seen = append(x.Seen, "about the old name: "+r.Note)
	}
	if r.Successor != "" {
		x.Do = []string{fmt.Sprintf("Use %s in its place%s.", r.Successor, ports(r.Successor))}
		if t := j.f.talk(talkSuccessor); t.well() {
			x.Do = []string{fmt.Sprintf("Use %s in its place, port %d with %s (tried just now: it answers).", t.Host, t.Port, securityWords(t.Security))}
		}
	} else {
		x.Do = []string{"There is no server in its place: choose another way to send."}
	}
	return x
}

// closed judges a server of a service that no longer exists.
func (j *judge) closed() *Finding {
	c, ok := provider.ByClosed(j.q.Host)
	if !ok || !j.failed() {
		return nil
	}
	x := j.find("dns.retired-endpoint", explain.Certain, fmt.Sprintf("%s was a server of %s, which closed in %s", j.q.Host, c.Name, c.Since))
	if c.Note != "" {
		x.Seen = append(x.Seen, "of it is known: "+c.Note)
	}
	x.Title = c.Name + " does not exist any more"
	x.Do = []string{"Choose another provider, and put its outgoing server into the settings."}
	return x
}

// successors returns the conversation with the server that has taken the place of
// one whose name was withdrawn.
func successors(q *Question, f *Facts) []probe {
	r, ok := provider.ByRetired(q.Host)
	if !ok || r.Successor == "" || f.talk(talkSuccessor) != nil {
		return nil
	}
	for _, u := range provider.ByHost(r.Successor) {
		for _, s := range u.Servers {
			if u.Role == provider.RoleOutgoing {
				return []probe{{kind: probeTalk, at: Endpoint{s.Host, s.Port}, security: Security(s.Security), why: string(talkSuccessor)}}
			}
		}
	}
	return nil
}

// failed reports whether something kept the target from being talked to.
func (j *judge) failed() bool {
	n := j.f.name(nameTarget)
	t := j.effective()
	return n != nil && n.Kind != "" || t == nil || t.Failure != nil
}

// ports names the ports of a provider's host.
func ports(host string) string {
	var words []string
	for _, u := range provider.ByHost(host) {
		if u.Role != provider.RoleOutgoing {
			continue
		}
		for _, s := range u.Servers {
			words = append(words, fmt.Sprintf("port %d with %s", s.Port, securityWords(Security(s.Security))))
		}
		break
	}
	if len(words) == 0 {
		return ""
	}
	return ", " + strings.Join(words, " or ")
}

// incomingHost judges a provider's server for reading mail, or a host that is
// mistaken for its outgoing server.
func (j *judge) incomingHost() *Finding {
	uses := provider.ByHost(j.q.Host)
	if len(uses) == 0 || uses[0].Role != provider.RoleIncoming {
		return nil
	}
	p := uses[0].Provider
	what := "reading mail"
	if uses[0].Protocol != "" {
		what += " (" + strings.ToUpper(uses[0].Protocol) + ")"
	}
	x := j.find("service.incoming-server", explain.Certain, fmt.Sprintf("%s is the server of %s for %s, not for sending", j.q.Host, p.Name, what))
	if t := j.f.talk(talkTarget); t != nil && t.Record.Greeting != "" {
		x.Seen = append(x.Seen, "it greets: "+t.Record.Greeting)
	}
	if len(p.Submission) > 0 {
		s := p.Submission[0]
		x.first(fmt.Sprintf("Use %s in its place%s.", s.Host, ports(s.Host)))
	}
	return x
}

// login refines a plain refusal of user name and password by what the provider
// takes.
func (j *judge) byProvider(x *Finding) *Finding {
	p := j.q.ownProvider()
	if p == nil || j.q.Token != "" {
		return x
	}
	now := j.q.now()
	takes := func(l provider.Login) bool {
		s, _ := p.Standing(l, now)
		return s == provider.Accepted || s == provider.OffByDefault
	}
	var id cause.ID
	switch {
	case takes(provider.Password), takes(provider.Challenge), takes(provider.Credential), takes(provider.APIKey), takes(provider.Token):
		return x
	case takes(provider.AppPassword), takes(provider.AuthorizationCode):
		id = "auth.app-password-required"
	case takes(provider.OAuth2):
		id = "auth.basic-auth-disabled"
	default:
		return x
	}
	y := j.find(id, explain.Likely, append(slices.Clone(x.Seen), p.Name+" does not take the account's password for sending"+since(p, now))...)
	for i := len(p.Setup) - 1; i >= 0 && i < 3; i-- {
		y.first(p.Setup[i])
	}
	return y
}

// since says when passwords ended at a provider, where that is known.
func since(p *provider.Provider, now time.Time) string {
	if s, c := p.Standing(provider.Password, now); s == provider.Ended && c != nil {
		return " since " + day(c.Since)
	}
	return ""
}

// misspelt returns the known host that the name may be a slip for, or "".
func (q *Question) misspelt() string {
	name, _ := provider.Misspelt(q.Host)
	return name
}
