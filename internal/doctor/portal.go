package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wellsent/wellsent/internal/explain"
)

// Portal is what a plain web request got where mail ports are not reached.
type Portal struct {
	URL    string
	Status int
	To     string // where it was sent on to; "" without
}

// knownPage is a page made for this question: it answers 204 and nothing else.
const knownPage = "http://connectivitycheck.gstatic.com/generate_204"

// portalURLs are what is asked for to see whether a sign-in page stands between:
// the server and hosts known to be up, or a page made for it where the server is on
// the Internet.
func portalURLs(q *Question, name *Name) []string {
	if len(q.Controls) == 0 {
		if allPublic(name.Addresses) {
			return []string{knownPage}
		}
		return nil
	}
	urls := []string{"http://" + urlHost(q.Host) + "/"}
	for _, c := range q.Controls {
		if u := "http://" + urlHost(c.Host) + "/"; len(urls) < 3 && !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

func urlHost(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// portal makes one plain web request and follows nothing.
func (r *run) portal(ctx context.Context, p probe) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(otherWait, 0.2))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err.Error(), true
	}
	resp, err := r.httpClient().Do(req)
	if err != nil {
		return "no answer", true // most servers of mail have no web page
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 1)
	_ = resp.Body.Close()
	found := Portal{URL: p.url, Status: resp.StatusCode, To: resp.Header.Get("Location")}
	r.mu.Lock()
	r.f.Portals = append(r.f.Portals, found)
	r.mu.Unlock()
	return resp.Status, !found.signIn() && found.sentTo() == ""
}

// signIn reports whether the answer alone is that of a page to sign in at. RFC 6585
// §6.
func (p *Portal) signIn() bool {
	return p.Status == http.StatusNetworkAuthenticationRequired || p.URL == knownPage && p.Status != http.StatusNoContent
}

// sentTo returns the host that a request was sent on to, "" where it was not or
// stays with the same owner.
func (p *Portal) sentTo() string {
	asked, err := url.Parse(p.URL)
	to, terr := url.Parse(p.To)
	if err != nil || terr != nil || p.Status/100 != 3 || to.Hostname() == "" || strings.HasSuffix(to.Hostname(), parentOf(asked.Hostname())) {
		return ""
	}
	return to.Hostname()
}

// captive judges a network on which nothing but a sign-in page answers: one that
// says so, or to which two hosts with nothing in common are sent on.
func (j *judge) captive(v view) *Finding {
	if len(v.sameFine) > 0 {
		return nil
	}
	sent := map[string]string{} // the page to the host asked
	for i := range j.f.Portals {
		p := &j.f.Portals[i]
		to := p.sentTo()
		if !p.signIn() && (to == "" || sent[to] == "") {
			sent[to] = p.URL
			continue
		}
		seen := fmt.Sprintf("%s is answered with %d", p.URL, p.Status)
		if p.To != "" {
			seen += ", and sent on to " + p.To
		}
		x := j.find("net.captive-portal", explain.Likely, seen)
		if !p.signIn() {
			x.Seen = append(x.Seen, sent[to]+" is sent on to the same page")
		}
		if p.To != "" {
			x.first("Open " + p.To + " in a browser and sign in.")
		}
		return x
	}
	return nil
}
