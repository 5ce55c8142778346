package lab

import "crypto/tls"

// oldTLS makes a server of the years before TLS 1.2.
func oldTLS(c *tls.Config) {
	c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
}

// oldCiphers leaves only what no client offers any more.
func oldCiphers(c *tls.Config) {
	c.MaxVersion = tls.VersionTLS12
	c.CipherSuites = []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
}

func demandCertificate(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }

// demandCertificate12 has the server refuse in the handshake: under TLS 1.3 a client is
// through before it hears of it.
func demandCertificate12(c *tls.Config) {
	demandCertificate(c)
	c.MaxVersion = tls.VersionTLS12
}

// securing are failures of TLS.
var securing = []Scenario{
	{Cause: "tls.implicit-on-starttls-port", Title: "TLS at once, on a port that begins in plain text", Shows: "220 in place of a TLS record: \"wrong version number\"", Stage: "tls",
		b: behaviour{told: withTLSAtOnce}},
	{Cause: "tls.plain-on-implicit-port", Title: "plain SMTP, on a port that begins with TLS", Shows: "no greeting ever comes", Stage: "greeting",
		Words: ids("net.timeout", "net.connection-lost", "service.wrong-protocol-other"), b: behaviour{implicit: true, told: withStartTLS}},
	{Cause: "tls.required", Title: "the server insists on TLS", Shows: "530 5.7.0 to MAIL in clear text", Stage: "mail", Source: "Postfix, smtpd_tls_security_level = encrypt",
		b: behaviour{told: withoutBoth, acts: map[step]act{stepMail: {say: "530 5.7.0 Must issue a STARTTLS command first", when: inClearText}}}},
	{ID: "tls.required/exchange", Cause: "tls.required", Title: "a connector insists on TLS", Shows: "451 5.7.3 to MAIL in clear text", Stage: "mail", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{told: withoutBoth, acts: map[step]act{stepMail: {say: "451 5.7.3 STARTTLS is required to send mail [{host}]", when: inClearText}}}},
	{Cause: "tls.starttls-not-offered", Title: "STARTTLS is not offered", Shows: "no STARTTLS after EHLO", Stage: "starttls", b: behaviour{noStartTLS: true}},
	{Cause: "tls.server-unavailable", Title: "STARTTLS is offered and cannot be begun", Shows: "454 4.7.0 to STARTTLS", Stage: "starttls", Source: "Postfix",
		b: behaviour{acts: map[step]act{stepSTARTTLS: {say: "454 4.7.0 TLS not available due to local problem"}}}},
	{Cause: "tls.certificate-expired", Title: "the certificate has expired", Shows: "a certificate that ended three days ago", Stage: "tls", b: behaviour{cert: certExpired}},
	{ID: "tls.certificate-expired/not-yet", Cause: "tls.certificate-expired", Title: "the certificate is not valid yet", Shows: "a certificate that begins in ten days", Stage: "tls",
		Words: ids("tls.clock-wrong"), b: behaviour{cert: certNotYet}},
	{ID: "tls.certificate-expired/tls", Cause: "tls.certificate-expired", Title: "the certificate has expired, TLS at once", Shows: "a certificate that ended three days ago", Stage: "tls",
		b: behaviour{cert: certExpired, implicit: true}},
	{Cause: "tls.certificate-name-mismatch", Title: "the certificate is for another name", Shows: "a certificate for " + otherName, Stage: "tls", b: behaviour{cert: certOtherName}},
	{Cause: "tls.certificate-self-signed", Title: "the certificate signs itself", Shows: "a certificate that is its own issuer", Stage: "tls", b: behaviour{cert: certSelfSigned}},
	{Cause: "tls.certificate-untrusted", Title: "a private authority issued the certificate", Shows: "a whole chain, to a root that nobody knows", Stage: "tls", b: behaviour{cert: certUnknownRoot}},
	{Cause: "tls.certificate-chain-incomplete", Title: "the intermediate certificate is not sent", Shows: "a certificate alone, which tells where its issuer's can be fetched", Stage: "tls",
		Words: ids("tls.certificate-untrusted"), b: behaviour{cert: certIncomplete}},
	{Cause: "tls.intercepted", Title: "an antivirus program reads along", Shows: "a certificate of Avast's mail shield", Stage: "tls", Source: "Avast Mail Shield", b: behaviour{cert: certIntercepted}},
	{Cause: "tls.protocol-version", Title: "the server knows TLS 1.0 only", Shows: "the alert protocol_version", Stage: "tls",
		b: behaviour{cert: certOld, tls: oldTLS}},
	{ID: "tls.protocol-version/reply", Cause: "tls.protocol-version", Title: "the server refuses old TLS by a reply", Shows: "421 4.7.66 to MAIL", Stage: "mail", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: map[step]act{stepMail: {say: "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. Visit https://aka.ms/smtp_auth_tls. [{host}]", then: hangUp}}}},
	{Cause: "tls.handshake-failed", Title: "no cipher is shared", Shows: "the alert handshake_failure: the server knows RC4 only", Stage: "tls",
		b: behaviour{cert: certOld, tls: oldCiphers}},
	{ID: "tls.handshake-failed/weak-key", Cause: "tls.handshake-failed", Title: "the certificate's key is weak", Shows: "RSA with 1024 bits: OpenSSL says \"ee key too small\"", Stage: "tls", Harmless: true,
		b: behaviour{cert: certWeakKey}},
	{ID: "tls.handshake-failed/closed", Cause: "tls.handshake-failed", Title: "the connection is closed in the handshake", Shows: "end of file after 220 to STARTTLS", Stage: "tls",
		Words: ids("net.connection-lost"), b: behaviour{acts: map[step]act{stepSTARTTLS: {say: "220 2.0.0 Ready to start TLS", then: hangUp}}}},
	{Cause: "tls.client-certificate-required", Title: "the server demands a certificate of the client", Shows: "the alert certificate_required or bad_certificate", Stage: "tls",
		Words: ids("tls.handshake-failed"), b: behaviour{tls: demandCertificate12}},
	{ID: "tls.client-certificate-required/tls13", Cause: "tls.client-certificate-required", Title: "the server demands a certificate of the client, under TLS 1.3", Shows: "the alert comes after the handshake", Stage: "ehlo",
		Words: ids("tls.handshake-failed", "net.connection-lost"), b: behaviour{tls: demandCertificate}},
}
