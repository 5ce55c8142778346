package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// TestTokenFailed_CauseAndScope: what a token endpoint says, in the words of Entra
// ID, Google and RFC 6749, and what it makes of the lane.
func TestTokenFailed_CauseAndScope(t *testing.T) {
	said := func(code, words string) *oauth.Error {
		return &oauth.Error{Host: "login.microsoftonline.com", Status: 400, Code: code, Words: words}
	}
	for _, c := range []struct {
		name  string
		err   error
		want  cause.ID
		scope evidence.Scope
	}{
		{"signed out", &oauth.Error{Err: oauth.ErrSignedOut, Do: "sign in: wellsent route login m365"}, "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"revoked", said("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"90 days", said("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"Google", said("invalid_grant", "Token has been expired or revoked."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"plain", said("invalid_grant", ""), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"secret wrong", said("invalid_client", "AADSTS7000215: Invalid client secret provided."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"secret expired", said("invalid_client", "AADSTS7000222: The provided client secret keys for app '1' are expired."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"client not allowed", said("unauthorized_client", "AADSTS700016: Application with identifier '1' was not found in the directory 'Contoso'."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"delegation missing", said("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"assertion out of time", said("invalid_client", "AADSTS700024: Client assertion is not within its valid time range."), "auth.oauth-refresh-failed", evidence.ScopeRoute},
		{"no consent", said("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application with ID '1'."), "auth.oauth-scope", evidence.ScopeRoute},
		{"consent required", said("consent_required", "AADSTS65001: The user or administrator has not consented to use the application."), "auth.oauth-scope", evidence.ScopeRoute},
		{"scope", said("invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid."), "auth.oauth-scope", evidence.ScopeRoute},
		{"second factor", said("invalid_grant", "AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication to access."), "auth.blocked-by-policy", evidence.ScopeRoute},
		{"conditional access", said("invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies."), "auth.blocked-by-policy", evidence.ScopeRoute},
		{"account disabled", said("invalid_grant", "AADSTS50057: The user account is disabled."), "auth.account-disabled", evidence.ScopeRoute},
		{"password expired", said("invalid_grant", "AADSTS50055: The password is expired."), "auth.account-disabled", evidence.ScopeRoute},
		{"secret file gone", &oauth.Error{Err: errors.New("open /etc/wellsent/app.secret: no such file or directory")}, "client.bad-configuration", evidence.ScopeRoute},
		{"refused connection", &oauth.Error{Host: "login.microsoftonline.com", Temporary: true, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}, "net.refused", evidence.ScopeHost},
		{"outage", &oauth.Error{Host: "login.microsoftonline.com", Temporary: true, Status: http.StatusServiceUnavailable}, "auth.server-failure", evidence.ScopeHost},
		{"throttled", &oauth.Error{Host: "login.microsoftonline.com", Temporary: true, Status: http.StatusTooManyRequests}, "auth.server-failure", evidence.ScopeHost},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := tokenFailed(context.Background(), c.err)
			f := explain.Error(e, explain.Facts{Port: 443, User: "relay@example.org"})
			if f.Cause != c.want || e.Scope != c.scope || e.Stage != evidence.StageAuth || statusOf(e, false) != Deferred {
				t.Errorf("%v: cause %s (or %v), scope %s; want %s, %s", c.err, f.Cause, f.Alternatives, e.Scope, c.want, c.scope)
			}
		})
	}
}

// TestRefusedToken_IsNoWrongPassword: in the words of Exchange Online and Gmail.
func TestRefusedToken_IsNoWrongPassword(t *testing.T) {
	for _, c := range []struct {
		challenge string
		code      int
		x, y      int
		text      string
		want      cause.ID
	}{
		{"", 535, 7, 3, "Authentication unsuccessful [LO6P265CA0005.GBRP265.PROD.OUTLOOK.COM]", "auth.oauth-token-rejected"},
		{"", 535, 7, 8, "Username and Password not accepted.", "auth.oauth-token-rejected"},
		{`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`, 535, 7, 8, "Username and Password not accepted.", "auth.oauth-token-rejected"},
		{`{"status":"insufficient_scope","scope":"https://outlook.office.com/SMTP.Send"}`, 535, 7, 3, "Authentication unsuccessful [x]", "auth.oauth-scope"},
		{"", 535, 7, 139, "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.", "auth.smtp-auth-disabled"},
		{"", 535, 7, 139, "Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.", "auth.blocked-by-policy"},
	} {
		e := &evidence.Error{Reply: smtp.NewReply(c.code, c.x, c.y, c.text), Origin: evidence.OriginRemote, Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Host: "smtp.office365.com"}
		if c.challenge != "" {
			e.Err = &smtpclient.ChallengeError{Text: c.challenge}
		}
		if got := refusedToken(e); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.challenge, c.text, got, c.want)
		}
	}
}
