package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/oauth"
)

func TestTokens_EveryKeyIsReadAndShown(t *testing.T) {
	dir := dirWith(t, map[string]string{"app.secret": "s3cret\n"})
	c, err := loadText(dir, `hostname = "post.example.org"
data = "data"
sandbox = false
[[listener]]
kind = "submission"
address = ":587"
[[route]]
name = "m365"
recipients = ["*"]
via = ["smtp://smtp.office365.com:587"]
user = "relay@example.org"
[route.oauth]
provider = "microsoft"
grant = "client_credentials"
tenant = "example.org"
client_id = "1111"
client_secret_file = "app.secret"
client_secret_expires = 2027-01-31
token_url = "https://login.microsoftonline.us/x/oauth2/v2.0/token"
auth_url = "https://login.microsoftonline.us/x/oauth2/v2.0/authorize"
device_url = "https://login.microsoftonline.us/x/oauth2/v2.0/devicecode"
assertion_audience = "https://login.microsoftonline.us/x"
scopes = ["https://outlook.office365.us/.default"]
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := c.Routes[0].TokenSettings()
	if err != nil {
		t.Fatal(err)
	}
	if set.Route != "m365" || set.User != "relay@example.org" || set.Provider != oauth.Microsoft || set.Grant != oauth.ClientCredentials || set.Tenant != "example.org" ||
		set.ClientID != "1111" || set.SecretFile != filepath.Join(dir, "app.secret") || !set.SecretExpires.Equal(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)) ||
		!strings.HasSuffix(set.TokenURL, "/token") || !strings.HasSuffix(set.AuthURL, "/authorize") || !strings.HasSuffix(set.DeviceURL, "/devicecode") ||
		set.Audience != "https://login.microsoftonline.us/x" || len(set.Scopes) != 1 || len(set.Audiences) != 1 || set.Audiences[0] != oauth.SMTP {
		t.Errorf("%+v", set)
	}
	shown := map[string]string{}
	for _, v := range c.values {
		shown[v.Key] = v.Value + " from " + v.Origin
	}
	for key, want := range map[string]string{
		"route.0.oauth.provider":              `"microsoft" from wellsent.toml:13`,
		"route.0.oauth.client_secret_expires": `2027-01-31 from wellsent.toml:18`,
		"route.0.oauth.scopes":                `["https://outlook.office365.us/.default"] from wellsent.toml:23`,
	} {
		if shown[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, shown[key], want)
		}
	}
	for key, v := range shown {
		if strings.Contains(v, "s3cret") {
			t.Errorf("%s shows the secret", key)
		}
	}
}

// TestTokens_Grants: what the other keys ask for, where grant is not said.
func TestTokens_Grants(t *testing.T) {
	dir := dirWith(t, map[string]string{"app.secret": "s3cret\n"})
	for _, c := range []struct {
		keys string
		want oauth.Grant
	}{
		{`oauth = { provider = "microsoft", client_id = "c" }`, oauth.RefreshToken},
		{`oauth = { provider = "microsoft", tenant = "example.org", client_id = "c", client_secret_file = "app.secret" }`, oauth.ClientCredentials},
		{`oauth = { provider = "google", client_id = "c", client_secret_file = "app.secret" }`, oauth.RefreshToken},
		{`oauth = { provider = "microsoft", grant = "managed_identity" }`, oauth.ManagedIdentity},
		{`oauth = { issuer = "https://id.example.org", client_id = "c", scopes = ["smtp"] }`, oauth.RefreshToken},
		{`oauth = { token_command = "cat token" }`, oauth.TokenCommand},
		{`token_command = "cat token"`, oauth.TokenCommand},
	} {
		got, err := loadText(dir, "hostname = \"post.example.org\"\ndata = \"data\"\n[[listener]]\nkind = \"submission\"\naddress = \":587\"\n[[route]]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\"smtp://x.example\"]\nuser = \"u@example.org\"\n"+c.keys+"\n", nil)
		if err != nil {
			t.Errorf("%s: %v", c.keys, err)
			continue
		}
		if g := got.Routes[0].OAuth.Grant; g != c.want {
			t.Errorf("%s: grant %s, want %s", c.keys, g, c.want)
		}
		if warned := len(got.Warnings) > 0; warned != (c.want == oauth.RefreshToken) {
			t.Errorf("%s: warnings %v", c.keys, got.Warnings)
		}
	}
}

// TestTokens_MistakesOfBeginners: each is told once, as what it is.
func TestTokens_MistakesOfBeginners(t *testing.T) {
	dir := dirWith(t, map[string]string{"app.secret": "s3cret\n"})
	for _, c := range []struct{ via, keys, want string }{
		{"smtp://x.example", `oauth = { provider = "Microsoft", tenant = "t", client_id = "c" }`, `route.oauth.provider: "Microsoft" is not known`},
		{"smtp://x.example", `oauth = { provider = "microsoft", tenant = "example.org", client_id = "APPLICATION_ID" }`, "route.oauth.client_id: APPLICATION_ID stands in the walk-through for your own"},
		{"smtp://x.example", `oauth = { provider = "microsoft", tenant = "DIRECTORY_ID", client_id = "c" }`, "route.oauth.tenant: DIRECTORY_ID stands"},
		{"graph://", `oauth = { provider = "google", client_id = "c", client_secret_file = "app.secret" }`, `route.oauth: graph:// takes no token of provider "google"`},
		{"gmail://", `oauth = { provider = "microsoft", tenant = "example.org", client_id = "c" }`, `route.oauth: gmail:// takes no token of provider "microsoft"`},
	} {
		_, err := loadText(dir, "hostname = \"post.example.org\"\ndata = \"data\"\n[[listener]]\nkind = \"submission\"\naddress = \":587\"\n[[route]]\nname = \"r\"\nrecipients = [\"*\"]\nvia = [\""+c.via+"\"]\nuser = \"u@example.org\"\n"+c.keys+"\n", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 1 {
			t.Errorf("%s, %s: %v", c.via, c.keys, err)
		}
	}
}

func TestNearest_TheKeyThatIsMeant(t *testing.T) {
	if got := nearest("password", []string{"aliases", "password_file", "proxy_password_file"}); got != "password_file" {
		t.Errorf("%q", got)
	}
}
