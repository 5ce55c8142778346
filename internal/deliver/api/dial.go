package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// dial opens a connection under TLS to hostPort, which is that of the conversation
// or one that an answer has named. Its error is an *evidence.Error.
func (c *Client) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, c.local(evidence.StageResolve, evidence.ScopeHost, err)
	}
	if c.o.ByName {
		conn, err := c.dialAt(ctx, network, host, hostPort)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
	began := time.Now()
	addresses, err := c.o.Addresses(ctx, host)
	c.rec.step(evidence.StageResolve, began)
	if err != nil {
		if e := evidence.As(err); e != nil {
			return nil, e
		}
		return nil, c.at(host, c.network(evidence.StageResolve, evidence.ScopeHost, c.orGivenUp(ctx, err)))
	}
	furthest := c.at(host, c.local(evidence.StageConnect, evidence.ScopeHost, smtpclient.ErrNoAddress))
	for i, a := range addresses {
		if i == 0 {
			c.rec.addresses = c.rec.addresses[:0]
		}
		c.rec.addresses = append(c.rec.addresses, a.String())
		conn, err := c.dialAt(ctx, network, host, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		if i == 0 || err.Stage == evidence.StageTLS {
			furthest = err
		}
		if ctx.Err() != nil || err.Scope == evidence.ScopeRoute {
			break
		}
	}
	return nil, furthest
}

// at names the host of a failure.
func (c *Client) at(host string, e *evidence.Error) *evidence.Error {
	e.Host = host
	return e
}

func (c *Client) orGivenUp(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return smtpclient.ErrGivenUp
	}
	return err
}

// dialAt opens a connection under TLS to one address.
func (c *Client) dialAt(ctx context.Context, network, host, address string) (net.Conn, *evidence.Error) {
	began := time.Now()
	wait, cancel := context.WithTimeout(ctx, connectTimeout)
	raw, err := c.o.Dial(wait, network, address)
	cancel()
	c.rec.dialed(address, began, err)
	c.address = address
	if err != nil {
		return nil, c.at(host, c.network(evidence.StageConnect, evidence.ScopeHost, c.orGivenUp(ctx, err)))
	}
	cfg := c.o.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if c.o.Roots != nil {
		cfg.RootCAs = c.o.Roots
	}
	cfg.ServerName, cfg.NextProtos, cfg.InsecureSkipVerify = host, []string{"http/1.1"}, false
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	conn := tls.Client(raw, cfg)
	began = time.Now()
	wait, cancel = context.WithTimeout(ctx, tlsTimeout)
	err = conn.HandshakeContext(wait)
	cancel()
	c.rec.step(evidence.StageTLS, began)
	if err != nil {
		raw.Close()
		e := c.at(host, c.network(evidence.StageTLS, evidence.ScopeHost, c.orGivenUp(ctx, err)))
		if unverified(err) {
			e.Scope = evidence.ScopeRoute // the way it is set up, nothing goes out by it
		}
		return nil, e
	}
	c.rec.secured(conn.ConnectionState())
	return &patient{Conn: conn}, nil
}

// unverified reports a certificate that was not taken.
func unverified(err error) bool {
	var chain *tls.CertificateVerificationError
	var name x509.HostnameError
	return errors.As(err, &chain) || errors.As(err, &name)
}

// patient bounds each write. Reads are bounded by the transport's own waits.
type patient struct{ net.Conn }

// Write implements net.Conn.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
