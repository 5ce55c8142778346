package explain

import "github.com/wellsent/wellsent/internal/cause"

// softwareRules are what mail server programs say, in words that are theirs.
var softwareRules = ruleset{
	layer: &bySoftware,
	signs: []rule{
		{id: "policy.unauthenticated", key: true, when: "purported responsible address|sender id ~ fail", alt: []cause.ID{"policy.spf-failed", "sender.address-invalid"}, from: "Sender ID, RFC 4407"},
		{id: "message.malformed", key: true, when: "transaction failed * missing final|transaction failed * header|transaction failed * missing", at: "post-data data bounce", from: "Amazon SES"},
		{id: "delivery.expired", key: true, when: "#4.7 & expired|expir|too long|timed out|stopped trying", alt: []cause.ID{"delivery.host-unreachable", "delivery.dns-failed"}, at: "bounce", from: "Exchange, SES, Sendmail"},
		{id: "auth.required", key: true, when: "relaying denied * authentication required|proper authentication required|authentication required to relay|authenticate to relay|authentication * before relay|relay * authenticate", alt: []cause.ID{"relay.denied"}, at: "rcpt mail data", from: "Sendmail, Exim"},
		{id: "relay.denied", key: true, when: "relaying denied. ip name", alt: []cause.ID{"sender.no-reverse-dns"}, from: "Sendmail"},
		{id: "message.malformed", key: true, when: "improper use of 8-bit data in message header|8-bit data in * header|8bit * header|non-ascii * header", at: "post-data data bounce", from: "Sendmail, Exim"},
		{id: "message.line-too-long", when: "command too long|line too long", at: "data", alt: []cause.ID{"protocol.syntax-error"}, from: "Postfix, Exim"},
		// Postfix. https://www.postfix.org/postconf.5.html, its access lists and smtpd_check.
		{id: "sender.address-not-owned", key: true, when: "sender address rejected: not owned by|sender address rejected: not logged in|not owned by auth|not owned by user", from: "Postfix"},
		{id: "sender.unknown", key: true, when: "sender address rejected: unverified|sender address rejected: undeliverable|sender address rejected: user unknown|sender address rejected * user unknown", alt: []cause.ID{"greylist.deferred"}, from: "Postfix"},
		{id: "sender.address-invalid", key: true, when: "sender address rejected: need fully|sender address rejected: malformed|bad sender address syntax", from: "Postfix"},
		{id: "sender.domain-not-found", key: true, when: "sender address rejected: domain not found|sender address rejected: malformed dns|sender address rejected * domain not found", from: "Postfix"},
		{id: "sender.blocked", when: "sender address rejected: access denied|sender address rejected: blocked|sender address rejected: spam|sender address rejected: blacklist", alt: []cause.ID{"server.unspecified-rejection"}, from: "Postfix"},
		{id: "greylist.deferred", key: true, when: "recipient address rejected: greylist|recipient address rejected: please try again later|address verification in progress|recipient address rejected: policy rejection * later|recipient address rejected: try again", alt: []cause.ID{"server.temporary-failure"}, from: "Postfix, postgrey"},
		{id: "recipient.domain-not-found", key: true, when: "recipient address rejected: domain not found|recipient address rejected: malformed dns", from: "Postfix"},
		{id: "recipient.address-syntax", key: true, when: "recipient address rejected: need fully|recipient address rejected: malformed address|bad recipient address syntax", from: "Postfix"},
		{id: "recipient.unknown", key: true, when: "user unknown in|recipient address rejected: user unknown|recipient address rejected: undeliverable|recipient address rejected: unverified address: unknown|recipient address rejected: no such|does not know this mailbox & !sender address rejected|verification in progress", from: "Postfix"},
		{id: "recipient.disabled", key: true, when: "recipient address rejected: this mailbox is|recipient address rejected: mailbox disabled|recipient address rejected: account is|recipient address rejected: account disabled|recipient address rejected: inactive", from: "Postfix"},
		{id: "recipient.mailbox-full", key: true, when: "recipient address rejected: mailbox full|recipient address rejected: mailbox is full|recipient address rejected * quota & !sending", from: "Postfix"},
		{id: "limit.quota", key: true, when: "sender address rejected * limit|sender address rejected * quota|recipient address rejected: sender * exceeded|recipient address rejected * sending limit|policyd * quota", alt: []cause.ID{"limit.rate"}, from: "Postfix with a policy server"},
		{id: "sender.no-reverse-dns", key: true, when: "cannot find your hostname|cannot find your reverse hostname|may not be mail exchanger", alt: []cause.ID{"reputation.dynamic-ip"}, from: "Postfix"},
		{id: "reputation.ip-blocklisted", key: true, when: "blocked using & !pbl|dul|[dbl]|rhsbl|sender address|helo", alt: []cause.ID{"reputation.low"}, from: "Postfix"},
		{id: "reputation.domain-blocklisted", key: true, when: "sender address * blocked using|helo command * blocked using|unverified client host rejected * blocked using|sender address [ * blocked", from: "Postfix"},
		{id: "recipient.null-mx", key: true, when: "domain service error: null mx|null mx|nullmx|does not accept mail (null", from: "Postfix, RFC 7505"},
		{id: "sender.domain-not-found", key: true, when: "sender address rejected: domain * does not accept mail|sender address rejected * nullmx", from: "Postfix"},
		{id: "routing.loop", key: true, when: "loops back to myself|mail for * loops back|too many hops|mail forwarding loop|delivered-to: loop", from: "Postfix, qmail, Sendmail"},
		{id: "server.misconfigured", when: "mail transport unavailable|unknown mail transport|transport * unavailable|server configuration error|server configuration problem|local configuration error|internal error in milter|unable to look up host * misconfig", alt: []cause.ID{"server.temporary-failure"}, from: "Postfix"},
		{id: "server.misconfigured", key: true, when: "malformed dns server reply * mx|has no a record|mx points to|mx record * points to|points to loopback|resolved to 127.0.0.1|bare ip * mx|cname * mx", alt: []cause.ID{"recipient.domain-not-found", "delivery.dns-failed"}, at: "bounce", from: "Postfix, Exim"},
		{id: "net.smtp-inspection", key: true, when: "pix workarounds|enabling pix", from: "Postfix"},
		{id: "auth.server-failure", key: true, when: "connection lost to authentication server|cannot connect to saslauthd|cannot connect to authd|auth daemon|authdaemon|temporary authentication fail|connect to private/auth|dovecot * auth * unavailable", alt: []cause.ID{"server.temporary-failure"}, from: "Postfix, Cyrus SASL, Courier"},
		{id: "auth.no-shared-mechanism", key: true, when: "no worthy mechs|no mechanism available|no authentication mechs|no supported auth mech|no applicable sasl", from: "Cyrus SASL"},
		// Exim. Its ACLs and transports.
		{id: "sender.unknown", key: true, when: "sender verify failed|sender verify fail|verification failed for|could not complete sender verify|sender callout|callback setup failed|sender verify defer|sender verification failed|unable to verify sender & !certificate|tls|ssl", alt: []cause.ID{"sender.domain-not-found", "server.temporary-failure"}, from: "Exim"},
		{id: "relay.denied", key: true, when: "relay not permitted|relay access denied|unable to relay|relaying denied|is currently not permitted to relay|relaying not allowed|we do not relay|relay denied|relaying prohibited", alt: []cause.ID{"auth.required", "sender.no-reverse-dns", "protocol.bad-sequence"}, from: "Exim, Postfix, Sendmail, Exchange"},
		{id: "message.malformed", key: true, when: "headers fail syntax|header syntax|verify = header|header_syntax|header_sender|message headers fail", from: "Exim"},
		{id: "delivery.host-unreachable", when: "all relevant mx records point to unreachable|all hosts for * have been failing|all hosts have been failing|host * is down|has been unreachable", alt: []cause.ID{"delivery.expired"}, from: "Exim"},
		{id: "recipient.domain-not-found", key: true, when: "unrouteable address|unroutable address|unrouteable mail domain|no relevant mx", alt: []cause.ID{"recipient.unknown", "server.misconfigured"}, at: "rcpt bounce post-data data client", from: "Exim"},
		{id: "message.line-too-long", key: true, when: "lines too long for transport|maximum allowed line length|line length * 998", from: "Exim"},
		// Sendmail.
		{id: "recipient.domain-not-found", key: true, when: "host unknown (name server|... host unknown|name server: * host not found|no such host here", alt: []cause.ID{"recipient.unknown"}, from: "Sendmail"},
		{id: "delivery.dns-failed", key: true, when: "name server: * transient|deferred: name server|name server: host name lookup failure|host name lookup failure & !ip name", from: "Sendmail"},
		{id: "sender.domain-not-found", key: true, when: "domain of sender address|real domain name required for sender|domain of sender", from: "Sendmail"},
		{id: "sender.no-reverse-dns", key: true, when: "ip name lookup failed|ip name possibly forged|fix reverse dns", alt: []cause.ID{"relay.denied"}, from: "Sendmail"},
		{id: "delivery.host-unreachable", when: "deferred: connection|deferred: operation timed out|deferred: no route", from: "Sendmail"},
		// qmail and its kin.
		{id: "sender.blocked", key: true, when: "badmailfrom|badmailpatterns|your envelope sender is in my|your envelope sender has been denied", from: "qmail"},
		{id: "relay.denied", key: true, when: "list of allowed rcpthosts|allowed rcpthosts|rcpthosts|rcpt-hosts", alt: []cause.ID{"auth.required"}, from: "qmail"},
		{id: "recipient.unknown", key: true, when: "no mailbox here by that name|sorry, no mailbox|no such mailbox here|vpopmail + no account|can't create user directory|unable to chdir to maildir|this address no longer accepts mail|no valid cert for gatewaying", alt: []cause.ID{"recipient.disabled", "relay.denied"}, from: "qmail, vpopmail"},
		{id: "recipient.domain-not-found", key: true, when: "couldn't find any host named|couldn't find a mail exchanger|couldn't find any host by that name|although i'm listed as", alt: []cause.ID{"server.misconfigured"}, from: "qmail"},
		{id: "server.misconfigured", key: true, when: "although i'm listed as a best-preference mx|it isn't in my control/locals", alt: []cause.ID{"routing.loop"}, from: "qmail"},
		{id: "sender.bad-helo", key: true, when: "but my name was rejected|helo command rejected|rejected helo", from: "qmail, Postfix"},
		{id: "message.bare-lf", key: true, when: "smtplf.html|bare lf|bare line feed|bare linefeed|bare newline|bare <lf>|bare <cr>|stray newlines", from: "qmail, Exchange, Postfix"},
		{id: "message.too-large", key: true, when: "databytes limit|exceeds my databytes", from: "qmail"},
		{id: "recipient.mailbox-full", key: true, when: "mailfolder is over|mailfolder is full|over the allowed quota|is over quota|user has too many messages on|maildir delivery failed|maildrop * quota|maildirquota|would exceed * mailbox quota|deliverquota", from: "qmail, vpopmail, Courier"},
		// OpenSMTPD, Haraka, Courier, MDaemon, Domino, Zimbra, Groups.
		{id: "recipient.unknown", when: "not listed in domino directory|not listed in public name|not listed in directory|not found in directory|no such recipient|is not a known user", from: "Domino"},
		{id: "recipient.restricted", key: true, when: "members only|only members|non-member|not a member of|members of this list|subscribers only|post messages to the group|you are not allowed to post|not allowed to post to|posting to this list|only allowed posters|restricted mailing list|list * restricted|closed list|moderated list|not subscribed to this list|must be a subscriber|may not have permission to post", alt: []cause.ID{"recipient.unknown"}, from: "Mailman, Google Groups, Sympa, Majordomo"},
		{id: "policy.spf-failed", key: true, when: "does not pass the sender policy framework|spf fail|spf check fail|spf softfail|spf hardfail|failed spf", alt: []cause.ID{"policy.unauthenticated", "policy.dmarc-failed"}, from: "Courier, Haraka and others"},
		{id: "server.temporary-failure", when: "clamav * unavailable|clamd * fail|content scanner * fail|content filter * fail|scan * failed|virus scanner * error|milter * timeout|milter * tempfail|milter * error|milter * unavailable|spamd * unavailable|amavis * connect|unable to scan|unable to check * virus|cannot check * virus|anti-virus * error|queue file write error|mail queue * error|local error in processing|temporary lookup failure|table lookup|lookup table|map lookup|upstream * error|backend * error|cannot read * table|unable to read * table", alt: []cause.ID{"server.misconfigured", "greylist.deferred", "delivery.dns-failed"}, from: "Postfix, Exim, amavisd"},
	},
}
