package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wellsent/wellsent/internal/oauth"
)

// endpoint is a token endpoint that answers as the test says, made from the
// vendors' published contracts.
func endpoint(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (address string, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(answer))
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL + "/token", roots
}

func give(w http.ResponseWriter, token string, more string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer"%s}`, token, more)
}

// certificate writes a key and a certificate of it, valid until end.
func certificate(t *testing.T, end time.Time) (certFile, keyFile string, cert *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wellsent"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: end}, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wellsent"}}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))), file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}))), cert
}

// TestClientCredentials_ByCertificateAsEntraIDWantsIt: PS256, the certificate's
// SHA-256 digest in the header, the token URL as audience. Microsoft identity
// platform, "Certificate credentials".
func TestClientCredentials_ByCertificateAsEntraIDWantsIt(t *testing.T) {
	certFile, keyFile, cert := certificate(t, time.Now().Add(20*24*time.Hour))
	var asked url.Values
	address, roots := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		asked = r.PostForm
		give(w, "of-the-app", `, "expires_in": 3599, "ext_expires_in": 3599`)
	})
	s := open(t, t.TempDir(), nil).Source(oauth.Settings{Route: "m365", User: "relay@example.org", Provider: oauth.Microsoft, Grant: oauth.ClientCredentials,
		Tenant: "example.org", ClientID: "1111", CertificateFile: certFile, KeyFile: keyFile, TokenURL: address, Roots: roots})
	if got, err := s.Token(t.Context(), oauth.SMTP, ""); err != nil || got != "of-the-app" {
		t.Fatalf("%q, %v", got, err)
	}
	if asked.Get("grant_type") != "client_credentials" || asked.Get("scope") != "https://outlook.office365.com/.default" ||
		asked.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || asked.Has("client_secret") {
		t.Errorf("asked with %v", asked)
	}
	parsed, err := jwt.ParseSigned(asked.Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(cert.Raw)
	if got := parsed.Headers[0].ExtraHeaders["x5t#S256"]; got != base64.RawURLEncoding.EncodeToString(digest[:]) {
		t.Errorf("x5t#S256 is %v", got)
	}
	var claims jwt.Claims
	if err := parsed.Claims(cert.PublicKey, &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: "1111", Subject: "1111", AnyAudience: jwt.Audience{address}, Time: time.Now()}); err != nil || claims.ID == "" {
		t.Errorf("%+v: %v", claims, err)
	}
	// Another audience is another token, and the end of the certificate is known.
	if _, err := s.Token(t.Context(), oauth.Graph, ""); err != nil || asked.Get("scope") != "https://graph.microsoft.com/.default" {
		t.Errorf("asked with %v: %v", asked, err)
	}
	if e := s.Status().Expires; len(e) != 1 || e[0].What != oauth.ExpiryCertificate || !e[0].At.Equal(cert.NotAfter) {
		t.Errorf("%+v", e)
	}
}

func TestCheckFiles_KeyOfAnotherCertificate(t *testing.T) {
	certFile, _, _ := certificate(t, time.Now().Add(time.Hour))
	_, other, _ := certificate(t, time.Now().Add(time.Hour))
	s := oauth.Settings{CertificateFile: certFile, KeyFile: other}
	if m := s.CheckFiles(); len(m) != 1 || m[0].Key != "key_file" || !strings.Contains(m[0].Text, "is not the key of the certificate") {
		t.Errorf("%+v", m)
	}
}

// TestJWTBearer_ServiceAccountAsGoogleWantsIt: RS256 with the key's id, the mailbox
// as subject. "Using OAuth 2.0 for Server to Server Applications".
func TestJWTBearer_ServiceAccountAsGoogleWantsIt(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var assertion string
	address, roots := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			t.Errorf("asked with %v", r.PostForm)
		}
		assertion = r.PostForm.Get("assertion")
		give(w, "ya29.x", `, "expires_in": 3599`)
	})
	account, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "relay@project.iam.gserviceaccount.com", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": address})
	if err != nil {
		t.Fatal(err)
	}
	set := oauth.Settings{Route: "google", User: "relay@example.org", Provider: oauth.Google, ServiceAccountFile: file(t, string(account)), Roots: roots}.WithDefaults()
	if m := append(set.Check(), set.CheckFiles()...); len(m) != 0 || set.Grant != oauth.JWTBearer {
		t.Fatalf("%s: %+v", set.Grant, m)
	}
	if got, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err != nil || got != "ya29.x" {
		t.Fatalf("%q, %v", got, err)
	}
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		jwt.Claims
		Scope string `json:"scope"`
	}
	if err := parsed.Claims(key.Public(), &claims); err != nil {
		t.Fatal(err)
	}
	if parsed.Headers[0].KeyID != "k1" || claims.Issuer != "relay@project.iam.gserviceaccount.com" || claims.Subject != "relay@example.org" ||
		!claims.Audience.Contains(address) || claims.Scope != "https://mail.google.com/" || claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Hour {
		t.Errorf("%+v", claims)
	}
}

// TestManagedIdentity_OfAVirtualMachineAndOfAppService: api-versions 2018-02-01 and
// 2019-08-01, which tells only when the token expires by its own clock.
func TestManagedIdentity_OfAVirtualMachineAndOfAppService(t *testing.T) {
	var got *http.Request
	clockOff := time.Duration(0)
	more := `, "expires_in": "3599", "expires_on": "1"`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Date", time.Now().Add(clockOff).UTC().Format(http.TimeFormat))
		give(w, "of-the-machine", more)
	}))
	defer s.Close()
	set := oauth.Settings{Route: "vm", User: "relay@example.org", Provider: oauth.Microsoft, Grant: oauth.ManagedIdentity, ClientID: "2222", IdentityURL: s.URL + "/metadata/identity/oauth2/token"}
	if m := set.Check(); len(m) != 0 {
		t.Fatalf("%+v", m)
	}
	if _, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err != nil {
		t.Fatal(err)
	}
	if q := got.URL.Query(); got.Header.Get("Metadata") != "true" || q.Get("resource") != "https://outlook.office365.com" || q.Get("api-version") != "2018-02-01" || q.Get("client_id") != "2222" {
		t.Errorf("asked with %v, %v", q, got.Header)
	}

	t.Setenv("IDENTITY_ENDPOINT", s.URL+"/msi/token/")
	t.Setenv("IDENTITY_HEADER", "s3cret-of-the-platform")
	clockOff = 6 * time.Hour
	more = fmt.Sprintf(`, "expires_on": "%d"`, time.Now().Add(clockOff+time.Hour).Unix())
	set.IdentityURL = ""
	src := open(t, t.TempDir(), nil).Source(set)
	if _, err := src.Token(t.Context(), oauth.Graph, ""); err != nil {
		t.Fatal(err)
	}
	if q := got.URL.Query(); got.Header.Get("X-Identity-Header") != "s3cret-of-the-platform" || q.Get("resource") != "https://graph.microsoft.com" || q.Get("api-version") != "2019-08-01" {
		t.Errorf("asked with %v, %v", q, got.Header)
	}
	if left := time.Until(src.Status().Tokens[0].Spent); left < 50*time.Minute || left > time.Hour {
		t.Errorf("it holds for %s", left)
	}
}

func TestTokenCommand(t *testing.T) {
	for _, c := range []struct {
		name, command, token, err string
		temporary                 bool
	}{
		{"a token", `echo "tok-$WELLSENT_USER-$WELLSENT_AUDIENCE"`, "tok-relay@example.org-smtp", "", false},
		{"JSON", `echo '{"access_token": "tok", "expires_in": 600}'`, "tok", "", false},
		{"JSON without", `echo '{"error": "no"}'`, "", "printed JSON without access_token", false},
		{"nothing", `true`, "", "must print a token and nothing else", false},
		{"chatter", `echo signing in; echo tok`, "", "must print a token and nothing else", false},
		{"says no", `echo 'account locked' >&2; exit 1`, "", "exit status 1: account locked", false},
		{"not now", `exit 75`, "", "exit status 75", true},
		{"repeats the secret", `echo s3cret-token two; echo 'bad: s3cret-token' >&2`, "", "bad: ***", false},
		{"without end", `head -c 100000 /dev/zero | tr '\0' x`, "", "more than 65536 octets", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := oauth.Settings{Route: "own", User: "relay@example.org", Command: c.command}.WithDefaults()
			got, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, "")
			switch {
			case c.err == "" && (err != nil || got != c.token):
				t.Errorf("got %q, %v", got, err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || oauth.IsTemporary(err) != c.temporary || strings.Contains(err.Error(), "s3cret")):
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPost_SecretsGoNowhereElse: not to where a redirect points, and not into an
// error that repeats them.
func TestPost_SecretsGoNowhereElse(t *testing.T) {
	stolen := false
	thief, _ := endpoint(t, func(w http.ResponseWriter, r *http.Request) { stolen = true })
	address, roots := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief, http.StatusTemporaryRedirect)
	})
	set := oauth.Settings{Route: "r", User: "u@example.org", Provider: oauth.Custom, Grant: oauth.ClientCredentials, ClientID: "c", SecretFile: file(t, "s3cret-word"), TokenURL: address, Scopes: []string{"x"}, Roots: roots}
	if _, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err == nil || stolen {
		t.Errorf("%v, stolen %v", err, stolen)
	}
	set.TokenURL, set.Roots = endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "no: %s\r\n"}`, r.PostForm.Get("client_secret"))
	})
	_, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, "")
	if err == nil || strings.Contains(err.Error(), "s3cret-word") || !strings.Contains(err.Error(), "no: ***") {
		t.Errorf("%v", err)
	}
	set.Roots = nil // the system does not know the certificate
	if _, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err == nil || !oauth.IsTemporary(err) || !strings.Contains(err.Error(), "x509") {
		t.Errorf("%v", err)
	}
}

// TestDiscovery_WrongIssuerIsASettingAndAnOutageIsNot.
func TestDiscovery_WrongIssuerIsASettingAndAnOutageIsNot(t *testing.T) {
	status := http.StatusNotFound
	address, roots := endpoint(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
	set := oauth.Settings{Route: "r", User: "u@example.org", Provider: oauth.Custom, Grant: oauth.ClientCredentials, ClientID: "c", SecretFile: file(t, "s3cret-word"),
		Issuer: strings.TrimSuffix(address, "/token"), Scopes: []string{"x"}, Roots: roots}
	if _, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err == nil || oauth.IsTemporary(err) || !strings.Contains(err.Error(), "look at issuer") {
		t.Errorf("%v", err)
	}
	status = http.StatusServiceUnavailable
	if _, err := open(t, t.TempDir(), nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err == nil || !oauth.IsTemporary(err) {
		t.Errorf("%v", err)
	}
}

// TestRefresh_ExpiryThatTheProviderTells is Google's of a program in testing, and
// Microsoft's, which tells none.
func TestRefresh_ExpiryThatTheProviderTells(t *testing.T) {
	for _, c := range []struct {
		provider oauth.Provider
		more     string
		days     int
	}{{oauth.Google, `, "refresh_token_expires_in": 604799`, 7}, {oauth.Microsoft, "", 90}} {
		address, roots := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "device") {
				fmt.Fprint(w, `{"device_code": "d", "user_code": "AB", "verification_uri": "https://id.example/device", "expires_in": 60, "interval": 1}`)
				return
			}
			give(w, "a", `, "expires_in": 3599, "refresh_token": "r"`+c.more)
		})
		set := oauth.Settings{Route: "r", User: "u@example.org", Provider: c.provider, Grant: oauth.RefreshToken, ClientID: "c", TokenURL: address, DeviceURL: address + "/device", Roots: roots}
		s := open(t, t.TempDir(), nil).Source(set)
		if err := s.Device(t.Context(), oauth.Login{Show: func(oauth.Prompt) {}}); err != nil {
			t.Fatal(err)
		}
		e := s.Status().Expires
		if len(e) != 1 || e[0].What != oauth.ExpiryRefreshToken || time.Until(e[0].At).Round(24*time.Hour) != time.Duration(c.days)*24*time.Hour || !strings.Contains(e[0].Means, "wellsent route login r") {
			t.Errorf("%s: %+v", c.provider, e)
		}
	}
}

func TestStore_UnreadableDirectoryIsAnError(t *testing.T) {
	data := filepath.Join(file(t, "a file, not a directory"), "data")
	set := oauth.Settings{Route: "own", User: "u@example.org", Command: "echo tok"}.WithDefaults()
	if got, err := open(t, data, nil).Source(set).Token(t.Context(), oauth.SMTP, ""); err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}
