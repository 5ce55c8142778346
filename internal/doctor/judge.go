package doctor

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// judge turns facts into findings. It does nothing else.
type judge struct {
	q *Question
	f *Facts
}

// findings returns the root cause, and beside it what would remain if that were
// cured. The first rung of the ladder that has a finding hides those below it: what
// does not resolve cannot be connected to.
func (j *judge) findings() []Finding {
	found := []Finding{}
	if j.q.Grant != nil && j.q.Host == "" { // nothing but the token was asked about
		for _, rung := range []func() *Finding{j.grant, j.envelope} {
			if x := rung(); x != nil {
				return append(found, *x)
			}
		}
		return found
	}
	for _, rung := range []func() *Finding{
		j.proxyRequired, j.names, j.incomingServer, j.network, j.blackHole, j.service, j.stranger, j.mode, j.greeting, j.tls, j.auth, j.envelope, j.keyOfPrograms,
	} {
		if x := rung(); x != nil {
			found = append(found, *x)
			break
		}
	}
	if x := j.ipv6(); x != nil {
		found = append(found, *x)
	}
	return found
}

// effective returns the conversation that tells how the port is: the one asked for,
// or where the security was left to the doctor, the one in the other mode when that
// is what the port speaks.
func (j *judge) effective() *Talk {
	t := j.f.talk(talkTarget)
	if t == nil {
		return j.f.onAnyPort(j.q)
	}
	if t.Failure == nil || !j.q.free() {
		return t
	}
	if lax := j.f.talk(talkAnyCert); t.VerifyError != nil && lax.well() {
		return lax
	}
	mode := j.f.talk(talkMode)
	if mode == nil || mode.Port != j.q.Port || mode.Failure != nil && mode.TLS == "" && mode.Spoke != ProtoTLS && mode.Spoke != ProtoSMTP {
		return t
	}
	if t.Spoke == "" || t.Security == Implicit && t.Spoke != ProtoTLS {
		return mode
	}
	return t
}

// find returns a finding of the catalogue with what was seen.
func (j *judge) find(id cause.ID, sure explain.Confidence, seen ...string) *Finding {
	x := explain.Known(id, j.facts(""), "")
	return j.finding(x, sure, seen...)
}

// explained returns the finding of a failure as package explain names it.
func (j *judge) explained(err *evidence.Error, seen ...string) *Finding {
	x := explain.Error(err, j.facts(err.Stage))
	return j.finding(x, x.Confidence, append(slices.Clone(x.Proof), seen...)...)
}

// finding returns x in the form of a report.
func (j *judge) finding(x explain.Finding, sure explain.Confidence, seen ...string) *Finding {
	f := &Finding{
		Cause: x.Cause, Title: x.Title, Confidence: sure, Subject: j.q.subject(), Seen: []string{}, RuledOut: j.ruledOut(),
		Why: x.Why, Do: append([]string{}, x.Do...), Actor: x.Actor, Retry: x.Retry,
	}
	for _, s := range seen {
		if s != "" {
			f.Seen = append(f.Seen, s)
		}
	}
	return f
}

// first puts a step before the others.
func (f *Finding) first(step string) *Finding {
	if step != "" {
		f.Do = append([]string{step}, f.Do...)
	}
	return f
}

// facts returns what package explain may know beside a text.
func (j *judge) facts(stage evidence.Stage) explain.Facts {
	x := explain.Facts{Stage: stage, Host: j.q.Host, Port: j.q.Port, Sender: j.q.From, Recipient: j.q.To}
	if j.q.User != "" {
		x.User = j.q.User
	}
	if t := j.effective(); t != nil {
		x.Security = string(t.Security)
	}
	return x
}

// ruledOut lists what was tried and is well, in the order of the ladder.
func (j *judge) ruledOut() []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n := j.f.name(nameTarget); n != nil && n.Kind == "" && !j.q.isIP() && j.q.Proxy == nil {
		add("the name %s resolves to %s", n.Name, addressList(n.Addresses))
	}
	for _, c := range j.f.connects(connectTarget) {
		if c.Outcome == Open {
			add("%s is reached in %s", c.Endpoint, inWords(c.Took))
			break
		}
	}
	for _, c := range j.f.connects(connectControl) {
		if c.Outcome == Open {
			add("%s, known to be up, answers", c.Endpoint)
		}
	}
	t := j.effective()
	if t == nil {
		return out
	}
	if t.Spoke == ProtoSMTP && t.Record.Greeting != "" && (t.Failure == nil || t.Failure.Stage != evidence.StageGreeting) {
		add("an SMTP server greets there: %s", evidence.Clip(t.Record.Greeting, 100))
	}
	if t.Verified && len(t.Chain) > 0 {
		add("%s with a certificate for %s that is trusted and good until %s", t.TLS, t.Host, t.Chain[0].NotAfter.Format("2006-01-02"))
	}
	for _, l := range j.f.Logins {
		if l.Failure == nil {
			add("the login of %s is accepted (%s)", l.User, l.Mechanism)
		}
	}
	if e := j.f.Envelope; e != nil && e.Asked && e.Sender == nil && (e.Rcpt != nil || e.Message != nil) {
		add("the sender %s is accepted", e.From)
	}
	return out
}

// greeting judges a server that does not greet or is not content with ours.
func (j *judge) greeting() *Finding {
	t := j.effective()
	if t == nil || t.Failure == nil {
		return nil
	}
	if errors.Is(t.Failure.Err, smtpclient.ErrGivenUp) {
		if greetingTime(t) > slowGreeting {
			return nil // it answers, and slowly: a warning, and what was not tried is said
		}
		return j.broken(t)
	}
	switch t.Failure.Stage {
	case evidence.StageEHLO:
		if t.wantedCert() {
			return nil // the TLS rung knows
		}
		if t.Failure.Reply.Code == 530 { // FTP greets with 220 too, and wants a login before anything; RFC 959 §5.4
			return j.find("service.wrong-protocol-other", explain.Likely, "it greets with "+t.Record.Greeting+", and answers EHLO with "+t.Failure.Reply.String()+", as FTP servers do")
		}
		if code := t.Failure.Reply.Code; (code == 500 || code == 502) && strings.Contains(strings.ToUpper(t.Record.Greeting), "LMTP") { // RFC 2033 §4.1: LHLO in place of EHLO
			return j.find("service.wrong-protocol-other", explain.Certain, "it greets with "+t.Record.Greeting+", and does not know EHLO: it is an LMTP server, which delivers to mailboxes and takes no mail to send")
		}
		if !t.Failure.Reply.IsZero() {
			return j.hello(t)
		}
		return j.broken(t)
	case evidence.StageGreeting, evidence.StageConnect:
		if t.wantedCert() {
			return nil
		}
		return j.broken(t)
	}
	return nil
}

// broken judges a conversation that ended without a reason.
func (j *judge) broken(t *Talk) *Finding {
	if errors.Is(t.Failure.Err, smtpclient.ErrGivenUp) {
		return j.find("net.timeout", explain.Possible, "connected to "+t.Endpoint.String()+"; no answer at stage "+string(t.Failure.Stage)+" until the run was ended")
	}
	x := j.explained(t.Failure)
	var timeout net.Error
	if t.Failure.Stage != evidence.StageGreeting || t.First > 0 || !errors.As(t.Failure.Err, &timeout) || !timeout.Timeout() {
		return x
	}
	// Silence. Where TLS and a client that speaks first were met by it too, no mail
	// server listens; a mail server that is slow is so with its greeting only.
	seen := []string{"connected to " + t.Endpoint.String() + ", and it said nothing"}
	mode, nudge := j.f.talk(talkMode), j.f.talk(talkNudge)
	if mode != nil && mode.Spoke == "" {
		seen = append(seen, "nor when TLS was begun")
	}
	if nudge != nil && nudge.Spoke == "" {
		seen = append(seen, "nor when it was spoken to first")
	}
	if len(seen) == 3 {
		if x := j.muted(t); x != nil {
			return x
		}
		x := j.find("service.wrong-protocol-other", explain.Likely, seen...)
		x.Do = append(x.Do, fmt.Sprintf("If it is the right server, it may greet after more than the %s that were waited: run this again with a longer --timeout.", inWords(waited(t))))
		return x
	}
	x.Seen = append(x.Seen, seen...)
	return x
}

// hello judges a server that refuses EHLO.
func (j *judge) hello(t *Talk) *Finding {
	for _, other := range j.f.Talks {
		if other.Why == talkHello && other.well() {
			x := j.find("sender.bad-helo", explain.Certain,
				fmt.Sprintf("EHLO %s: %s", t.Hello, t.Failure.Reply.String()),
				fmt.Sprintf("EHLO %s is accepted, tried just now", other.Hello))
			return x.first(fmt.Sprintf("Have the program greet with %s, or with a full name that resolves, in place of %s.", other.Hello, t.Hello))
		}
	}
	if code := t.Failure.Reply.Code; (code == 500 || code == 502) && !greetsAsMail(t.Record.Greeting) {
		return j.find("service.wrong-protocol-other", explain.Likely, "it greets with "+t.Record.Greeting+", which names no host and no SMTP, and knows neither EHLO nor HELO: "+t.Failure.Reply.String())
	}
	return j.explained(t.Failure)
}

// works returns the settings that were tried and succeeded.
func (j *judge) works() Works {
	t := j.effective()
	if !t.well() {
		t = nil
		for _, other := range j.f.Talks {
			if other.well() && !other.NoTLS && (other.Why == talkMode || other.Why == talkPort || other.Why == talkHello || other.Why == talkSuccessor || other.Why == talkProxy) {
				t = other
				break
			}
		}
	}
	if t == nil || t.NoTLS && j.tls() != nil {
		return Works{}
	}
	w := Works{Host: t.Host, Port: t.Port, Security: t.Security, TLS: t.TLS, MaxSize: t.MaxSize}
	if t.NoTLS {
		w.Security = Clear
	}
	switch {
	case t.Through != nil:
		w.Proxy = t.Through.String()
	case j.q.Proxy != nil:
		w.Proxy = j.q.Proxy.String()
	}
	if t.Why == talkHello {
		w.Hello = t.Hello
	}
	if t.Verified && len(t.Chain) > 0 {
		w.Until = t.Chain[0].NotAfter.Format("2006-01-02")
	}
	for _, l := range j.f.Logins {
		if l.Failure == nil {
			w.User, w.Auth = l.User, l.Mechanism
		}
	}
	if e := j.f.Envelope; e != nil && e.Asked && e.failure() == nil {
		w.From, w.To, w.Sent = e.From, e.To, e.Sent
	}
	return w
}

// listOf joins words as a sentence does.
func listOf(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
