package lab

// at does one thing at one step.
func at(s step, say string) map[step]act { return map[step]act{s: {say: say}} }

// leaving does it and closes the connection.
func leaving(s step, say string) map[step]act { return map[step]act{s: {say: say, then: hangUp}} }

// senders are refusals of the sender, of its domain and of its address on the
// network.
var senders = []Scenario{
	{Cause: "sender.send-as-denied", Title: "the account may not send as that address", Shows: "550 5.7.60 after the message", Stage: "post-data", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{told: withForeignFrom, acts: at(stepDot, "554 5.2.252 SendAsDenied; ann@example.org not allowed to send as {from}; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied")}},
	{Cause: "sender.address-not-owned", Title: "the From address is not the account's", Shows: "553 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix, reject_sender_login_mismatch",
		b: behaviour{told: withForeignFrom, acts: at(stepRcpt, "553 5.7.1 <{from}>: Sender address rejected: not owned by user ann@example.org")}},
	{Cause: "sender.not-verified", Title: "the sender is not verified with the service", Shows: "554 after the message", Stage: "post-data", Source: "Amazon SES",
		b: behaviour{acts: at(stepDot, "554 Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: {from}")}},
	{Cause: "sender.domain-not-found", Title: "the sender's domain does not exist", Shows: "450 4.1.8 to RCPT", Stage: "rcpt", Source: "Postfix, reject_unknown_sender_domain",
		b: behaviour{told: withLocalFrom, acts: at(stepRcpt, "450 4.1.8 <{from}>: Sender address rejected: Domain not found")}},
	{Cause: "sender.address-invalid", Title: "the sender's address is badly written", Shows: "504 5.5.2 to RCPT", Stage: "rcpt", Source: "Postfix, reject_non_fqdn_sender",
		b: behaviour{told: func(s *Settings) { s.From = "root@web01" }, acts: at(stepRcpt, "504 5.5.2 <{from}>: Sender address rejected: need fully-qualified address")}},
	{Cause: "sender.unknown", Title: "the sender's mailbox does not exist", Shows: "550 5.1.0 to RCPT", Stage: "rcpt", Source: "Postfix, reject_unlisted_sender",
		b: behaviour{acts: at(stepRcpt, "550 5.1.0 <{from}>: Sender address rejected: User unknown in virtual mailbox table")}},
	{Cause: "sender.blocked", Title: "that sender is barred", Shows: "554 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix access map",
		b: behaviour{acts: at(stepRcpt, "554 5.7.1 <{from}>: Sender address rejected: Access denied")}},
	{Cause: "sender.no-reverse-dns", Title: "the client's address has no name", Shows: "554 at the greeting", Stage: "greeting", Source: "Comcast",
		b: behaviour{acts: leaving(stepGreeting, "554 {host} {host} {ip} Comcast requires that all mail servers must have a PTR record with a valid Reverse DNS entry. Currently your mail server does not fill that requirement.")}},
	{Cause: "sender.bad-helo", Title: "the EHLO name is refused at RCPT", Shows: "504 5.5.2 Helo command rejected", Stage: "rcpt", Source: "Postfix, smtpd_helo_restrictions",
		b: behaviour{acts: at(stepRcpt, "504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname")}},
	{ID: "sender.bad-helo/ehlo", Cause: "sender.bad-helo", Title: "the EHLO name is refused at once", Shows: "501 to EHLO and HELO", Stage: "ehlo", Source: "Exim",
		b: behaviour{acts: map[step]act{stepEHLO: {say: "501 Syntactically invalid EHLO argument(s)"}, stepHELO: {say: "501 Syntactically invalid HELO argument(s)"}}}},
	{Cause: "reputation.ip-blocklisted", Title: "the client's address is on a block list", Shows: "554 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix, reject_rbl_client",
		b: behaviour{acts: at(stepRcpt, "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/203.0.113.7")}},
	{Cause: "reputation.dynamic-ip", Title: "the client's address is a home's", Shows: "554 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix with Spamhaus PBL",
		b: behaviour{acts: at(stepRcpt, "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using pbl.spamhaus.org; https://www.spamhaus.org/pbl/query/PBL012345")}},
	{Cause: "policy.spf-failed", Title: "SPF does not allow the sender", Shows: "550 5.7.23 to MAIL", Stage: "mail", Source: "RFC 7372",
		b: behaviour{acts: at(stepMail, "550 5.7.23 SPF validation failed")}},
	{Cause: "policy.dmarc-failed", Title: "DMARC does not allow the message", Shows: "550 5.7.1 after the message", Stage: "post-data", Source: "OpenDMARC",
		b: behaviour{acts: at(stepDot, "550 5.7.1 rejected by DMARC policy for example.org")}},
	{Cause: "policy.unauthenticated", Title: "neither SPF nor DKIM", Shows: "550 5.7.9 after the message", Stage: "post-data", Source: "Yahoo",
		b: behaviour{acts: at(stepDot, "550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo requires all senders to authenticate with either SPF or DKIM.")}},
	{Cause: "policy.organisation-rule", Title: "an administrator's rule refuses the message", Shows: "550 5.7.1 after the message", Stage: "post-data", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepDot, "550 5.7.1 This message violates example.com email policy. - gcdp {id} - gsmtp")}},
	{Cause: "account.restricted-spam", Title: "the provider has barred the account for spam", Shows: "550 5.1.8 after the message", Stage: "post-data", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: at(stepDot, "550 5.1.8 Access denied, bad outbound sender AS(42003)")}},
	{Cause: "account.sending-disabled", Title: "the account's sending is suspended", Shows: "554 after the message", Stage: "post-data", Source: "Amazon SES",
		b: behaviour{acts: at(stepDot, "554 Message rejected: Sending suspended for this account. For more information, please check the inbox of the email address associated with your AWS account.")}},
	{Cause: "tenant.threshold-exceeded", Title: "the tenant's outgoing mail is blocked", Shows: "550 5.7.705 after the message", Stage: "post-data", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: at(stepDot, "550 5.7.705 Access denied, tenant has exceeded threshold")}},
	{Cause: "relay.tenant-attribution", Title: "the connection fits no tenant", Shows: "550 5.7.64 to RCPT", Stage: "rcpt", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{noAuth: true, told: withoutLogin, acts: at(stepRcpt, "550 5.7.64 TenantAttribution; Relay Access Denied")}},
}

// recipients are refusals of the recipient.
var recipients = []Scenario{
	{Cause: "relay.denied", Title: "relaying is denied", Shows: "554 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix",
		b: behaviour{told: withoutLogin, acts: map[step]act{stepRcpt: {say: "554 5.7.1 <{rcpt}>: Relay access denied", when: signedOut}}}},
	{Cause: "recipient.unknown", Title: "there is no such mailbox", Shows: "550 5.1.1 to RCPT", Stage: "rcpt", Source: "Postfix",
		b: behaviour{acts: at(stepRcpt, "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in local recipient table")}},
	{Cause: "recipient.mailbox-full", Title: "the mailbox is full", Shows: "452 4.2.2 to RCPT", Stage: "rcpt", Source: "Outlook.com", Persona: "exchange-online",
		b: behaviour{acts: at(stepRcpt, "452 4.2.2 Mailbox full")}},
	{Cause: "recipient.disabled", Title: "the mailbox is closed", Shows: "550-5.2.1 to RCPT", Stage: "rcpt", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepRcpt, "550-5.2.1 The email account that you tried to reach is inactive. For more\n550-5.2.1 information, go to\n550 5.2.1  https://support.google.com/mail/?p=DisabledUser {id} - gsmtp")}},
	{Cause: "recipient.moved", Title: "the person has moved", Shows: "551 5.1.6 to RCPT", Stage: "rcpt", Source: "Sendmail access map",
		b: behaviour{acts: at(stepRcpt, "551 5.1.6 <{rcpt}>... User has moved; please try user@example.org")}},
	{Cause: "recipient.address-syntax", Title: "the address is badly written", Shows: "504 5.5.2 to RCPT", Stage: "rcpt", Source: "Postfix, reject_non_fqdn_recipient",
		b: behaviour{acts: at(stepRcpt, "504 5.5.2 <{rcpt}>: Recipient address rejected: need fully-qualified address")}},
	{Cause: "recipient.domain-not-found", Title: "the recipient's domain does not exist", Shows: "450 4.1.2 to RCPT", Stage: "rcpt", Source: "Postfix, reject_unknown_recipient_domain",
		b: behaviour{acts: at(stepRcpt, "450 4.1.2 <{rcpt}>: Recipient address rejected: Domain not found")}},
	{Cause: "recipient.null-mx", Title: "the recipient's domain takes no mail", Shows: "556 5.1.10 to RCPT", Stage: "rcpt", Source: "RFC 7505",
		b: behaviour{acts: at(stepRcpt, "556 5.1.10 Recipient address has null MX")}},
	{Cause: "recipient.restricted", Title: "the address takes mail from some senders only", Shows: "550 5.7.133 to RCPT", Stage: "rcpt", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: at(stepRcpt, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group")}},
	{Cause: "recipient.too-many", Title: "too many recipients", Shows: "452 4.5.3 to RCPT", Stage: "rcpt", Source: "Postfix",
		b: behaviour{acts: at(stepRcpt, "452 4.5.3 Error: too many recipients")}},
	{Cause: "recipient.rate-limited", Title: "the recipient gets mail too fast", Shows: "450-4.2.1 to RCPT", Stage: "rcpt", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepRcpt, "450-4.2.1 The user you are trying to contact is receiving mail too quickly. Please\n450-4.2.1 resend your message at a later time. If the user is able to receive mail at that\n450-4.2.1 time, your message will be delivered. For more information, please visit\n450 4.2.1  https://support.google.com/mail/?p=ReceivingRate {id} - gsmtp")}},
	{Cause: "greylist.deferred", Title: "a first attempt is put off", Shows: "450 4.2.0 to RCPT", Stage: "rcpt", Source: "Postgrey",
		b: behaviour{acts: at(stepRcpt, "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.net.html")}},
}

// messages are refusals of the message.
var messages = []Scenario{
	{Cause: "message.too-large", Title: "the message is too large", Shows: "SIZE 100 after EHLO, 552 5.3.4 to more", Stage: "mail", Source: "Postfix",
		b: behaviour{maxBytes: 100}},
	{Cause: "message.spam", Title: "the message is taken for spam", Shows: "550-5.7.1 after the message", Stage: "post-data", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepDot, "550-5.7.1 [{ip}      12] Our system has detected that this message is\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\n550-5.7.1 this message has been blocked. Please visit\n550 5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError for more information. {id} - gsmtp")}},
	{Cause: "message.virus", Title: "the message is said to hold malware", Shows: "554 5.7.1 after the message", Stage: "post-data", Source: "Rspamd with ClamAV",
		b: behaviour{acts: at(stepDot, "554 5.7.1 clamav: virus found: \"Eicar-Test-Signature\"")}},
	{Cause: "message.attachment-blocked", Title: "a kind of attachment is not allowed", Shows: "552-5.7.0 after the message", Stage: "post-data", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepDot, "552-5.7.0 This message was blocked because its content presents a potential\n552-5.7.0 security issue. Please visit\n552-5.7.0  https://support.google.com/mail/?p=BlockedMessage to review our\n552 5.7.0 message content and attachment content guidelines. {id} - gsmtp")}},
	{Cause: "message.url-blocked", Title: "a link in the message is listed as bad", Shows: "554 after the message", Stage: "post-data", Source: "Barracuda",
		b: behaviour{acts: at(stepDot, "554 rejected due to spam URL in content")}},
	{Cause: "message.line-too-long", Title: "a line of the message is too long", Shows: "550 after the message", Stage: "post-data", Source: "Exim",
		b: behaviour{acts: at(stepDot, "550 maximum allowed line length is 998 octets, got 1044")}},
	{Cause: "message.malformed", Title: "a header of the message is badly formed", Shows: "550 after the message", Stage: "post-data", Source: "Exim",
		b: behaviour{acts: at(stepDot, "550 syntax error in 'From:' header when scanning for sender: unqualified address not permitted in \"root\"")}},
	{Cause: "message.bare-lf", Title: "the message is said to have bare line feeds", Shows: "554 after the message", Stage: "post-data", Source: "hMailServer",
		b: behaviour{acts: at(stepDot, "554 Rejected - Message containing bare LF's.")}},
	{Cause: "routing.loop", Title: "the message goes round in circles", Shows: "554 5.4.0 after the message", Stage: "post-data", Source: "Postfix",
		b: behaviour{acts: at(stepDot, "554 5.4.0 Error: too many hops")}},
}

// limits are refusals for their number.
var limits = []Scenario{
	{Cause: "limit.rate", Title: "the sender goes too fast", Shows: "421 4.7.28 after the message", Stage: "post-data", Source: "Amazon SES",
		b: behaviour{acts: at(stepDot, "454 Throttling failure: Maximum sending rate exceeded.")}},
	{Cause: "limit.quota", Title: "the day's allowance is used up", Shows: "550-5.4.5 after the message", Stage: "post-data", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepDot, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 {id} - gsmtp")}},
	{Cause: "limit.connections", Title: "too many connections", Shows: "421 4.7.0 at the greeting", Stage: "greeting", Source: "Postfix, smtpd_client_connection_count_limit",
		b: behaviour{acts: leaving(stepGreeting, "421 4.7.0 {host} Error: too many connections from {ip}")}},
}

// servers are faults of the server itself, and of the conversation.
var servers = []Scenario{
	{Cause: "server.temporary-failure", Title: "the server has a passing fault", Shows: "451 4.3.0 to RCPT", Stage: "rcpt", Source: "Postfix",
		b: behaviour{acts: at(stepRcpt, "451 4.3.0 <{rcpt}>: Temporary lookup failure")}},
	{ID: "server.temporary-failure/greeting", Cause: "server.temporary-failure", Title: "the server is not available now", Shows: "421 at the greeting", Stage: "greeting", Source: "RFC 5321 §4.2.3",
		b: behaviour{acts: leaving(stepGreeting, "421 {host} Service not available, closing transmission channel")}},
	{ID: "server.temporary-failure/ehlo", Cause: "server.temporary-failure", Title: "the server wants another name, and does not say so", Shows: "421-4.7.0 Try again later to EHLO", Stage: "ehlo", Source: "Google's SMTP relay", Persona: "gmail",
		Words: ids("sender.bad-helo"),
		b:     behaviour{acts: leaving(stepEHLO, "421-4.7.0 Try again later, closing connection. (EHLO)\n421 4.7.0 For more information, go to https://support.google.com/a/answer/3221692 - gsmtp")}},
	{ID: "server.temporary-failure/dot", Cause: "server.temporary-failure", Title: "a filter of the server is down", Shows: "451 4.7.1 after the message", Stage: "post-data", Source: "Postfix with a milter",
		b: behaviour{acts: at(stepDot, "451 4.7.1 Service unavailable - try again later")}},
	{Cause: "server.insufficient-storage", Title: "the server's disk is full", Shows: "452 4.3.1 to MAIL", Stage: "mail", Source: "Postfix",
		b: behaviour{acts: at(stepMail, "452 4.3.1 Insufficient system storage")}},
	{Cause: "server.not-accepting-mail", Title: "the host takes no mail", Shows: "554 at the greeting", Stage: "greeting", Source: "RFC 5321 §3.1",
		b: behaviour{acts: leaving(stepGreeting, "554 {host} No SMTP service here")}},
	{Cause: "server.misconfigured", Title: "the server's configuration is wrong", Shows: "451 4.3.5 to RCPT", Stage: "rcpt", Source: "Postfix",
		b: behaviour{acts: at(stepRcpt, "451 4.3.5 Server configuration error")}},
	{Cause: "server.unspecified-rejection", Title: "the server refuses and gives no reason", Shows: "554 5.7.1 to RCPT", Stage: "rcpt", Source: "Postfix access map",
		b: behaviour{acts: at(stepRcpt, "554 5.7.1 <{helo}[{ip}]>: Client host rejected: Access denied")}},
	{Cause: "protocol.syntax-error", Title: "EHLO is not understood", Shows: "502 5.5.2 to EHLO and HELO", Stage: "ehlo", Source: "Postfix",
		b: behaviour{acts: map[step]act{stepEHLO: {say: "502 5.5.2 Error: command not recognized"}, stepHELO: {say: "502 5.5.2 Error: command not recognized"}}}},
	{Cause: "protocol.synchronisation", Title: "the client is said to speak out of turn", Shows: "554 at EHLO", Stage: "ehlo", Source: "Exim",
		b: behaviour{acts: leaving(stepEHLO, "554 SMTP synchronization error")}},
	{Cause: "protocol.bad-sequence", Title: "commands are said to come in the wrong order", Shows: "503 5.5.1 to MAIL", Stage: "mail", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: at(stepMail, "503 5.5.1 EHLO/HELO first. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp")}},
	{Cause: "protocol.idle-timeout", Title: "the server tires of waiting", Shows: "421 4.4.2 in the message", Stage: "data", Source: "Postfix",
		b: behaviour{acts: leaving(stepContent, "421 4.4.2 {host} Error: timeout exceeded")}},
}
