package smtpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
)

// authority is who issues certificates to clients.
type authority struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{pool: x509.NewCertPool(), key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// client returns a certificate for a client of this name.
func (a *authority) client(t *testing.T, name string, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const xclients = "S: 250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT\nS: 250 HELP\n"

// A proxy that names its client before TLS is the one that shows the certificate.
func TestXClient_BeforeTLSTheCertificateIsTheProxys(t *testing.T) {
	ca := newAuthority(t, "ours")
	spec := Listener{Kind: smtp.KindSubmission, Mechanisms: []string{"EXTERNAL", "PLAIN"}, ClientCA: ca.pool, XClient: loopback}
	_, addr, tc, _ := start(t, spec, nil)
	tc = tc.Clone()
	tc.Certificates = []tls.Certificate{ca.client(t, "ann", time.Now().Add(time.Hour))}
	play(t, addr, tc, greeted+hello+"S: 250-STARTTLS\n"+xclients+"C: XCLIENT ADDR=198.51.100.7\n"+greeted+
		noTLSOffered+"C: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+hello+"S: 250-AUTH PLAIN\nS: 250 HELP\nC: AUTH EXTERNAL =\nS: 504 5.5.4 ...\n")
}

// A balancer that does not say who its client is lends it no right of its own: not
// that of its address, not that of a device, not XCLIENT.
func TestProxyHeader_UnknownClientHasNoRights(t *testing.T) {
	binary := "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for _, c := range []struct{ name, header, text string }{
		{"version 1", unknownPeer, greeted + noTLSOffered + "C: XCLIENT ADDR=10.1.2.3\nS: 550 5.7.0 ...\nC: MAIL FROM:<a@b.example>\nS: 550-5.7.1 ...\nS: 550 5.7.1 ...\nC: QUIT\nS: 221 ...\n"},
		{"version 2", binary, greeted + noTLSOffered + "C: XCLIENT ADDR=10.1.2.3\nS: 550 5.7.0 ...\nC: MAIL FROM:<a@b.example>\nS: 550-5.7.1 ...\nS: 550 5.7.1 ...\nC: QUIT\nS: 221 ...\n"},
		{"the balancer itself", local, greeted + hello + "S: 250-STARTTLS\n" + xclients + mail},
	} {
		for _, gateway := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, gateway), func(t *testing.T) {
				change, _ := with(device.Device{Name: "balancer", Addresses: loopback, Leniency: device.Leniency{AnyHello: true}})
				spec := Listener{Kind: smtp.KindRelay, Address: ":25", Allow: loopback, ProxyProtocol: loopback, XClient: loopback, AllowGateway: gateway}
				_, addr, tc, _ := start(t, spec, change)
				after(t, addr, tc, c.header, c.text)
			})
		}
	}
}

// Who has logged in without TLS cannot hand the session on to somebody else's TLS.
// RFC 3207 §4.2.
func TestSTARTTLS_NotAfterALogin(t *testing.T) {
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission, PlaintextAuth: true}, nil)
	play(t, addr, tc, ways[0].begin+loggedIn+"C: STARTTLS\nS: 503 5.5.1 ...\n"+mail)
}

// A token that somebody has heard lets him in everywhere, so it is never taken in the
// clear, whatever else is. RFC 6750 §5.3.
func TestAuth_TokensOnlyUnderTLS(t *testing.T) {
	spec := Listener{Kind: smtp.KindSubmission, PlaintextAuth: true, Mechanisms: []string{"OAUTHBEARER", "XOAUTH2", "PLAIN"}}
	_, addr, tc, _ := start(t, spec, nil)
	play(t, addr, tc, greeted+hello+"S: 250-STARTTLS\nS: 250-AUTH PLAIN\nS: 250 HELP\nC: AUTH XOAUTH2 eA==\nS: 538 5.7.11 ...\nC: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+
		hello+"S: 250-AUTH OAUTHBEARER XOAUTH2 PLAIN\nS: 250 HELP\nC: QUIT\nS: 221 ...\n")
}

// A session that another listener began is not resumed with the certificate that was
// good there.
func TestClientCA_OfAnotherListenerIsNotResumed(t *testing.T) {
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	spec := Listener{Kind: smtp.KindSubmissions, Mechanisms: []string{"EXTERNAL", "PLAIN"}}
	s, first, tc, _ := start(t, spec, nil)
	play(t, first, tc, "T:\n"+greeted+"C: QUIT\nS: 221 ...\n") // the server has made its ticket keys
	var addrs [2]string
	for i, ca := range []*authority{one, two} {
		own := spec
		own.ClientCA = ca.pool
		addrs[i] = more(t, s, own)
	}
	tc = tc.Clone()
	tc.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	tc.Certificates = []tls.Certificate{one.client(t, "ann", time.Now().Add(time.Hour))}
	external := hello + "S: 250-AUTH EXTERNAL PLAIN\nS: 250 HELP\nC: QUIT\nS: 221 ...\n"
	play(t, addrs[0], tc, "T:\n"+greeted+external)
	tc.Certificates = nil
	tc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	plain := strings.Replace(external, "EXTERNAL ", "", 1)
	play(t, addrs[1], tc, "T:\n"+greeted+plain)
	play(t, first, tc, "T:\n"+greeted+plain)
}

// A certificate of others, or one that has run out, lets nobody in; without one the
// client may log in otherwise.
func TestClientCA_OthersAndOldOnes(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "ours")
	spec := Listener{Kind: smtp.KindSubmissions, Mechanisms: []string{"EXTERNAL", "PLAIN"}, ClientCA: ours.pool}
	_, addr, tc, _ := start(t, spec, nil)
	for name, c := range map[string]tls.Certificate{"of others": others.client(t, "ann", time.Now().Add(time.Hour)), "run out": ours.client(t, "ann", time.Now().Add(-time.Minute))} {
		own := tc.Clone()
		own.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
		conn := tls.Client(dial(t, addr), own)
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("a certificate %s is greeted", name)
		}
	}
	play(t, addr, tc, "T:\n"+greeted+hello+"S: 250-AUTH PLAIN\nS: 250 HELP\nC: AUTH EXTERNAL =\nS: 504 5.5.4 ...\n")
}
