package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/resolver"
)

// probeKind is a kind of fact-finder.
type probeKind string

const (
	probeLocal    probeKind = "network"  // this machine's interfaces
	probeName     probeKind = "name"     // one look-up
	probeConnect  probeKind = "connect"  // one TCP connection, closed at once unless it is the target's
	probeTalk     probeKind = "talk"     // one conversation up to EHLO under TLS
	probeNudge    probeKind = "protocol" // speaking first
	probeLogin    probeKind = "login"    // one login
	probeAuth     probeKind = "auth"     // AUTH without credentials, where TLS is not used
	probeEnvelope probeKind = "envelope" // MAIL, RCPT, RSET
	probeIncoming probeKind = "incoming" // the same login at a server for reading mail
	probeIssuer   probeKind = "issuer"   // a certificate that its issuer publishes
	probeClock    probeKind = "clock"    // another clock
	probePortal   probeKind = "portal"   // a plain web request, where mail ports are not reached
	probeDomain   probeKind = "domain"   // what the sender's domain publishes
	probeGrant    probeKind = "token"    // an access token, of the identity provider
	probeTenant   probeKind = "tenant"   // what the provider publishes of a tenant
)

// probe is one thing to try.
type probe struct {
	kind     probeKind
	at       Endpoint
	address  netip.Addr // for connect; zero: by name, through the proxy
	security Security   // for talk and nudge
	name     string     // for name, domain: what is looked up; for talk: the name for EHLO
	server   string     // for name: the name server to ask, "" the usual
	user     string     // for login
	incoming Incoming
	url      string
	through  *proxy.Found // for talk: a proxy of the environment
	why      string       // a reason of the facts
}

// key tells probes apart: none is run twice.
func (p *probe) key() string {
	through := ""
	if p.through != nil {
		through = p.through.Variable
	}
	return fmt.Sprint(p.kind, p.at, p.address, p.security, p.name, p.server, p.user, p.incoming.Endpoint, p.url, through, p.why)
}

// maxAddresses is how many addresses of a family are connected to. One that works
// is enough, and two tell a dead host from a dead address.
const maxAddresses = 2

// wellKnown are servers that take connections from everybody on the submission
// ports. Two must agree, and no more are asked.
var wellKnown = []string{"smtp.gmail.com", "smtp.office365.com"}

// plan returns the probes that come next, from what is known. It returns none when
// all is known that can be.
func plan(q *Question, f *Facts) []probe {
	if q.Meant != "" {
		return nil // the address would go to whoever registered the slip
	}
	if q.Grant != nil && q.Host == "" { // nothing but the token
		if q.Send && q.Token != "" && f.Envelope == nil {
			return []probe{{kind: probeEnvelope}}
		}
		return grantProbes(q, f)
	}
	name := f.name(nameTarget)
	if name == nil {
		return firstProbes(q)
	}
	if allUnspecified(name.Addresses) && q.Proxy == nil && !q.isIP() {
		return filterProbes(q, f)
	}
	if name.Kind != "" {
		return nameProbes(q, f)
	}
	if len(f.connects(connectTarget)) == 0 {
		return connectProbes(q, name)
	}
	if !f.reached(connectTarget) {
		if t := f.onAnyPort(q); t != nil {
			return sessionProbes(q, f, t)
		}
		return networkProbes(q, f, name)
	}
	if f.talk(talkTarget) == nil {
		return []probe{{kind: probeTalk, at: Endpoint{q.Host, q.Port}, security: q.want(), why: string(talkTarget)}}
	}
	if t := f.settled(q); t != nil {
		if t.NoTLS && q.Security != Clear && f.talk(talkPort) == nil && (t.Port == 587 || t.Port == 25 || t.Port == 2525) {
			return append(strangerProbes(q, f, t), probe{kind: probeTalk, at: Endpoint{q.Host, 465}, security: Implicit, why: string(talkPort)})
		}
		if t.NoTLS {
			if probes := strangerProbes(q, f, t); len(probes) > 0 {
				return append(probes, sessionProbes(q, f, t)...)
			}
		}
		return sessionProbes(q, f, t)
	}
	return trouble(q, f)
}

// firstProbes need no facts.
func firstProbes(q *Question) []probe {
	probes := append([]probe{{kind: probeLocal}, {kind: probeName, name: q.Host, why: string(nameTarget)}}, grantProbes(q, &Facts{})...)
	for _, c := range q.Controls {
		if net.ParseIP(c.Host) == nil {
			probes = append(probes, probe{kind: probeName, name: c.Host, why: string(nameControl)})
		}
	}
	if d := q.domain(); d != "" {
		probes = append(probes, probe{kind: probeDomain, name: d})
	}
	return probes
}

// grantProbes ask the identity provider.
func grantProbes(q *Question, f *Facts) []probe {
	switch {
	case q.Grant == nil:
		return nil
	case f.Grant == nil:
		probes := []probe{{kind: probeGrant, name: q.Grant.Route}}
		if q.Grant.Directory != nil {
			probes = append(probes, probe{kind: probeTenant, name: q.Grant.Tenant})
		}
		return probes
	}
	return nil
}

// connectProbes connect to some addresses of both families.
func connectProbes(q *Question, name *Name) []probe {
	at := Endpoint{q.Host, q.Port}
	if q.Proxy != nil {
		return []probe{{kind: probeConnect, at: at, why: string(connectTarget)}}
	}
	var probes []probe
	count := map[bool]int{}
	for _, a := range name.Addresses {
		if count[a.Is4()]++; count[a.Is4()] <= maxAddresses {
			probes = append(probes, probe{kind: probeConnect, at: at, address: a, why: string(connectTarget)})
		}
	}
	return probes
}

// networkProbes tell a blocked port from a dead server, a wrong port and a dead
// network: other ports of the server, and hosts known to be up.
func networkProbes(q *Question, f *Facts, name *Name) []probe {
	if q.Proxy != nil || f.talk(talkPort) != nil || len(f.connects(connectOther)) > 0 {
		return nil
	}
	var probes []probe
	for _, port := range submissionPorts {
		if port != q.Port {
			probes = append(probes, probe{kind: probeTalk, at: Endpoint{q.Host, port}, security: usual(port), why: string(talkPort)})
		}
	}
	for _, u := range portalURLs(q, name) {
		probes = append(probes, probe{kind: probePortal, url: u})
	}
	probes = append(probes, proxyProbes(q)...)
	return append(probes, controlProbes(q, name)...)
}

// proxyProbes ask the server through the proxies that the environment names: where
// that works, mail has to go by them.
func proxyProbes(q *Question) []probe {
	var probes []probe
	found, _ := q.proxies()
	for i := range found {
		probes = append(probes, probe{kind: probeTalk, at: Endpoint{q.Host, q.Port}, security: q.want(), through: &found[i], why: string(talkProxy)})
	}
	return probes
}

// controlProbes connect to hosts known to be up: on the port they are known by, on
// the port of the question, and on others where they do not answer there.
func controlProbes(q *Question, name *Name) []probe {
	controls := q.Controls
	if len(controls) == 0 && slices.Contains(submissionPorts, q.Port) && q.Port != 2525 && allPublic(name.Addresses) {
		for _, h := range wellKnown {
			if !strings.EqualFold(h, q.Host) {
				controls = append(controls, Endpoint{h, q.Port}, Endpoint{h, 443})
			}
		}
	}
	var probes []probe
	add := func(e Endpoint) {
		p := probe{kind: probeConnect, at: e, why: string(connectControl)}
		for i := range probes {
			if probes[i].key() == p.key() {
				return
			}
		}
		probes = append(probes, p)
	}
	for _, c := range controls {
		add(c)
		add(Endpoint{c.Host, q.Port})
	}
	if len(q.Controls) > 0 {
		for _, c := range q.Controls {
			for _, port := range []int{443, 465, 587} {
				if port != q.Port {
					add(Endpoint{c.Host, port})
				}
			}
		}
	}
	return probes
}

func allPublic(addresses []netip.Addr) bool {
	for _, a := range addresses {
		if !public(a) {
			return false
		}
	}
	return len(addresses) > 0
}

// public reports whether an address is one of the Internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !reserved(a)
}

var reservedBlocks = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), // RFC 5737
	netip.MustParsePrefix("198.18.0.0/15"), // RFC 2544
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598
	netip.MustParsePrefix("2001:db8::/32"), // RFC 3849
}

func reserved(a netip.Addr) bool {
	return slices.ContainsFunc(reservedBlocks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// nameProbes ask what else may be behind a name that does not resolve.
func nameProbes(q *Question, f *Facts) []probe {
	if f.name(nameCandidate) != nil || f.name(nameOther) != nil || f.name(nameCheck) != nil {
		return nil
	}
	probes := append(successors(q, f), proxyProbes(q)...) // networks behind a proxy often have no names of the Internet
	switch f.name(nameTarget).Kind {
	case resolver.KindNoName, resolver.KindNoData, resolver.KindBadName:
		for _, c := range candidates(q) {
			probes = append(probes, probe{kind: probeName, name: c, why: string(nameCandidate)})
		}
		if f.name(nameControl) == nil {
			probes = append(probes, probe{kind: probeName, name: checkName(q), why: string(nameCheck)})
		}
	default:
		if f.name(nameControl) == nil {
			probes = append(probes, probe{kind: probeName, name: checkName(q), why: string(nameCheck)})
		}
		if !q.OnlyResolver {
			for _, s := range q.Others {
				probes = append(probes, probe{kind: probeName, name: q.Host, server: s, why: string(nameOther)})
			}
		}
		for _, c := range q.Controls { // a dead name server, or a dead network?
			if net.ParseIP(c.Host) != nil && q.Proxy == nil {
				probes = append(probes, probe{kind: probeConnect, at: c, why: string(connectControl)})
			}
		}
	}
	return probes
}

// allUnspecified reports whether a name was answered with 0.0.0.0 or :: only, as
// filters do.
func allUnspecified(all []netip.Addr) bool {
	for _, a := range all {
		if !a.IsUnspecified() {
			return false
		}
	}
	return len(all) > 0
}

// filterProbes ask other name servers about a name that a filter seems to hide.
func filterProbes(q *Question, f *Facts) []probe {
	if q.OnlyResolver || f.name(nameOther) != nil {
		return nil
	}
	var probes []probe
	for _, s := range q.Others {
		probes = append(probes, probe{kind: probeName, name: q.Host, server: s, why: string(nameOther)})
	}
	return probes
}

// checkName is a name that ought to resolve wherever any does: that of the root of
// the server's own domain.
func checkName(q *Question) string {
	labels := strings.Split(strings.TrimSuffix(q.Host, "."), ".")
	if len(labels) < 2 {
		return "example.com"
	}
	return strings.Join(labels[len(labels)-2:], ".")
}

// settled returns the conversation on which login and envelope go on, or nil where
// there is none: what was asked for, or where that was left to the doctor, what
// works.
func (f *Facts) settled(q *Question) *Talk {
	for _, why := range []talkReason{talkAgain, talkTarget, talkAnyCert} {
		if t := f.talk(why); t.well() {
			return t
		}
	}
	if t := f.talk(talkMode); q.free() && t.well() && t.Port == q.Port {
		return t
	}
	return f.onAnyPort(q)
}

// onAnyPort returns the conversation on another port than the usual one, where the
// port was left open; nil without one.
func (f *Facts) onAnyPort(q *Question) *Talk {
	if !q.anyPort {
		return nil
	}
	for _, port := range submissionPorts {
		for _, t := range f.Talks {
			if t.Why == talkPort && t.Port == port && t.well() && !t.NoTLS {
				return t
			}
		}
	}
	return nil
}

// trouble returns the experiments that tell why a conversation failed.
func trouble(q *Question, f *Facts) []probe {
	t := f.talk(talkTarget)
	at := Endpoint{q.Host, q.Port}
	if t.Failure == nil {
		return nil
	}
	var probes []probe
	add := func(p probe) { probes = append(probes, p) }
	if mode := f.talk(talkMode); t.Spoke == ProtoHTTP || mode != nil && mode.Spoke == ProtoHTTP {
		for _, u := range portalURLs(q, f.name(nameTarget)) { // a sign-in page may answer for all
			add(probe{kind: probePortal, url: u})
		}
	}
	if t.stalled() && f.talk(talkSmall).passed() {
		return nil // it is known
	}
	if t.unheard() {
		probes = append(probes, proxyProbes(q)...) // a firewall may take the connection and then break it
	}
	if t.stalled() && q.Proxy == nil && f.talk(talkSmall) == nil {
		add(probe{kind: probeTalk, at: at, security: t.Security, why: string(talkSmall)})
	}
	if t.mute() && f.talk(talkControl) == nil {
		if controls := strangerProbes(q, f, t); len(controls) > 0 {
			probes = append(probes, controls...)
			for _, port := range []int{465, 587} {
				if port != t.Port {
					add(probe{kind: probeTalk, at: Endpoint{q.Host, port}, security: usual(port), why: string(talkPort)})
				}
			}
		}
	}
	switch s := t.Failure.Stage; {
	case t.Security == Implicit && s == evidence.StageTLS && t.Spoke != ProtoTLS && f.talk(talkMode) == nil:
		add(probe{kind: probeTalk, at: at, security: StartTLS, why: string(talkMode)})
	case s == evidence.StageTLS && t.VerifyError == nil && !t.AskedCert && f.talk(talkLegacy) == nil && !t.mute():
		add(probe{kind: probeTalk, at: at, security: t.Security, why: string(talkLegacy)})
	case s == evidence.StageTLS && t.VerifyError != nil:
		if q.betweenServers() && f.talk(talkAnyCert) == nil {
			add(probe{kind: probeTalk, at: at, security: StartTLS, why: string(talkAnyCert)})
		}
		probes = append(probes, strangerProbes(q, f, t)...)
		if t.byStranger() && len(probes) > 0 && f.talk(talkPort) == nil && t.Port != 465 {
			add(probe{kind: probeTalk, at: Endpoint{q.Host, 465}, security: Implicit, why: string(talkPort)})
		}
		for _, u := range issuerURLs(t) {
			if f.Issuer == nil {
				add(probe{kind: probeIssuer, url: u, at: at})
			}
		}
		if len(f.Clocks) == 0 && timeProblem(t) {
			for _, c := range clocks(q, f) {
				add(probe{kind: probeClock, at: c})
			}
		}
	case s == evidence.StageEHLO && !t.Failure.Reply.IsZero() && !f.talk(talkHello).well():
		if names, n := helloNames(q, t), f.countTalks(talkHello); n < len(names) {
			add(probe{kind: probeTalk, at: at, security: t.Security, name: names[n], why: string(talkHello)})
		}
	}
	return probes
}

// clocks are hosts that may tell the time, as web servers do.
func clocks(q *Question, f *Facts) []Endpoint {
	if len(q.Controls) > 0 {
		all := slices.Clone(q.Controls)
		for _, c := range q.Controls {
			if web := (Endpoint{c.Host, 443}); slices.Contains(submissionPorts, c.Port) && !slices.Contains(all, web) {
				all = append(all, web)
			}
		}
		return all
	}
	if n := f.name(nameTarget); n != nil && allPublic(n.Addresses) {
		return []Endpoint{{"www.google.com", 443}, {"www.microsoft.com", 443}}
	}
	return nil
}

func (f *Facts) countTalks(why talkReason) int {
	n := 0
	for _, t := range f.Talks {
		if t.Why == why {
			n++
		}
	}
	return n
}

// helloNames are names for EHLO that no sane server refuses: the address of our
// end, and a full name.
func helloNames(q *Question, t *Talk) []string {
	var names []string
	if t.Local.IsValid() {
		literal := "[" + t.Local.String() + "]"
		if t.Local.Is6() {
			literal = "[IPv6:" + t.Local.String() + "]"
		}
		names = append(names, literal)
	}
	if d := q.domain(); d != "" {
		return append(names, "client."+d)
	}
	if q.isIP() {
		return append(names, "client.example.com")
	}
	return append(names, "client."+parentOf(q.Host))
}

// parentOf returns a name without its first label, or the name.
func parentOf(host string) string {
	if _, parent, ok := strings.Cut(host, "."); ok && strings.Contains(parent, ".") {
		return parent
	}
	return host
}

// sessionProbes go on from a conversation that stands: the login, the envelope, and
// the same login at the incoming server.
func sessionProbes(q *Question, f *Facts, t *Talk) []probe {
	if q.User != "" && len(f.Logins) == 0 && f.Withheld == "" {
		switch {
		case t.TLS == "" && q.Security == Clear:
			return []probe{{kind: probeAuth}}
		case t.TLS == "":
			return nil // the lack of TLS is what is found
		}
		return []probe{{kind: probeLogin, user: q.User}}
	}
	if n := len(f.Logins); n > 0 && f.Logins[n-1].Failure != nil {
		return loginProbes(q, f)
	}
	if f.Envelope == nil && (q.From != "" || q.To != "" || q.Security == Clear) {
		return []probe{{kind: probeEnvelope}}
	}
	return nil
}

// maxLogins is how many logins one run makes at one server. Accounts are locked
// after three to ten failures, and the user may run us twice.
const maxLogins = 2

// loginProbes are the experiments after a login that was refused.
func loginProbes(q *Question, f *Facts) []probe {
	last := f.Logins[len(f.Logins)-1]
	if !rejected(q, &last) || q.Token != "" {
		if t := f.settled(q); last.Failure.Stage == evidence.StageAuth && t != nil && t.TLS == "" && f.talk(talkMode) == nil {
			return []probe{{kind: probeTalk, at: t.Endpoint, security: StartTLS, why: string(talkMode)}}
		}
		return nil
	}
	if other := otherForm(q); other != "" && len(f.Logins) < maxLogins && f.Withheld == "" && last.User == q.User {
		return []probe{{kind: probeLogin, user: other}}
	}
	if len(f.Incoming) > 0 {
		return nil
	}
	for _, in := range q.Incoming {
		return []probe{{kind: probeIncoming, incoming: in}} // one is enough
	}
	return nil
}

// rejected reports whether a login was refused because of its credentials, as far
// as the server said.
func rejected(q *Question, l *Login) bool {
	if l.Failure == nil || l.Failure.Reply.IsZero() {
		return false
	}
	x := explain.Error(l.Failure, explain.Facts{Host: q.Host, Port: q.Port, User: l.User})
	return slices.Contains([]cause.ID{"auth.credentials-rejected", "auth.username-format"}, x.Cause)
}

// otherForm returns the user name in the form that was not given: the whole address
// for a local part.
func otherForm(q *Question) string {
	if strings.Contains(q.User, "@") {
		return ""
	}
	for _, a := range []string{q.Address, q.From} {
		if local, domain, ok := strings.Cut(a, "@"); ok && domain != "" && strings.EqualFold(local, q.User) {
			return a
		}
	}
	for _, a := range []string{q.Address, q.From} {
		if _, domain, ok := strings.Cut(a, "@"); ok && domain != "" {
			return q.User + "@" + domain
		}
	}
	return ""
}
