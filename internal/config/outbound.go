package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
)

// outbound reads how a route's connections are made: through which proxy, from and
// to which addresses, with which certificate.
func (r *reader) outbound(s *table, prefix string, rt *Route) {
	r.proxy(s, prefix, rt)
	r.addresses(s, prefix, rt)
	r.clientCertificate(s, prefix, rt)
}

// proxy reads the proxy's URL, in which there may be a password, and its password
// file.
func (r *reader) proxy(s *table, prefix string, rt *Route) {
	g, given := r.scalar(s, prefix, "proxy", kindString, "")
	file := r.path(s, prefix, "proxy_password_file", "")
	if !given || g.text == "" {
		if file.text != "" {
			r.wrong(file.at, "route.proxy", "is missing: say whose password this is: socks5://USER@HOST:PORT or http://USER@HOST:PORT")
		}
		return
	}
	p, err := proxy.Parse(g.text)
	if err != nil {
		r.wrong(g.at, "route.proxy", "%v", err)
		return
	}
	r.record(join(prefix, "proxy"), quote(p.String()), g.origin)
	rt.Proxy, rt.ProxyPasswordFile = p, file.text
	switch {
	case file.text != "" && p.HasPassword():
		r.wrong(file.at, "route.proxy_password_file", "the URL of the proxy has a password already: take it out of there")
	case file.text != "" && p.User() == "":
		r.wrong(file.at, "route.proxy", "names no user for the password: write %s://USER@%s", p.Scheme(), p.Address())
	case file.text != "":
		r.secretFile(file, "route.proxy_password_file")
	case p.HasPassword():
		r.warn(g.at, "route.proxy", "the password of the proxy stands in this file: put it into a file that only the server may read, and name that with proxy_password_file")
	}
	if p.User() != "" && p.Scheme() != proxy.HTTPS && !loopback(p.Address()) {
		r.warn(g.at, "route.proxy", "the login at the proxy crosses the network in clear text: use https:// if the proxy knows it")
	}
}

// secretFile looks at a file with a password.
func (r *reader) secretFile(file got, key string) {
	info, err := os.Stat(file.text)
	if err != nil {
		r.wrong(file.at, key, "%s cannot be read: %s", file.text, reason(err))
		return
	}
	password, err := passwordFrom(file.text)()
	switch {
	case err != nil:
		r.wrong(file.at, key, "%s cannot be read by user id %d: %s", file.text, os.Geteuid(), reason(err))
	case password == "":
		r.wrong(file.at, key, "%s is empty: put the password into it", file.text)
	case info.Mode().Perm()&0o004 != 0:
		r.warn(file.at, key, "%s may be read by everybody on this machine: chmod o= %s", file.text, file.text)
	}
}

// addresses reads source and address_family.
func (r *reader) addresses(s *table, prefix string, rt *Route) {
	var words []string
	for _, f := range route.Families() {
		words = append(words, string(f))
	}
	family, ok := r.choice(s, prefix, "address_family", words...)
	if ok && s.find("address_family") != nil {
		rt.Family = route.Family(family.text)
	}
	if rt.Proxy != nil && rt.Proxy.RemoteNames() && rt.Family != "" && rt.Family != route.FamilyAuto {
		r.warn(family.at, "route.address_family", "has no effect with this proxy, which looks names up itself; with socks5:// it would have")
	}
	source := r.text(s, prefix, "source", "")
	if source.text == "" {
		return
	}
	a, err := netip.ParseAddr(source.text)
	switch {
	case err != nil || a.IsMulticast():
		r.wrong(source.at, "route.source", "%q is not an IP address of this machine, such as \"192.0.2.7\"", source.text)
		return
	case a.IsUnspecified():
		r.wrong(source.at, "route.source", "%s is every address: leave source out to have the system choose", a)
		return
	}
	rt.Source = a.Unmap()
	if rt.Family == route.OnlyIPv6 && rt.Source.Is4() || rt.Family == route.OnlyIPv4 && rt.Source.Is6() {
		r.wrong(source.at, "route.source", "no connection from %s can be to an address of %s: change source or address_family", a, rt.Family)
		return
	}
	if err := own(rt.Source); err != nil {
		r.warn(source.at, "route.source", "%s is no address of this machine at present, and nothing can be sent by this route while it is not: %s", a, reason(err))
	}
}

// own returns why a is no address of this machine, or nil. Binding is the proof: a
// list of interfaces does not have 127.0.0.2, and any address may be allowed.
func own(a netip.Addr) error {
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		return err
	}
	return c.Close()
}

// expirySoon is how long ahead config check warns of a client certificate.
const expirySoon = 14 * 24 * time.Hour

// clientCertificate reads client_certificate and client_key.
func (r *reader) clientCertificate(s *table, prefix string, rt *Route) {
	cert := r.path(s, prefix, "client_certificate", "")
	key := r.path(s, prefix, "client_key", "")
	switch {
	case cert.text == "" && key.text == "":
		return
	case cert.text == "":
		r.wrong(key.at, "route.client_certificate", "is missing: give the file with the certificate that belongs to the key")
		return
	case key.text == "":
		r.wrong(cert.at, "route.client_key", "is missing: give the file with the key of the certificate")
		return
	}
	c, err := certificate.ForServers(cert.text, key.text)
	if err != nil {
		r.wrong(cert.at, "route.client_certificate", "%v", err)
		return
	}
	for _, w := range c.Warnings(expirySoon) {
		r.warn(cert.at, "route.client_certificate", "%s", w)
	}
	if rt.TLS == route.TLSNone {
		r.warn(cert.at, "route.client_certificate", "is never shown with tls = \"none\"")
	}
	rt.ClientCertificate, rt.ClientKey = cert.text, key.text
}

// out sets on a route of the table how connections are made.
func (c *Route) out(t *route.Route) error {
	t.Source, t.Family = c.Source, c.Family
	if p := c.Proxy; p != nil {
		if c.ProxyPasswordFile != "" {
			p = p.WithPassword(passwordFrom(c.ProxyPasswordFile))
		}
		t.Proxy = p.WithRoots(t.Roots)
	}
	if c.ClientCertificate == "" {
		return nil
	}
	cert, err := certificate.ForServers(c.ClientCertificate, c.ClientKey)
	if err != nil {
		return fmt.Errorf("route %s: %w", c.Name, err)
	}
	t.Certificate = &route.ClientCertificate{File: c.ClientCertificate, Load: cert.Get}
	return nil
}

// ClientCertificates returns the certificates that routes show to servers, by the
// route's name, for whoever watches when they expire. What cannot be read is left
// out; Load has reported it.
func (c *Config) ClientCertificates() map[string]*certificate.Client {
	all := map[string]*certificate.Client{}
	for _, r := range c.Routes {
		if r.ClientCertificate == "" {
			continue
		}
		if cert, err := certificate.ForServers(r.ClientCertificate, r.ClientKey); err == nil {
			all[r.Name] = cert
		}
	}
	return all
}
