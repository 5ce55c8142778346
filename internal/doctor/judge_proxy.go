package doctor

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// proxyRequired judges a server that is reached through a proxy of the environment
// and not without. Where another port is reached directly, that is the shorter way.
func (j *judge) proxyRequired() *Finding {
	direct := j.f.talk(talkTarget)
	if j.f.reached(connectTarget) && !direct.unheard() || len(j.look().works) > 0 {
		return nil
	}
	for _, t := range j.f.Talks {
		if t.Why != talkProxy || t.Spoke != ProtoSMTP {
			continue
		}
		x := j.find("net.port-blocked", explain.Certain, j.attempts()...)
		if direct.unheard() {
			x.Confidence = explain.Likely // the server itself may treat the two ends differently
			x.Seen = []string{fmt.Sprintf("connected directly to %s, and it said nothing: %s", direct.Endpoint, errorText(direct.Failure.Err))}
		}
		if n := j.f.name(nameTarget); n != nil && n.Kind != "" {
			x.Seen = append(x.Seen, fmt.Sprintf("the name %s is not found from here: %s", n.Name, n.Kind))
		}
		said := t.inWords()
		if t.Failure != nil {
			said = t.Record.Greeting
		}
		x.Seen = append(x.Seen, fmt.Sprintf("through the proxy %s, which %s of the environment names, %s answers: %s", t.Through, t.Through.Variable, t.Endpoint, said))
		return x.first(fmt.Sprintf("Set %s as the proxy in the program's settings; for a route of Wellsent: proxy = %q.", t.Through.Address(), string(t.Through.Scheme())+"://"+t.Through.Address()))
	}
	return nil
}

// refusal returns what a proxy said that carried no connection for a reason, by its
// own rules or for want of a login; nil where none did.
func (j *judge) refusal(why connectReason) *proxy.Error {
	for _, c := range j.f.connects(why) {
		if r := c.Refusal; r != nil && (r.Kind == proxy.Forbidden || r.Kind == proxy.Login || why == connectTarget) {
			return r
		}
	}
	return nil
}

// proxyRefused is a proxy that carries no connection, the one of the question or
// one of the environment.
func (j *judge) proxyRefused(sure explain.Confidence) *Finding {
	r := j.refusal(connectTarget)
	if r == nil {
		r = j.refusal(connectProxy)
	}
	x := j.find("net.proxy-refused", sure)
	if r == nil {
		return x
	}
	return x.first(r.Do())
}

// hearsay reports whether the refusal of the target is known from a proxy only,
// which did not say so outright.
func (j *judge) hearsay() bool {
	r := j.refusal(connectTarget)
	if r == nil {
		return false
	}
	_, certain := r.Cause()
	return !certain
}

// proxied says what became of the attempts through proxies of the environment, and
// what of it names none.
func (j *judge) proxied() []string {
	var seen []string
	for _, c := range j.f.connects(connectProxy) {
		if c.Outcome == Open {
			seen = append(seen, fmt.Sprintf("the proxy of %s, %s, connects, and no mail server answers through it", c.Through.Variable, c.Through))
			continue
		}
		seen = append(seen, fmt.Sprintf("nor through the proxy of %s: %s", c.Through.Variable, c.Error))
	}
	_, wrong := j.q.proxies()
	for _, v := range slices.Sorted(maps.Keys(wrong)) {
		seen = append(seen, fmt.Sprintf("%s of the environment names no proxy: %v", v, wrong[v]))
	}
	return seen
}

// unheard reports a conversation that the network ended before the server had said
// anything.
func (t *Talk) unheard() bool {
	return t != nil && t.Failure != nil && t.Failure.Origin == evidence.OriginNetwork && t.Failure.Stage == evidence.StageGreeting && t.First == 0 &&
		!errors.Is(t.Failure.Err, smtpclient.ErrGivenUp)
}
