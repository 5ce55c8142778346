package smtpserver

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/clienthello"
)

type causeID = cause.ID

// maxFirst is how many octets of a client are kept for the explanation of a failed
// handshake: a hello is 200 to 2,000.
const maxFirst = 4 << 10

// firstOctets keeps the first octets that a client sends: when the handshake fails,
// they are what explains it, and of SSL 3 and plain text crypto/tls says little.
type firstOctets struct {
	net.Conn
	octets []byte
	enough bool
	shown  []byte // our certificate in DER; set at the hello
}

// Read reads, and keeps a copy until done was called.
func (f *firstOctets) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if !f.enough {
		f.octets = append(f.octets, p[:min(n, maxFirst-len(f.octets))]...)
		f.enough = len(f.octets) >= maxFirst
	}
	return n, err
}

// done drops what was kept.
func (f *firstOctets) done() { f.octets, f.enough = nil, true }

// watchCertificate makes config note on the connection which certificate is shown to
// the client: a login may be bound to it (RFC 5929 §4), and a server's side of
// crypto/tls does not tell. It is chosen at the hello, as a resumed session shows none
// again. There is one config for all connections, for each has session tickets of its
// own.
func watchCertificate(config *tls.Config) {
	before := config.GetConfigForClient
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		from := config
		var used *tls.Config
		if before != nil {
			var err error
			if used, err = before(h); err != nil {
				return nil, err
			}
			from = cmp.Or(used, config)
		}
		if f, ok := h.Conn.(*firstOctets); ok {
			if c := certificateFor(from, h); c != nil && len(c.Certificate) > 0 {
				f.shown = c.Certificate[0]
			}
		}
		return used, nil
	}
}

// secure returns l with the configurations of its handshakes.
func (s *Server) secure(l Listener) Listener {
	l.tls, l.legacy = s.tls, s.legacy
	if l.ClientCA == nil || s.tls == nil {
		return l
	}
	for _, c := range []**tls.Config{&l.tls, &l.legacy} {
		own := (*c).Clone()
		own.ClientAuth, own.ClientCAs = tls.VerifyClientCertIfGiven, l.ClientCA
		*c = own
	}
	return l
}

// certificateFor returns the certificate that crypto/tls takes for a hello; nil when
// it cannot be told.
func certificateFor(config *tls.Config, h *tls.ClientHelloInfo) *tls.Certificate {
	if config.GetCertificate != nil && (len(config.Certificates) == 0 || h.ServerName != "") {
		if c, err := config.GetCertificate(h); c != nil || err != nil {
			return c
		}
	}
	for i := range config.Certificates {
		if len(config.Certificates) == 1 || h.SupportsCertificate(&config.Certificates[i]) == nil {
			return &config.Certificates[i]
		}
	}
	if len(config.Certificates) > 0 {
		return &config.Certificates[0]
	}
	return nil
}

// explainHandshake says in plain words why a handshake failed, as said of the
// client, and what is to blame where that is clear. first is what the client sent.
func explainHandshake(err error, first []byte, legacy bool) (causeID, string) {
	hello := clienthello.Parse(first)
	var record tls.RecordHeaderError
	switch {
	case len(first) == 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return "", "left before the TLS handshake"
	case clienthello.IsSSL2(first):
		return "tls.protocol-version", "speaks SSL 2.0 only, which no server takes any more"
	case hello != nil && hello.Best <= clienthello.SSL3:
		return "tls.protocol-version", "speaks " + hello.Newest() + " only, which no server takes any more"
	case hello != nil && hello.Best < tls.VersionTLS12 && !legacy:
		if hello.Best == tls.VersionTLS10 {
			return "tls.protocol-version", "speaks TLS 1.0 only, which is too old here"
		}
		return "tls.protocol-version", "speaks " + hello.Newest() + " at most, which is too old here"
	case webRequest(first):
		return "service.wrong-protocol-http", "speaks HTTP, as a browser does, to a mail server"
	case errors.As(err, &record):
		return "tls.plain-on-implicit-port", "speaks plain text where TLS is expected"
	case rejectedCertificate(err):
		return "tls.certificate-untrusted", "does not trust this server's certificate, and broke off"
	case isTimeout(err):
		return "tls.handshake-failed", "did not finish the TLS handshake in time"
	case errors.Is(err, io.EOF):
		return "tls.handshake-failed", "broke off in the TLS handshake"
	}
	return "tls.handshake-failed", "fails in the TLS handshake: " + err.Error()
}

// webRequest reports whether a client began with a request of HTTP.
func webRequest(first []byte) bool {
	verb, _, ok := bytes.Cut(first, []byte(" "))
	return ok && webVerbs[string(verb)]
}

// rejectedCertificate reports whether the client has said that it does not trust
// our certificate. crypto/tls has no values for the alerts of the other side. RFC
// 8446 §6.2.
func rejectedCertificate(err error) bool {
	text := err.Error()
	for _, alert := range []string{"unknown certificate authority", "bad certificate", "unknown certificate", "certificate expired"} {
		if strings.Contains(text, "remote error: tls: "+alert) {
			return true
		}
	}
	return false
}
