package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// tells ranks the failures of several hosts by how much they tell the one who
// must act: what our own settings cause comes first, then how far it got.
func tells(err *evidence.Error) int {
	if err.Scope == evidence.ScopeRoute {
		return 100
	}
	for i, s := range []evidence.Stage{evidence.StageResolve, evidence.StageConnect, evidence.StageTLS, evidence.StageGreeting,
		evidence.StageEHLO, evidence.StageStartTLS, evidence.StageAuth, evidence.StageMail, evidence.StageRcpt, evidence.StageData} {
		if err.Stage == s {
			return i
		}
	}
	return 0
}

// verification reports a failure of the demanded security itself, as opposed to a
// network that broke during the handshake.
func verification(err *evidence.Error) bool {
	if errors.Is(err, smtpclient.ErrNoStartTLS) {
		return true
	}
	if err.Stage != evidence.StageTLS {
		return false
	}
	var chain *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var issuer x509.UnknownAuthorityError
	return errors.As(err, &chain) || errors.As(err, &invalid) || errors.As(err, &name) || errors.As(err, &issuer)
}

// proxyLogin reports that the route's proxy does not take our login.
func proxyLogin(err *evidence.Error) bool {
	var through *proxy.Error
	return errors.As(err.Err, &through) && through.Kind == proxy.Login
}

// statusOf returns what a failure makes of the recipients it is about.
func statusOf(err *evidence.Error, uncertain bool) Status {
	switch {
	case err == nil:
		return Delivered
	case uncertain:
		return Uncertain
	case err.Scope == evidence.ScopeConnection, err.Scope == evidence.ScopeHost, err.Scope == evidence.ScopeRoute:
		return Deferred // nothing was said about the message, whatever the digits
	case tooManyRecipients(err):
		return Deferred
	case err.Reply.Permanent():
		return Failed
	}
	return Deferred // a 4yz reply, or none: style of one default, the safe one
}

// tooManyRecipients reports the refusal of a recipient because the transaction
// has enough of them. 552 was the code for it once, and clients are to take it for
// 452; but not where the enhanced status code says that something else is full.
// RFC 5321 §4.5.3.1.10.
func tooManyRecipients(err *evidence.Error) bool {
	if err.Stage != evidence.StageRcpt || err.Reply.Code != 452 && err.Reply.Code != 552 {
		return false
	}
	e := err.Reply.Enhanced
	return e.IsZero() || e.Subject == 5 && e.Detail == 3 // X.5.3: too many recipients
}
