package lab

// login refuses every login so.
func login(say string) map[step]act { return map[step]act{stepLogin: {say: say}} }

// signingIn are failures of the login.
var signingIn = []Scenario{
	{Cause: "auth.required", Title: "the server wants a login", Shows: "530 5.7.0 to MAIL", Stage: "mail", Source: "Postfix",
		b: behaviour{told: withoutLogin, acts: map[step]act{stepMail: {say: "530 5.7.0 Authentication required", when: signedOut}}}},
	{ID: "auth.required/exchange", Cause: "auth.required", Title: "Exchange Online wants a login", Shows: "530 5.7.57 to MAIL", Stage: "mail", Persona: "exchange-online", Source: "Exchange Online",
		b: behaviour{told: withoutLogin, acts: map[step]act{stepMail: {say: "530 5.7.57 Client not authenticated to send mail. [{host}]", when: signedOut}}}},
	{Cause: "auth.not-offered", Title: "the server offers no login", Shows: "no AUTH after EHLO", Stage: "auth", b: behaviour{noAuth: true}},
	{Cause: "auth.encryption-required", Title: "the login is refused in clear text", Shows: "538 5.7.11 to AUTH before STARTTLS", Stage: "auth", Source: "RFC 4954 §6",
		b: behaviour{clearAuth: true, told: withoutTLS, acts: map[step]act{stepAuth: {say: "538 5.7.11 Encryption required for requested authentication mechanism", when: inClearText}}}},
	{Cause: "auth.no-shared-mechanism", Title: "only Kerberos is offered", Shows: "AUTH GSSAPI, and 504 to others", Stage: "auth", Source: "Exchange Server", Persona: "exchange-online",
		Words: ids("auth.ntlm-failed"), b: behaviour{mechanisms: "GSSAPI"}},
	{ID: "auth.no-shared-mechanism/504", Cause: "auth.no-shared-mechanism", Title: "what is offered is refused", Shows: "504 5.7.4 to AUTH", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: map[step]act{stepAuth: {say: "504 5.7.4 Unrecognized authentication type [{host}]"}}}},
	{Cause: "auth.credentials-rejected", Title: "user name or password is wrong", Shows: "535 5.7.8", Stage: "auth", Source: "Postfix with Dovecot's SASL",
		b: behaviour{told: withWrongWord}},
	{ID: "auth.credentials-rejected/gmail", Cause: "auth.credentials-rejected", Title: "Gmail does not accept the password", Shows: "535-5.7.8 BadCredentials", Stage: "auth", Source: "Gmail", Persona: "gmail",
		b: behaviour{told: withWrongWord}},
	{ID: "auth.credentials-rejected/exchange", Cause: "auth.credentials-rejected", Title: "Exchange Online does not accept the password", Shows: "535 5.7.139, the credentials were incorrect", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{told: withWrongWord, acts: login("535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [{host}]")}},
	{Cause: "auth.username-format", Title: "the user name must be the whole address", Shows: "535 that asks for the full address", Stage: "auth", Source: "hMailServer",
		b: behaviour{told: withBareUser, acts: map[step]act{stepLogin: {say: "535 Invalid user name or password. Please use full email address as user name.", when: bareUser}}}},
	{Cause: "auth.app-password-required", Title: "the account wants an app password", Shows: "534-5.7.9 Application-specific password required", Stage: "auth", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: login("534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor {id} - gsmtp")}},
	{Cause: "auth.basic-auth-disabled", Title: "passwords are no longer taken at all", Shows: "550 5.7.30", Stage: "auth", Source: "Exchange Online from 2026", Persona: "exchange-online",
		b: behaviour{acts: login("550 5.7.30 Basic authentication is not supported for Client Submission.")}},
	{Cause: "auth.smtp-auth-disabled", Title: "SMTP login is switched off for the tenant", Shows: "535 5.7.139 SmtpClientAuthentication is disabled", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: login("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [{host}]")}},
	{ID: "auth.smtp-auth-disabled/mailbox", Cause: "auth.smtp-auth-disabled", Title: "SMTP login is switched off for the mailbox", Shows: "535 5.7.139 SmtpClientAuthentication is disabled", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: login("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. [{host}]")}},
	{ID: "auth.smtp-auth-disabled/plain", Cause: "auth.smtp-auth-disabled", Title: "SMTP login is switched off, and the reply does not say so", Shows: "535 5.7.8 for a password that works elsewhere", Stage: "auth",
		Words: ids("auth.credentials-rejected"), b: behaviour{acts: login("535 5.7.8 Error: authentication failed: authentication failure")}},
	{Cause: "auth.blocked-by-policy", Title: "a rule forbids the login", Shows: "535 5.7.139, security defaults", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: login("535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator. [{host}]")}},
	{ID: "auth.blocked-by-policy/criteria", Cause: "auth.blocked-by-policy", Title: "conditional access forbids the login", Shows: "535 5.7.139, did not meet the criteria", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		b: behaviour{acts: login("535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator. [{host}]")}},
	{Cause: "auth.web-login-required", Title: "the owner must confirm the login in a browser", Shows: "534-5.7.14", Stage: "auth", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: login("534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1&scc=1&plt=lab>\n534-5.7.14 Please log in via your web browser and then try again.\n534-5.7.14  Learn more at\n534 5.7.14  https://support.google.com/mail/answer/78754 {id} - gsmtp")}},
	{Cause: "auth.account-disabled", Title: "the account is disabled", Shows: "525 5.7.13", Stage: "auth", Source: "RFC 5248", Persona: "exchange-online",
		b: behaviour{acts: login("525 5.7.13 User Account Disabled")}},
	{Cause: "auth.too-many-logins", Title: "too many logins", Shows: "454-4.7.0", Stage: "auth", Source: "Gmail", Persona: "gmail",
		b: behaviour{acts: login("454-4.7.0 Too many login attempts, please try again later. For more information, go\n454 4.7.0 to https://support.google.com/mail/answer/7126229. {id} - gsmtp")}},
	{Cause: "auth.server-failure", Title: "the login service fails", Shows: "454 4.7.0", Stage: "auth", Source: "Postfix with a SASL service that is down",
		b: behaviour{acts: login("454 4.7.0 Temporary authentication failure: Connection lost to authentication server")}},
	{Cause: "auth.pop-before-smtp", Title: "mail must be collected first", Shows: "550 5.7.1 to RCPT", Stage: "rcpt",
		b: behaviour{told: withoutLogin, acts: map[step]act{stepRcpt: {say: "550 5.7.1 Relaying denied: You must check for new mail before sending mail. [{ip}]"}}}},
	{Cause: "auth.malformed-exchange", Title: "the server cannot read the login", Shows: "501 5.5.2 to the credentials", Stage: "auth", Source: "Postfix with Dovecot's SASL",
		b: behaviour{acts: login("501 5.5.2 Invalid base64 data in continued response")}},
}

// The JSON that Google and Dovecot send before they refuse a token, and that of
// RFC 7628 §3.2.2 for a token that is good for something else.
const (
	tokenRejected = `{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`
	tokenScope    = `{"status":"insufficient_scope","scope":"https://outlook.office.com/SMTP.Send"}`
)

// oauth are failures of a login with a token.
var oauth = []Scenario{
	{ID: "ok/oauth", Title: "nothing is wrong: a login with a token", Shows: "the token is accepted", Stage: "auth", Persona: "gmail", b: behaviour{told: withToken}},
	{Cause: "auth.oauth-token-rejected", Title: "the token is not accepted", Shows: "334 with JSON in base64, then 535", Stage: "auth", Source: "Gmail", Persona: "gmail",
		Words: ids("auth.credentials-rejected"),
		b: behaviour{told: withToken, acts: map[step]act{stepLogin: {when: byToken, challenge: tokenRejected,
			say: "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials {id} - gsmtp"}}}},
	{ID: "auth.oauth-token-rejected/exchange", Cause: "auth.oauth-token-rejected", Title: "Exchange Online does not accept the token", Shows: "535 5.7.3 to AUTH XOAUTH2", Stage: "auth", Source: "Exchange Online", Persona: "exchange-online",
		Words: ids("auth.credentials-rejected"),
		b:     behaviour{told: withToken, acts: map[step]act{stepLogin: {when: byToken, say: "535 5.7.3 Authentication unsuccessful [{host}]"}}}},
	{Cause: "auth.oauth-scope", Title: "the token is not for sending mail", Shows: "334 with insufficient_scope, then 535", Stage: "auth", Source: "RFC 7628 §3.2.2", Persona: "exchange-online",
		Words: ids("auth.oauth-token-rejected", "auth.credentials-rejected"),
		b:     behaviour{told: withToken, acts: map[step]act{stepLogin: {when: byToken, challenge: tokenScope, say: "535 5.7.3 Authentication unsuccessful [{host}]"}}}},
}
