package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
)

// Portal is what a host's web port answered to a plain request.
type Portal struct {
	Host   string
	Status int    // of HTTP; 0: no answer
	To     string // the host that it sends the browser to; "" none
	URL    string // where exactly
	Error  string
}

// away reports whether the answer sends the browser to a stranger. A host that
// sends to its own secure or www form is none.
func (p *Portal) away() bool {
	host := strings.ToLower(p.Host)
	return p.To != "" && p.To != host && parentOf(p.To) != parentOf(host) && !strings.HasSuffix(p.To, "."+host) && !strings.HasSuffix(host, "."+p.To)
}

// portalProbes ask the web ports of two hosts that have nothing to do with each
// other. Where a login page stands between, it answers for both.
func portalProbes(q *Question, f *Facts, name *Name) []probe {
	if q.Proxy != "" || len(f.Portals) > 0 {
		return nil
	}
	for _, a := range name.Addresses {
		if a.IsLoopback() {
			return nil
		}
	}
	hosts := []string{q.Host}
	for _, c := range q.Controls {
		if c.Host != q.Host {
			hosts = append(hosts, c.Host)
			break
		}
	}
	if len(hosts) == 1 && allPublic(name.Addresses) {
		for _, h := range wellKnown {
			if !strings.EqualFold(h, q.Host) {
				hosts = append(hosts, h)
				break
			}
		}
	}
	if len(hosts) == 1 {
		return nil // one redirection alone says nothing
	}
	var probes []probe
	for _, h := range hosts {
		probes = append(probes, probe{kind: probePortal, name: h})
	}
	return probes
}

// portal asks a host's web port for its first page and follows nothing.
func (r *run) portal(ctx context.Context, p probe) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(otherWait, 0.2))
	defer cancel()
	seen := Portal{Host: p.name}
	host := p.name
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = r.httpClient().Do(req); err == nil {
			resp.Body.Close()
			seen.Status = resp.StatusCode
			if to, err := resp.Location(); err == nil && resp.StatusCode >= 300 && resp.StatusCode < 400 {
				seen.To, seen.URL = strings.ToLower(to.Hostname()), evidence.Clip(evidence.Printable(to.Redacted()), 200)
			}
		}
	}
	seen.Error = errorText(err)
	r.mu.Lock()
	r.f.Portals = append(r.f.Portals, seen)
	r.mu.Unlock()
	switch {
	case seen.URL != "":
		return fmt.Sprintf("HTTP %d to %s", seen.Status, seen.URL), !seen.away()
	case seen.Status != 0:
		return fmt.Sprintf("HTTP %d", seen.Status), seen.Status != http.StatusNetworkAuthenticationRequired
	}
	return "no web server", true
}

// captive judges a network that answers for other hosts with its login page. One
// answer of 511 says so itself (RFC 6585 §6); else two hosts must send to one
// stranger.
func (j *judge) captive() *Finding {
	t := j.f.talk(talkTarget)
	if j.f.reached(connectTarget) && (t == nil || t.Failure == nil || t.Spoke == ProtoSMTP) {
		return nil
	}
	sent := map[string]string{} // to a stranger's host, by whom first
	for i := range j.f.Portals {
		p := &j.f.Portals[i]
		if p.Status == http.StatusNetworkAuthenticationRequired {
			return j.find("net.captive-portal", explain.Certain, "plain HTTP to "+p.Host+" is answered with 511: the network wants a sign-in first")
		}
		if !p.away() {
			continue
		}
		if first, ok := sent[p.To]; ok && first != p.Host {
			return j.find("net.captive-portal", explain.Likely, fmt.Sprintf("plain HTTP to %s and to %s is sent to the same page: %s", first, p.Host, p.URL))
		}
		sent[p.To] = p.Host
	}
	return nil
}
