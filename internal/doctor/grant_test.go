package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/smtp"
)

const (
	testApp    = "11111111-2222-3333-4444-555555555555"
	testObject = "66666666-7777-8888-9999-000000000000"
	testTenant = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

// unsigned is a token with claims, which nobody signed.
func unsigned(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(b) + ".x"
}

// appToken is what Entra ID issues to an app for Exchange Online.
func appToken(change func(map[string]any)) *Token {
	claims := map[string]any{
		"iss": "https://sts.windows.net/" + testTenant + "/", "aud": "https://outlook.office365.com", "roles": []string{"SMTP.SendAsApp"}, "idtyp": "app",
		"appid": testApp, "oid": testObject, "tid": testTenant, "exp": time.Now().Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	return readToken(unsigned(claims))
}

// personToken is what it issues to a person.
func personToken(change func(map[string]any)) *Token {
	return appToken(func(c map[string]any) {
		delete(c, "roles")
		c["aud"], c["scp"], c["idtyp"], c["upn"] = "https://outlook.office.com", "SMTP.Send", "user", "relay@contoso.com"
		if change != nil {
			change(c)
		}
	})
}

func refused(stage evidence.Stage, reply smtp.Reply) *evidence.Error {
	return &evidence.Error{Origin: evidence.OriginRemote, Stage: stage, Reply: reply, Host: "smtp.office365.com"}
}

// Each step of the way can be the first that fails, by what the services say.
func TestGrant_TheFirstStepThatFails(t *testing.T) {
	login := func(code, x, y int, text string) []Login {
		return []Login{{User: "relay@contoso.com", Mechanism: "XOAUTH2", Failure: refused(evidence.StageAuth, smtp.NewReply(code, x, y, text))}}
	}
	accepted := []Login{{User: "relay@contoso.com", Mechanism: "XOAUTH2"}}
	answer := func(words string) *GrantAnswer {
		return &GrantAnswer{Host: "login.microsoftonline.com", Status: 400, Words: words}
	}
	issued := &GrantAnswer{Host: "login.microsoftonline.com"}
	for _, tt := range []struct {
		name      string
		kind, via string // "": client_credentials, smtp
		provider  string // "": microsoft
		answer    *GrantAnswer
		directory *DirectoryAnswer
		token     *Token
		logins    []Login
		envelope  *Envelope
		step      string // that fails; "": none
		want      cause.ID
		do        string // a part of a remedy
		ok        []string
		unknown   []string
	}{
		{name: "no such tenant", answer: answer("invalid_request: AADSTS90002: Tenant 'contoso.example' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."),
			step: "tenant", want: "auth.oauth-refresh-failed", do: "Tenant ID"},
		{name: "no such app", answer: answer("unauthorized_client: AADSTS700016: Application with identifier '" + testApp + "' was not found in the directory 'Contoso'."),
			step: "application", want: "auth.oauth-refresh-failed", do: "adminconsent?client_id=" + testApp, ok: []string{"tenant"}},
		{name: "app switched off", answer: answer("unauthorized_client: AADSTS7000112: Application '" + testApp + "'(Mailer) is disabled."), step: "application", want: "auth.oauth-refresh-failed", do: "Enabled for users to sign-in?"},
		{name: "wrong secret", answer: answer("invalid_client: AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + testApp + "'."),
			step: "credential", want: "auth.oauth-refresh-failed", do: "not the Secret ID", ok: []string{"tenant", "application"}},
		{name: "secret expired", answer: answer("invalid_client: AADSTS7000222: The provided client secret keys for app '" + testApp + "' are expired."), step: "credential", want: "auth.oauth-refresh-failed", do: "client_secret_expires"},
		{name: "certificate not registered", answer: answer("invalid_client: AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]"),
			step: "credential", want: "auth.oauth-refresh-failed", do: "Upload certificate"},
		{name: "assertion of another time", answer: answer("invalid_client: AADSTS700024: Client assertion is not within its valid time range."), step: "credential", want: "tls.clock-wrong", do: "timedatectl"},
		{name: "secret missing", answer: answer("invalid_client: AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."), kind: "refresh_token", step: "credential", want: "auth.oauth-refresh-failed", do: "Allow public client flows"},
		{name: "conditional access", answer: answer("invalid_grant: AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."),
			step: "policy", want: "auth.blocked-by-policy", do: "Sign-in logs", ok: []string{"tenant", "application", "credential"}},
		{name: "second factor", kind: "refresh_token", answer: answer("interaction_required: AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'."),
			step: "policy", want: "auth.blocked-by-policy", do: "wellsent route login m365", ok: []string{"sign-in"}},
		{name: "no consent", kind: "refresh_token", answer: answer("invalid_grant: AADSTS65001: The user or administrator has not consented to use the application with ID '" + testApp + "' named 'Mailer'."),
			step: "consent", want: "auth.oauth-scope", do: "Grant admin consent"},
		{name: "no Exchange Online", answer: answer("invalid_client: AADSTS650052: The app is trying to access a service '00000002-0000-0ff1-ce00-000000000000' (Office 365 Exchange Online) that your organization lacks a service principal for."),
			step: "consent", want: "auth.oauth-scope", do: "New-MgServicePrincipal -AppId 00000002-0000-0ff1-ce00-000000000000"},
		{name: "sign-in not used for 90 days", kind: "refresh_token", answer: answer("invalid_grant: AADSTS700082: The refresh token has expired due to inactivity. The token was issued on 2026-05-01 and was inactive for 90.00:00:00."),
			step: "sign-in", want: "auth.oauth-refresh-failed", do: "wellsent route login m365"},
		{name: "nobody signed in", kind: "refresh_token", answer: &GrantAnswer{Words: "there is no refresh token"}, directory: &DirectoryAnswer{Asked: true, Exists: true}, step: "sign-in", want: "auth.oauth-refresh-failed", do: "wellsent route login m365", ok: []string{"tenant"}, unknown: []string{"application", "credential"}},
		{name: "nobody signed in, and nobody can be asked", kind: "refresh_token", answer: &GrantAnswer{Words: "there is no refresh token"}, directory: &DirectoryAnswer{}, step: "sign-in", want: "auth.oauth-refresh-failed", do: "wellsent route login m365", unknown: []string{"tenant", "application", "credential"}},
		{name: "nobody signed in, and the tenant is wrong", kind: "refresh_token", answer: &GrantAnswer{Words: "there is no refresh token"},
			directory: &DirectoryAnswer{Asked: true, Words: `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant 'contoso.example' not found."}`}, step: "tenant", want: "auth.oauth-refresh-failed"},
		{name: "account disabled", kind: "refresh_token", answer: answer("invalid_grant: AADSTS50057: The user account is disabled."), step: "sign-in", want: "auth.account-disabled", do: "Update-MgUser -UserId relay@contoso.com -AccountEnabled:$true"},
		{name: "token for Graph", answer: issued, token: appToken(func(c map[string]any) { c["aud"], c["roles"] = "https://graph.microsoft.com", []string{"Mail.Send"} }), step: "audience", want: "auth.oauth-scope", do: "https://outlook.office365.com/.default",
			ok: []string{"tenant", "application", "credential", "policy", "consent"}},
		{name: "no permission", answer: issued, token: appToken(func(c map[string]any) { delete(c, "roles") }), logins: login(535, 7, 3, "Authentication unsuccessful [x]"), step: "permission", want: "auth.oauth-scope", do: "SMTP.SendAsApp", ok: []string{"audience"}},
		{name: "another permission", answer: issued, token: appToken(func(c map[string]any) { c["roles"] = []string{"IMAP.AccessAsApp"} }), logins: login(535, 7, 3, "Authentication unsuccessful [x]"), step: "permission", want: "auth.oauth-scope", do: "-ObjectId " + testObject},
		{name: "a right that Exchange itself gave", answer: issued, token: appToken(func(c map[string]any) { delete(c, "roles") }), logins: accepted, envelope: &Envelope{From: "relay@contoso.com", Asked: true, Sent: true}, ok: []string{"permission", "service-principal", "mailbox-right"}},
		{name: "no permission, and the switch is off", answer: issued, token: appToken(func(c map[string]any) { delete(c, "roles") }), logins: login(535, 7, 139, "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."), step: "smtp-auth", want: "auth.smtp-auth-disabled"},
		{name: "a sign-in without SMTP.Send", kind: "refresh_token", answer: issued, token: personToken(func(c map[string]any) { c["scp"] = "IMAP.AccessAsUser.All" }), step: "scope", want: "auth.oauth-scope", do: "wellsent route login m365"},
		{name: "a token that is over at once", answer: issued, token: appToken(func(c map[string]any) { c["exp"] = time.Now().Add(-3 * time.Hour).Unix() }), step: "token", want: "tls.clock-wrong", do: "timedatectl"},
		{name: "SMTP AUTH off, tenant", answer: issued, token: appToken(nil), logins: login(535, 7, 139, "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [MN2PR05CA0004.namprd05.prod.outlook.com]"),
			step: "smtp-auth", want: "auth.smtp-auth-disabled", do: "Set-TransportConfig -SmtpClientAuthenticationDisabled $false", ok: []string{"permission", "token", "smtp-policy"}},
		{name: "SMTP AUTH off, mailbox", answer: issued, token: appToken(nil), logins: login(535, 7, 139, "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information."),
			step: "smtp-auth", want: "auth.smtp-auth-disabled", do: "Set-CASMailbox -Identity relay@contoso.com -SmtpClientAuthenticationDisabled $false"},
		{name: "security defaults", answer: issued, kind: "refresh_token", token: personToken(nil), logins: login(535, 7, 139, "Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator."),
			step: "smtp-policy", want: "auth.blocked-by-policy", do: "Sign-in logs"},
		{name: "Exchange does not know the app", answer: issued, token: appToken(nil), logins: login(535, 7, 3, "Authentication unsuccessful [LO6P265CA0005.GBRP265.PROD.OUTLOOK.COM]"),
			step: "service-principal", want: "auth.oauth-token-rejected", do: "New-ServicePrincipal -AppId " + testApp + " -ObjectId " + testObject, ok: []string{"permission", "audience"}, unknown: []string{"smtp-auth"}},
		{name: "Exchange does not take a person's token", kind: "refresh_token", answer: issued, token: personToken(nil), logins: login(535, 7, 3, "Authentication unsuccessful [LO6P265CA0005.GBRP265.PROD.OUTLOOK.COM]"),
			step: "login", want: "auth.oauth-token-rejected", do: "Get-CASMailbox -Identity relay@contoso.com"},
		{name: "another person's token", kind: "refresh_token", answer: issued, token: personToken(func(c map[string]any) { c["upn"] = "eve@contoso.com" }), logins: login(535, 7, 3, "Authentication unsuccessful"),
			step: "token", want: "auth.oauth-token-rejected", do: "Sign in as relay@contoso.com"},
		{name: "may not send as the sender", answer: issued, token: appToken(nil), logins: accepted, envelope: &Envelope{From: "ceo@contoso.com", Asked: true,
			Message: refused(evidence.StagePostData, smtp.NewReply(554, 2, 252, "SendAsDenied; relay@contoso.com not allowed to send as ceo@contoso.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied"))},
			step: "mailbox-right", want: "sender.send-as-denied", do: "Add-RecipientPermission", ok: []string{"service-principal", "smtp-auth"}},
		{name: "all is well, nothing sent", answer: issued, token: appToken(nil), logins: accepted, envelope: &Envelope{From: "relay@contoso.com", Asked: true}, ok: []string{"tenant", "permission", "service-principal"}, unknown: []string{"mailbox-right"}},
		{name: "all is well, sent", answer: issued, token: appToken(nil), logins: accepted, envelope: &Envelope{From: "relay@contoso.com", Asked: true, Sent: true}, ok: []string{"mailbox-right"}},
		{name: "an unreadable token is accepted", answer: issued, token: readToken("opaque"), logins: accepted, ok: []string{"permission", "audience", "token", "service-principal"}},
		{name: "a refusal that nobody knows", answer: answer("invalid_request: AADSTS1234567: Something new."), want: "auth.oauth-refresh-failed", unknown: []string{"tenant", "credential"}},
		{name: "the provider's name does not resolve", answer: &GrantAnswer{Host: "login.microsoftonline.com", Words: "no access token from login.microsoftonline.com: dial tcp: lookup login.microsoftonline.com on 127.0.0.53:53: no such host", Passes: true}, want: "dns.name-not-found", unknown: []string{"tenant"}},
		{name: "the provider is not reached", answer: &GrantAnswer{Host: "login.microsoftonline.com", Words: "no access token from login.microsoftonline.com: dial tcp 203.0.113.9:443: connect: connection refused", Passes: true}, want: "net.refused", unknown: []string{"tenant"}},
		{name: "the provider has an outage", answer: &GrantAnswer{Host: "login.microsoftonline.com", Status: 503, Words: "temporarily_unavailable: AADSTS90033: A transient error has occurred. Please try again.", Passes: true}, want: "auth.oauth-refresh-failed", do: "Wait and try again", unknown: []string{"tenant"}},
		{name: "Graph without Mail.Send", via: "graph", kind: "refresh_token", answer: issued, token: personToken(func(c map[string]any) { c["aud"], c["scp"] = "https://graph.microsoft.com", "User.Read" }), step: "permission-graph", want: "auth.oauth-scope", do: "Mail.Send"},
		{name: "Graph with a token for SMTP", via: "graph", answer: issued, token: appToken(nil), step: "audience", want: "auth.oauth-scope"},
		{name: "Graph keeps the app from the mailbox", via: "graph", answer: issued, token: appToken(func(c map[string]any) { c["aud"], c["roles"] = "https://graph.microsoft.com", []string{"Mail.Send"} }),
			envelope: &Envelope{Asked: true, Message: refused(evidence.StageMail, smtp.NewReply(550, 7, 1, "403 ErrorAccessDenied: Access is denied. Check credentials and try again."))},
			step:     "mailbox-right-graph", want: "sender.send-as-denied", do: "Test-ServicePrincipalAuthorization -Identity " + testApp + " -Resource relay@contoso.com"},
		{name: "Google: not delegated", provider: "google", kind: "jwt_bearer", answer: answer("unauthorized_client: Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."),
			step: "delegation", want: "auth.oauth-scope", do: "domain-wide delegation", ok: []string{"account"}},
		{name: "another provider: no such client", provider: "custom", kind: "refresh_token", answer: answer("invalid_client"), step: "client", want: "auth.oauth-refresh-failed", do: "client_id"},
		{name: "another provider: revoked", provider: "custom", kind: "refresh_token", answer: answer("invalid_grant"), step: "sign-in", want: "auth.oauth-refresh-failed", do: "wellsent route login m365", ok: []string{"client"}},
		{name: "another provider: nobody signed in", provider: "custom", kind: "refresh_token", answer: &GrantAnswer{Words: "there is no refresh token"}, step: "sign-in", want: "auth.oauth-refresh-failed", do: "wellsent route login m365", unknown: []string{"client"}},
		{name: "another provider: scope", provider: "custom", kind: "client_credentials", answer: answer("invalid_scope: no such scope"), step: "token", want: "auth.oauth-refresh-failed", do: "scopes", ok: []string{"client"}},
		{name: "another provider: assertion", provider: "custom", kind: "jwt_bearer", answer: answer("invalid_grant"), step: "token", want: "auth.oauth-refresh-failed", do: "key"},
		{name: "a command that ends with 3", provider: "custom", kind: "token_command", answer: &GrantAnswer{Words: "the token command ended with exit status 3"}, step: "command", want: "auth.oauth-refresh-failed", do: "by hand"},
		{name: "a command whose token is refused", provider: "custom", kind: "token_command", answer: issued, token: readToken("opaque"), logins: login(535, 7, 3, "Authentication unsuccessful [x]"), step: "login", want: "auth.oauth-token-rejected", do: "token_command", ok: []string{"command"}},
		{name: "Google: key deleted", provider: "google", kind: "jwt_bearer", answer: answer("invalid_grant: Invalid JWT Signature."), step: "account", want: "auth.oauth-refresh-failed", do: "Create new key"},
		{name: "Google: no such mailbox", provider: "google", kind: "jwt_bearer", answer: answer("invalid_grant: Invalid email or User ID"), step: "mailbox", want: "auth.oauth-refresh-failed", do: "primary address"},
		{name: "Google: clock", provider: "google", kind: "jwt_bearer", answer: answer("invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."), step: "account", want: "tls.clock-wrong"},
		{name: "Google: sign-in ended", provider: "google", kind: "refresh_token", answer: answer("invalid_grant: Token has been expired or revoked."), step: "sign-in", want: "auth.oauth-refresh-failed", do: "publish the app"},
		{name: "Google: client secret", provider: "google", kind: "refresh_token", answer: answer("invalid_client: The OAuth client was not found."), step: "client", want: "auth.oauth-refresh-failed"},
		{name: "another provider", provider: "custom", answer: answer("invalid_client: Client authentication failed"), step: "client", want: "auth.oauth-refresh-failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &Grant{Route: "m365", Provider: "microsoft", Kind: "client_credentials", Via: "smtp", Tenant: testTenant, ClientID: testApp, Mailbox: "relay@contoso.com"}
			if tt.provider != "" {
				g.Provider = tt.provider
			}
			if tt.kind != "" {
				g.Kind = tt.kind
			}
			q := &Question{Host: "smtp.office365.com", Port: 587, Security: StartTLS, User: "relay@contoso.com", From: "relay@contoso.com", Grant: g}
			if tt.via != "" {
				g.Via, q.Host, q.Port = tt.via, "", 0
			}
			if tt.envelope != nil && tt.envelope.From != "" {
				q.From = tt.envelope.From
			}
			f := &Facts{Grant: tt.answer, Directory: tt.directory, Token: tt.token, Logins: tt.logins, Envelope: tt.envelope}
			if q.Host != "" {
				f.Names = []Name{{Name: q.Host, Why: nameTarget, Addresses: []netip.Addr{four}}}
				f.Connects = []Connect{{Endpoint: Endpoint{q.Host, q.Port}, Address: four, Why: connectTarget, Outcome: Open}}
				f.Talks = []*Talk{{Endpoint: Endpoint{q.Host, q.Port}, Security: StartTLS, Why: talkTarget, Spoke: ProtoSMTP, TLS: "TLS 1.3", Verified: true, Record: &evidence.Record{Greeting: "220 x"}}}
			}
			r := NewReport(q, f)
			state := map[string]StepState{}
			failed := ""
			for _, s := range r.Steps {
				state[s.ID] = s.State
				if s.State == StepFailed {
					failed = s.ID
				} else if failed != "" && s.State != StepNotReached {
					t.Errorf("%s is %s after the step that failed", s.ID, s.State)
				}
			}
			if len(r.Steps) == 0 || failed != tt.step {
				t.Errorf("%q fails, want %q: %v", failed, tt.step, r.Steps)
			}
			got := cause.ID("")
			if len(r.Findings) > 0 {
				got = r.Findings[0].Cause
			}
			if got != tt.want {
				t.Fatalf("cause %q, want %q", got, tt.want)
			}
			if tt.do != "" && !slices.ContainsFunc(r.Findings[0].Do, func(s string) bool { return strings.Contains(s, tt.do) }) {
				t.Errorf("no remedy has %q: %q", tt.do, r.Findings[0].Do)
			}
			for _, id := range tt.ok {
				if state[id] != StepOK {
					t.Errorf("%s is %q, want ok", id, state[id])
				}
			}
			for _, id := range tt.unknown {
				if state[id] != StepUnknown {
					t.Errorf("%s is %q, want unknown", id, state[id])
				}
			}
			if got == "auth.oauth-token-rejected" && tt.step != "token" && r.Findings[0].Confidence != explain.Likely {
				t.Errorf("it is %s of what 535 5.7.3 means", r.Findings[0].Confidence)
			}
		})
	}
}

// A run asks for the token once, uses it, and shows it nowhere.
func TestRun_Grant(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := well(t, a)
	s.after = []string{"AUTH XOAUTH2"}
	s.refuse = "535 5.7.3 Authentication unsuccessful"
	e := s.start(t)
	token := unsigned(map[string]any{"iss": "https://sts.windows.net/x/", "aud": "https://outlook.office365.com", "roles": []string{"SMTP.SendAsApp"}, "idtyp": "app", "oid": testObject, "exp": time.Now().Add(time.Hour).Unix()})
	asked := 0
	q := Question{Host: e.Host, Port: e.Port, Security: StartTLS, Roots: a.pool, User: testUser, Grant: &Grant{
		Route: "m365", Provider: "microsoft", Kind: "client_credentials", Via: "smtp", Tenant: testTenant, ClientID: testApp, Mailbox: testUser,
		Token:     func(context.Context) (string, GrantAnswer) { asked++; return token, GrantAnswer{Host: "login.example"} },
		Directory: func(context.Context) DirectoryAnswer { return DirectoryAnswer{Asked: true, Exists: true} },
	}}
	r := ask(t, q, "auth.oauth-token-rejected")
	if asked != 1 || s.logins.Load() != 1 {
		t.Errorf("the token was asked for %d times and used %d times", asked, s.logins.Load())
	}
	b, err := json.Marshal(r)
	if err != nil || strings.Contains(string(b), token) || strings.Contains(r.Markdown(), token) {
		t.Errorf("the token is in the report (%v)", err)
	}
	page, err := r.HTML()
	if err != nil || !strings.Contains(string(page), "Exchange Online knows the app") || strings.Contains(string(page), token) {
		t.Errorf("the page lacks the steps, or has the token: %v", err)
	}
	if !strings.Contains(r.Markdown(), "| failed |") {
		t.Error("the ticket lacks the steps")
	}

	// Without a token nothing is sent to the server.
	q.Grant.Token = func(context.Context) (string, GrantAnswer) {
		return "", GrantAnswer{Host: "login.example", Status: 401, Words: fmt.Sprintf("invalid_client: AADSTS7000222: The provided client secret keys for app '%s' are expired.", testApp)}
	}
	ask(t, q, "auth.oauth-refresh-failed")
	if s.logins.Load() != 1 {
		t.Error("a login was tried without a token")
	}
}

func TestMarkdown_CommandsStayWhole(t *testing.T) {
	for in, want := range map[string]string{
		"do `Set-X -A $false | fl` and *then* that": "do `Set-X -A $false | fl` and \\*then\\* that",
		"`a`":                  "`a`",
		"one ` open_":          "one \\` open\\_",
		" blanks `x`  around ": " blanks `x`  around ",
	} {
		if got := escapedProse(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
