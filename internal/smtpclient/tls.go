package smtpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
)

// What is kept of a certificate chain.
const (
	maxChain = 6
	maxNames = 20
)

var errNoCertificate = errors.New("the server sent no certificate")

// handshake makes the connection a TLS connection and notes what it showed. Under
// TLSVerified the certificate must be for the host's name and lead to a root that
// is trusted; otherwise any will do, and whether it would have done is noted.
func (c *Client) handshake(ctx context.Context, policy Policy) *evidence.Error {
	began := time.Now()
	facts := &evidence.TLS{Chain: []evidence.Cert{}}
	c.tls = facts
	config := c.tlsConfig(policy)
	config.VerifyConnection = func(cs tls.ConnectionState) error {
		facts.Version, facts.Cipher = tls.VersionName(cs.Version), tls.CipherSuiteName(cs.CipherSuite)
		facts.Chain = describe(cs.PeerCertificates)
		err := verify(cs.PeerCertificates, c.o.Host, config)
		facts.Verified = err == nil
		if err != nil {
			facts.Error = err.Error()
		}
		if policy == TLSVerified {
			return err
		}
		return nil
	}
	c.watchCertificate(config)
	c.conn.SetDeadline(time.Now().Add(c.o.Timeouts.TLS))
	conn := tls.Client(c.raw, config)
	err := conn.HandshakeContext(ctx)
	c.step(evidence.StageTLS, began)
	if err != nil {
		if facts.Error == "" {
			facts.Error = err.Error()
		}
		return c.network(evidence.StageTLS, evidence.ScopeHost, orCause(ctx, err))
	}
	c.conn = conn
	c.reader()
	return nil
}

// tlsConfig returns the configuration of one handshake.
func (c *Client) tlsConfig(policy Policy) *tls.Config {
	config := &tls.Config{}
	if c.o.TLSConfig != nil {
		config = c.o.TLSConfig.Clone()
	}
	if c.o.Roots != nil {
		config.RootCAs = c.o.Roots
	}
	config.ServerName = serverName(c.o.Host)
	config.InsecureSkipVerify = true // VerifyConnection does it, and keeps the facts
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12 // RFC 8314 §4.2, 8996
	}
	if policy != TLSVerified {
		// The alternative is clear text, so the weakest TLS is a gain. RFC 7435 §3.
		config.MinVersion = tls.VersionTLS10
		for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
			for _, s := range list {
				config.CipherSuites = append(config.CipherSuites, s.ID)
			}
		}
	}
	return config
}

// watchCertificate notes whether a certificate of our own is shown, which the server
// must ask for. config is ours alone.
func (c *Client) watchCertificate(config *tls.Config) {
	c.certified = false
	have, choose := config.Certificates, config.GetClientCertificate
	config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		shown := &tls.Certificate{} // none; RFC 8446 §4.4.2
		var err error
		if choose != nil {
			shown, err = choose(r)
		} else if i := slices.IndexFunc(have, func(x tls.Certificate) bool { return r.SupportsCertificate(&x) == nil }); i >= 0 {
			shown = &have[i]
		}
		c.certified = err == nil && len(shown.Certificate) > 0
		return shown, err
	}
}

// serverName returns the host as certificates and SNI have it.
func serverName(host string) string { return strings.TrimSuffix(strings.Trim(host, "[]"), ".") }

// verify checks a chain against the host's name, as crypto/tls would have done.
func verify(chain []*x509.Certificate, host string, config *tls.Config) error {
	if len(chain) == 0 {
		return errNoCertificate
	}
	opts := x509.VerifyOptions{Roots: config.RootCAs, DNSName: serverName(host), Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		opts.CurrentTime = config.Time()
	}
	for _, cert := range chain[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := chain[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

// describe returns what is kept of a chain.
func describe(chain []*x509.Certificate) []evidence.Cert {
	certs := make([]evidence.Cert, 0, min(len(chain), maxChain))
	for _, x := range chain[:min(len(chain), maxChain)] {
		cert := evidence.Cert{
			Subject: evidence.Printable(x.Subject.String()), Issuer: evidence.Printable(x.Issuer.String()),
			Names: []string{}, NotBefore: x.NotBefore, NotAfter: x.NotAfter,
		}
		for _, n := range x.DNSNames[:min(len(x.DNSNames), maxNames)] {
			cert.Names = append(cert.Names, evidence.Printable(n))
		}
		for _, ip := range x.IPAddresses[:min(len(x.IPAddresses), maxNames)] {
			cert.Names = append(cert.Names, ip.String())
		}
		certs = append(certs, cert)
	}
	return certs
}
