package doctor

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/lab"
)

const (
	tenant = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	app    = "11111111-2222-3333-4444-555555555555"
	secret = "not-to-be-seen-anywhere"
)

// entra is an identity provider that answers as Entra ID's token endpoint is
// published to, and Microsoft Graph beside it.
type entra struct {
	refusal string         // "invalid_client: AADSTS…"; "": it issues
	token   string         // "": one with claims
	claims  map[string]any // beside the usual ones
	graph   string         // what Graph answers to sendMail; "": 202
}

func (e *entra) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/sendMail"):
		if e.graph != "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, e.graph)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		if strings.Contains(e.refusal, "AADSTS90002") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant '%s' not found.","error_codes":[90002]}`, tenant)
			return
		}
		fmt.Fprint(w, `{"issuer":"https://login.microsoftonline.com/`+tenant+`/v2.0"}`)
	case e.refusal != "":
		code, words, _ := strings.Cut(e.refusal, ": ")
		w.WriteHeader(http.StatusUnauthorized)
		json.NewEncoder(w).Encode(map[string]any{"error": code, "error_description": words + " Trace ID: 02cde8c3-be9e-45c0-b767-e4c211760100", "correlation_id": "271fa28c-3400-4b3b-8a0e-000000000000"})
	default:
		token := e.token
		if token == "" {
			claims := map[string]any{"iss": "https://sts.windows.net/" + tenant + "/", "aud": "https://outlook.office365.com", "roles": []string{"SMTP.SendAsApp"}, "idtyp": "app",
				"appid": app, "oid": "66666666-7777-8888-9999-000000000000", "tid": tenant, "exp": time.Now().Add(time.Hour).Unix()}
			for k, v := range e.claims {
				claims[k] = v
			}
			b, _ := json.Marshal(claims)
			token = "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(b) + ".signature"
		}
		json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": token, "refresh_token": "again"})
	}
}

// goodToken returns the token that servers of the lab accept.
func goodToken(t *testing.T) string {
	s, err := lab.Start(t.Context(), lab.Options{Cause: "ok/oauth"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Settings().Password
}

// TestRoute_EntraPath: a configured route, an identity provider and a server in the
// manners of Exchange Online.
func TestRoute_EntraPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		provider entra
		server   string // a scenario of the lab
		graph    bool   // by Graph in place of SMTP
		args     []string
		step     string
		want     cause.ID
		unsure   bool
		do       string
	}{
		{name: "no such tenant", provider: entra{refusal: "invalid_request: AADSTS90002: Tenant '" + tenant + "' not found."}, server: "ok/oauth", step: "tenant", want: "auth.oauth-refresh-failed"},
		{name: "no such app", provider: entra{refusal: "unauthorized_client: AADSTS700016: Application with identifier '" + app + "' was not found in the directory 'Contoso'."}, server: "ok/oauth", step: "application", want: "auth.oauth-refresh-failed"},
		{name: "secret expired", provider: entra{refusal: "invalid_client: AADSTS7000222: The provided client secret keys for app '" + app + "' are expired."}, server: "ok/oauth", step: "credential", want: "auth.oauth-refresh-failed", do: "client_secret_expires"},
		{name: "conditional access", provider: entra{refusal: "invalid_grant: AADSTS53003: Access has been blocked by Conditional Access policies."}, server: "ok/oauth", step: "policy", want: "auth.blocked-by-policy"},
		{name: "no permission", provider: entra{claims: map[string]any{"roles": []string{"IMAP.AccessAsApp"}}}, server: "auth.oauth-token-rejected/exchange", step: "permission", want: "auth.oauth-scope", do: "Office 365 Exchange Online"},
		{name: "token for Graph", provider: entra{claims: map[string]any{"aud": "https://graph.microsoft.com"}}, server: "ok/oauth", step: "audience", want: "auth.oauth-scope"},
		{name: "Exchange does not know the app", server: "auth.oauth-token-rejected/exchange", step: "service-principal", want: "auth.oauth-token-rejected", do: "New-ServicePrincipal -AppId " + app + " -ObjectId 66666666-7777-8888-9999-000000000000"},
		{name: "SMTP AUTH off", server: "auth.smtp-auth-disabled", step: "smtp-auth", want: "auth.smtp-auth-disabled", do: "Set-TransportConfig"},
		{name: "may not send as the sender", server: "sender.send-as-denied", args: []string{"--send", "--from", "ceo@example.org", "--to", "bob@example.net"}, step: "mailbox-right", want: "sender.send-as-denied", do: "Add-RecipientPermission"},
		{name: "all is well", server: "ok/oauth", args: []string{"--send", "--to", "bob@example.net"}},
		{name: "Graph, all is well", graph: true, provider: entra{claims: map[string]any{"aud": "https://graph.microsoft.com", "roles": []string{"Mail.Send"}}}, args: []string{"--send", "--to", "bob@example.net"}},
		{name: "Graph, nothing sent", graph: true, provider: entra{claims: map[string]any{"aud": "https://graph.microsoft.com", "roles": []string{"Mail.Send"}}}, unsure: true},
		{name: "Graph keeps the app from the mailbox", graph: true, provider: entra{claims: map[string]any{"aud": "https://graph.microsoft.com", "roles": []string{"Mail.Send"}}, graph: `{"error":{"code":"ErrorAccessDenied","message":"Access is denied. Check credentials and try again."}}`},
			args: []string{"--send", "--to", "bob@example.net"}, step: "mailbox-right-graph", want: "sender.send-as-denied", do: "Test-ServicePrincipalAuthorization -Identity " + app},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			provider := tt.provider
			roots, via := "", ""
			if tt.server != "" {
				s, err := lab.Start(t.Context(), lab.Options{Cause: tt.server, Persona: "exchange-online"})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if tt.server == "sender.send-as-denied" || tt.server == "ok/oauth" && tt.want == "" {
					provider.token = goodToken(t)
				}
				roots, via = s.Settings().CA, fmt.Sprintf("smtp://localhost:%d", s.Settings().Port)
			}
			web := httptest.NewTLSServer(&provider)
			defer web.Close()
			roots += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
			at := strings.TrimPrefix(web.URL, "https://")
			if tt.graph {
				via = "graph://" + at
			}
			dir := t.TempDir()
			config := file(t, "wellsent.toml", fmt.Sprintf(`hostname = "localhost"
data = %q
[[listener]]
kind = "submission"
address = "127.0.0.1:2587"
[[route]]
name = "m365"
recipients = ["*"]
via = [%q]
user = "ann@example.org"
ca = %q
[route.oauth]
provider = "microsoft"
tenant = %q
client_id = %q
client_secret_file = %q
token_url = "https://%s/%s/oauth2/v2.0/token"
`, filepath.Join(dir, "data"), via, file(t, "ca.pem", roots), tenant, app, file(t, "secret", secret), at, tenant))
			r := ask(t, kase{name: "route: " + tt.name, args: append([]string{"--route", "m365", "--config", config}, tt.args...), want: tt.want, unsure: tt.unsure, dns: nameServer(t, map[string]string{"localhost.": "127.0.0.1"})})
			failed := ""
			for _, s := range r.Steps {
				if s.State == "failed" {
					failed = s.ID
				}
			}
			if failed != tt.step || len(r.Steps) == 0 {
				t.Errorf("%q fails, want %q: %+v", failed, tt.step, r.Steps)
			}
			if tt.do != "" && (len(r.Findings) == 0 || !strings.Contains(strings.Join(r.Findings[0].Do, "\n"), tt.do)) {
				t.Errorf("no remedy has %q: %+v", tt.do, r.Findings)
			}
			if all := fmt.Sprintf("%+v", r); strings.Contains(all, secret) || strings.Contains(all, "eyJ") {
				t.Error("a secret is in the report")
			}
		})
	}
}
