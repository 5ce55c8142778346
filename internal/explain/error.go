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
	"github.com/wellsent/wellsent/internal/resolver"
)

// Error explains a failure of a conversation of ours. Typed errors are certain;
// of a reply the text decides.
func Error(err *evidence.Error, f Facts) Finding {
	if err == nil {
		return none()
	}
	if f.Stage == "" {
		f.Stage = err.Stage
	}
	if f.Host == "" {
		f.Host = err.Host
	}
	if err.Cause != "" {
		return Known(err.Cause, f, proofOf(err))
	}
	if !err.Reply.IsZero() {
		x := line(err.Reply.String(), f)
		if x.Cause != "" && err.Reply.Code >= 400 {
			x.Proof = []string{err.Reply.String()}
			return x
		}
	}
	if id, sure := typed(err.Err, f); id != "" {
		if c, ok := cause.Lookup(translate(id, f)); ok {
			x := finding(c, f, sure)
			x.Proof = append(x.Proof, proofOf(err))
			return x
		}
	}
	if err.Err != nil {
		if x := line(err.Err.Error(), f); x.Cause != "" {
			return x
		}
	}
	return byStage(err, f)
}

func proofOf(err *evidence.Error) string {
	if !err.Reply.IsZero() {
		return err.Reply.String()
	}
	if err.Err != nil {
		return err.Err.Error()
	}
	return string(err.Stage)
}

// typed names the cause of an error of Go's libraries or of the resolver.
func typed(err error, f Facts) (cause.ID, Confidence) {
	var (
		expired  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		op       *net.OpError
	)
	switch {
	case err == nil:
		return "", Possible
	case errors.As(err, &hostname):
		return "tls.certificate-name-mismatch", Certain
	case errors.As(err, &expired):
		if expired.Reason == x509.Expired {
			return "tls.certificate-expired", Certain
		}
		return "tls.certificate-untrusted", Certain
	case errors.As(err, &unknown):
		if c := unknown.Cert; c != nil && c.CheckSignatureFrom(c) == nil {
			return "tls.certificate-self-signed", Certain
		}
		return "tls.certificate-untrusted", Certain
	case errors.As(err, &record):
		return "tls.implicit-on-starttls-port", Certain
	case errors.As(err, &alert):
		if strings.Contains(alert.Error(), "protocol version") {
			return "tls.protocol-version", Certain
		}
		return "tls.handshake-failed", Likely
	case errors.Is(err, resolver.KindNullMX):
		return "recipient.null-mx", Certain
	case errors.Is(err, resolver.KindNoName), errors.Is(err, resolver.KindNoData), errors.Is(err, resolver.KindBadName):
		return "dns.name-not-found", Certain
	case errors.Is(err, resolver.KindServerFailure), errors.Is(err, resolver.KindTimeout), errors.Is(err, resolver.KindUnreachable):
		return "dns.lookup-failed", Certain
	case errors.Is(err, syscall.ECONNREFUSED):
		return "net.refused", Certain
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "net.unreachable", Certain
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "net.port-blocked", Likely
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "net.connection-lost", Certain
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		if f.Stage == evidence.StageGreeting && f.Port == 465 {
			return "tls.plain-on-implicit-port", Likely
		}
		return "net.timeout", Certain
	case errors.As(err, &op) && op.Timeout():
		return "net.timeout", Certain
	}
	return "", Possible
}

// byStage is the last answer: what a failure at that stage mostly is.
func byStage(err *evidence.Error, f Facts) Finding {
	var id cause.ID
	switch err.Stage {
	case evidence.StageTLS, evidence.StageStartTLS:
		id = "tls.handshake-failed"
	case evidence.StageAuth:
		id = "auth.credentials-rejected"
	case evidence.StageResolve:
		id = "dns.lookup-failed"
	case evidence.StageConnect:
		id = "net.timeout"
	case evidence.StageGreeting, evidence.StageEHLO:
		id = "service.wrong-protocol-other"
	default:
		return none()
	}
	c, ok := cause.Lookup(translate(id, f))
	if !ok {
		return none()
	}
	x := finding(c, f, Possible)
	x.Proof = append(x.Proof, proofOf(err))
	return x
}
