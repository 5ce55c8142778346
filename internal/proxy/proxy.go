package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Scheme is how a proxy is spoken to.
type Scheme string

// The schemes.
const (
	SOCKS5  Scheme = "socks5"  // names are looked up here, as far as the caller has a choice
	SOCKS5H Scheme = "socks5h" // the proxy looks names up
	HTTP    Scheme = "http"    // CONNECT; the proxy looks names up
	HTTPS   Scheme = "https"   // CONNECT under TLS; the proxy looks names up
)

// ports are those of a URL without one. RFC 1928 §3; curl's, for HTTP, is 1080 too,
// but a URL that says http:// means 80 to everybody else.
var ports = map[Scheme]int{SOCKS5: 1080, SOCKS5H: 1080, HTTP: 80, HTTPS: 443}

// Dial opens a connection; (*net.Dialer).DialContext is one.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Proxy is one proxy. Immutable.
type Proxy struct {
	scheme   Scheme
	host     string
	port     int
	user     string
	password string                 // of the URL
	file     func() (string, error) // in place of password; nil: none
	roots    *x509.CertPool         // of an https proxy; nil: the system's
	dial     Dial                   // to the proxy; nil: net.Dialer
}

// Parse reads the URL of a proxy: socks5://, socks5h://, http:// or https://, with
// user and password if need be, which may be percent-encoded. Its error says what
// is wrong with it and repeats no part that may be a secret.
func Parse(s string) (*Proxy, error) {
	scheme, _, ok := strings.Cut(s, "://")
	if !ok {
		return nil, errors.New("a proxy is given as socks5://HOST:PORT or http://HOST:PORT")
	}
	p := &Proxy{scheme: Scheme(strings.ToLower(scheme))}
	if p.scheme == "socks" {
		p.scheme = SOCKS5
	}
	if p.port = ports[p.scheme]; p.port == 0 {
		if len(scheme) > 16 || strings.ContainsAny(scheme, "@: ") {
			scheme = "…"
		}
		return nil, fmt.Errorf("a proxy is socks5://, socks5h://, http:// or https://, not %s://", scheme)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil: // its text would repeat the URL
		return nil, fmt.Errorf("this is no URL: %s://USER:PASSWORD@HOST:PORT, with %%40 for an @ and %%3A for a colon in user or password", p.scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("the host is missing: %s://HOST:PORT", p.scheme)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("a proxy has a host and a port, and nothing after them")
	case strings.ContainsAny(u.Hostname(), " \t\r\n/\\"):
		return nil, errors.New("the host of the proxy is not a host name")
	}
	p.host = u.Hostname()
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("the port of the proxy is not a number from 1 to 65535")
		}
		p.port = int(n)
	}
	if u.User != nil {
		p.user = u.User.Username()
		p.password, _ = u.User.Password()
	}
	if err := p.checkLogin(p.password); err != nil {
		return nil, err
	}
	return p, nil
}

// checkLogin reports a user name or a password that the proxy's protocol cannot
// carry.
func (p *Proxy) checkLogin(password string) error {
	switch {
	case p.user == "" && password != "":
		return errors.New("the proxy has a password and no user")
	case p.socks() && (len(p.user) > 255 || len(password) > 255):
		return errors.New("SOCKS takes user names and passwords of up to 255 octets") // RFC 1929 §2
	case p.socks() && p.user != "" && password == "" && p.file == nil:
		return nil // some proxies want a name only; the length octet 0 is what they get
	case !p.socks() && strings.Contains(p.user, ":"):
		return errors.New("a user name for an HTTP proxy has no colon") // RFC 7617 §2
	}
	return nil
}

// WithPassword returns p with a password that is read for each connection.
func (p *Proxy) WithPassword(read func() (string, error)) *Proxy {
	q := *p
	q.file = read
	return &q
}

// WithRoots returns p with the roots to which the certificate of an https proxy
// must lead; nil is the system's.
func (p *Proxy) WithRoots(roots *x509.CertPool) *Proxy {
	q := *p
	q.roots = roots
	return &q
}

// WithDial returns p with another way to the proxy itself, as from a source address.
func (p *Proxy) WithDial(dial Dial) *Proxy {
	q := *p
	q.dial = dial
	return &q
}

// RemoteNames reports whether the proxy is to look names up. Only socks5:// leaves
// that to us.
func (p *Proxy) RemoteNames() bool { return p.scheme != SOCKS5 }

// Scheme returns how the proxy is spoken to.
func (p *Proxy) Scheme() Scheme { return p.scheme }

// Address returns the proxy's host and port.
func (p *Proxy) Address() string { return net.JoinHostPort(p.host, strconv.Itoa(p.port)) }

// User returns the user name, "" without a login.
func (p *Proxy) User() string { return p.user }

// HasPassword reports whether the URL had a password in it.
func (p *Proxy) HasPassword() bool { return p.password != "" }

// Secrets are the texts that must be shown nowhere.
func (p *Proxy) Secrets() []string {
	if p.password == "" {
		return nil
	}
	return []string{p.password, url.QueryEscape(p.password), url.PathEscape(p.password)}
}

// String returns the proxy's URL with its user and without its password.
func (p *Proxy) String() string {
	s := string(p.scheme) + "://"
	if p.user != "" {
		s += url.User(p.user).String()
		if p.password != "" || p.file != nil {
			s += ":***"
		}
		s += "@"
	}
	return s + p.Address()
}

func (p *Proxy) socks() bool { return p.scheme == SOCKS5 || p.scheme == SOCKS5H }

// secret returns the password for one connection.
func (p *Proxy) secret() (string, error) {
	if p.file == nil {
		return p.password, nil
	}
	s, err := p.file()
	if err != nil {
		return "", err
	}
	return s, p.checkLogin(s)
}

// DialContext opens a connection through the proxy to address, a name or an IP
// address with a port: a name is given to the proxy as it is. network is "tcp",
// "tcp4" or "tcp6" and is not looked at: the proxy decides. ctx bounds it all. The
// error is an *Error.
func (p *Proxy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	password, err := p.secret()
	if err != nil {
		return nil, p.failed(Login, "", err)
	}
	dial := p.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", p.Address())
	if err != nil {
		return nil, p.failed(Unreachable, "", err)
	}
	through, err := p.ask(ctx, conn, address, password)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return through, nil
}

// ask has the proxy connect conn to the target.
func (p *Proxy) ask(ctx context.Context, conn net.Conn, address, password string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // long past
	through, err := p.talk(ctx, conn, address, password)
	if !stop() && err == nil {
		err = p.failed(Unreachable, "", context.Cause(ctx)) // the deadline is set, or will be
	}
	var failure *Error
	if errors.As(err, &failure) && ctx.Err() != nil && failure.Status == "" {
		failure.Err, failure.Kind = ctx.Err(), Unreachable
		if failure.asked {
			failure.Kind = Target // it took the request and never answered: it waits for the target
		}
	}
	return through, err
}

func (p *Proxy) talk(ctx context.Context, conn net.Conn, address, password string) (net.Conn, error) {
	if p.scheme == HTTPS {
		t := tls.Client(conn, &tls.Config{ServerName: p.host, RootCAs: p.roots, MinVersion: tls.VersionTLS12})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, p.failed(Unreachable, "", fmt.Errorf("TLS with the proxy: %w", err))
		}
		conn = t
	}
	if p.socks() {
		return conn, p.socksConnect(conn, address, password)
	}
	return p.httpConnect(conn, address, password)
}

// hostPort splits an address.
func hostPort(address string) (host string, ip netip.Addr, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", ip, 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", ip, 0, fmt.Errorf("port %q is not a number", text)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		ip = a.Unmap()
	}
	return host, ip, uint16(n), nil
}
