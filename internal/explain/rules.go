package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

// rule names a cause where its literals stand in a text. Rules are tried in
// order, the first that matches wins: narrow ones stand before broad ones.
type rule struct {
	id cause.ID
	// when is "a|b & c|d": in lower case, one of a and b, and one of c and d.
	when string
	// stages restricts the rule; nil: any.
	stages []string
}

// compiled is a rule ready to match.
type compiled struct {
	rule
	groups [][]string
}

var compiledRules = compile(rules)

func compile(rules []rule) []compiled {
	var out []compiled
	for _, r := range rules {
		c := compiled{rule: r}
		for _, g := range strings.Split(r.when, " & ") {
			c.groups = append(c.groups, strings.Split(g, "|"))
		}
		out = append(out, c)
	}
	return out
}

// match returns the literals of c that stand in text, which is in lower case;
// nil when it does not match.
func (c *compiled) match(text string) []string {
	var proof []string
	for _, g := range c.groups {
		found := ""
		for _, l := range g {
			if strings.Contains(text, l) {
				found = l
				break
			}
		}
		if found == "" {
			return nil
		}
		proof = append(proof, found)
	}
	return proof
}

// rules is the table. The comments name the programs that word it so.
var rules = []rule{
	// Login: narrow reasons before wrong passwords.
	{id: "auth.smtp-auth-disabled", when: "smtpclientauthentication is disabled|smtp auth is disabled|smtp service is not enabled|user has no permission|no permission to use smtp"},                                                                                                                    // Exchange Online, NetEase, Naver
	{id: "auth.basic-auth-disabled", when: "basic authentication is disabled|basic authentication is not supported|modern authentication|basicauthblocked|requires oauth"},                                                                                                                              // Exchange Online, Outlook.com
	{id: "auth.app-password-required", when: "application-specific password|app-specific password|app password|app-password|authorization code is required|generate an app"},                                                                                                                            // Gmail, Yahoo, QQ
	{id: "auth.web-login-required", when: "log in via your web browser|login via your web browser|webloginrequired|please log in with your web browser|sign in via your web browser"},                                                                                                                   // Gmail
	{id: "auth.blocked-by-policy", when: "security defaults|did not meet the criteria|conditional access|aadsts50076|aadsts50079|aadsts53003"},                                                                                                                                                          // Entra
	{id: "auth.account-disabled", when: "account disabled|account is disabled|account locked|account is locked|account has been locked|aadsts50053|aadsts50055|aadsts50057|password has expired|account suspended"},                                                                                     // Entra, Dovecot, cPanel
	{id: "auth.oauth-scope", when: "insufficient scope|invalid scope|smtp.send|aadsts65001|aadsts70011|insufficient authentication scopes"},                                                                                                                                                             // Gmail, Entra
	{id: "auth.oauth-refresh-failed", when: "invalid_grant|invalid_client|unauthorized_client|aadsts7|token has been expired or revoked"},                                                                                                                                                               // Google, Entra
	{id: "auth.oauth-token-rejected", when: "xoauth2|oauthbearer|bearer|access token & 535|400|401|expired|invalid|rejected"},                                                                                                                                                                           // Gmail, Exchange Online
	{id: "auth.pop-before-smtp", when: "pop before smtp|check mail first|check your mail before|pop-before-smtp|pop first"},                                                                                                                                                                             // old ISPs
	{id: "auth.too-many-logins", when: "too many login|too many auth|too many failed login|#auth005|too many bad auth|too many failed authentication"},                                                                                                                                                  // Gmail, Yahoo
	{id: "auth.ntlm-failed", when: "ntlm|gssapi|kerberos|sspi|secure password authentication"},                                                                                                                                                                                                          // Windows
	{id: "auth.malformed-exchange", when: "cannot decode|can't decode|invalid base64|base64 decod|malformed auth|not well-formed base64|authentication exchange"},                                                                                                                                       // Postfix, Exchange
	{id: "auth.encryption-required", when: "encryption required for|needs encryption|unencrypted connection|plaintext authentication disallowed|plaintext authentication is disabled|auth command used when not advertised|authentication not allowed on non-tls|secure connection for authentication"}, // Postfix, Go, Dovecot
	{id: "auth.no-shared-mechanism", when: "unrecognized authentication type|unrecognised authentication type|no mechanism available|no worthy mechs|authentication mechanism|auth mechanism|none of the authentication methods|no supported authentication|no suitable authentication|504 & auth"},     // Exchange, Cyrus
	{id: "auth.server-failure", when: "temporary authentication failure|temporary auth|authentication temporarily|auth backend|authentication service|temporary login failure|internal authentication error"},                                                                                           // Dovecot, Postfix
	{id: "auth.username-format", when: "full email address as|full e-mail address as|use your full|username format|invalid user name format"},                                                                                                                                                           // hosters
	{id: "auth.not-offered", when: "auth extension not supported|not support auth|auth not available|authentication not enabled|does not support smtp auth|auth is not offered|not advertise auth|authentication is not supported"},                                                                     // Python, PHP

	// Standing with the provider.
	{id: "account.restricted-spam", when: "outboundspamexception|bad outbound sender|5.7.501|5.7.502|restricted from sending|access denied, spam abuse"},                                                                    // Exchange Online
	{id: "tenant.threshold-exceeded", when: "5.7.705|5.7.708|5.7.232|5.7.233|tenant has exceeded|traffic not accepted from this ip"},                                                                                        // Exchange Online
	{id: "tenant.unregistered-domain", when: "5.7.750|5.7.751|unregistered domain"},                                                                                                                                         // Exchange Online
	{id: "relay.tenant-attribution", when: "tenantattribution|5.7.64|tenant attribution|attr36"},                                                                                                                            // Exchange Online
	{id: "account.sending-disabled", when: "sending paused|sending is paused|credits exceeded|domain is disabled|account is not active|maximum credits|trial account|sandbox subdomain|not allowed to send: free accounts"}, // ESPs

	// Who it is from.
	{id: "sender.send-as-denied", when: "sendasdenied|send as this sender|5.7.60|5.2.252|send on behalf"},                                                                                                                                                                        // Exchange
	{id: "sender.not-verified", when: "email address is not verified|verified sender|sender signature|not a verified|domain is not verified|not verified"},                                                                                                                       // SES, SendGrid, Postmark
	{id: "sender.address-not-owned", when: "not owned by user|relaying disallowed as|not authorised to send from|not authorized to send from|not allowed to send as|sender address must match|not your own address|not permitted to send as|may not send as|does not belong to"}, // Postfix, Zoho
	{id: "sender.domain-not-found", when: "domain of sender address & exist|sender address rejected: domain not found|sender domain & exist|sender's domain|domain of sender|unresolvable sender domain|sender domain must"},                                                     // Sendmail, Postfix
	{id: "sender.no-reverse-dns", when: "reverse dns|ptr record|rdns|cannot find your hostname|cannot find your reverse hostname|5.7.25|no ptr|reverse lookup|reverse hostname"},                                                                                                 // Postfix, Gmail, Comcast
	{id: "sender.bad-helo", when: "helo command rejected|bad helo|invalid helo|ehlo argument|helo name|helo/ehlo|need fully-qualified hostname|syntactically invalid helo|syntactically invalid ehlo|invalid ehlo"},                                                              // Postfix, Exim
	{id: "sender.unknown", when: "sender verify failed|sender verification failed|callback|sender address rejected: user unknown|unknown sender"},                                                                                                                                // Exim, Postfix
	{id: "sender.address-invalid", when: "sender address rejected: need fully-qualified|invalid sender|bad sender address|sender address is badly written|5.1.7|sender syntax"},                                                                                                  // Postfix
	{id: "policy.dmarc-failed", when: "dmarc"}, // Gmail, Yahoo, GMX
	{id: "policy.unauthenticated", when: "unauthenticated email|5.7.26|this mail is unauthenticated|is not authenticated|authenticate with at least one"}, // Gmail
	{id: "policy.spf-failed", when: "spf"},   // many
	{id: "policy.dkim-failed", when: "dkim"}, // Gmail

	// The address that sends.
	{id: "reputation.dynamic-ip", when: "dynamic ip|dynamic address|residential ip|dial-up|dialup|pbl|dynamically assigned|generic reverse dns"},                                                                               // Spamhaus PBL
	{id: "reputation.ip-blocklisted", when: "spamhaus|blocklist|blacklist|block list|black list|spamcop|barracuda|dnsbl|rbl|banned sending ip|5.7.511|sorbs|blocked using|listed at|s3140|s3150|your network is on our block"}, // many
	{id: "reputation.low", when: "reputation|tss04|rp-001|4.7.650|unusual rate of unsolicited"},                                                                                                                                // Yahoo, Outlook, Gmail

	// The recipient.
	{id: "recipient.null-mx", when: "null mx|does not accept mail (nullmx)|nullmx|domain takes no mail|5.1.10"},                                                                                                                                                       // Postfix, Exchange
	{id: "recipient.mailbox-full", when: "mailbox full|mailbox is full|over quota|quota exceeded|overquota|exceeded storage|out of storage|insufficient space|mailbox size limit|inbox is full|mailbox quota|not enough storage space|quotaexceeded"},                 // Dovecot, Gmail, Exchange
	{id: "recipient.too-many", when: "too many recipients|recipient limit|recipients exceed"},                                                                                                                                                                         // Postfix, Exchange
	{id: "recipient.domain-not-found", when: "domain not found|domain name not found|host or domain name not found|domain does not exist|unrouteable address|unrouteable mail domain|no such domain|name service error|nxdomain", stages: []string{"rcpt", "bounce"}}, // Postfix, Exim
	{id: "recipient.moved", when: "user has moved|has moved to|user not local|please try & @|not our user"},                                                                                                                                                           // RFC 5321
	{id: "recipient.rate-limited", when: "receiving mail at a rate|receiving mail too quickly|recipient & rate"},                                                                                                                                                      // Gmail
	{id: "recipient.disabled", when: "account is disabled|mailbox disabled|mailbox is disabled|account that you tried to reach is disabled|inactive|deactivated|has been disabled|suspended"},                                                                         // Gmail, Yahoo
	{id: "recipient.restricted", when: "only accepts|not authorized to send to|restrictions|recipnotfound & auth|only authenticated senders|not permitted to send to|delivery restriction|requires that all senders"},                                                 // Exchange
	{id: "recipient.unknown", when: "user unknown|unknown user|no such user|does not exist|unknown recipient|recipient unknown|no such mailbox|mailbox not found|recipient not found|invalid recipient|no mailbox here|unknown or illegal alias|address not found|mailbox unavailable|user not found|no such recipient|recipnotfound|no such person|not a valid mailbox|user doesn't|doesn't have a|unknown address|not known|address rejected: unknown|5.1.1|5.1.10|mailbox does not|unknown in|is unknown|not found by smtp address|no such local user|recipient address rejected: access denied"}, // all
	{id: "recipient.address-syntax", when: "recipient address is badly written|bad recipient address syntax|5.1.3|malformed address|invalid address|syntax error in recipient|address syntax|illegal address"}, // all

	// The message.
	{id: "message.too-large", when: "too large|too big|size limit|message size|maximum size|exceeds size|message exceeds|exceeds fixed limit|larger than"},                                         // all
	{id: "message.virus", when: "virus|malware|infected|clamav|trojan"},                                                                                                                            // scanners
	{id: "message.attachment-blocked", when: "attachment & block|not allow|reject|illegal|forbidden|banned|security"},                                                                              // Gmail, amavis
	{id: "message.url-blocked", when: "url|link & block|blacklist|phish|listed"},                                                                                                                   // SURBL
	{id: "message.bare-lf", when: "bare lf|bare line feed|bare cr|bare newline|5.6.11|smtplf.html|bare linefeed"},                                                                                  // qmail, Exchange
	{id: "message.line-too-long", when: "line too long|lines longer|line length|maximum line length|line is too long", stages: []string{"data", "post-data", "bounce", "client"}},                  // Exim
	{id: "message.smtputf8-unsupported", when: "smtputf8|5.6.7|5.6.9|internationalized address|internationali"},                                                                                    // all
	{id: "message.spam", when: "spam|unsolicited|junk|content rejected|message content|high probability of|suspicious|looks like"},                                                                 // all
	{id: "message.malformed", when: "multiple from|missing from|rfc 5322|rfc5322|rfc 2822|malformed message|header & missing|invalid|duplicate|multiple|malformed|mime parts|8-bit characters in"}, // Gmail

	// Pace and putting off.
	{id: "greylist.deferred", when: "greylist|greylisting|gray-list|graylist|address verification in progress|postgrey"},                                                                                                           // Postfix, rspamd
	{id: "limit.quota", when: "daily limit|daily quota|sending limit|daily sending|daily user sending|5.4.5|emails per hour|submission quota|messages per day|hourly limit|quota for sending"},                                     // Gmail, cPanel
	{id: "limit.connections", when: "too many connections|concurrent connections|connection limit|too many concurrent|maximum number of connections|too many messages in this connection|too many sessions|connections from your"}, // Exchange, Postfix
	{id: "limit.rate", when: "rate limit|ratelimit|too much mail|throttl|sending rate|too fast|slow down|too many messages|too many emails|server busy|4.7.28|rate exceeded|sending too"},                                          // all

	// TLS.
	{id: "tls.intercepted", when: "avast|kaspersky|eset ssl|bitdefender|avg |mail shield|fortinet|zscaler"},                                                                                                                                // antivirus
	{id: "tls.delivery-policy", when: "mta-sts|sts policy|dane|tls is required, but was not offered|tlsa|tls required for rcpt|server certificate not verified|5.7.10|5.7.29|tls-only"},                                                    // Postfix, Exchange
	{id: "tls.certificate-expired", when: "certificate has expired|cert_has_expired|certificate expired|not yet valid|certificate is expired|has expired or is not yet"},                                                                   // OpenSSL, Go
	{id: "tls.certificate-name-mismatch", when: "altname|hostname mismatch|does not match|certificate is valid for|certificate name|name mismatch|no alternative certificate subject|doesn't match"},                                       // Node, Go, curl
	{id: "tls.certificate-self-signed", when: "self signed|self-signed|depth_zero"},                                                                                                                                                        // OpenSSL
	{id: "tls.certificate-chain-incomplete", when: "unable to verify the first certificate|unable_to_verify_leaf|incomplete chain"},                                                                                                        // OpenSSL, Node
	{id: "tls.certificate-untrusted", when: "unknown authority|local issuer|pkix path|certificate verify failed|unable to get issuer|untrusted|revocation|not trusted|remotecertificatechainerrors|certificate is invalid"},                // Go, Java, .NET
	{id: "tls.implicit-on-starttls-port", when: "wrong version number|unknown protocol|packet length too long|first record does not look like|unrecognized ssl message|unsupported or unrecognized|record overflow|tls at once on a port"}, // OpenSSL, Go, Java
	{id: "tls.plain-on-implicit-port", when: "plain text on a tls port|greeting never received & 465|:465 & timed out|timeout|plain text where tls"},                                                                                       // Nodemailer
	{id: "tls.protocol-version", when: "unsupported protocol|protocol version|no protocols available|4.7.66|tls 1.0|tls 1.1|tlsv1 alert protocol|unsupported version"},                                                                     // OpenSSL
	{id: "tls.handshake-failed", when: "handshake failure|no shared cipher|dh key too small|ee key too small|ssl_error_syscall|handshake failed|ssl handshake|tls handshake|sslhandshake|handshake_failure"},                               // OpenSSL
	{id: "tls.server-unavailable", when: "tls not available|tls currently unavailable|tls is temporarily|cannot start tls|starttls & temporar|local problem"},                                                                              // RFC 3207
	{id: "tls.starttls-not-offered", when: "starttls & not supported|not support|not offered|not advertis|unavailable|no starttls|502|stripped|unsupported"},                                                                               // clients
	{id: "tls.required", when: "issue a starttls|starttls command first|starttls is required|must use tls|tls required|requires tls|encryption is required|encryption required|needs a secure"},                                            // RFC 3207

	// Relaying and signing in.
	{id: "auth.required", when: "authentication required|authentication is required|not authenticated|auth first|client was not authenticated|5.7.57|log in first|must authenticate|need to authenticate|please authenticate|smtp authentication|not logged in|authenticate first|require authentication|requires authentication|needs authentication"},                                                 // all
	{id: "relay.denied", when: "relay access denied|relaying denied|relay not permitted|unable to relay|relay denied|relaying not allowed|not permitted to relay|relay|rcpthosts|not allowed to relay"},                                                                                                                                                                                                 // Postfix, Sendmail, Exim, Exchange, qmail
	{id: "auth.credentials-rejected", when: "535|authentication failed|authentication unsuccessful|authentication failure|username and password not accepted|invalid login|bad username or password|incorrect authentication|invalid credentials|login failed|password is wrong|wrong password|incorrect password|invalid user or password|authentication credentials invalid|0x800ccc92|login denied"}, // all
	{id: "sender.blocked", when: "sender rejected|banned sender|blocked list|sender denied|sender is blocked|rejected by recipient|blocked sender|address rejected"},                                                                                                                                                                                                                                    // Exchange
	{id: "policy.organisation-rule", when: "transport rule|organization policy|administrator|5.7.12|transport.rules|policy rule|mail flow rule"},                                                                                                                                                                                                                                                        // Exchange

	// Going round, giving up, not reaching.
	{id: "routing.loop", when: "too many hops|hop count|loops back|mail loop|routing loop|5.4.14|5.4.6|4.4.6|too many received|loop detected|mail forwarding loop"},                                                                                                       // all
	{id: "delivery.dns-failed", when: "host not found, try again|host lookup did not complete|dns query failed|4.4.3|type=mx: host not found|malformed name server|dns error|servfail", stages: []string{"bounce"}},                                                       // Postfix
	{id: "delivery.expired", when: "message expired|retry timeout exceeded|delivery time expired|4.4.7|5.4.7|retry time not reached for any host|too old|queue too long", stages: []string{"bounce"}},                                                                     // all
	{id: "delivery.host-unreachable", when: "connection refused|timed out|no route to host|network is unreachable|lost connection|connection reset|did not accept|4.4.1|4.4.316|5.4.316|connection closed|not responding|connection dropped", stages: []string{"bounce"}}, // Postfix, Exim, Exchange
	{id: "server.insufficient-storage", when: "insufficient system|4.3.1|disk full|no space left|insufficient storage|not enough room|insufficient disk|disk space"},                                                                                                      // RFC 5321
	{id: "server.not-accepting-mail", when: "does not accept mail|no smtp service|not accepting connections|does not accept email|not accept incoming"},                                                                                                                   // RFC 7504
	{id: "server.misconfigured", when: "configuration error|4.3.5|5.3.5|misconfigured|no valid route|non-existent host|mx & points"},                                                                                                                                      // Postfix, Sendmail

	// The conversation.
	{id: "protocol.synchronisation", when: "synchronization error|synchronisation|break rules|improper pipelining|protocol error|improper command pipelining"},                                                                                                   // Exim, Postfix
	{id: "protocol.idle-timeout", when: "4.4.2|timeout exceeded|smtp command timeout|idle too long|timeout waiting for"},                                                                                                                                         // Postfix
	{id: "protocol.bad-sequence", when: "503|bad sequence|5.5.1 & sequence|need rcpt|need mail|send hello first"},                                                                                                                                                // RFC 5321
	{id: "protocol.syntax-error", when: "syntax error|5.5.4|5.5.2|unrecognized command|unrecognised command|unsupported option|too many errors|command not recognized|command not implemented|command unrecognized|invalid command|bad command|unknown command"}, // RFC 5321

	// The wrong thing listens, or something is between.
	{id: "service.wrong-protocol-imap", when: "* ok|* bye"},                                    // IMAP
	{id: "service.wrong-protocol-pop3", when: "+ok|-err"},                                      // POP3
	{id: "service.wrong-protocol-http", when: "http/1.|<html|http/2"},                          // web servers
	{id: "service.wrong-protocol-ssh", when: "ssh-2.0|ssh-1."},                                 // OpenSSH
	{id: "net.smtp-inspection", when: "xxxx|********|220 *****"},                               // Cisco
	{id: "net.proxy-refused", when: "socks|proxy & refus|403|407|fail|denied|error"},           // proxies
	{id: "dns.retired-endpoint", when: "smtp-emea.|smtp.live.com|smtp-apac.|smtp-na.|podsmtp"}, // Outlook

	// Reaching the outgoing server.
	{id: "dns.lookup-failed", when: "temporary failure in name resolution|eai_again|try again & name|getaddrinfo|lookup|server misbehaving|i/o timeout on lookup"},                                                                                                                                                        // glibc, Go
	{id: "dns.name-not-found", when: "no such host|nxdomain|enotfound|name or service not known|nodename nor servname|unknown host|unknownhost|could not resolve|getaddrinfo failed|host not found|name does not resolve|could not be resolved|failed to resolve|11001"},                                                  // all
	{id: "net.port-blocked", when: "permission denied & connect|socket|port|10013|blocked port|port 25 is blocked|outbound port 25|eacces|port is blocked"},                                                                                                                                                               // Windows, ISPs
	{id: "net.unreachable", when: "network is unreachable|no route to host|enetunreach|ehostunreach|10051|10065|offline|host is unreachable|network unreachable"},                                                                                                                                                         // all
	{id: "net.refused", when: "connection refused|econnrefused|actively refused|10061|error 111|cannot connect|could not connect|can't connect|failed to connect|unable to connect|connection could not be established|couldn't connect"},                                                                                 // all
	{id: "net.timeout", when: "timed out|timeout|etimedout|10060|greeting never received|time out|0x800ccc0e|0x80042109|deadline exceeded"},                                                                                                                                                                               // all
	{id: "net.connection-lost", when: "connection reset|econnreset|epipe|broken pipe|unexpected eof|lost connection|unexpectedly closed|connection closed|closed the connection|connection was closed|connection lost|server disconnected|eof|connection aborted|disconnected|socket closed|connection dropped|shutdown"}, // all

	// The client's own.
	{id: "client.no-recipients", when: "no recipients|at least one recipient|no recipient addresses|recipients were specified"},                                                                      // all
	{id: "client.local-mailer", when: "could not instantiate mail function|sendmail: not found|failed to connect to mailserver at|sendmail & not found|no such file|exit"},                           // PHP
	{id: "client.bad-configuration", when: "missing port in address|missing credentials|no host|invalid port|not configured|missing host|host is required|must be set|unknown port|invalid setting"}, // libraries

	{id: "server.unspecified-rejection", when: "transaction failed|access denied|policy reasons|rejected for policy|rejected by policy|message rejected|refused"},                     // all
	{id: "server.temporary-failure", when: "try again later|temporarily|temporary|service unavailable|service not available|please try later|internal error|try later|not available"}, // all
}
