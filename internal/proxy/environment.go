package proxy

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpproxy"
)

// Found is a proxy that the environment names.
type Found struct {
	*Proxy
	Variable string // "HTTPS_PROXY"
}

// variables are those that may name a proxy for mail, in the order in which they
// are tried. ALL_PROXY is for every protocol and so comes first. HTTPS_PROXY names
// one that does CONNECT. HTTP_PROXY is for web pages in clear text and need not:
// it comes last. Of each, the lower-case one wins, as with curl; HTTP_PROXY itself
// may be set by whoever sends a web request to a CGI program, and is left out there.
var variables = []string{"all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"}

// FromEnvironment returns the proxies that the environment names for a target, the
// likeliest first, each once; wrong names the variables that hold no URL of a
// proxy, with what is wrong. What NO_PROXY excepts has none, and neither has this
// machine itself.
func FromEnvironment(get func(string) string, host string, port int) (found []Found, wrong map[string]error) {
	except := get("no_proxy")
	if except == "" {
		except = get("NO_PROXY")
	}
	wrong = map[string]error{}
	seen := map[string]bool{}
	for i, v := range variables {
		s := get(v)
		if i%2 == 1 && get(variables[i-1]) != "" {
			continue // the lower-case one wins
		}
		if s == "" || v == "HTTP_PROXY" && get("REQUEST_METHOD") != "" {
			continue
		}
		p, err := Parse(s)
		if err != nil {
			if p, err = Parse("http://" + s); err != nil { // "proxy:3128" is common
				wrong[v] = err
				continue
			}
		}
		if seen[s] || excepted(except, host, port) {
			continue
		}
		seen[s] = true
		found = append(found, Found{p, v})
	}
	return slices.Clip(found), wrong
}

// excepted reports whether NO_PROXY, or that it is this machine, excepts a target.
func excepted(except, host string, port int) bool {
	c := httpproxy.Config{HTTPSProxy: "http://proxy.invalid", NoProxy: except}
	u, err := c.ProxyFunc()(&url.URL{Scheme: "https", Host: net.JoinHostPort(host, strconv.Itoa(port))})
	return err == nil && u == nil
}
