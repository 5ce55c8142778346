package smtpserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wellsent/wellsent/internal/cause"
)

type causeID = cause.ID

// watchHello returns a copy of config that keeps the client's hello: when the
// handshake fails, the versions it offers are what explains it.
func watchHello(config *tls.Config) (*tls.Config, *[]uint16) {
	versions := new([]uint16)
	c := config.Clone()
	before := config.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		*versions = h.SupportedVersions
		if before != nil {
			return before(h)
		}
		return nil, nil
	}
	return c, versions
}

// watchCertificate makes config keep the certificate that is shown to the client,
// in DER: a login may be bound to it (RFC 5929 §4), and a server's side of crypto/tls
// does not tell. It is chosen at the hello, as a resumed session shows none again.
func watchCertificate(config *tls.Config) *[]byte {
	shown := new([]byte)
	before := config.GetConfigForClient
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		used, err := before(h)
		if err != nil {
			return nil, err
		}
		from := config
		if used != nil {
			from = used
		}
		if c := certificateFor(from, h); c != nil && len(c.Certificate) > 0 {
			*shown = c.Certificate[0]
		}
		return used, nil
	}
	return shown
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

// explainHandshake says in plain words why a handshake failed, and what is to
// blame where that is clear.
func explainHandshake(err error, versions *[]uint16, legacy bool) (causeID, string) {
	var record tls.RecordHeaderError
	best := uint16(0)
	if len(*versions) > 0 {
		best = slices.Max(*versions)
	}
	switch {
	case errors.As(err, &record):
		return "tls.plain-on-implicit-port", "the client speaks plain text where TLS is expected"
	case best != 0 && best < tls.VersionTLS12 && !legacy:
		return "tls.protocol-version", fmt.Sprintf("the client speaks at most %s, which is too old; a device listener with legacy_tls = true would take it", tls.VersionName(best))
	case best == 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return "", "the client left before the TLS handshake"
	case isTimeout(err):
		return "tls.handshake-failed", "the TLS handshake was not done in time"
	}
	return "tls.handshake-failed", "TLS handshake: " + err.Error()
}
