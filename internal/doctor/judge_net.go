package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
)

// incomingPorts are those of servers for reading mail. RFC 8314 §7, 1939, 3501.
var incomingPorts = map[int]string{110: "POP3", 143: "IMAP", 993: "IMAP", 995: "POP3"}

// incomingServer judges a server for reading mail that was given for sending,
// whatever it answers.
func (j *judge) incomingServer() *Finding {
	protocol, ok := incomingPorts[j.q.Port]
	if !ok {
		return j.incomingHost()
	}
	x := j.find("service.incoming-server", explain.Certain, fmt.Sprintf("port %d is for reading mail (%s), not for sending", j.q.Port, protocol))
	if t := j.f.talk(talkTarget); t != nil && (t.Spoke == ProtoIMAP || t.Spoke == ProtoPOP3) {
		x.Seen = append(x.Seen, fmt.Sprintf("it greets as %s: %s", t.Spoke, t.Record.Greeting))
	}
	return x.first("Give the outgoing (SMTP) server: port 587 with STARTTLS, or 465 with SSL/TLS.")
}

// view is what was seen of a port that was not reached, and of what tells about it.
type view struct {
	outcome    Outcome  // of the target; the most telling of its addresses
	works      []*Talk  // other ports of the target on which mail is taken
	answered   []string // other ports of the target that answer at all, if only with a refusal
	silent     []string // those that do not
	sameFine   []string // controls that answer on the port asked about
	sameDead   []string // controls known to be up on that port, or silent there, that do not
	elsewhere  []string // controls that answer on another port
	controlled bool     // there were controls
}

// look returns the view.
func (j *judge) look() view {
	var v view
	for _, c := range j.f.connects(connectTarget) {
		if v.outcome == "" || c.Outcome == Refused || c.Outcome == Denied || c.Outcome == Silent && v.outcome != Refused && v.outcome != Denied {
			v.outcome = c.Outcome
		}
	}
	for _, t := range j.f.Talks {
		if t.Why == talkPort && t.well() && !t.NoTLS {
			v.works = append(v.works, t)
		}
	}
	others := j.f.connects(connectOther)
	slices.SortStableFunc(others, func(a, b Connect) int { return a.Port - b.Port })
	for _, c := range others {
		if c.Host != j.q.Host {
			continue
		}
		port := fmt.Sprint(c.Port)
		if c.Outcome == Open {
			port += " (open)"
		}
		switch {
		case c.Outcome.answered() && !slices.Contains(v.answered, port):
			v.answered = append(v.answered, port)
		case !c.Outcome.answered() && !slices.Contains(v.silent, port):
			v.silent = append(v.silent, port)
		}
	}
	for _, c := range j.f.connects(connectControl) {
		if c.Outcome == Unknown {
			continue
		}
		v.controlled = true
		name := c.Endpoint.String()
		upThere := len(j.q.Controls) == 0 || slices.Contains(j.q.Controls, c.Endpoint)
		switch {
		case c.Port == j.q.Port && c.Outcome == Open:
			v.sameFine = add(v.sameFine, name)
		case c.Port == j.q.Port && (upThere || c.Outcome == Silent):
			v.sameDead = add(v.sameDead, name)
		case c.Port != j.q.Port && c.Outcome.answered():
			v.elsewhere = add(v.elsewhere, name)
		}
	}
	return v
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// network judges a port that was not reached.
func (j *judge) network() *Finding {
	if len(j.f.connects(connectTarget)) == 0 || j.f.reached(connectTarget) {
		if len(j.f.connects(connectTarget)) == 0 && j.f.OutOfTime {
			return j.find("net.timeout", explain.Possible, "the time was over before "+j.q.subject()+" had answered")
		}
		return nil
	}
	if j.f.onAnyPort(j.q) != nil {
		return nil
	}
	v := j.look()
	x := j.unreached(v)
	if y := j.parked(x, v); y != nil {
		x = y
	}
	x.Seen = append(append(j.attempts(), x.Seen...), j.proxied()...)
	if len(v.answered) > 0 && x.Cause != "service.wrong-port" {
		x.Seen = append(x.Seen, "the machine is there: it answers, or refuses, on port "+listOf(v.answered))
	}
	if len(v.silent) > 0 {
		x.Seen = append(x.Seen, "no answer either on port "+listOf(v.silent))
	}
	if len(v.sameFine) > 0 {
		x.Seen = append(x.Seen, "other servers answer on this port: "+listOf(v.sameFine))
	}
	if len(v.works) > 0 {
		w := v.works[0]
		x.first(fmt.Sprintf("Use port %d with %s (tried just now: it answers).", w.Port, securityWords(w.Security)))
	}
	return x
}

// unreached is the ladder of what keeps a port from being reached.
func (j *judge) unreached(v view) *Finding {
	outside := true // the target is not on this machine
	if n := j.f.name(nameTarget); n != nil {
		for _, a := range n.Addresses {
			outside = outside && !a.IsLoopback()
		}
	}
	if x := j.captive(v); x != nil {
		return x
	}
	nothing := len(v.sameFine)+len(v.elsewhere)+len(v.answered) == 0
	switch {
	case v.outcome == ByProxy:
		return j.proxyRefused(explain.Certain)
	case nothing && v.outcome != Refused && j.refusal(connectProxy) != nil:
		return j.proxyRefused(explain.Likely) // there is no other way out
	case v.outcome == Denied:
		return j.find("net.port-blocked", explain.Certain, "this machine itself does not allow the connection (its own firewall or sandbox)")
	case outside && nothing && j.f.Local != nil && !j.f.Local.Up:
		return j.find("net.offline", explain.Certain, "no network interface of this machine is up and has an address")
	case len(v.sameDead) > 0 && len(v.sameFine) == 0 && (len(v.elsewhere) > 0 || len(v.works) > 0):
		x := j.find("net.port-blocked", explain.Likely, fmt.Sprintf("no answer on port %d from other servers either: %s", j.q.Port, listOf(v.sameDead)))
		if len(v.elsewhere) > 0 {
			x.Seen = append(x.Seen, "the same servers answer on other ports: "+listOf(v.elsewhere))
		}
		return x
	case outside && nothing && v.controlled && v.outcome != Refused:
		return j.find("net.offline", explain.Likely, "nothing that was tried answers, hosts known to be up neither")
	case v.outcome == Unreachable:
		return j.unroutable()
	case v.outcome == Broken: // reset, before there was anything to say
		return j.find("net.connection-lost", explain.Likely)
	case len(v.works) > 0:
		sure := explain.Likely
		switch {
		case len(v.sameFine) > 0 && v.outcome == Refused:
			sure = explain.Certain
		case len(v.sameFine) == 0 && v.outcome != Refused:
			sure = explain.Possible // the port may as well be blocked on the way
		}
		w := v.works[0]
		return j.find("service.wrong-port", sure, fmt.Sprintf("port %d of the same server takes mail (%s)", w.Port, w.inWords()))
	case v.outcome == Refused && j.hearsay():
		return j.find("net.refused", explain.Likely)
	case v.outcome == Refused:
		return j.find("net.refused", explain.Certain)
	case v.outcome == Silent && len(v.answered) == 0 && len(v.silent) > 0 && (len(v.sameFine) > 0 || len(v.elsewhere) > 0):
		return j.find("net.host-down", explain.Likely, "hosts known to be up answer: "+listOf(append(slices.Clone(v.sameFine), v.elsewhere...)))
	case len(v.sameFine) > 0:
		return j.find("net.timeout", explain.Likely)
	}
	x := j.find("net.timeout", explain.Possible)
	if !v.controlled {
		x.Do = append(x.Do, "To tell a blocked port from a dead server, run this again with a server that you know to be up: --control HOST:PORT.")
	}
	return x
}

// parked judges a host that serves no mail under a name which is a slip for a known
// one: whoever registers such names gives them an address. It returns nil where the
// network, and not the host, keeps us from it.
func (j *judge) parked(x *Finding, v view) *Finding {
	name := j.q.misspelt()
	if name == "" || len(v.works) > 0 || !slices.Contains([]cause.ID{"net.refused", "net.host-down", "net.timeout"}, x.Cause) {
		return nil
	}
	sure := explain.Likely
	if x.Cause == "net.timeout" && len(v.sameFine) == 0 {
		sure = explain.Possible // the port may be blocked on the way
	}
	y := j.find("dns.misspelt", sure, j.q.Host+" has an address and takes no mail there; "+name+" is a known server"+ports(name))
	return y.first(fmt.Sprintf("Use %s in place of %s%s.", name, j.q.Host, ports(name)))
}

// unroutable judges a server to which there is no route: most often one with IPv6
// addresses only, for a machine that has none.
func (j *judge) unroutable() *Finding {
	n := j.f.name(nameTarget)
	six := n != nil && len(n.Addresses) > 0
	for i := 0; six && i < len(n.Addresses); i++ {
		six = n.Addresses[i].Is6()
	}
	if !six || j.f.Local == nil || j.f.Local.IPv6 {
		return j.find("net.unreachable", explain.Certain)
	}
	x := j.find("net.unreachable", explain.Certain, "the server has IPv6 addresses only, and this machine has no public one")
	return x.first("Get IPv6 for this machine or container, or have the server's owner give its name an IPv4 address (an A record) too.")
}

// attempts says what became of the connections to the target.
func (j *judge) attempts() []string {
	var seen []string
	for _, c := range j.f.connects(connectTarget) {
		p := probe{kind: probeConnect, at: c.Endpoint, address: c.Address}
		switch c.Outcome {
		case Silent:
			seen = append(seen, fmt.Sprintf("%s: no answer in %s", p.about(), inWords(c.Took)))
		case Refused:
			seen = append(seen, fmt.Sprintf("%s: refused after %s", p.about(), inWords(c.Took)))
		default:
			seen = append(seen, fmt.Sprintf("%s: %s", p.about(), c.Error))
		}
	}
	return seen
}

// stall is how long an IPv6 connection must hang while IPv4 has worked to be
// called broken. RFC 8305 §5 gives it 250 ms before the other is tried.
const stall = 2 * time.Second

// ipv6 judges an IPv6 address that does not work where IPv4 does.
func (j *judge) ipv6() *Finding {
	host := strings.TrimSuffix(strings.ToLower(j.q.Host), ".")
	if j.q.isIP() || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return nil // the two loopback addresses are two hosts for many programs
	}
	var bad []string
	four := false
	for _, c := range j.f.connects(connectTarget) {
		if !c.Address.IsValid() || c.Why != connectTarget {
			continue
		}
		if c.Address.Is4() {
			four = four || c.Outcome == Open
			continue
		}
		switch {
		case c.Outcome == Open:
			return nil
		case c.Outcome == Refused:
			bad = append(bad, fmt.Sprintf("[%s]: refused", c.Address))
		case c.Outcome == Silent && c.Took >= stall:
			bad = append(bad, fmt.Sprintf("[%s]: no answer in %s", c.Address, inWords(c.Took)))
		case c.Outcome == Denied: // what ICMPv6 "administratively prohibited" of a router comes to, too
			bad = append(bad, fmt.Sprintf("[%s]: %s", c.Address, c.Error))
		case c.Outcome == Unreachable && j.f.Local != nil && j.f.Local.IPv6:
			bad = append(bad, fmt.Sprintf("[%s]: %s", c.Address, c.Error))
		}
	}
	if !four || len(bad) == 0 {
		return nil
	}
	for _, c := range j.f.connects(connectTarget) {
		if c.Outcome == Open {
			bad = append(bad, fmt.Sprintf("%s answers in %s", c.Address, inWords(c.Took)))
			break
		}
	}
	return j.find("net.ipv6-broken", explain.Certain, bad...)
}

// service judges what speaks something else than SMTP.
func (j *judge) service() *Finding {
	causes := map[Protocol]cause.ID{
		ProtoIMAP: "service.wrong-protocol-imap", ProtoPOP3: "service.wrong-protocol-pop3", ProtoHTTP: "service.wrong-protocol-http",
		ProtoSSH: "service.wrong-protocol-ssh", ProtoOther: "service.wrong-protocol-other",
	}
	target := j.f.talk(talkTarget)
	if target == nil || target.Failure == nil || target.Spoke == ProtoSMTP {
		return nil
	}
	for _, t := range []*Talk{target, j.f.talk(talkMode), j.f.talk(talkNudge)} {
		if t == nil || t.Failure == nil {
			continue
		}
		id, ok := causes[t.Spoke]
		if !ok {
			continue
		}
		if t.Spoke == ProtoHTTP {
			if x := j.captive(view{}); x != nil {
				x.Seen = append(x.Seen, fmt.Sprintf("%s answers in HTTP too", t.Endpoint))
				return x
			}
		}
		seen := fmt.Sprintf("%s answers in %s", t.Endpoint, t.Spoke)
		if t.Spoke == ProtoOther {
			seen = t.Endpoint.String() + " answers in no protocol of mail"
		}
		said := t.Record.Greeting
		if said == "" {
			for _, l := range t.Record.Lines {
				if l.From == "S" {
					said = l.Text
				}
			}
		}
		if said != "" {
			seen += ": " + said
		}
		return j.find(id, explain.Certain, seen)
	}
	return nil
}
