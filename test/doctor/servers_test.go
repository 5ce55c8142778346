package doctor

import (
	"context"
	"crypto/x509"
	"net"
	"slices"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/peers"
)

const (
	user     = "ann@example.org"
	password = "correct-horse-battery"
)

// station is a real mail server, set up in some way, and how the doctor is asked.
type station struct {
	name     string
	cert     func(*x509.Certificate) // nil: the server has no TLS
	login    bool                    // it asks for a login
	mismatch bool                    // its key is not that of its certificate
	silent   bool                    // it does not greet in plain text, or late
	settings []string                // more of its configuration
	args     []string                // of the doctor, after the target
	scheme   string                  // "": smtp
	asks     string                  // "user": with the right password; "wrong": with another
	want     cause.ID
	also     []cause.ID
	warning  cause.ID
}

var envelope = []string{"--from", user, "--to", "bob@example.net"}

var postfixes = []station{
	{name: "all is well", cert: asItIs, login: true, asks: "user", args: envelope},
	{name: "all is well, found out", cert: asItIs, login: true, asks: "user", args: append([]string{"--security", "auto"}, envelope...)},
	{name: "message sent", cert: asItIs, login: true, asks: "user", args: append([]string{"--send"}, envelope...)},
	{name: "TLS at once", cert: asItIs, login: true, silent: true, settings: []string{"smtpd_tls_wrappermode = yes"}, scheme: "smtps", asks: "user", args: envelope},
	{name: "wrong password", cert: asItIs, login: true, asks: "wrong", want: "auth.credentials-rejected"},
	{name: "no login given", cert: asItIs, login: true, args: envelope, want: "relay.denied", also: []cause.ID{"auth.required", "server.unspecified-rejection"},
		settings: []string{"smtpd_relay_restrictions = permit_sasl_authenticated,reject_unauth_destination", "smtpd_recipient_restrictions ="}},
	{name: "login not offered", cert: asItIs, asks: "user", want: "auth.not-offered"},
	{name: "login only under TLS", cert: asItIs, login: true, asks: "user", args: []string{"--security", "none"}, want: "auth.encryption-required", also: []cause.ID{"auth.not-offered"}},
	{name: "TLS demanded", cert: asItIs, settings: []string{"smtpd_tls_security_level = encrypt"}, args: append([]string{"--security", "none"}, envelope...), want: "tls.required"},
	{name: "no STARTTLS", args: []string{"--security", "starttls"}, want: "tls.starttls-not-offered"},
	{name: "key is another's", cert: asItIs, mismatch: true, args: []string{"--security", "starttls"}, want: "tls.server-unavailable"},
	{name: "key is missing", cert: asItIs, settings: []string{"smtpd_tls_key_file = /nonexistent"}, args: []string{"--security", "starttls"}, want: "tls.server-unavailable"},
	{name: "TLS at once on a STARTTLS port", cert: asItIs, scheme: "smtps", want: "tls.implicit-on-starttls-port"},
	{name: "STARTTLS on a port of TLS at once", cert: asItIs, silent: true, settings: []string{"smtpd_tls_wrappermode = yes"}, args: []string{"--security", "starttls"}, want: "tls.plain-on-implicit-port"},
	{name: "expired certificate", cert: expired, want: "tls.certificate-expired"},
	{name: "certificate not valid yet", cert: notYet, want: "tls.certificate-expired", also: []cause.ID{"tls.clock-wrong"}},
	{name: "certificate for another name", cert: forAnother, want: "tls.certificate-name-mismatch"},
	{name: "certificate that signs itself", cert: signedByItself, want: "tls.certificate-self-signed"},
	{name: "TLS 1.0 only", cert: asItIs, settings: []string{"smtpd_tls_mandatory_protocols = <=TLSv1", "smtpd_tls_protocols = <=TLSv1", "tls_high_cipherlist = ALL:@SECLEVEL=0", "tls_medium_cipherlist = ALL:@SECLEVEL=0", "smtpd_tls_ciphers = medium"}, want: "tls.protocol-version", also: []cause.ID{"tls.handshake-failed"}},
	{name: "client certificate demanded", cert: asItIs, settings: []string{"smtpd_tls_security_level = encrypt", "smtpd_tls_req_ccert = yes", "smtpd_tls_CAfile = $smtpd_tls_cert_file", "smtpd_tls_protocols = <=TLSv1.2", "smtpd_tls_mandatory_protocols = <=TLSv1.2"}, want: "tls.client-certificate-required"},
	{name: "relay denied", cert: asItIs, settings: []string{"mynetworks =", "smtpd_relay_restrictions = reject_unauth_destination"}, args: envelope, want: "relay.denied"},
	{name: "address of another", cert: asItIs, login: true, asks: "user", args: []string{"--from", "ceo@example.org", "--to", "bob@example.net"}, want: "sender.address-not-owned",
		settings: []string{"smtpd_sender_login_maps = inline:{ann@example.org=ann@example.org, ceo@example.org=ceo@example.org}", "smtpd_sender_restrictions = reject_sender_login_mismatch"}},
	{name: "sender without a domain", cert: asItIs, settings: []string{"smtpd_sender_restrictions = reject_non_fqdn_sender"}, args: []string{"--from", "root@web01", "--to", "bob@example.net"}, want: "sender.address-invalid"},
	{name: "sender refused", cert: asItIs, settings: []string{"smtpd_sender_restrictions = check_sender_access static:REJECT"}, args: envelope, want: "sender.blocked"},
	{name: "EHLO name refused", cert: asItIs, settings: []string{"smtpd_helo_restrictions = check_helo_access static:REJECT"}, args: envelope, want: "sender.bad-helo"},
	{name: "EHLO name without a domain", cert: asItIs, settings: []string{"smtpd_helo_restrictions = reject_non_fqdn_helo_hostname"}, args: append([]string{"--helo", "web01"}, envelope...), want: "sender.bad-helo"},
	{name: "client refused at once", cert: asItIs, silent: true, settings: []string{"smtpd_client_restrictions = check_client_access static:{REJECT}", "smtpd_delay_reject = no"}, want: "server.unspecified-rejection", also: []cause.ID{"server.not-accepting-mail"}},
	{name: "unknown recipient", cert: asItIs, settings: []string{"relay_domains = example.net", "relay_recipient_maps = inline:{carol@example.net=x}"}, args: envelope, want: "recipient.unknown"},
	{name: "greylisted", cert: asItIs, settings: []string{"smtpd_recipient_restrictions = check_recipient_access static:{DEFER_IF_PERMIT Greylisted, see http://postgrey.schweikert.ch/help/example.net.html}"}, args: envelope, want: "greylist.deferred"},
	{name: "blocked by a list", cert: asItIs, settings: []string{"smtpd_recipient_restrictions = check_client_access static:{REJECT Service unavailable; Client host [203.0.113.7] blocked using zen.spamhaus.org}"}, args: envelope, want: "reputation.ip-blocklisted"},
	{name: "message too large", cert: asItIs, settings: []string{"message_size_limit = 100"}, args: append([]string{"--send"}, envelope...), want: "message.too-large"},
	{name: "headers refused", cert: asItIs, settings: []string{"header_checks = static:{REJECT spam is not wanted here}"}, args: append([]string{"--send"}, envelope...), want: "message.spam"},
	{name: "server out of order", cert: asItIs, settings: []string{"smtpd_recipient_restrictions = check_recipient_access static:{DEFER 4.3.5 Server configuration error}"}, args: envelope, want: "server.misconfigured", also: []cause.ID{"server.temporary-failure"}},
	{name: "a table cannot be read", cert: asItIs, settings: []string{"smtpd_recipient_restrictions = check_recipient_access texthash:/nonexistent"}, args: envelope, want: "server.misconfigured", also: []cause.ID{"server.temporary-failure"}},
	{name: "late greeting", cert: asItIs, silent: true, settings: []string{"smtpd_delay_reject = no", "smtpd_client_restrictions = sleep 6"}, args: envelope, warning: "net.slow-greeting"},
}

var exims = []station{
	{name: "all is well", cert: asItIs, login: true, asks: "user", args: envelope},
	{name: "wrong password", cert: asItIs, login: true, asks: "wrong", want: "auth.credentials-rejected"},
	{name: "no login given", cert: asItIs, login: true, args: envelope, want: "policy.organisation-rule", also: []cause.ID{"relay.denied", "auth.required"}},
	{name: "login only under TLS", cert: asItIs, login: true, asks: "user", args: []string{"--security", "none"}, want: "auth.not-offered", also: []cause.ID{"auth.encryption-required"}},
	{name: "no STARTTLS", args: []string{"--security", "starttls"}, want: "tls.starttls-not-offered"},
	{name: "TLS at once on a STARTTLS port", cert: asItIs, scheme: "smtps", want: "tls.implicit-on-starttls-port"},
	{name: "expired certificate", cert: expired, want: "tls.certificate-expired"},
	{name: "EHLO name refused", cert: asItIs, settings: []string{"acl_smtp_helo = deny message = Bad HELO"}, want: "sender.bad-helo"},
	{name: "takes no mail", cert: asItIs, silent: true, settings: []string{"acl_smtp_connect = deny message = No SMTP service here"}, want: "server.not-accepting-mail"},
	{name: "too many connections", cert: asItIs, silent: true, settings: []string{"acl_smtp_connect = defer message = Too many connections, come back later"}, want: "limit.connections"},
	{name: "key is another's", cert: asItIs, mismatch: true, args: []string{"--security", "starttls"}, want: "tls.server-unavailable", also: []cause.ID{"tls.handshake-failed"}},
}

func TestServers_Postfix(t *testing.T) {
	t.Parallel()
	examineStations(t, "postfix", peers.Need(t).StartPostfix, postfixes)
}

func TestServers_Exim(t *testing.T) {
	t.Parallel()
	examineStations(t, "exim", peers.Need(t).StartExim, exims)
}

func TestServers_OpenSMTPD(t *testing.T) {
	t.Parallel()
	examineStations(t, "opensmtpd", peers.NeedServices(t).StartOpenSMTPD, []station{
		{name: "relay denied", args: append([]string{"--security", "none"}, envelope...), want: "relay.denied", also: []cause.ID{"recipient.unknown"}},
		{name: "all is well", args: []string{"--security", "none", "--from", "bob@example.net", "--to", user}},
		{name: "login not offered", asks: "user", args: []string{"--security", "none"}, want: "auth.not-offered"},
		{name: "no STARTTLS", args: []string{"--security", "starttls"}, want: "tls.starttls-not-offered"},
		{name: "STARTTLS that breaks in the handshake", cert: asItIs, args: []string{"--security", "starttls"}, want: "tls.handshake-failed"},
		{name: "STARTTLS that breaks, a login", cert: asItIs, asks: "user", want: "tls.handshake-failed"},
	})
}

// TestServers_DovecotSubmission: Dovecot takes mail too, and POP3 is not mail to
// send.
func TestServers_DovecotSubmission(t *testing.T) {
	t.Parallel()
	sink, err := lab.Start(t.Context(), lab.Options{Cause: "ok/relay"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	c := certificate(t, asItIs)
	d, err := peers.NeedServices(t).StartDovecot(t.Context(), peers.ServerOptions{Certificate: c.Chain, Key: c.Key, User: user, Password: password, Relay: sink.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	peers.Run(t, d.Server, nil)
	right := append([]string{"--user", user, "--password-file", file(t, "password", password)}, envelope...)
	wrong := []string{"--user", user, "--password-file", file(t, "password", "another")}
	for _, s := range []struct {
		name, target string
		args         []string
		want         cause.ID
		also         []cause.ID
	}{
		{name: "submission", target: "smtp://" + d.Submission, args: right},
		{name: "submissions", target: "smtps://" + d.Submissions, args: right},
		{name: "message sent", target: "smtp://" + d.Submission, args: append([]string{"--send"}, right...)},
		{name: "no login given", target: "smtp://" + d.Submission, args: envelope, want: "auth.required"},
		{name: "wrong password", target: "smtp://" + d.Submission, args: wrong, want: "auth.credentials-rejected"},
		{name: "wrong password, which POP3 refuses too", target: "smtp://" + d.Submission, args: append([]string{"--pop", "pop3s://" + d.POP3S}, wrong...), want: "auth.credentials-rejected"},
		{name: "TLS at once on the port of STARTTLS", target: "smtps://" + d.Submission, want: "tls.implicit-on-starttls-port"},
		{name: "STARTTLS on the port of TLS at once", target: "smtp://" + d.Submissions, args: []string{"--security", "starttls"}, want: "tls.plain-on-implicit-port"},
		{name: "POP3", target: "smtp://" + d.POP3, want: "service.wrong-protocol-pop3"},
		{name: "POP3 with TLS", target: "smtps://" + d.POP3S, want: "service.wrong-protocol-pop3"},
		{name: "POP3 with TLS, found out", target: d.POP3S, want: "service.wrong-protocol-pop3"},
		{name: "IMAP with TLS, found out", target: d.IMAPS, want: "service.wrong-protocol-imap"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			ask(t, kase{name: "dovecot: " + s.name, args: append([]string{s.target, "--ca", c.CA}, s.args...), want: s.want, also: s.also})
		})
	}
}

type start = func(context.Context, peers.ServerOptions) (*peers.Server, error)

func examineStations(t *testing.T, name string, start start, stations []station) {
	sink, err := lab.Start(t.Context(), lab.Options{Cause: "ok/relay"}) // where they send what they take
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	for _, s := range stations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := peers.ServerOptions{Relay: sink.Addr(), Silent: s.silent, Settings: s.settings}
			var args []string
			if s.cert != nil {
				c := certificate(t, s.cert)
				o.Certificate, o.Key = c.Chain, c.Key
				args = append(args, "--ca", c.CA)
				if s.mismatch {
					o.Key = certificate(t, asItIs).Key
				}
			}
			if s.login {
				o.User, o.Password = user, password
			}
			p := peers.Start(t, start, o)
			_, port, _ := net.SplitHostPort(p.Address)
			scheme := s.scheme
			if scheme == "" {
				scheme = "smtp"
			}
			args = append([]string{scheme + "://localhost:" + port}, args...)
			switch s.asks {
			case "user":
				args = append(args, "--user", user, "--password-file", file(t, "password", password+"\n"))
			case "wrong":
				args = append(args, "--user", user, "--password-file", file(t, "password", "another\n"))
			}
			ask(t, kase{name: name + ": " + s.name, args: slices.Concat(args, s.args), want: s.want, also: s.also, warning: s.warning})
		})
	}
}

// TestServers_OthersThanMail: what else listens at the port.
func TestServers_OthersThanMail(t *testing.T) {
	t.Parallel()
	tree := peers.NeedServices(t)
	c := certificate(t, asItIs)
	dovecot := func() (*peers.Dovecot, error) {
		return tree.StartDovecot(t.Context(), peers.ServerOptions{Certificate: c.Chain, Key: c.Key, User: user, Password: password})
	}
	for _, s := range []struct {
		name   string
		start  func() (*peers.Server, error)
		scheme string
		want   cause.ID
	}{
		{"nginx", func() (*peers.Server, error) { return tree.StartNginx(t.Context(), peers.Certificate{}) }, "smtp", "service.wrong-protocol-http"},
		{"nginx with TLS", func() (*peers.Server, error) { return tree.StartNginx(t.Context(), c) }, "smtps", "service.wrong-protocol-http"},
		{"OpenSSH", func() (*peers.Server, error) { return tree.StartSSH(t.Context()) }, "smtp", "service.wrong-protocol-ssh"},
		{"Dovecot IMAP", func() (*peers.Server, error) {
			d, err := dovecot()
			if err != nil {
				return nil, err
			}
			return d.Server, nil
		}, "smtp", "service.wrong-protocol-imap"},
		{"Dovecot IMAP with TLS", func() (*peers.Server, error) {
			d, err := dovecot()
			if err != nil {
				return nil, err
			}
			d.Address = d.IMAPS
			return d.Server, nil
		}, "smtps", "service.wrong-protocol-imap"},
		{"a proxy", func() (*peers.Server, error) { return tree.StartTinyproxy(t.Context()) }, "smtp", "service.wrong-protocol-http"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p, err := s.start()
			p = peers.Run(t, p, err)
			_, port, _ := net.SplitHostPort(p.Address)
			ask(t, kase{name: "other: " + s.name, args: []string{s.scheme + "://localhost:" + port, "--ca", c.CA}, want: s.want})
		})
	}
}

// TestServers_DovecotTakesWhatPostfixRefuses: the login works at Dovecot, so it is
// not the password.
func TestServers_DovecotTakesWhatPostfixRefuses(t *testing.T) {
	t.Parallel()
	tree, services := peers.Need(t), peers.NeedServices(t)
	c := certificate(t, asItIs)
	p := peers.Start(t, tree.StartPostfix, peers.ServerOptions{Relay: "127.0.0.1:1", Certificate: c.Chain, Key: c.Key, User: user, Password: "another"})
	d, err := services.StartDovecot(t.Context(), peers.ServerOptions{Certificate: c.Chain, Key: c.Key, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	peers.Run(t, d.Server, nil)
	args := []string{"smtp://" + p.Address, "--ca", c.CA, "--user", user, "--password-file", file(t, "password", password)}
	ask(t, kase{name: "postfix refuses, dovecot takes (imaps)", args: append(slices.Clone(args), "--imap", "imaps://"+d.IMAPS), want: "auth.smtp-auth-disabled"})
	ask(t, kase{name: "postfix refuses, dovecot takes (imap)", args: append(slices.Clone(args), "--imap", "imap://"+d.Address), want: "auth.smtp-auth-disabled"})
	ask(t, kase{name: "postfix refuses, dovecot takes (pop3s)", args: append(slices.Clone(args), "--pop", "pop3s://"+d.POP3S), want: "auth.smtp-auth-disabled"})
	ask(t, kase{name: "postfix refuses, dovecot takes (pop3)", args: append(slices.Clone(args), "--pop", "pop3://"+d.POP3), want: "auth.smtp-auth-disabled"})
}

// TestServers_Proxies: a proxy that refuses, and one that does not.
func TestServers_Proxies(t *testing.T) {
	t.Parallel()
	services := peers.NeedServices(t)
	good, err := lab.Start(t.Context(), lab.Options{Cause: "ok"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { good.Close() })
	_, port, _ := net.SplitHostPort(good.Addr())
	for _, s := range []struct {
		name   string
		start  func() (*peers.Server, error)
		scheme string
		want   cause.ID
	}{
		{"HTTP proxy refuses the port", func() (*peers.Server, error) { return services.StartTinyproxy(t.Context(), "443") }, "http", "net.proxy-refused"},
		{"HTTP proxy connects", func() (*peers.Server, error) { return services.StartTinyproxy(t.Context(), port) }, "http", ""},
		{"SOCKS proxy refuses the port", func() (*peers.Server, error) { return services.StartDante(t.Context(), port) }, "socks5", "net.proxy-refused"},
		{"SOCKS proxy connects", func() (*peers.Server, error) { return services.StartDante(t.Context(), "1") }, "socks5", ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p, err := s.start()
			p = peers.Run(t, p, err)
			ask(t, kase{name: "proxy: " + s.name, args: append(arguments(t, good), "--proxy", s.scheme+"://"+p.Address), want: s.want})
		})
	}
}

// TestServers_Names: what a name server may say of the server's name.
func TestServers_Names(t *testing.T) {
	t.Parallel()
	services := peers.NeedServices(t)
	good, err := lab.Start(t.Context(), lab.Options{Cause: "ok/relay", Hostname: "smtp.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { good.Close() })
	u, err := services.StartUnbound(t.Context(),
		`local-zone: "example.org." static`, `local-data: "smtp.example.org. A 127.0.0.1"`,
		`local-zone: "refused.example." always_refuse`, `local-zone: "broken.example." always_deny`,
		`local-zone: "smtp.gmail.com." redirect`, `local-data: "smtp.gmail.com. A 0.0.0.0"`,
		`local-zone: "smtp.fastmail.com." redirect`, `local-data: "smtp.fastmail.com. A 127.0.0.1"`,
	)
	u = peers.Run(t, u, err)
	_, port, _ := net.SplitHostPort(good.Addr())
	for _, s := range []struct {
		name, host, dns string
		want            cause.ID
		also            []cause.ID
	}{
		{name: "the name exists", host: "smtp.example.org"},
		{name: "no such name", host: "mail.nowhere.example", want: "dns.name-not-found"},
		{name: "a slip", host: "smpt.example.org", want: "dns.misspelt"},
		{name: "the name server refuses", host: "mail.refused.example", want: "dns.lookup-failed"},
		{name: "the name server says nothing of it", host: "mail.broken.example", want: "dns.lookup-failed", also: []cause.ID{"dns.resolver-unreachable"}},
		{name: "a withdrawn name", host: "smtp-emea.outlook.com", want: "dns.retired-endpoint"},
		{name: "a filter answers 0.0.0.0", host: "smtp.gmail.com", want: "dns.filtered"},
		{name: "a filter answers with this machine", host: "smtp.fastmail.com", want: "dns.filtered"},
		{name: "nothing answers", host: "smtp.example.org", dns: "127.0.0.1:1", want: "dns.resolver-unreachable", also: []cause.ID{"dns.lookup-failed"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			k := kase{name: "names: " + s.name, args: []string{"smtp://" + s.host + ":" + port, "--ca", file(t, "ca.pem", good.Settings().CA)}, want: s.want, also: s.also, dns: s.dns}
			if k.dns == "" {
				k.dns = u.Address
			}
			ask(t, k)
		})
	}
}
