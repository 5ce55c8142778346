package doctor

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/test/peers"
)

const proxyAddress = "10.12.0.5"

// theProxies are those of a world, by what they want and carry.
type theProxies struct {
	web, webLogin, webOnly, socks, socksLogin, socksOnly string
}

// proxies starts proxies in the servers' network of a world: tinyproxy and Dante.
func (w *world) proxies(t *testing.T) (p theProxies) {
	t.Helper()
	services := peers.NeedServices(t)
	w.ip(t, w.servers, "addr", "add", proxyAddress+"/24", "dev", "wire")
	type starter = func(context.Context, peers.ProxyOptions) (*peers.Server, error)
	const hosts = "127.0.0.1 localhost\n" + target + " mail.world.test\n"
	for _, x := range []struct {
		address *string
		start   starter
		o       peers.ProxyOptions
	}{
		{&p.web, services.StartTinyproxyWith, peers.ProxyOptions{}},
		{&p.webLogin, services.StartTinyproxyWith, peers.ProxyOptions{Login: true}},
		{&p.webOnly, services.StartTinyproxyWith, peers.ProxyOptions{Only: []string{"443"}}},
		{&p.socks, services.StartDanteWith, peers.ProxyOptions{}},
		{&p.socksLogin, services.StartDanteWith, peers.ProxyOptions{Login: true}},
		{&p.socksOnly, services.StartDanteWith, peers.ProxyOptions{Blocked: []string{"25", "587"}}},
	} {
		x.o.Listen, x.o.Hosts = proxyAddress, hosts
		inside(t, w.servers, func() error {
			s, err := x.start(t.Context(), x.o)
			*x.address = peers.Run(t, s, err).Address
			return nil
		})
	}
	return p
}

// TestNetworks_Proxies: a network that lets nothing out, or no mail, and has
// proxies, that want a login or none, and carry mail or none.
func TestNetworks_Proxies(t *testing.T) {
	t.Parallel()
	as := func(scheme, password, at string) string {
		return (&url.URL{Scheme: scheme, User: url.UserPassword(peers.ProxyUser, password), Host: at}).String()
	}
	passwordFile := file(t, "proxy-password", peers.ProxyPassword+"\n")

	const onlyProxies = "ip daddr { " + proxyAddress + ", " + nameServed + " } accept\n  ip saddr 10.11.0.2 drop"
	const noNames = "ip daddr " + proxyAddress + " accept\n  ip saddr 10.11.0.2 drop"
	const noMail = "ip daddr " + proxyAddress + " accept\n  ip saddr 10.11.0.2 tcp dport { 25, 465, 587, 2525 } drop"
	type scenario struct {
		name string
		env  string
		at   string // "": smtp://mail.world.test:587
		args []string
		want cause.ID
	}
	for rules, scenarios := range map[string]func(p theProxies) []scenario{
		onlyProxies: func(p theProxies) []scenario {
			return []scenario{
				{name: "HTTP, nothing else gets out", env: "HTTPS_PROXY=http://" + p.web, want: "net.port-blocked"},
				{name: "HTTP with login, lower case", env: "https_proxy=" + as("http", peers.TinyproxyPassword, p.webLogin), want: "net.port-blocked"},
				{name: "HTTP_PROXY alone", env: "HTTP_PROXY=" + p.web, want: "net.port-blocked"},
				{name: "SOCKS, nothing else gets out", env: "ALL_PROXY=socks5://" + p.socks, want: "net.port-blocked"},
				{name: "SOCKS with login", env: "all_proxy=" + as("socks5h", peers.ProxyPassword, p.socksLogin), want: "net.port-blocked"},
				{name: "wrong password at HTTP", env: "HTTPS_PROXY=" + as("http", "wrong-password", p.webLogin), want: "net.proxy-refused"},
				{name: "wrong password at SOCKS", env: "ALL_PROXY=" + as("socks5", "wrong-password", p.socksLogin), want: "net.proxy-refused"},
				{name: "no login at SOCKS", env: "ALL_PROXY=socks5://" + p.socksLogin, want: "net.proxy-refused"},
				{name: "HTTP carries web pages only", env: "HTTPS_PROXY=http://" + p.webOnly, want: "net.proxy-refused"},
				{name: "SOCKS does not carry 587", env: "ALL_PROXY=socks5://" + p.socksOnly, want: "net.proxy-refused"},
				{name: "one refuses, the other carries", env: "ALL_PROXY=socks5://" + p.socksOnly + " HTTPS_PROXY=http://" + p.web, want: "net.port-blocked"},
				{name: "excepted by NO_PROXY", env: "HTTPS_PROXY=http://" + p.web + " NO_PROXY=.world.test", want: "net.offline"},
				{name: "--proxy none", env: "HTTPS_PROXY=http://" + p.web, args: []string{"--proxy", "none"}, want: "net.offline"},
				{name: "--proxy, HTTP", args: []string{"--proxy", "http://" + p.web}},
				{name: "--proxy, SOCKS with a password file", args: []string{"--proxy", "socks5://" + peers.ProxyUser + "@" + p.socksLogin, "--proxy-password-file", passwordFile}},
				{name: "--proxy, HTTP, wrong password", args: []string{"--proxy", as("http", "wrong-password", p.webLogin)}, want: "net.proxy-refused"},
				{name: "--proxy, SOCKS, wrong password", args: []string{"--proxy", as("socks5", "wrong-password", p.socksLogin)}, want: "net.proxy-refused"},
				{name: "--proxy, HTTP, port refused", args: []string{"--proxy", "http://" + p.webOnly}, want: "net.proxy-refused"},
				{name: "--proxy, SOCKS, port refused", args: []string{"--proxy", "socks5://" + p.socksOnly}, want: "net.proxy-refused"},
				{name: "--proxy, HTTP, the server refuses", at: "smtp://mail.world.test:2525", args: []string{"--proxy", "http://" + p.web}, want: "net.refused"},
				{name: "--proxy, SOCKS, the server refuses", at: "smtp://mail.world.test:2525", args: []string{"--proxy", "socks5://" + p.socks}, want: "net.refused"},
				{name: "--proxy, no proxy there", args: []string{"--proxy", "http://" + proxyAddress + ":9"}, want: "net.proxy-refused"},
				{name: "--proxy, the other kind", args: []string{"--proxy", "socks5://" + p.web}, want: "net.proxy-refused"},
			}
		},
		noNames: func(p theProxies) []scenario {
			return []scenario{
				{name: "no names either", env: "ALL_PROXY=socks5h://" + p.socks, want: "net.port-blocked"},
			}
		},
		noMail: func(p theProxies) []scenario {
			return []scenario{
				{name: "no mail gets out", env: "HTTPS_PROXY=http://" + p.web, want: "net.port-blocked"},
				{name: "TLS at once", env: "HTTPS_PROXY=http://" + p.web, at: "smtps://mail.world.test:465", want: "net.port-blocked"},
				{name: "no mail gets out, nor by the proxy", env: "HTTPS_PROXY=http://" + p.webOnly, args: []string{"--control", control1 + ":443"}, want: "net.port-blocked"},
			}
		},
		"": func(p theProxies) []scenario {
			return []scenario{
				{name: "nothing in the way", env: "HTTPS_PROXY=http://" + p.webOnly},
			}
		},
	} {
		w := newWorld(t)
		w.standard(t)
		p := w.proxies(t)
		if rules != "" {
			w.firewall(t, rules)
		}
		for _, c := range scenarios(p) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				at := c.at
				if at == "" {
					at = "smtp://mail.world.test:587"
				}
				k := w.question(t, "proxy: "+c.name, at, c.args...)
				k.want, k.env = c.want, strings.Fields(c.env)
				r := ask(t, k)
				if text := r.text(); strings.Contains(text, "wrong-password") || strings.Contains(text, "s3cret") {
					t.Errorf("the report tells the proxy's password:\n%s", text)
				}
				if c.want == "net.port-blocked" && !strings.Contains(r.text(), "through the proxy") {
					t.Errorf("no proof in\n%s", r.text())
				}
			})
		}
	}
}

// withoutProxies takes the proxies of this machine out of an environment.
func withoutProxies() []string {
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(strings.ToLower(v), "="); !strings.HasSuffix(name, "_proxy") {
			env = append(env, v)
		}
	}
	return env
}
