package explain

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/resolver"
)

// typed names a failure by the types of its error; "" when they say nothing.
func typed(err error, f Facts) (cause.ID, []cause.ID, Confidence) {
	if err == nil {
		return "", nil, Possible
	}
	for _, layer := range []func(error, Facts) (cause.ID, []cause.ID){proxied, lookup, certificate, handshake, network} {
		if id, alt := layer(err, f); id != "" {
			if len(alt) > 0 {
				return id, alt, Likely
			}
			return id, nil, Certain
		}
	}
	return "", nil, Possible
}

// proxied names failures of a proxy, and those of the server that it reports.
func proxied(err error, f Facts) (cause.ID, []cause.ID) {
	var through *proxy.Error
	if !errors.As(err, &through) {
		return "", nil
	}
	id, certain := through.Cause()
	var alt []cause.ID
	switch {
	case id != "net.proxy-refused" && f.FromServer:
		return "delivery.host-unreachable", []cause.ID{"net.proxy-refused"}
	case id != "net.proxy-refused" && !certain:
		alt = []cause.ID{"net.timeout", "net.proxy-refused"}
	}
	return id, alt
}

// lookup names failures of the resolver.
func lookup(err error, f Facts) (cause.ID, []cause.ID) {
	kind := resolver.KindOf(err)
	var std *net.DNSError
	switch {
	case kind == "" && errors.As(err, &std) && std.IsNotFound:
		kind = resolver.KindNoName
	case kind == "" && std != nil:
		kind = resolver.KindServerFailure
	}
	switch kind {
	case resolver.KindNullMX:
		return "recipient.null-mx", nil
	case resolver.KindNoName, resolver.KindNoData, resolver.KindBadName:
		if f.FromServer {
			return "recipient.domain-not-found", nil
		}
		if retired(f.Host) {
			return "dns.retired-endpoint", nil
		}
		return "dns.name-not-found", nil
	case resolver.KindServerFailure, resolver.KindTimeout, resolver.KindUnreachable:
		if f.FromServer && kind == resolver.KindServerFailure {
			return "delivery.dns-failed", nil
		}
		return "dns.lookup-failed", nil // this machine's own, whoever asks
	}
	return "", nil
}

// retired reports whether a host is the name of an outgoing server that its
// provider has withdrawn.
func retired(host string) bool {
	r, ok := provider.ByRetired(host)
	return ok && r.Protocol == "smtp"
}

// certificate names failures of a certificate's check.
func certificate(err error, f Facts) (cause.ID, []cause.ID) {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		issuer  x509.UnknownAuthorityError
		roots   x509.SystemRootsError
		id      cause.ID
		alt     []cause.ID
	)
	switch {
	case errors.As(err, &name):
		id = "tls.certificate-name-mismatch"
	case errors.As(err, &invalid):
		id = "tls.certificate-untrusted"
		switch invalid.Reason {
		case x509.Expired:
			id, alt = "tls.certificate-expired", []cause.ID{"tls.clock-wrong"}
		case x509.NameMismatch, x509.NameConstraintsWithoutSANs:
			id = "tls.certificate-name-mismatch"
		}
	case errors.As(err, &issuer):
		id, alt = "tls.certificate-untrusted", []cause.ID{"tls.certificate-chain-incomplete", "tls.certificate-self-signed"}
		switch c := issuer.Cert; {
		case c != nil && intercepting(c):
			id, alt = "tls.intercepted", nil
		case c != nil && c.Subject.String() == c.Issuer.String():
			id, alt = "tls.certificate-self-signed", nil
		}
	case errors.As(err, &roots):
		id = "tls.certificate-untrusted"
	default:
		return "", nil
	}
	if f.FromServer {
		return "tls.delivery-policy", append([]cause.ID{id}, alt...)
	}
	return id, alt
}

// intercepting reports whether c's issuer is security software.
func intercepting(c *x509.Certificate) bool {
	p := newPassage("issuer=" + c.Issuer.String())
	for i := range compiled().signs.rules {
		if m := &compiled().signs.rules[i]; m.id == "tls.intercepted" {
			if _, _, ok := m.holds(p, false); ok {
				return true
			}
		}
	}
	return false
}

// handshake names the other failures of TLS.
func handshake(err error, f Facts) (cause.ID, []cause.ID) {
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	switch {
	case errors.As(err, &record):
		return "tls.implicit-on-starttls-port", nil // something was answered, and not in TLS
	case errors.As(err, &alert):
		switch uint8(alert) { // RFC 8446 §6.2
		case 70:
			return "tls.protocol-version", nil
		case 42, 116:
			return "tls.client-certificate-required", []cause.ID{"tls.handshake-failed"}
		}
		return "tls.handshake-failed", nil
	case f.Stage != evidence.StageTLS:
		return "", nil
	case strings.Contains(err.Error(), "protocol version"), strings.Contains(err.Error(), "no supported versions"):
		return "tls.protocol-version", nil // crypto/tls has no type for it
	}
	return "", nil
}

// network names failures of the connection.
func network(err error, f Facts) (cause.ID, []cause.ID) {
	var timeout net.Error
	isTimeout := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) ||
		errors.As(err, &timeout) && timeout.Timeout()
	var id cause.ID
	var alt []cause.ID
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		id = "net.refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN),
		errors.Is(err, syscall.EADDRNOTAVAIL):
		id = "net.unreachable"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "net.port-blocked", nil // this machine's own firewall, whoever asks
	case isTimeout && (f.Stage == evidence.StageGreeting || f.Stage == evidence.StageConnect) && f.Port == 465 && f.Security != "tls":
		return "tls.plain-on-implicit-port", []cause.ID{"net.timeout"}
	case isTimeout:
		id = "net.timeout"
		if f.Stage == evidence.StageConnect && f.Port == 25 {
			alt = []cause.ID{"net.port-blocked"}
		}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		id = "net.connection-lost"
		if f.Stage == evidence.StageTLS {
			id, alt = "tls.handshake-failed", []cause.ID{"net.connection-lost"}
		}
	default:
		return "", nil
	}
	if f.FromServer {
		return "delivery.host-unreachable", alt
	}
	return id, alt
}
