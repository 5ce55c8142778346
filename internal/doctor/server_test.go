package doctor

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/resolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testUser     = "ann@example.org"
	testPassword = "correct horse battery"
)

// authority is a certificate authority for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, cert := makeCert(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}
}

func makeCert(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// leaf returns a certificate for 127.0.0.1, ::1 and the names, changed by change.
func (a *authority) leaf(t *testing.T, change func(*x509.Certificate), names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "test server"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	key, cert := makeCert(t, template, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// fake is a mail server that does as it is told.
type fake struct {
	greeting string            // "": 220
	silent   bool              // no greeting
	delay    chan struct{}     // the greeting waits for it
	implicit bool              // TLS at once
	config   *tls.Config       // nil: no TLS
	before   []string          // EHLO lines before TLS, beside STARTTLS
	after    []string          // EHLO lines under TLS
	replies  map[string]string // by verb, in upper case; "MAIL@clear" before TLS
	noTLS    bool              // STARTTLS is not offered
	users    map[string]string // user to password
	refuse   string            // the reply to a login that is wrong
	banner   string            // said in place of SMTP, and then nothing

	logins  atomic.Int32
	mu      sync.Mutex // guards the fields below
	heard   []string   // all lines
	conns   int
	running sync.WaitGroup
}

// start begins to listen on loopback and returns the endpoint.
func (s *fake) start(t *testing.T, address ...string) Endpoint {
	t.Helper()
	at := "127.0.0.1:0"
	if len(address) > 0 {
		at = address[0]
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip("cannot listen on", at)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		l.Close()
		s.running.Wait()
	})
	s.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.mu.Unlock()
			s.running.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
				defer stop()
				s.serve(ctx, c)
			})
		}
	})
	a := l.Addr().(*net.TCPAddr)
	return Endpoint{Host: a.IP.String(), Port: a.Port}
}

func (s *fake) serve(ctx context.Context, c net.Conn) {
	secure := false
	if s.implicit {
		c = tls.Server(c, s.config)
		secure = true
	}
	br := bufio.NewReader(c)
	say := func(line string) { c.Write([]byte(strings.ReplaceAll(line, "\n", "\r\n") + "\r\n")) }
	switch {
	case s.silent:
		br.ReadString(0)
		return
	case s.banner != "":
		say(s.banner)
		br.ReadString(0)
		return
	}
	if s.delay != nil {
		select {
		case <-s.delay:
		case <-ctx.Done():
			return
		}
	}
	greeting := s.greeting
	if greeting == "" {
		greeting = "220 mail.example.org ESMTP"
	}
	say(greeting)
	if !strings.HasPrefix(greeting, "220") {
		return
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.heard = append(s.heard, line)
		s.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if r := s.reply(verb, rest, secure); r != "" {
			say(r)
			if strings.HasPrefix(r, "421") {
				return
			}
			continue
		}
		switch verb {
		case "EHLO":
			lines := append([]string{"mail.example.org"}, s.before...)
			if secure {
				lines = append([]string{"mail.example.org"}, s.after...)
			} else if s.config != nil && !s.noTLS {
				lines = append(lines, "STARTTLS")
			}
			for i, l := range lines {
				sep := "-"
				if i == len(lines)-1 {
					sep = " "
				}
				say("250" + sep + l)
			}
		case "STARTTLS":
			say("220 go ahead")
			c = tls.Server(c, s.config)
			br, secure = bufio.NewReader(c), true
		case "AUTH":
			s.auth(br, say, rest)
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *fake) reply(verb, rest string, secure bool) string {
	if !secure {
		if r := s.replies[verb+"@clear"]; r != "" {
			return r
		}
	}
	if r := s.replies[verb+" "+rest]; r != "" {
		return r
	}
	return s.replies[verb]
}

// ntlmChallenge is that of the domain "DOMAIN" and the server "SERVER".
const ntlmChallenge = "TlRMTVNTUAACAAAADAAMADAAAAABAoEAASNFZ4mrze8AAAAAAAAAAGIAYgA8AAAARABPAE0AQQBJAE4AAgAMAEQATwBNAEEASQBOAAEADABTAEUAUgBWAEUAUgAEABQAZABvAG0AYQBpAG4ALgBjAG8AbQADACIAcwBlAHIAdgBlAHIALgBkAG8AbQBhAGkAbgAuAGMAbwBtAAAAAAA="

func (s *fake) auth(br *bufio.Reader, say func(string), rest string) {
	mechanism, initial, _ := strings.Cut(rest, " ")
	s.logins.Add(1)
	refuse := s.refuse
	if refuse == "" {
		refuse = "535 5.7.8 Authentication credentials invalid"
	}
	var user, password string
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(initial)
		if parts := strings.Split(string(b), "\x00"); len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case "XOAUTH2":
		say("334 " + base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`)))
		br.ReadString('\n')
	case "NTLM":
		for _, challenge := range []string{"ntlm supported", ntlmChallenge} {
			say("334 " + challenge)
			br.ReadString('\n')
		}
	default:
		say("504 5.5.4 unrecognized authentication type")
		return
	}
	if want, ok := s.users[user]; ok && want == password {
		say("235 2.7.0 ok")
		return
	}
	say(strings.ReplaceAll(refuse, "{password}", password))
}

func (s *fake) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.heard...)
}

// zone is a name server for tests. It answers NXDOMAIN for what it does not hold.
func zone(t *testing.T, records string, failing ...string) string {
	t.Helper()
	var rrs []dns.RR
	p := dns.NewZoneParser(strings.NewReader("$TTL 60\n"+records), ".", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	srv := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		name := strings.ToLower(q.Question[0].Name)
		exists := false
		for _, rr := range rrs {
			if strings.EqualFold(rr.Header().Name, name) {
				exists = true
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		for _, f := range failing {
			if f == name {
				m.Rcode = dns.RcodeServerFailure
			}
		}
		w.WriteMsg(m)
	})}
	var running sync.WaitGroup
	running.Go(func() { srv.ActivateAndServe() })
	<-up
	t.Cleanup(func() {
		srv.Shutdown()
		running.Wait()
	})
	return conn.LocalAddr().String()
}

// silentUDP is a name server that never answers.
func silentUDP(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// at makes names go to a name server for tests.
func (q *Question) at(server string) {
	q.Resolver = resolver.New(resolver.Options{Servers: []string{server}, Timeout: 300 * time.Millisecond})
	q.OnlyResolver = true
}
