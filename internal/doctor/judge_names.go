package doctor

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/resolver"
)

// names judges the look-up of the server.
func (j *judge) names() *Finding {
	n := j.f.name(nameTarget)
	if j.q.Meant != "" {
		_, domain, _ := strings.Cut(j.q.Address, "@")
		x := j.find("dns.misspelt", explain.Likely, domain+" is one or two letters away from "+j.q.Meant)
		x.Subject, x.Title = j.q.Address, fmt.Sprintf("The address ends in %s, and %s is probably meant", domain, j.q.Meant)
		x.first(fmt.Sprintf("Use %s in place of %s.", j.q.Meant, domain))
		x.Do = append(x.Do, "If "+domain+" is right, name its outgoing server: wellsent doctor HOST:PORT")
		return x
	}
	if x := j.retired(); x != nil {
		return x
	}
	if n == nil {
		if j.f.OutOfTime {
			return j.find("dns.lookup-failed", explain.Possible, "looking up "+j.q.Host+" did not end in the time given")
		}
		return nil
	}
	switch n.Kind {
	case "":
		return j.filtered(n)
	case resolver.KindNoName, resolver.KindNoData, resolver.KindBadName, resolver.KindNullMX:
		return j.noName(n)
	}
	return j.noAnswer(n)
}

// noName judges a name that is said not to exist.
func (j *judge) noName(n *Name) *Finding {
	seen := fmt.Sprintf("no address for %s (%s%s)", n.Name, notFound(n), from(n))
	also := j.otherNames()
	if name := j.q.misspelt(); name != "" {
		x := j.find("dns.misspelt", explain.Likely, seen, name+" is a known server"+ports(name))
		return x.first(fmt.Sprintf("Use %s in place of %s%s.", name, n.Name, ports(name)))
	}
	for i := range j.f.Names {
		if c := &j.f.Names[i]; c.Why == nameCandidate && c.Kind == "" {
			x := j.find("dns.misspelt", explain.Likely, seen, fmt.Sprintf("%s exists: %s", c.Name, addressList(c.Addresses)))
			return x.first(fmt.Sprintf("Use %s in place of %s.", c.Name, n.Name))
		}
	}
	return j.find("dns.name-not-found", explain.Certain, seen, also)
}

// notFound says how a name is missing.
func notFound(n *Name) string {
	switch n.Kind {
	case resolver.KindNoName:
		return "NXDOMAIN"
	case resolver.KindNoData:
		return "the name exists and has no address record"
	}
	return string(n.Kind)
}

// from names the name server, where one is known.
func from(n *Name) string {
	if n.By == "" {
		return ""
	}
	return " from " + n.By
}

// otherNames says whether other names resolve, where that was tried.
func (j *judge) otherNames() string {
	for i := range j.f.Names {
		if n := &j.f.Names[i]; n.Kind == "" && (n.Why == nameControl || n.Why == nameCheck) {
			return fmt.Sprintf("other names resolve: %s to %s", n.Name, addressList(n.Addresses))
		}
	}
	return ""
}

// noAnswer judges a look-up that had no definite answer.
func (j *judge) noAnswer(n *Name) *Finding {
	seen := fmt.Sprintf("looking up %s: %s%s", n.Name, n.Kind, from(n))
	if n.Detail != "" {
		seen = fmt.Sprintf("looking up %s: %s%s", n.Name, n.Detail, from(n))
	}
	if j.f.Local != nil && !j.f.Local.Up && !loopbackServer(n.By) {
		return j.find("net.offline", explain.Certain, seen, "no network interface of this machine is up and has an address")
	}
	var others, failed []string
	answered := false
	for i := range j.f.Names {
		o := &j.f.Names[i]
		switch {
		case o.Why == nameOther && (o.Kind == "" || o.Kind.Definite()):
			others = append(others, o.Server)
		case (o.Why == nameCheck || o.Why == nameControl) && (o.Kind == "" || o.Kind.Definite()):
			answered = true
		case o.Why == nameCheck || o.Why == nameControl:
			failed = append(failed, o.Name)
		}
	}
	silent := n.Kind == resolver.KindTimeout || n.Kind == resolver.KindUnreachable
	if !silent || answered {
		x := j.find("dns.lookup-failed", explain.Likely, seen, j.otherNames())
		if len(others) > 0 {
			x.Seen = append(x.Seen, "another name server answers: "+listOf(others))
		}
		return x
	}
	up, down := j.controls()
	if len(down) > 0 && len(up)+len(others) == 0 && !loopbackServer(n.By) {
		return j.find("net.offline", explain.Likely, seen, "hosts known to be up do not answer either: "+listOf(down))
	}
	x := j.find("dns.resolver-unreachable", explain.Likely, seen)
	if len(up) > 0 {
		x.Confidence = explain.Certain
		x.Seen = append(x.Seen, "the network is there: "+listOf(up)+" can be reached")
	}
	if len(failed) > 0 {
		x.Seen = append(x.Seen, "other names fail alike: "+listOf(failed))
	}
	if len(others) > 0 {
		x.Confidence = explain.Certain
		x.Seen = append(x.Seen, "another name server answers: "+listOf(others))
	}
	if n.By != "" {
		x.first(fmt.Sprintf("Give this machine or container a name server that answers, in place of %s (on Linux: /etc/resolv.conf; in Docker: dns: of the service).", n.By))
	}
	return x
}

// controls returns the hosts known to be up that answered, and those that did not.
func (j *judge) controls() (up, down []string) {
	for _, c := range j.f.connects(connectControl) {
		switch {
		case c.Outcome == Unknown: // not tried
		case c.Outcome.answered():
			up = add(up, c.Endpoint.String())
		default:
			down = add(down, c.Endpoint.String())
		}
	}
	return up, down
}

func loopbackServer(server string) bool {
	a, err := netip.ParseAddrPort(server)
	return err == nil && a.Addr().IsLoopback()
}

// filtered judges an answer that is none: the unspecified address, with which
// filters answer, and addresses of this machine or network for a server that is
// known to be elsewhere, unless it proves by its certificate to be the one.
func (j *judge) filtered(n *Name) *Finding {
	if j.q.isIP() || j.q.Proxy != nil || len(n.Addresses) == 0 {
		return nil
	}
	for _, t := range j.f.Talks {
		if t.Verified && t.Host == j.q.Host {
			return nil
		}
	}
	unspecified, inside := true, true
	for _, a := range n.Addresses {
		unspecified = unspecified && a.IsUnspecified()
		inside = inside && (a.IsUnspecified() || a.IsLoopback() || a.IsPrivate())
	}
	if !unspecified && !(inside && j.q.ownProvider() != nil) {
		return nil
	}
	x := j.find("dns.filtered", explain.Likely, fmt.Sprintf("%s resolves to %s%s, which is no address of a mail server on the Internet", n.Name, addressList(n.Addresses), from(n)))
	x.RuledOut = []string{} // the false address answers for nothing
	for i := range j.f.Names {
		if o := &j.f.Names[i]; o.Why == nameOther && o.Kind == "" {
			x.Confidence = explain.Certain
			x.Seen = append(x.Seen, fmt.Sprintf("%s says: %s", o.Server, addressList(o.Addresses)))
		}
	}
	return x.first(fmt.Sprintf("Allow %s in the DNS filter (Pi-hole, AdGuard, a router or a company's), or take it out of /etc/hosts.", strings.TrimSuffix(n.Name, ".")))
}
