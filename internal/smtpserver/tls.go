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
