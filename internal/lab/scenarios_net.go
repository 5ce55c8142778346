package lab

import (
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// good are servers with which nothing is wrong, to compare with.
var good = []Scenario{
	{ID: "ok", Title: "nothing is wrong: STARTTLS, then login", Shows: "mail is accepted", Stage: "post-data"},
	{ID: "ok/tls", Title: "nothing is wrong: TLS at once, then login", Shows: "mail is accepted", Stage: "post-data", b: behaviour{implicit: true}},
	{ID: "ok/relay", Title: "nothing is wrong: a relay that asks for no login", Shows: "mail is accepted", Stage: "post-data",
		b: behaviour{noAuth: true, told: withoutLogin}},
	{ID: "ok/exchange-online", Title: "nothing is wrong, and the account has Exchange Online's limits: 3 connections, 30 messages a minute, 10,000 recipients a day", Shows: "432 4.3.2, 451 4.7.500 or 554 5.2.0 after what is over", Stage: "post-data", Persona: "exchange-online", Source: "Exchange Online",
		b: behaviour{limits: ExchangeLimits}},
	{ID: "ok/imap", Title: "a good IMAP server, for comparing logins", Shows: "the login works there", Stage: "auth",
		b: behaviour{foreign: imap, implicit: true}},
	{ID: "ok/pop3", Title: "a good POP3 server, for comparing logins", Shows: "the login works there", Stage: "auth",
		b: behaviour{foreign: pop3, implicit: true}},
}

// tooSlow is a wait after which people call a server slow: the doctor warns at 5 s.
const tooSlow = 7 * time.Second

// connecting are failures of reaching the server and of keeping the connection.
var connecting = []Scenario{
	{Cause: "net.refused", Title: "nothing listens on the port", Shows: "connection refused, at once", Stage: "connect", b: behaviour{closed: true}},
	{Cause: "net.slow-greeting", Title: "the greeting comes late", Shows: "220 after some seconds, all well afterwards", Stage: "greeting", Harmless: true,
		b: behaviour{acts: map[step]act{stepGreeting: {wait: tooSlow}}}},
	{ID: "net.slow-greeting/tarpit", Cause: "net.slow-greeting", Title: "each reply comes late", Shows: "every answer takes seconds", Stage: "greeting", Harmless: true,
		Source: "OpenBSD spamd(8), Exim's delay modifier", b: behaviour{slow: tooSlow}},
	{ID: "net.connection-lost/greeting", Cause: "net.connection-lost", Title: "the connection is closed before the greeting", Shows: "end of file in place of 220", Stage: "greeting",
		Words: ids("net.timeout"), b: behaviour{foreign: dropper}},
	{ID: "net.connection-lost/reset", Cause: "net.connection-lost", Title: "the connection is reset before the greeting", Shows: "connection reset by peer", Stage: "greeting",
		b: behaviour{foreign: resetter}},
	{ID: "net.connection-lost/ehlo", Cause: "net.connection-lost", Title: "the connection is reset after EHLO", Shows: "connection reset by peer", Stage: "ehlo",
		b: behaviour{acts: map[step]act{stepEHLO: {then: reset}}}},
	{ID: "net.connection-lost/auth", Cause: "net.connection-lost", Title: "the connection is closed in the login", Shows: "end of file after the credentials", Stage: "auth",
		b: behaviour{acts: map[step]act{stepLogin: {then: hangUp}}}},
	{ID: "net.connection-lost/mail", Cause: "net.connection-lost", Title: "the connection is closed after MAIL", Shows: "end of file in place of 250", Stage: "mail",
		b: behaviour{acts: map[step]act{stepMail: {then: hangUp}}}},
	{ID: "net.connection-lost/data", Cause: "net.connection-lost", Title: "the connection is reset in the message", Shows: "connection reset or broken pipe while sending", Stage: "data",
		b: behaviour{acts: map[step]act{stepContent: {then: reset}}}},
	{ID: "net.connection-lost/dot", Cause: "net.connection-lost", Title: "the connection is closed after the final dot", Shows: "end of file: the message may have been accepted", Stage: "post-data",
		b: behaviour{acts: map[step]act{stepDot: {then: hangUp}}}},
	{ID: "net.timeout/ehlo", Cause: "net.timeout", Title: "the server falls silent after EHLO", Shows: "the client's time runs out", Stage: "ehlo",
		Words: ids("net.connection-lost"), b: behaviour{acts: map[step]act{stepEHLO: {then: silent}}}},
	{ID: "net.timeout/dot", Cause: "net.timeout", Title: "the server falls silent after the final dot", Shows: "the client's time runs out", Stage: "post-data",
		Words: ids("net.connection-lost"), b: behaviour{acts: map[step]act{stepDot: {then: silent}}}},
	{Cause: "net.smtp-inspection", Title: "a firewall masks what it does not know", Shows: "a greeting of asterisks, 250-XXXXXXXA in place of STARTTLS", Stage: "starttls",
		Words: ids("tls.starttls-not-offered"), Source: "Cisco ASA, ESMTP inspection",
		b: behaviour{masked: true, acts: map[step]act{stepGreeting: {say: "220 *************************************************************"}}}},
	{ID: "net.smtp-inspection/masked", Cause: "net.smtp-inspection", Title: "STARTTLS is masked, the greeting is not", Shows: "250-XXXXXXXA in place of STARTTLS", Stage: "starttls",
		Words: ids("tls.starttls-not-offered"), Source: "Cisco ASA, ESMTP inspection", Persona: "exchange-online", b: behaviour{masked: true}},
}

// foreign are other services where SMTP is due.
var foreign = []Scenario{
	{Cause: "service.wrong-protocol-imap", Title: "an IMAP server answers", Shows: "* OK in place of 220", Stage: "greeting", Source: "Dovecot", b: behaviour{foreign: imap}},
	{Cause: "service.wrong-protocol-pop3", Title: "a POP3 server answers", Shows: "+OK in place of 220", Stage: "greeting", Source: "Dovecot", b: behaviour{foreign: pop3}},
	{Cause: "service.incoming-server", Title: "the IMAP server was given for outgoing mail", Shows: "* OK on port 143", Stage: "greeting", Source: "Dovecot", Port: 143,
		Words: ids("service.wrong-protocol-imap"), b: behaviour{foreign: imap}},
	{ID: "service.incoming-server/imaps", Cause: "service.incoming-server", Title: "the IMAP server was given for outgoing mail, with TLS", Shows: "* OK under TLS on port 993", Stage: "greeting", Source: "Dovecot", Port: 993,
		Words: ids("service.wrong-protocol-imap"), b: behaviour{foreign: imap, implicit: true}},
	{ID: "service.incoming-server/pop3s", Cause: "service.incoming-server", Title: "the POP3 server was given for outgoing mail, with TLS", Shows: "+OK under TLS on port 995", Stage: "greeting", Source: "Dovecot", Port: 995,
		Words: ids("service.wrong-protocol-pop3"), b: behaviour{foreign: pop3, implicit: true}},
	{Cause: "service.wrong-protocol-http", Title: "a web server answers", Shows: "silence, then HTTP/1.1 400 Bad Request", Stage: "greeting", Source: "nginx",
		Words: ids("net.timeout", "net.connection-lost"), b: behaviour{foreign: http1}},
	{ID: "service.wrong-protocol-http/tls", Cause: "service.wrong-protocol-http", Title: "a web server with TLS answers", Shows: "HTTP under TLS", Stage: "greeting", Source: "nginx",
		Words: ids("net.timeout", "net.connection-lost"), b: behaviour{foreign: http1, implicit: true}},
	{Cause: "service.wrong-protocol-ssh", Title: "an SSH server answers", Shows: "SSH-2.0- in place of 220", Stage: "greeting", Source: "OpenSSH",
		Words: ids("service.wrong-protocol-other"), b: behaviour{foreign: ssh}},
	{Cause: "service.wrong-protocol-other", Title: "a database answers", Shows: "octets that are no text", Stage: "greeting", Source: "MariaDB",
		Words: ids("net.connection-lost", "net.timeout", "tls.plain-on-implicit-port"), b: behaviour{foreign: mysql}},
	{ID: "service.wrong-protocol-other/silence", Cause: "service.wrong-protocol-other", Title: "the connection is taken and nothing is ever said", Shows: "no greeting, and no TLS either", Stage: "greeting",
		Words: ids("net.timeout"), b: behaviour{foreign: mute}},
	{ID: "service.wrong-protocol-other/ftp", Cause: "service.wrong-protocol-other", Title: "an FTP server answers", Shows: "220 (vsFTPd 3.0.5), and 530 to EHLO", Stage: "ehlo", Source: "vsftpd",
		Words: ids("auth.required", "protocol.syntax-error", "server.unspecified-rejection"), b: behaviour{foreign: ftp}},
}

func ids(list ...cause.ID) []cause.ID { return list }
