package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
)

// Dialer returns how connections of r are opened: through its proxy, from its
// source address, to addresses of its family. What it returns takes a name or an IP
// address with a port, and so serves HTTP as well as SMTP.
func (d *Deliverer) Dialer(r *route.Route) func(ctx context.Context, network, address string) (net.Conn, error) {
	direct := d.directly(r)
	if r.Proxy == nil {
		return direct
	}
	through := r.Proxy.WithDial(d.directly(&route.Route{Source: r.Source}))
	if r.Proxy.RemoteNames() {
		return through.DialContext
	}
	return d.named(r, through.DialContext)
}

// directly returns how connections are opened where no proxy is between.
func (d *Deliverer) directly(r *route.Route) proxy.Dial {
	dial := d.o.Dial
	if r.Source.IsValid() {
		dial = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: r.Source.AsSlice(), Zone: r.Source.Zone()}}).DialContext
	}
	return d.named(r, dial)
}

// named returns dial for names too, which the deliverer's own resolver looks up.
// The addresses are tried in the route's order.
func (d *Deliverer) named(r *route.Route, dial proxy.Dial) proxy.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if _, err := netip.ParseAddr(host); err == nil {
			return dial(ctx, network, address)
		}
		found, err := d.o.Resolver.Addresses(ctx, host)
		if err != nil {
			return nil, err
		}
		err = fmt.Errorf("%s: %w", host, errNoneOfFamily)
		for _, a := range r.Addresses(found) {
			conn, failed := dial(ctx, network, net.JoinHostPort(a.String(), port))
			if failed == nil {
				return conn, nil
			}
			if err = failed; ctx.Err() != nil {
				break
			}
		}
		return nil, err
	}
}

// byName reports whether the route's proxy looks names up.
func (c *conversation) byName() bool { return c.route.Proxy != nil && c.route.Proxy.RemoteNames() }

// errNoneOfFamily is a host that has addresses, and none that the route may connect
// to.
var errNoneOfFamily = errors.New("no address that the route's source and address_family allow")

// noneOfFamily says which addresses there are.
func noneOfFamily(r *route.Route, h host, found []netip.Addr) *evidence.Error {
	want := string(r.Family)
	if r.Source.IsValid() {
		want = "source " + r.Source.String()
	}
	return &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageConnect, Scope: evidence.ScopeHost, Host: h.name, Cause: "net.unreachable",
		Err: fmt.Errorf("%s has %w (%s): it has %v", h.name, errNoneOfFamily, want, found)}
}

// certificateFault returns what is wrong with the route's certificate, before a
// server is kept waiting for it.
func (c *conversation) certificateFault(h host) *evidence.Error {
	if c.route.Certificate == nil {
		return nil
	}
	if _, err := c.route.Certificate.Load(); err != nil {
		return &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Host: h.name, Err: fmt.Errorf("client certificate: %w", err)}
	}
	return nil
}

// tlsConfig returns the base of a handshake's configuration: with the route's
// certificate where it has one. It notes whether the server asks for one.
func (c *conversation) tlsConfig() *tls.Config {
	config := &tls.Config{}
	if c.d.o.TLSConfig != nil {
		config = c.d.o.TLSConfig.Clone()
	}
	c.certificateAsked.Store(false)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.certificateAsked.Store(true)
		if c.route.Certificate == nil {
			return &tls.Certificate{}, nil // none; RFC 8446 §4.4.2
		}
		return c.route.Certificate.Load()
	}
	return config
}

// certificateRefused reports that the server asked for a certificate and then ended
// TLS with an alert: it wants one, or another one. Under TLS 1.3 the alert comes
// after the handshake, in place of the reply to EHLO.
func (c *conversation) certificateRefused(err *evidence.Error) bool {
	var op *net.OpError
	return c.certificateAsked.Load() && errors.As(err.Err, &op) && op.Op == "remote error" // crypto/tls's mark of an alert
}
