package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// ask runs the doctor and requires the root cause; "" for none.
func ask(t *testing.T, q Question, want cause.ID) *Report {
	t.Helper()
	if q.Timeout == 0 {
		q.Timeout = 8 * time.Second
	}
	if q.Hostname == "" {
		q.Hostname = "client.example.org"
	}
	if q.Resolver == nil {
		q.at(zone(t, ""))
	}
	q.Typed = true
	r := Run(context.Background(), q)
	got := cause.ID("")
	if len(r.Findings) > 0 {
		got = r.Findings[0].Cause
	}
	if got != want {
		b, _ := json.MarshalIndent(r, "", " ")
		t.Fatalf("root cause %q, want %q\n%s", got, want, b)
	}
	if want != "" {
		f := &r.Findings[0]
		if r.Verdict != Problem {
			t.Errorf("verdict %s with a finding", r.Verdict)
		}
		if len(f.Seen) == 0 || len(f.Do) == 0 || f.Why == "" || f.Actor == "" || f.Title == "" {
			t.Errorf("the finding lacks something: %+v", f)
		}
	}
	return r
}

// well returns a server with which nothing is wrong.
func well(t *testing.T, a *authority) *fake {
	return &fake{
		config: &tls.Config{Certificates: []tls.Certificate{a.leaf(t, nil, "mail.example.org")}},
		before: []string{"PIPELINING", "SIZE 1000000"}, after: []string{"PIPELINING", "SIZE 1000000", "AUTH PLAIN LOGIN"},
		users: map[string]string{testUser: testPassword},
	}
}

func TestRun_HealthyServer(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, implicit := range map[string]bool{"starttls": false, "tls at once": true} {
		t.Run(name, func(t *testing.T) {
			s := well(t, a)
			s.implicit = implicit
			e := s.start(t)
			q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, User: testUser, Password: testPassword, From: testUser, To: "bob@example.net"}
			if implicit {
				q.Security = Implicit
			}
			q.at(zone(t, "example.org. TXT \"v=spf1 -all\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n"))
			began := time.Now()
			r := ask(t, q, "")
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			if r.Verdict != OK || len(r.Warnings) != 0 || len(r.Untested) != 0 {
				t.Errorf("verdict %s, warnings %v, untested %v", r.Verdict, r.Warnings, r.Untested)
			}
			w := r.Works
			if w.Host != e.Host || w.Port != e.Port || w.User != testUser || w.Auth != "PLAIN" || w.From != testUser || w.To != "bob@example.net" || w.MaxSize != 1000000 {
				t.Errorf("works: %+v", w)
			}
			for _, l := range s.lines() {
				if strings.HasPrefix(l, "DATA") {
					t.Error("a message was begun")
				}
			}
			if s.conns != 1 {
				t.Errorf("%d connections", s.conns)
			}
		})
	}
}

func TestRun_Auto_FindsTLSAtOnce(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	s.implicit = true
	e := s.start(t)
	r := ask(t, Question{Host: e.Host, Port: e.Port, Roots: a.pool}, "")
	if r.Works.Security != Implicit || r.Target.Security != Implicit {
		t.Errorf("works: %+v, target %+v", r.Works, r.Target)
	}
}

func TestRun_Names(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	server := zone(t, "smtp.example.org. A 127.0.0.1\nempty.example.org. TXT \"x\"\nexample.org. A 127.0.0.1\nzero.example.org. A 0.0.0.0\n", "broken.example.org.")
	for _, tt := range []struct {
		host string
		want cause.ID
	}{
		{"nothere.example.org", "dns.name-not-found"},
		{"empty.example.org", "dns.name-not-found"},
		{"smpt.example.org", "dns.misspelt"},
		{"smtp-emea.outlook.com", "dns.retired-endpoint"},
		{"broken.example.org", "dns.lookup-failed"},
		{"zero.example.org", "dns.filtered"},
	} {
		q := Question{Host: tt.host, Port: 587, Roots: a.pool}
		q.at(server)
		ask(t, q, tt.want)
	}
	q := Question{Host: "smtp.example.org", Port: 587}
	q.at(silentUDP(t))
	ask(t, q, "dns.resolver-unreachable")
}

// refusedPort returns a port on which nothing listens.
func refusedPort(t *testing.T, host string) Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return Endpoint{host, l.Addr().(*net.TCPAddr).Port}
}

func TestRun_Refused(t *testing.T) {
	t.Parallel()
	e := refusedPort(t, "127.0.0.1")
	ask(t, Question{Host: e.Host, Port: e.Port}, "net.refused")
}

func TestRun_OtherProtocols(t *testing.T) {
	t.Parallel()
	for banner, want := range map[string]cause.ID{
		"* OK [CAPABILITY IMAP4rev1] Dovecot ready.": "service.wrong-protocol-imap",
		"+OK Dovecot ready.":                         "service.wrong-protocol-pop3",
		"SSH-2.0-OpenSSH_9.6":                        "service.wrong-protocol-ssh",
		"5.7.44-log mysql":                           "service.wrong-protocol-other",
	} {
		e := (&fake{banner: banner}).start(t)
		ask(t, Question{Host: e.Host, Port: e.Port}, want)
	}
}

func TestRun_WebServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	a := s.Listener.Addr().(*net.TCPAddr)
	ask(t, Question{Host: "127.0.0.1", Port: a.Port}, "service.wrong-protocol-http")
	s2 := httptest.NewTLSServer(http.NotFoundHandler())
	defer s2.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s2.Certificate())
	a = s2.Listener.Addr().(*net.TCPAddr)
	ask(t, Question{Host: "127.0.0.1", Port: a.Port, Roots: pool, Security: Implicit}, "service.wrong-protocol-http")
	ask(t, Question{Host: "127.0.0.1", Port: a.Port, Roots: pool}, "service.wrong-protocol-http")
}

func TestRun_IncomingPort(t *testing.T) {
	t.Parallel()
	e := (&fake{banner: "* OK ready"}).start(t, "127.0.0.9:143")
	ask(t, Question{Host: e.Host, Port: e.Port}, "service.incoming-server")
}

func TestRun_SecurityOfThePort(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	implicit := well(t, a)
	implicit.implicit = true
	e := implicit.start(t)
	r := ask(t, Question{Host: e.Host, Port: e.Port, Security: StartTLS, Roots: a.pool}, "tls.plain-on-implicit-port")
	if r.Works.Security != Implicit {
		t.Errorf("works: %+v", r.Works)
	}
	ask(t, Question{Host: e.Host, Port: e.Port, Security: Clear, Roots: a.pool}, "tls.plain-on-implicit-port")
	e = well(t, a).start(t)
	r = ask(t, Question{Host: e.Host, Port: e.Port, Security: Implicit, Roots: a.pool}, "tls.implicit-on-starttls-port")
	if r.Works.Security != StartTLS {
		t.Errorf("works: %+v", r.Works)
	}
}

func TestRun_STARTTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for name, tt := range map[string]struct {
		change func(*fake)
		want   cause.ID
	}{
		"not offered": {func(s *fake) { s.noTLS = true }, "tls.starttls-not-offered"},
		"masked":      {func(s *fake) { s.noTLS, s.before = true, []string{"XXXXXXXA", "SIZE 1000"} }, "net.smtp-inspection"},
		"stars":       {func(s *fake) { s.noTLS, s.greeting = true, "220 ****************************" }, "net.smtp-inspection"},
		"unavailable": {func(s *fake) {
			s.replies = map[string]string{"STARTTLS": "454 4.7.0 TLS not available due to local problem"}
		}, "tls.server-unavailable"},
		"old versions": {func(s *fake) { s.config.MinVersion, s.config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "tls.protocol-version"},
		"old ciphers": {func(s *fake) {
			s.config.MaxVersion, s.config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}
		}, "tls.handshake-failed"},
		"client certificate 1.3": {func(s *fake) { s.config.ClientAuth = tls.RequireAnyClientCert }, "tls.client-certificate-required"},
		"client certificate 1.2": {func(s *fake) {
			s.config.ClientAuth, s.config.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
		}, "tls.client-certificate-required"},
	} {
		t.Run(name, func(t *testing.T) {
			s := well(t, a)
			tt.change(s)
			e := s.start(t)
			ask(t, Question{Host: e.Host, Port: e.Port, Roots: a.pool}, tt.want)
		})
	}
}

func TestRun_Certificates(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	middleKey, middle := makeCert(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Intermediate"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.cert, a.key)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(middle.Raw) }))
	defer issuer.Close()
	between := &authority{cert: middle, key: middleKey}
	shieldKey, shield := makeCert(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Avast Web/Mail Shield Root", Organization: []string{"Avast Web/Mail Shield"}}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	now := time.Now()
	selfKey, self := makeCert(t, &x509.Certificate{Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, nil, nil)
	privateRoot := other.leaf(t, nil)
	privateRoot.Certificate = append(privateRoot.Certificate, other.cert.Raw)
	for name, tt := range map[string]struct {
		cert tls.Certificate
		want cause.ID
	}{
		"expired":       {a.leaf(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-48*time.Hour), now.Add(-time.Hour) }), "tls.certificate-expired"},
		"not yet valid": {a.leaf(t, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }), "tls.certificate-expired"},
		"other name":    {a.leaf(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"www.example.org"} }), "tls.certificate-name-mismatch"},
		"self-signed":   {tls.Certificate{Certificate: [][]byte{self.Raw}, PrivateKey: selfKey}, "tls.certificate-self-signed"},
		"private root":  {privateRoot, "tls.certificate-self-signed"},
		"unknown":       {other.leaf(t, nil), "tls.certificate-untrusted"},
		"incomplete":    {between.leaf(t, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{issuer.URL + "/middle.cer"} }), "tls.certificate-chain-incomplete"},
		"intercepted":   {(&authority{cert: shield, key: shieldKey}).leaf(t, nil), "tls.intercepted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := well(t, a)
			s.config = &tls.Config{Certificates: []tls.Certificate{tt.cert}}
			e := s.start(t)
			r := ask(t, Question{Host: e.Host, Port: e.Port, Roots: a.pool, User: testUser, Password: testPassword}, tt.want)
			if s.logins.Load() != 0 {
				t.Error("the password was sent")
			}
			if len(r.Findings) != 1 {
				t.Errorf("%d findings", len(r.Findings))
			}
		})
	}
}

func TestRun_Logins(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	login := func(change func(*fake), q Question, want cause.ID, logins int32) *Report {
		t.Helper()
		s := well(t, a)
		change(s)
		e := s.start(t)
		q.Host, q.Port, q.Roots = e.Host, e.Port, a.pool
		r := ask(t, q, want)
		if n := s.logins.Load(); n != logins {
			t.Errorf("%s: %d logins, want %d", want, n, logins)
		}
		return r
	}
	none := func(*fake) {}
	user := Question{User: testUser, Password: "wrong horse"}
	login(none, user, "auth.credentials-rejected", 1)
	login(none, Question{User: "ann", Password: testPassword, Address: testUser}, "auth.username-format", 2)
	login(none, Question{User: "ann", Password: "wrong horse", Address: testUser}, "auth.credentials-rejected", 2)
	login(func(s *fake) { s.after = []string{"SIZE 1000"} }, user, "auth.not-offered", 0)
	login(func(s *fake) { s.after = []string{"AUTH GSSAPI NEGOTIATE"} }, user, "auth.no-shared-mechanism", 0)
	login(func(s *fake) {
		s.after = []string{"AUTH NTLM GSSAPI"}
		s.refuse = "535 5.7.3 Authentication unsuccessful"
	}, user, "auth.ntlm-failed", 1)
	login(func(s *fake) { s.after = []string{"AUTH SCRAM-SHA-256 PLAIN"} }, user, "auth.credentials-rejected", 2) // the fake does not know SCRAM after all
	login(func(s *fake) {
		s.refuse = "534-5.7.9 Application-specific password required. Learn more at\n534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor"
	}, user, "auth.app-password-required", 1)
	login(func(s *fake) {
		s.refuse = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant"
	}, user, "auth.smtp-auth-disabled", 1)
	login(func(s *fake) { s.refuse = "454 4.7.0 Temporary authentication failure" }, user, "auth.server-failure", 1)
	login(func(s *fake) {
		s.replies = map[string]string{"AUTH@clear": "538 5.7.11 Encryption required for requested authentication mechanism"}
	},
		Question{User: testUser, Password: testPassword, Security: Clear}, "auth.encryption-required", 0)
	login(func(s *fake) { s.replies = map[string]string{"AUTH@clear": "503 5.5.1 AUTH not available"} },
		Question{User: testUser, Password: testPassword, Security: Clear}, "auth.encryption-required", 0)
	login(func(s *fake) {
		s.after = []string{"AUTH XOAUTH2"}
		s.refuse = "535 5.7.8 Username and Password not accepted"
	},
		Question{User: testUser, Token: "ya29.opaque-token"}, "auth.oauth-token-rejected", 1)
	login(none, Question{User: testUser, Token: jwt(`{"exp":1700000000}`)}, "auth.oauth-token-rejected", 0)
	login(none, Question{User: testUser, Token: jwt(`{"iss":"https://sts.windows.net/x/","aud":"https://graph.microsoft.com","scp":"Mail.Send"}`)}, "auth.oauth-scope", 0)
}

func jwt(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature"
}

func TestRun_LoginAtIncomingServer(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	imap := &fakeIMAP{config: &tls.Config{Certificates: []tls.Certificate{a.leaf(t, nil)}}, password: testPassword}
	in := imap.start(t)
	s := well(t, a)
	s.users = nil
	e := s.start(t)
	q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, User: testUser, Password: testPassword,
		Incoming: []Incoming{{Protocol: "imap", Endpoint: in, Typed: true}}}
	r := ask(t, q, "auth.smtp-auth-disabled")
	if r.Findings[0].Confidence != "likely" {
		t.Errorf("confidence %s", r.Findings[0].Confidence)
	}
	imap.password = "another"
	ask(t, q, "auth.credentials-rejected")
	if n := imap.logins.Load(); n != 2 {
		t.Errorf("%d logins at IMAP, want one a run", n)
	}
}

func TestRun_BudgetOfLogins(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	e := s.start(t)
	q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, User: testUser, Password: "wrong horse", State: t.TempDir()}
	for range maxFailures {
		ask(t, q, "auth.credentials-rejected")
	}
	r := ask(t, q, "")
	if r.Verdict != Unsure || len(r.Untested) == 0 {
		t.Errorf("verdict %s, untested %v", r.Verdict, r.Untested)
	}
	if n := s.logins.Load(); n != maxFailures {
		t.Errorf("%d logins", n)
	}
	q.IgnoreHistory = true
	ask(t, q, "auth.credentials-rejected")
	q.IgnoreHistory, q.Password = false, testPassword
	ask(t, q, "") // another password is another matter
}

func TestRun_Envelope(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, tt := range []struct {
		verb, reply string
		want        cause.ID
	}{
		{"MAIL", "530 5.7.0 Authentication required", "auth.required"},
		{"MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "sender.send-as-denied"},
		{"RCPT", "554 5.7.1 <bob@example.net>: Relay access denied", "relay.denied"},
		{"RCPT", "550 5.1.1 <bob@example.net>: User unknown", "recipient.unknown"},
		{"RCPT", "450 4.2.0 <bob@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example", "greylist.deferred"},
		{"MAIL@clear", "530 5.7.0 Must issue a STARTTLS command first", "tls.required"},
	} {
		s := well(t, a)
		s.replies = map[string]string{tt.verb: tt.reply}
		e := s.start(t)
		q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, From: testUser, To: "bob@example.net"}
		if tt.verb == "MAIL@clear" {
			q.Security, q.From, q.To = Clear, "", ""
		}
		ask(t, q, tt.want)
	}
}

func TestRun_GreetingRefused(t *testing.T) {
	t.Parallel()
	for greeting, want := range map[string]cause.ID{
		"421 4.7.0 Too many concurrent SMTP connections; please try again later.":          "limit.connections",
		"554 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org": "reputation.ip-blocklisted",
		"521 mail.example.org does not accept mail":                                        "server.not-accepting-mail",
	} {
		e := (&fake{greeting: greeting}).start(t)
		ask(t, Question{Host: e.Host, Port: e.Port}, want)
	}
}

func TestRun_EHLORefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	s.replies = map[string]string{"EHLO crm": "501 5.5.4 Invalid domain name", "HELO crm": "501 5.5.4 Invalid domain name"}
	e := s.start(t)
	r := ask(t, Question{Host: e.Host, Port: e.Port, Roots: a.pool, Hostname: "crm"}, "sender.bad-helo")
	if r.Works.Hello != "[127.0.0.1]" {
		t.Errorf("works: %+v", r.Works)
	}
}

func TestRun_IPv6Broken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	e := s.start(t)
	q := Question{Host: "mail.example.org", Port: e.Port, Roots: a.pool}
	q.at(zone(t, "mail.example.org. A 127.0.0.1\nmail.example.org. AAAA ::1\n"))
	if _, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	}
	ask(t, q, "net.ipv6-broken")
}

func TestRun_WrongPort(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	s.config.Certificates = []tls.Certificate{a.leaf(t, func(c *x509.Certificate) { c.IPAddresses = append(c.IPAddresses, net.IPv4(127, 0, 0, 8)) })}
	s.start(t, "127.0.0.8:2525")
	r := ask(t, Question{Host: "127.0.0.8", Port: 587, Roots: a.pool}, "service.wrong-port")
	if r.Works.Port != 2525 {
		t.Errorf("works: %+v", r.Works)
	}
}

func TestRun_Timeout(t *testing.T) {
	t.Parallel()
	e := (&fake{silent: true}).start(t)
	began := time.Now()
	r := ask(t, Question{Host: e.Host, Port: e.Port, Timeout: 3 * time.Second}, "service.wrong-protocol-other")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %s", took)
	}
	if len(r.Evidence) == 0 {
		t.Error("nothing is reported")
	}
}

func TestRun_SecretsAreNowhere(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	s.refuse = "535 5.7.8 wrong password {password} for you"
	e := s.start(t)
	imap := &fakeIMAP{config: &tls.Config{Certificates: []tls.Certificate{a.leaf(t, nil)}}, password: "x", echo: true}
	const secret = "s3cret-Horse!"
	var shown []string
	q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, User: testUser, Password: secret, State: t.TempDir(),
		Incoming: []Incoming{{Protocol: "imap", Endpoint: imap.start(t), Typed: true}},
		Progress: func(p Progress) { shown = append(shown, p.Said+p.About) }}
	r := ask(t, q, "auth.credentials-rejected")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + testUser + "\x00" + secret))
	for what, text := range map[string]string{"JSON": string(b), "HTML": string(page), "Markdown": r.Markdown(), "progress": strings.Join(shown, "\n")} {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), plain} {
			if strings.Contains(text, form) {
				t.Errorf("%s holds the password as %q", what, form)
			}
		}
	}
	if !slices.ContainsFunc(s.lines(), func(l string) bool { return strings.Contains(l, plain) }) {
		t.Error("the login was not tried, so nothing is shown")
	}
}

// A certificate from the future, and a host that says that the future is now.
func TestRun_ClockWrong(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	future := time.Now().AddDate(0, 0, 30)
	s := well(t, a)
	s.config.Certificates[0] = a.leaf(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = future.Add(-time.Hour), future.AddDate(0, 0, 20) })
	e := s.start(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", future.UTC().Format(http.TimeFormat))
	}))
	defer web.Close()
	at := web.Listener.Addr().(*net.TCPAddr)
	q := Question{Host: e.Host, Port: e.Port, Roots: a.pool, Controls: []Endpoint{{"127.0.0.1", at.Port}}}
	if r := ask(t, q, "tls.clock-wrong"); r.Findings[0].Confidence != "likely" {
		t.Errorf("confidence %s", r.Findings[0].Confidence)
	}
	q.Controls = []Endpoint{(&fake{greeting: "220 mail.example.net ESMTP; " + future.Format(time.RFC1123Z)}).start(t)}
	ask(t, q, "tls.clock-wrong")
	q.Controls = []Endpoint{(&fake{greeting: "220 mail.example.net ESMTP; " + time.Now().Format(time.RFC1123Z)}).start(t)}
	ask(t, q, "tls.certificate-expired")
	q.Controls = nil
	ask(t, q, "tls.certificate-expired")
}
