package oauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Provider is whose identity provider issues the tokens.
type Provider string

// The providers.
const (
	Microsoft Provider = "microsoft" // Entra ID
	Google    Provider = "google"
	Custom    Provider = "custom" // by issuer, or by token URL
)

// Grant is what a token is given for. RFC 6749 §1.3.
type Grant string

// The grants.
const (
	RefreshToken      Grant = "refresh_token"      // a person has signed in. RFC 6749 §6
	ClientCredentials Grant = "client_credentials" // the program itself, by secret or certificate. RFC 6749 §4.4, 7523
	JWTBearer         Grant = "jwt_bearer"         // a service account for the route's user. RFC 7523 §2.1
	ManagedIdentity   Grant = "managed_identity"   // the machine in Azure
	TokenCommand      Grant = "token_command"      // a program of the operator's prints it
)

// Audience is what a token is for.
type Audience string

// The audiences.
const (
	SMTP  Audience = "smtp"
	Graph Audience = "graph" // Microsoft Graph sendMail
	Gmail Audience = "gmail" // the Gmail API
)

// Settings are one route's. Paths are absolute.
type Settings struct {
	Route     string
	User      string     // the mailbox
	Audiences []Audience // what the route needs tokens for; the first is what a sign-in asks for

	Provider Provider
	Grant    Grant
	Tenant   string // Microsoft's: an id, a domain, "organizations" or "consumers"
	ClientID string

	SecretFile         string    // the client's secret
	SecretExpires      time.Time // zero: not known
	CertificateFile    string    // PEM, for signed assertions
	KeyFile            string    // PEM
	KeyID              string    // the "kid" of the key; "": none but the certificate's digest
	ServiceAccountFile string    // JSON as Google hands it out

	Issuer    string // for discovery
	TokenURL  string
	AuthURL   string
	DeviceURL string
	Audience  string   // the "aud" of signed assertions; "": the usual one
	Scopes    []string // nil: the provider's usual ones

	IdentityURL string // of managed identities; "": as the machine's environment says
	Command     string // for sh -c

	Roots *x509.CertPool                                                       // nil: the system's
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // takes names; nil: directly, or by the environment's proxy
	Proxy string                                                               // what Dial goes through, by which two of them are told apart
}

// Mistake is what is wrong with one setting.
type Mistake struct {
	Key  string // as in the configuration
	Text string
}

// WithDefaults returns s with the provider and grant that its other settings ask
// for.
func (s Settings) WithDefaults() Settings {
	if s.Command != "" {
		s.Grant = TokenCommand
	}
	switch {
	case s.Grant != "":
	case s.ServiceAccountFile != "":
		s.Grant = JWTBearer
	case s.Provider == Google:
		s.Grant = RefreshToken // its programs on a desk have a secret too, which is none
	case s.SecretFile != "" || s.CertificateFile != "":
		s.Grant = ClientCredentials
	default:
		s.Grant = RefreshToken
	}
	if s.Provider == Microsoft && s.Tenant == "" && s.Grant == RefreshToken {
		s.Tenant = "common"
	}
	return s
}

// Check returns what is wrong or missing. It reads no files.
func (s *Settings) Check() []Mistake {
	var all []Mistake
	wrong := func(key, format string, args ...any) { all = append(all, Mistake{key, fmt.Sprintf(format, args...)}) }
	if s.Grant == TokenCommand {
		return nil
	}
	for _, u := range []struct{ key, value string }{{"issuer", s.Issuer}, {"token_url", s.TokenURL}, {"auth_url", s.AuthURL}, {"device_url", s.DeviceURL}} {
		if u.value != "" {
			if err := checkURL(u.value); err != nil {
				wrong(u.key, "%v", err)
			}
		}
	}
	switch {
	case s.Provider == Custom && s.Issuer == "" && s.TokenURL == "" && s.Grant != ManagedIdentity && s.ServiceAccountFile == "":
		wrong("issuer", "is missing: give the provider's issuer, such as \"https://id.example.org\", or its token_url")
	case s.Provider == Custom && len(s.Scopes) == 0 && s.Grant != ManagedIdentity:
		wrong("scopes", "is missing: say what the provider must allow, such as [\"smtp\", \"offline_access\"]; its manual on SMTP names it")
	}
	if s.ClientID == "" && s.Grant != ManagedIdentity && s.ServiceAccountFile == "" {
		wrong("client_id", "is missing: register a program with the provider and put its client id here")
	}
	if s.Provider != Microsoft && s.Tenant != "" {
		wrong("tenant", "is for provider = \"microsoft\" only")
	}
	if s.Provider == Microsoft && s.Grant == ClientCredentials {
		switch s.Tenant {
		case "":
			wrong("tenant", "is missing: give the directory's id or one of its domains")
		case "common", "organizations", "consumers":
			wrong("tenant", "%q will not do for a program that signs in by itself: give the directory's id or one of its domains", s.Tenant)
		}
	}
	return append(all, s.checkGrant()...)
}

// checkGrant returns what is wrong with the settings of the grant itself.
func (s *Settings) checkGrant() []Mistake {
	var all []Mistake
	wrong := func(key, text string) { all = append(all, Mistake{key, text}) }
	if (s.CertificateFile != "" && s.KeyFile == "") && s.ServiceAccountFile == "" {
		wrong("key_file", "is missing: name the file with the certificate's private key")
	}
	if s.SecretFile != "" && s.KeyFile != "" {
		wrong("client_secret_file", "a client signs in by a secret or by a certificate: leave one out")
	}
	switch s.Grant {
	case ClientCredentials:
		if s.SecretFile == "" && s.KeyFile == "" {
			wrong("client_secret_file", "is missing: a program that signs in by itself needs a secret, or certificate_file and key_file")
		}
		if s.Provider == Google {
			wrong("grant", "Google has none by client credentials: use service_account_file, or sign in with grant = \"refresh_token\"")
		}
		if s.Provider == Microsoft && s.KeyFile != "" && s.CertificateFile == "" {
			wrong("certificate_file", "is missing: Entra ID finds the key by its certificate")
		}
	case JWTBearer:
		if s.ServiceAccountFile == "" && s.KeyFile == "" {
			wrong("service_account_file", "is missing: name the JSON file of the service account")
		}
		if s.Provider == Microsoft {
			wrong("grant", "Entra ID has no service accounts of this kind: use \"client_credentials\" with certificate_file and key_file")
		}
	case ManagedIdentity:
		if s.Provider != Microsoft {
			wrong("grant", "only Microsoft's machines have managed identities")
		}
	}
	if s.User == "" {
		wrong("user", "is missing: say as which mailbox the route sends")
	}
	return all
}

// checkURL refuses an address to which secrets may not go.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is no address such as \"https://id.example.org/token\"", s)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("the address holds more than host, path and query: leave the rest out")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q is not https: secrets are not sent in clear text", s)
}

// isLoopback reports whether host is this machine.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// scopes returns what a token for a is to allow.
func (s *Settings) scopes(a Audience) []string {
	if len(s.Scopes) > 0 && (s.Provider != Microsoft || a != Graph) {
		return s.Scopes
	}
	switch {
	case s.Provider == Google:
		return []string{"https://mail.google.com/"}
	case s.Provider != Microsoft:
		return s.Scopes
	}
	if a == Graph {
		// One request is for one resource: of the scopes in the file those of Graph.
		own := slices.DeleteFunc(slices.Clone(s.Scopes), func(x string) bool { return !strings.Contains(x, "graph.microsoft") })
		switch {
		case len(own) > 0 && s.Grant == RefreshToken:
			return append(own, "offline_access")
		case len(own) > 0:
			return own
		case s.Grant == RefreshToken:
			return []string{"https://graph.microsoft.com/Mail.Send", "offline_access"}
		}
		return []string{"https://graph.microsoft.com/.default"}
	}
	if s.Grant == RefreshToken {
		return []string{"https://outlook.office.com/SMTP.Send", "offline_access"}
	}
	return []string{"https://outlook.office365.com/.default"}
}

// first returns the audience that a sign-in asks for.
func (s *Settings) first() Audience {
	if len(s.Audiences) > 0 {
		return s.Audiences[0]
	}
	return SMTP
}

// binding names whom a refresh token or an access token was issued to and by.
func (s *Settings) binding() string {
	return strings.Join([]string{string(s.Provider), string(s.Grant), s.Tenant, s.ClientID, s.Issuer, s.TokenURL, s.ServiceAccountFile, s.IdentityURL, s.Command, s.User}, "\x00")
}
