package explain

import "github.com/wellsent/wellsent/internal/cause"

// saidRules are wordings that many servers and filters share, whoever wrote them.
var saidRules = ruleset{
	layer: &bySoftware,
	words: []rule{
		// The recipient.
		{id: "recipient.unknown", when: "rejected recipients|not a valid user|not a valid account|not a valid email account|not email addresses|valid recipients, bye|destinataire invalide|invalid recipient ofr|sorry, badrcptto", at: "rcpt bounce", alt: []cause.ID{"recipient.disabled"}, from: "Exchange, Orange"},
		{id: "recipient.unknown", key: true, when: "destinataire invalide|unknown local-part|rcpt < * does not exist", at: "rcpt bounce mail", alt: []cause.ID{"recipient.disabled"}, from: "Exim, Orange"},
		{id: "recipient.unknown", key: true, when: "account or domain may not exist", alt: []cause.ID{"recipient.domain-not-found", "reputation.domain-blocklisted"}, from: "Sina"},
		{id: "recipient.address-syntax", key: true, when: "restricted characters in|invalid route address|too many @|two @ signs|illegal characters in local", at: "rcpt bounce", alt: []cause.ID{"recipient.unknown"}, from: "Exim, Sendmail"},
		{id: "recipient.restricted", key: true, when: "not member article|restricted sms e-mail|restricted sms email|reject mail from & !spam|listed", at: "bounce rcpt data post-data", alt: []cause.ID{"sender.blocked"}, from: "FML, AT&T"},
		{id: "recipient.mailbox-full", key: true, when: "error writing message: file too large|file size limit exceeded", at: "bounce", alt: []cause.ID{"message.too-large"}, from: "Postfix"},
		{id: "recipient.too-many", when: "too many bad recipients|too many invalid recipients|too many unknown recipients", at: "rcpt data", alt: []cause.ID{"recipient.unknown", "limit.rate"}, from: "Sendmail"},
		// The sender.
		{id: "sender.address-invalid", key: true, when: "empty email address|empty e-mail address|empty address", at: "mail", from: "Exim"},
		{id: "sender.unknown", key: true, when: "after mail from * does not exist", at: "mail rcpt data post-data bounce", alt: []cause.ID{"recipient.unknown"}, from: "Exim"},
		{id: "sender.blocked", key: true, when: "spam reporting address|marked as spam by the recipient|email address * blacklisted|e-mail address * blacklisted|e-mail address * block list|email address * block list", at: "mail rcpt bounce", alt: []cause.ID{"reputation.ip-blocklisted"}, from: "SendGrid, MessageLabs"},
		{id: "sender.no-reverse-dns", key: true, when: "unverifyable sending ips|unverifiable sending ips|unverifyable sending ip", at: "connect greeting ehlo mail rcpt", alt: []cause.ID{"limit.connections"}, from: "Comcast"},
		{id: "sender.bad-helo", key: true, when: "helo should be|ehlo should be|invalid domain name & !#5.4|sender|recipient|mail from|from:|rcpt", at: "ehlo greeting", alt: []cause.ID{"protocol.syntax-error"}, from: "Sendmail, cPanel"},
		{id: "policy.spf-failed", key: true, when: "purported responsible|sender id failed|sender id check", at: "mail rcpt data post-data bounce", alt: []cause.ID{"policy.unauthenticated"}, from: "Exchange"},
		{id: "account.restricted-spam", key: true, when: "outgoing mail hold|outgoing mail suspen|outbound mail hold", at: "mail rcpt data bounce", alt: []cause.ID{"account.sending-disabled"}, from: "cPanel"},
		{id: "account.sending-disabled", key: true, when: "not subscribed to ses|not subscribed to amazon|not subscribed to this service & !group|list", alt: []cause.ID{"auth.credentials-rejected"}, from: "SES"},
		{id: "relay.denied", when: "registered gateway user", at: "mail rcpt", alt: []cause.ID{"sender.address-not-owned"}, from: "gateways"},
		{id: "auth.required", key: true, when: "rejected: was not authenticated", alt: []cause.ID{"relay.denied"}, from: "Exchange"},
		// The sending host.
		{id: "reputation.ip-blocklisted", key: true, when: "confirm this mail server|server requires confirmation|no access from mail server|accepting mail from your ip|accepting mail from your host|sender ip address rejected|sender ip rejected|refused: spam site|spam site|spam source|spammer's ip", at: "connect greeting ehlo mail rcpt data bounce", alt: []cause.ID{"reputation.low", "server.unspecified-rejection"}, from: "many"},
		{id: "limit.rate", key: true, when: "too many errors from your ip|too many errors from your host", alt: []cause.ID{"reputation.low", "protocol.syntax-error"}, from: "Free"},
		// The message.
		{id: "message.spam", key: true, when: "spamming not allowed|spamming is not|ofr_506|mail rejete", at: "data post-data bounce", alt: []cause.ID{"reputation.ip-blocklisted", "reputation.low"}, from: "many"},
		{id: "message.malformed", key: true, when: "unnecessary base64|improperly-formatted|improperly formatted|badly formatted message|incorrectly formatted message", at: "data post-data bounce", from: "filters"},
		// Servers.
		{id: "server.temporary-failure", key: true, when: "drd for domain|there is no mdb|because there is no mdb|encountered an error while being processed|an error while processing", at: "bounce rcpt data post-data", alt: []cause.ID{"server.misconfigured"}, from: "Exchange"},
		{id: "server.misconfigured", key: true, when: "cannot open mailbox|cannot open file|[private/] * no such file|connect to private/ * no such file|private/dovecot", at: "bounce rcpt", alt: []cause.ID{"server.temporary-failure"}, from: "Postfix, Novell"},
		{id: "server.misconfigured", key: true, when: "command died with|mailer error|local delivery transport returned|child process of", at: "bounce", alt: []cause.ID{"server.temporary-failure", "recipient.unknown"}, from: "Postfix, Exim, Sendmail"},
		{id: "server.temporary-failure", when: "timeout writing message|error writing message to", at: "bounce", alt: []cause.ID{"delivery.host-unreachable"}, from: "Sendmail"},
		// Delivery.
		{id: "delivery.expired", when: "failed to deliver to domain|not been collected after|could not be collected|after * tries", at: "bounce", alt: []cause.ID{"delivery.host-unreachable"}, from: "MDaemon, NTMail"},
		{id: "delivery.dns-failed", when: "find a gateway for|no gateway for", at: "bounce", alt: []cause.ID{"recipient.domain-not-found", "server.misconfigured"}, from: "gateways"},
		{id: "delivery.host-unreachable", when: "server did not respond|host did not respond|did not respond to our", at: "bounce", from: "IMail"},
		{id: "tls.delivery-policy", key: true, when: "server certificate not trusted|server certificate not verified", at: "bounce", alt: []cause.ID{"tls.handshake-failed"}, from: "Postfix"},
		// The conversation.
		{id: "protocol.bad-sequence", key: true, when: "error: no valid recipients|valid rcpt command must|must have a valid rcpt", at: "data", alt: []cause.ID{"recipient.unknown"}, from: "Postfix"},
		{id: "protocol.synchronisation", key: true, when: "protocol error & !tls|ssl|remote protocol|>>> data", at: "greeting ehlo", from: "postscreen"},
		{id: "auth.malformed-exchange", key: true, when: "syntax: auth", at: "auth", from: "Postfix"},
		{id: "relay.denied", key: true, when: "sorry, that domain isn't in my list of allowed rcpthosts|that domain isn't in my list of allowed rcpthosts; no valid cert|no valid cert for gatewaying|message refused: invalid destination|delivery not authorized", at: "rcpt mail bounce", alt: []cause.ID{"auth.required", "recipient.unknown"}, from: "qmail, OpenSMTPD"},
		{id: "sender.domain-not-found", key: true, when: "domain of your sender|no mail exchanger|dns lookup failure: & !in-addr|recipient|spf|host", at: "mail rcpt", alt: []cause.ID{"delivery.dns-failed"}, from: "spamdyke, Courier"},
		{id: "recipient.unknown", when: "not being accepted at this address|not accepted at this address|no mail is accepted for this", at: "rcpt", alt: []cause.ID{"recipient.disabled"}, from: "spamdyke"},
		{id: "recipient.domain-not-found", key: true, when: "610 invalid domain", at: "bounce", from: "OpenSMTPD"},
		{id: "delivery.host-unreachable", key: true, when: "seem to reject all|seems to reject all|network error on destination", at: "bounce", from: "OpenSMTPD"},
		{id: "sender.bad-helo", key: true, when: "you are not me|you can't be me|you are not mx|impersonating|pretending to be|my own name|helo as me|my hostname in your", at: "ehlo mail rcpt greeting", from: "Haraka, Exim"},
		{id: "server.temporary-failure", key: true, when: "locked by another|moved to another server|mailbox is locked|mailbox locked|is being moved|is in use by another", at: "rcpt bounce data post-data", alt: []cause.ID{"recipient.disabled"}, from: "Cyrus"},
		{id: "message.attachment-blocked", key: true, when: "banned: ~ application|banned: ~ .exe|content rejected ~ banned|unchecked-encrypted|encrypted attachment|encrypted archive|password protected archive|password-protected", at: "data post-data bounce", alt: []cause.ID{"message.virus"}, from: "amavisd"},
		{id: "message.spam", key: true, when: "gtube", from: "SpamAssassin"},
		{id: "sender.address-not-owned", key: true, when: "smtp auth is required for users under|auth is required for users under this sender|under this sender domain", at: "mail rcpt", alt: []cause.ID{"auth.required"}, from: "iRedAPD"},
		{id: "recipient.restricted", when: "recipient address rejected: not authorized|recipient address rejected: not authorised|recipient rejected: not authorized", at: "rcpt bounce", from: "iRedAPD"},
		{id: "greylist.deferred", key: true, when: "intentional policy rejection", at: "rcpt data", from: "iRedAPD"},
		{id: "recipient.mailbox-full", key: true, when: "exceeded its size quota|unable to extend an id table|database has exceeded", from: "Domino"},
		{id: "reputation.low", when: "because of previous errors|due to previous errors|penalty: & !password|login", at: "rcpt mail greeting", alt: []cause.ID{"limit.rate", "reputation.ip-blocklisted"}, from: "policyd-weight"},
		{id: "reputation.ip-blocklisted", key: true, when: "rejected by p0f|get removed from dnsbls|appeared to be spam or forged", at: "connect greeting ehlo mail rcpt", alt: []cause.ID{"reputation.low"}, from: "policyd-weight"},
		// Providers, by what they say.
		{id: "sender.send-as-denied", key: true, when: "sendasdenied|sendasdeniedexception", from: "Exchange Online"},
		{id: "server.misconfigured", key: true, when: "missing or bad mailbox database|bad mailbox database properties|bad maildatabase", at: "bounce rcpt", alt: []cause.ID{"server.temporary-failure"}, from: "Exchange"},
		{id: "message.malformed", key: true, when: "corrupt message content|corrupted message|message is corrupt", at: "bounce data post-data", alt: []cause.ID{"server.temporary-failure"}, from: "Exchange"},
		{id: "tls.delivery-policy", key: true, when: "cannot connect to remote server * starttls is required|remote server * starttls is required", at: "bounce", from: "Exchange Online"},
		{id: "limit.rate", key: true, when: "unusual rate of unsolicited mail|unusual rate of email|unusual rate of mail|ratelimit exceeded|unusual rate of messages", alt: []cause.ID{"reputation.low"}, from: "Gmail, Mail.ru"},
		{id: "message.spam", key: true, when: "[hm08]|[hm07]|[cs01]|[cs02] & !spamhaus|[dbl]", at: "data post-data bounce rcpt", alt: []cause.ID{"reputation.low", "server.unspecified-rejection"}, from: "iCloud"},
		{id: "reputation.ip-blocklisted", key: true, when: "ask your postmaster for help or to contact|your ip has been limited|your ip has been restricted|your ip is limited & !bad reputation|none/bad", at: "connect greeting ehlo mail rcpt bounce", alt: []cause.ID{"reputation.low"}, from: "T-Online, Aliyun"},
		{id: "sender.address-not-owned", key: true, when: "doesn't conform with auth|does not conform with auth|not conform with authentication", from: "Aliyun"},
		{id: "recipient.unknown", key: true, when: "dosn't exist|dose not exist|does not exists|doesn't exists|not exsit|not exsist", at: "rcpt bounce", alt: []cause.ID{"recipient.disabled"}, from: "Aliyun, Tencent"},
		{id: "limit.quota", key: true, when: "limite de envio|limite de mensagens|limite de emails|mensagens por hora|mensajes por hora|correos por hora|limite de envíos|límite de envío|limite di invio|numero massimo di messaggi|limite d'envoi|versandlimit|sendelimit", at: "mail rcpt data post-data auth", alt: []cause.ID{"limit.rate"}, from: "Locaweb, UOL, Aruba, OVH"},
		// Libraries and programs.
		{id: "auth.required", key: true, when: "client was not authenticated * authentication required & !5.7.139|#7.139", from: ".NET"},
		{id: "tls.required", key: true, when: "client was not authenticated * must issue a starttls|client was not authenticated * starttls is required|client was not authenticated * starttls command first", from: ".NET"},
		{id: "dns.lookup-failed", key: true, when: "eservfail|querya etimeout|querymx etimeout|queryaaaa e|[eai_again]", at: "client resolve connect", between: "delivery.dns-failed", from: "Node"},
		{id: "auth.not-offered", key: true, when: "missing_requirement * auth", at: "client auth", alt: []cause.ID{"auth.required"}, from: "gen_smtp"},
		{id: "tls.starttls-not-offered", key: true, when: "missing_requirement * tls", at: "client starttls", from: "gen_smtp"},
		{id: "auth.credentials-rejected", key: true, when: "auth_failed|auth_fail|password for server * is incorrect|password for * is incorrect|smtp authentication error|check user name and password|check username and password & !mechanism|expired|{too}", at: "client auth", from: "gen_smtp, Apple Mail, scanners"},
		{id: "auth.no-shared-mechanism", key: true, when: "no known authentication mechanism|no known auth mechanism|no supported sasl mechanism", at: "client auth", from: "curl, MailKit"},
		// Bounces.
		{id: "relay.denied", key: true, when: "invalid credentials for relay|credentials for relay", from: "Google"},
		{id: "account.restricted-spam", key: true, when: "email outgoing blocked|mail outgoing blocked|outgoing email blocked", from: "Zoho"},
		{id: "auth.blocked-by-policy", key: true, when: "unauthorized ip|unauthorised ip|ip not authorized for this account", at: "auth", from: "Brevo"},
		{id: "recipient.unknown", key: true, when: "nicht zugestellt|n'a pas pu être remis|n'a pu être remis|no se pudo entregar|impossibile recapitare|não foi possível entregar|niet worden bezorgd|nie można dostarczyć & nicht gefunden|introuvable|no se encontró|non è stato trovato|não foi encontrado|niet gevonden|nie znaleziono & !domäne|dominio|domínio|domein|domaine|[dns]", at: "bounce", alt: []cause.ID{"recipient.disabled"}, from: "Exchange Online"},
		{id: "recipient.domain-not-found", key: true, when: "because the domain * couldn't be found|because the domain * could not be found", at: "bounce", from: "Gmail"},
		{id: "recipient.unknown", key: true, when: "unrecognised-or-name|unrecognized-or-name|unrecognised or name|unrecognised recipient", at: "bounce", from: "X.400"},
		{id: "delivery.expired", when: "maximum time in queue|time in queue expired|queue time exceeded|exceeded maximum time in queue", at: "bounce", alt: []cause.ID{"delivery.host-unreachable"}, from: "Barracuda"},
	},
}
