package doctor

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// mode judges a port that is secured in the other way than was asked for.
func (j *judge) mode() *Finding {
	t, mode := j.f.talk(talkTarget), j.f.talk(talkMode)
	if t == nil || t.Failure == nil || j.q.free() {
		return nil
	}
	switch {
	case t.Security == Implicit && t.Spoke == ProtoSMTP:
		x := j.find("tls.implicit-on-starttls-port", explain.Certain, fmt.Sprintf("%s answers the beginning of TLS in clear text", t.Endpoint))
		if mode.well() && !mode.NoTLS {
			x.Seen = append(x.Seen, "with STARTTLS it works, tried just now: "+mode.inWords())
			x.first(fmt.Sprintf("Choose STARTTLS for port %d.", t.Port))
		}
		return x
	case t.Security != Implicit && t.Spoke == "" && mode != nil && mode.Security == Implicit && (mode.TLS != "" || mode.Spoke == ProtoTLS):
		x := j.find("tls.plain-on-implicit-port", explain.Certain, fmt.Sprintf("%s says nothing to a client that waits for a greeting, and answers one that begins TLS", t.Endpoint))
		if mode.well() {
			x.Seen = append(x.Seen, "with TLS at once it works, tried just now: "+mode.inWords())
		}
		return x.first(fmt.Sprintf("Choose SSL/TLS (not STARTTLS) for port %d.", t.Port))
	}
	return nil
}

// tls judges the security of the connection.
func (j *judge) tls() *Finding {
	t := j.effective()
	switch {
	case t == nil:
		return nil
	case t.NoTLS:
		return j.noStartTLS(t)
	case t.Failure == nil, errors.Is(t.Failure.Err, smtpclient.ErrGivenUp):
		return nil
	case t.wantedCert() && t.VerifyError == nil && !t.Failure.Reply.IsZero():
		return j.find("tls.client-certificate-required", explain.Certain,
			"the server asks for a client certificate, and says when it gets none: "+t.Failure.Reply.String())
	case t.wantedCert() && t.VerifyError == nil:
		return j.find("tls.client-certificate-required", explain.Likely,
			"the server asks for a client certificate, and ends the connection when it gets none", errorText(t.Failure.Err))
	case t.VerifyError != nil && t.Why == talkTarget && j.f.talk(talkAnyCert).well():
		return nil // servers take any certificate from each other; a warning
	case t.VerifyError != nil:
		return j.certificate(t)
	case t.Failure.Stage == evidence.StageTLS:
		return j.handshake(t)
	case t.Failure.Stage == evidence.StageStartTLS:
		return j.explained(t.Failure)
	}
	return nil
}

// wantedCert reports whether a conversation failed, as it seems, for want of a client
// certificate: the connection ended, or a reply says so. Postfix replies 421.
func (t *Talk) wantedCert() bool {
	return t.AskedCert && (t.Failure.Origin == evidence.OriginNetwork || strings.Contains(strings.ToLower(t.Failure.Reply.Text()), "client certificate"))
}

// noStartTLS judges a server that does not offer STARTTLS.
func (j *judge) noStartTLS(t *Talk) *Finding {
	if t.Masked {
		return j.find("net.smtp-inspection", explain.Likely, "something on the way overwrites what the server offers: "+overwritten(t))
	}
	if j.q.betweenServers() {
		return nil // servers hand mail to each other without TLS where there is none; a warning
	}
	if p := j.q.ownProvider(); p != nil && slices.ContainsFunc(p.Submission, func(s provider.Server) bool {
		return s.Host == strings.ToLower(j.q.Host) && s.Port == j.q.Port && s.Security == provider.StartTLS
	}) {
		return j.find("net.smtp-inspection", explain.Likely, p.Name+" offers STARTTLS on this port, and here it is not offered: something on the way takes it out",
			"after EHLO is offered: "+strings.Join(t.Extensions, ", "))
	}
	offers := "nothing"
	if len(t.Extensions) > 0 {
		offers = strings.Join(t.Extensions, ", ")
	}
	x := j.find("tls.starttls-not-offered", explain.Certain, "after EHLO the server offers "+offers)
	for _, other := range j.f.Talks {
		if other.Why == talkPort && other.well() && !other.NoTLS {
			x.first(fmt.Sprintf("Use port %d with %s (tried just now: it works).", other.Port, securityWords(other.Security)))
		}
	}
	return x
}

// overwritten returns the lines that give an inspecting firewall away.
func overwritten(t *Talk) string {
	var lines []string
	for _, l := range append([]string{t.Record.Greeting}, t.Extensions...) {
		if strings.Contains(l, "XXXX") || strings.Contains(l, "****") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "; ")
}

// certificate judges a certificate that is not accepted.
func (j *judge) certificate(t *Talk) *Finding {
	x := j.explained(t.Failure)
	x.Seen = nil
	if len(t.Chain) == 0 {
		x.Seen = []string{errorText(t.VerifyError)}
		return x
	}
	leaf := t.Chain[0]
	shown := fmt.Sprintf("certificate for %s, issued by %s, good from %s to %s", namesOf(leaf), shortName(leaf.Issuer.String()), day(leaf.NotBefore), day(leaf.NotAfter))
	var unknown x509.UnknownAuthorityError
	switch {
	case timeProblem(t):
		return j.outOfDate(t, shown)
	case x.Cause == "tls.certificate-name-mismatch":
		x.Seen = []string{shown, "the name asked for is " + t.Host}
		if best := sameParent(leaf, t.Host); best != "" {
			x.first(fmt.Sprintf("Use %s as the server's name, for which the certificate is.", best))
		}
		return x
	case x.Cause == "tls.intercepted":
		x.Seen = []string{shown, "the issuer is security software on this machine or on the way, not a certificate authority"}
		return x
	case !errors.As(t.VerifyError, &unknown):
		x.Seen = []string{shown, t.VerifyError.Error()}
		return x
	case selfSigned(leaf):
		return j.find("tls.certificate-self-signed", explain.Certain, shown, "it has signed itself")
	case selfSigned(t.Chain[len(t.Chain)-1]):
		return j.find("tls.certificate-self-signed", explain.Certain, shown, fmt.Sprintf("the chain of %d ends in a root that this machine does not trust: %s", len(t.Chain), shortName(t.Chain[len(t.Chain)-1].Subject.String())))
	case j.f.Issuer != nil && j.f.Issuer.Verifies:
		return j.find("tls.certificate-chain-incomplete", explain.Certain, shown,
			fmt.Sprintf("the server sends %s and leaves out the one of %s", counted(len(t.Chain), "certificate"), shortName(j.f.Issuer.Subject)),
			fmt.Sprintf("fetched from %s, it makes the chain whole", j.f.Issuer.URL))
	case j.f.Issuer != nil && j.f.Issuer.Subject != "":
		return j.find("tls.certificate-untrusted", explain.Certain, shown, fmt.Sprintf("its issuer, fetched from %s, is not trusted by this machine either", j.f.Issuer.URL))
	}
	x = j.find("tls.certificate-untrusted", explain.Likely, shown, "this machine does not know the issuer, and the server does not send its certificate")
	x.Do = append(x.Do, "If the server is yours, have it send the whole chain; if its issuer is a private one, give its root with --ca FILE to go on from here.")
	return x
}

// outOfDate judges a certificate outside its dates: the certificate's fault, or the
// clock's.
func (j *judge) outOfDate(t *Talk, shown string) *Finding {
	now := j.q.now()
	bad, which := t.Chain[0], "it"
	for i, c := range t.Chain {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			bad = c
			if i > 0 {
				which = fmt.Sprintf("certificate %d of %d (%s)", i+1, len(t.Chain), shortName(c.Subject.String()))
			}
			break
		}
	}
	what := fmt.Sprintf("%s expired on %s, %s ago", which, day(bad.NotAfter), inWords(now.Sub(bad.NotAfter)))
	if now.Before(bad.NotBefore) {
		what = fmt.Sprintf("%s is good only from %s, in %s", which, day(bad.NotBefore), inWords(bad.NotBefore.Sub(now)))
	}
	if x := j.clockWrong(bad.NotBefore, bad.NotAfter, shown, what); x != nil {
		return x
	}
	x := j.find("tls.certificate-expired", explain.Certain, shown, what)
	if now.Before(bad.NotBefore) {
		x.Title = fmt.Sprintf("The certificate of %s is not yet valid", t.Host)
	}
	same := j.clockWords()
	x.RuledOut = append(x.RuledOut, same...)
	if own := greetingDate.FindString(t.Record.Greeting); len(same) == 0 && own != "" {
		// Its own word against ours: it may have made its certificate by a wrong clock.
		if says, err := mail.ParseDate(own); err == nil && (&Clock{Says: says, Ours: now}).wrong() && !says.Before(bad.NotBefore) && !says.After(bad.NotAfter) {
			x.Confidence = explain.Likely
			x.Seen = append(x.Seen, fmt.Sprintf("its greeting says that it is %s: its clock or this machine's (%s) is wrong", day(says), day(now)))
			x.Do = append(x.Do, "See whether the date of this machine is right.")
		}
	}
	return x
}

// handshake judges a handshake that failed before there was a certificate to
// judge.
func (j *judge) handshake(t *Talk) *Finding {
	if t.mute() {
		if x := j.muted(t); x != nil {
			return x
		}
	}
	legacy := j.f.talk(talkLegacy)
	if legacy != nil && legacy.TLS != "" {
		switch legacy.TLS {
		case tls.VersionName(tls.VersionTLS10), tls.VersionName(tls.VersionTLS11):
			return j.find("tls.protocol-version", explain.Certain,
				"a handshake with TLS 1.2 or 1.3 fails: "+errorText(t.Failure.Err), fmt.Sprintf("with older versions allowed the server takes %s, tried just now", legacy.TLS))
		}
		return j.find("tls.handshake-failed", explain.Certain,
			"the handshake fails: "+errorText(t.Failure.Err), fmt.Sprintf("with every old cipher allowed the server takes %s", legacy.Record.TLS.Cipher))
	}
	x := j.explained(t.Failure)
	if x.Confidence == explain.Certain && x.Cause == "tls.handshake-failed" {
		x.Confidence = explain.Likely
	}
	if legacy != nil {
		x.Seen = append(x.Seen, "with TLS 1.0 and old ciphers allowed it fails as well")
	}
	return x
}

func selfSigned(c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer)
}

// namesOf returns the names of a certificate, bounded.
func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return shortName(c.Subject.String()) + " (no host name)"
	}
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", len(names)-5))
	}
	return evidence.Printable(listOf(names))
}

// shortName returns the common name of a distinguished name, or all of it. RFC 4514.
func shortName(dn string) string {
	_, rest, found := strings.Cut(","+strings.ReplaceAll(dn, "+CN=", ",CN="), ",CN=")
	if !found {
		return evidence.Printable(dn)
	}
	var cn []byte
	for i := 0; i < len(rest) && rest[i] != ',' && rest[i] != '+'; i++ {
		if rest[i] == '\\' && i+1 < len(rest) {
			i++ // what follows stands for itself; RFC 4514 §2.4
		}
		cn = append(cn, rest[i])
	}
	return evidence.Printable(string(cn))
}

// sameParent returns a name of the certificate in the host's own domain that is not
// a wildcard.
func sameParent(c *x509.Certificate, host string) string {
	for _, n := range c.DNSNames {
		if !strings.HasPrefix(n, "*") && strings.HasSuffix(n, "."+parentOf(host)) {
			return n
		}
	}
	for _, n := range c.DNSNames {
		if !strings.HasPrefix(n, "*") {
			return n
		}
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// weakest is the RSA key, in bits, that OpenSSL takes at the security level which
// most systems set for it (2: 112 bits). crypto/tls takes 1024.
const weakest = 2048

// weakKey returns what there is to say of a certificate whose key is weak; nil when
// it is not.
func (j *judge) weakKey() *Finding {
	t := j.effective()
	if t == nil || !t.Verified || len(t.Chain) == 0 {
		return nil
	}
	key, ok := t.Chain[0].PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() >= weakest {
		return nil
	}
	x := j.find("tls.handshake-failed", explain.Likely, fmt.Sprintf("its certificate has an RSA key of %d bits", key.N.BitLen()),
		fmt.Sprintf("this program takes it; those with OpenSSL as Debian, Ubuntu and Red Hat set it up want %d, and break off: \"ee key too small\"", weakest))
	x.Title = fmt.Sprintf("The key of %s is too weak for many programs", t.Host)
	return x.first(fmt.Sprintf("Whoever runs %s: have the certificate issued anew, with a key of RSA %d or ECDSA P-256.", t.Host, weakest))
}

// keyOfPrograms is weakKey where programs connect, which break off. Servers that
// hand mail over take any key.
func (j *judge) keyOfPrograms() *Finding {
	if j.q.betweenServers() {
		return nil
	}
	return j.weakKey()
}
