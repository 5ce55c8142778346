package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// Some networks lead all connections to a mail port to a server of their own. It
// shows by the same stranger answering for hosts of different owners.

// strangerProbes ask hosts known to be up on the port of a conversation in which
// somebody else than the host seems to have answered.
func strangerProbes(q *Question, f *Facts, t *Talk) []probe {
	if f.talk(talkControl) != nil || !t.byStranger() && !t.mute() || !slices.Contains(submissionPorts, t.Port) {
		return nil
	}
	hosts := []string{}
	for _, c := range q.Controls {
		hosts = append(hosts, c.Host)
	}
	if len(hosts) == 0 {
		if n := f.name(nameTarget); n == nil || !allPublic(n.Addresses) || t.Port == 2525 {
			return nil
		}
		hosts = wellKnown
	}
	var probes []probe
	for _, h := range hosts {
		if strings.EqualFold(h, t.Host) || len(probes) == maxStrangers {
			continue
		}
		probes = append(probes, probe{kind: probeTalk, at: Endpoint{h, t.Port}, security: t.Security, why: string(talkControl)})
	}
	return probes
}

// maxStrangers is how many other hosts are asked.
const maxStrangers = 2

// mute reports whether a server took the connection and said nothing at all.
func (t *Talk) mute() bool {
	if t.Failure == nil || t.Spoke != "" || t.First != 0 || !isTimeout(t.Failure.Err) {
		return false
	}
	return t.Failure.Stage == evidence.StageGreeting || t.Security == Implicit && t.Failure.Stage == evidence.StageTLS
}

// muted judges a mail port on which connections are opened and nothing comes back:
// whether other hosts are as mute there, and whether another port of the host is
// not. It returns nil where neither tells.
func (j *judge) muted(t *Talk) *Finding {
	var mute, speak []string
	for _, c := range j.f.Talks {
		switch {
		case c.Why != talkControl:
		case c.mute():
			mute = append(mute, c.Endpoint.String())
		case c.First > 0:
			speak = append(speak, c.Endpoint.String())
		}
	}
	seen := "connected to " + t.Endpoint.String() + ", and nothing came back, whatever was said"
	if len(mute) > 0 && len(speak) == 0 {
		return j.find("net.port-blocked", explain.Likely, seen, "it is the same with "+listOf(mute)+": something on the way takes the connection and lets nothing through")
	}
	for _, other := range j.f.Talks {
		if other.Why != talkPort || !other.well() || other.NoTLS || len(speak) == 0 {
			continue
		}
		x := j.find("service.wrong-port", explain.Likely, seen, fmt.Sprintf("port %d of the same server takes mail (%s)", other.Port, other.inWords()), "other servers answer on this port: "+listOf(speak))
		return x.first(fmt.Sprintf("Use port %d with %s (tried just now: it answers).", other.Port, securityWords(other.Security)))
	}
	return nil
}

// byStranger reports whether somebody else than the host seems to have answered: by
// a certificate that is not for its name, or without TLS, by the name in the
// greeting.
func (t *Talk) byStranger() bool {
	if len(t.Chain) > 0 {
		return t.Chain[0].VerifyHostname(t.Host) != nil
	}
	return t.NoTLS && t.greeter() != "" && organisation(t.greeter()) != organisation(t.Host)
}

// greeter returns the name that a server greets with, "" for none. RFC 5321 §4.2.
func (t *Talk) greeter() string {
	if t.Record == nil {
		return ""
	}
	words := strings.Fields(t.Record.Greeting)
	if len(words) < 2 || !strings.Contains(words[1], ".") || strings.Contains(words[1], "*") {
		return ""
	}
	return strings.ToLower(strings.TrimRight(words[1], "."))
}

// organisation returns the domain that an owner has registered, or the name.
func organisation(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(host) != nil {
		return host
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}

// stranger judges a server that answers in place of the one asked for, and in place
// of hosts that have nothing to do with it.
func (j *judge) stranger() *Finding {
	t := j.effective()
	if t == nil || !t.byStranger() {
		return nil
	}
	var others []string
	public := 0
	for _, c := range j.f.Talks {
		if c.Why != talkControl || c.Record == nil || c.Record.Greeting == "" {
			continue
		}
		if organisation(c.Host) == organisation(t.Host) || !c.byStranger() || !sameServer(t, c) || j.sameAddress(c.Host) {
			return nil // that host answers itself, or the two are one server of one owner
		}
		if slices.Contains(wellKnown, c.Host) {
			public++
		}
		others = append(others, c.Endpoint.String())
	}
	if len(others) == 0 {
		return nil
	}
	who := t.greeter()
	if who == "" && len(t.Chain) > 0 {
		who = namesOf(t.Chain[0])
	}
	id, sure := cause.ID("net.port-blocked"), explain.Likely
	if len(others) > 1 || public > 0 {
		sure = explain.Certain
	}
	x := j.find(id, sure, fmt.Sprintf("%s answers in place of %s: %s", who, t.Endpoint, t.Record.Greeting),
		fmt.Sprintf("the same server answers in place of %s", listOf(others)))
	x.Title = fmt.Sprintf("This network leads mail on port %d to a server of its own, %s", t.Port, who)
	if len(t.Chain) > 0 {
		x.Seen = append(x.Seen, "its certificate is for "+namesOf(t.Chain[0]))
	}
	for _, other := range j.f.Talks {
		if other.Why == talkPort && other.well() && !other.NoTLS && other.Verified {
			x.first(fmt.Sprintf("Use port %d with %s (tried just now: the server itself answers there).", other.Port, securityWords(other.Security)))
			return x
		}
	}
	if t.Port == 25 || t.Port == 587 {
		x.first("Use port 465 with SSL/TLS, which is seldom led astray, or another network.")
	}
	return x
}

// sameServer reports whether two conversations were with one server.
func sameServer(a, b *Talk) bool {
	if len(a.Chain) > 0 && len(b.Chain) > 0 {
		return a.Chain[0].Equal(b.Chain[0])
	}
	return len(a.Chain) == len(b.Chain) && a.greeter() != "" && a.greeter() == b.greeter()
}

// sameAddress reports whether a control is at an address of the target's: then they
// are one server without any help of the network's.
func (j *judge) sameAddress(host string) bool {
	target := j.f.name(nameTarget)
	if target == nil {
		return false
	}
	for _, n := range j.f.Names {
		if n.Name == host && n.Why != nameTarget {
			return slices.ContainsFunc(n.Addresses, func(a netip.Addr) bool { return slices.Contains(target.Addresses, a) })
		}
	}
	for _, a := range target.Addresses {
		if a.String() == host {
			return true
		}
	}
	for _, c := range j.f.Connects {
		if c.Host == host && c.Address.IsValid() && slices.Contains(target.Addresses, c.Address) {
			return true
		}
	}
	return false
}
