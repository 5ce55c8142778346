package autoconfig

import (
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/wellsent/wellsent/internal/provider"
)

// Source is where settings come from.
type Source string

// The sources, in the order in which their answers are returned.
const (
	FromCaller       Source = "configured"      // the caller's own
	FromProvider     Source = "provider"        // provider data, by mail domain
	FromProviderMX   Source = "provider_mx"     // provider data, by MX host
	FromSRV          Source = "srv"             // RFC 6186, 8314
	FromAutoconfig   Source = "autoconfig"      // https://autoconfig.DOMAIN/mail/config-v1.1.xml
	FromWellKnown    Source = "well_known"      // https://DOMAIN/.well-known/autoconfig/mail/config-v1.1.xml
	FromDatabase     Source = "database"        // the central database
	FromAutoconfigMX Source = "autoconfig_mx"   // the file, or the database's, of an MX host's domain
	FromAutodiscover Source = "autodiscover"    // Microsoft's
	FromPlainFile    Source = "autoconfig_http" // the domain's own file without TLS
	FromGuess        Source = "guess"           // the usual names and ports
)

// Trust is how far an answer can be trusted, the most first.
type Trust string

// How far an answer can be trusted.
const (
	TrustOwn    Trust = "own"    // of this program or its owner
	TrustHTTPS  Trust = "https"  // the domain's own server, or the database, over verified TLS
	TrustDNSSEC Trust = "dnssec" // DNS, validated on this machine
	TrustPlain  Trust = "plain"  // DNS or HTTP: can be changed on the way
	TrustGuess  Trust = "guess"  // nobody said so
)

// Ways to sign in that files name and provider data do not.
const (
	NTLM       provider.Login = "ntlm"
	Kerberos   provider.Login = "gssapi"
	ClientCert provider.Login = "client_certificate"
	AfterPOP   provider.Login = "smtp_after_pop"
)

// Outgoing is a server that takes mail.
type Outgoing struct {
	provider.Server
	User   string           `json:"user"`   // the name to sign in with; "": unknown or none
	Logins []provider.Login `json:"logins"` // the preferred first; empty: unknown
}

// Settings are what one source says.
type Settings struct {
	Source   Source              `json:"source"`
	Where    string              `json:"where"` // the URL, DNS name or provider's id
	Trust    Trust               `json:"trust"`
	Foreign  bool                `json:"foreign"`  // an outgoing server is in another registered domain: ask the person
	Probed   bool                `json:"probed"`   // the caller's probe has found the servers good
	Name     string              `json:"name"`     // what the service calls itself, or ""
	Outgoing []Outgoing          `json:"outgoing"` // the preferred first
	Incoming []provider.Incoming `json:"incoming"` // the preferred first
	Docs     []provider.Doc      `json:"docs"`
}

// Tried is a source that was asked.
type Tried struct {
	Source Source        `json:"source"`
	Where  string        `json:"where"`
	Found  bool          `json:"found"`
	Took   time.Duration `json:"took_ns"`
	Err    error         `json:"-"`
	Reason string        `json:"reason"` // why there was no answer; "" with one
}

// Result is what was found for an address.
type Result struct {
	Address    string             `json:"address"`
	Domain     string             `json:"domain"` // A-labels
	Settings   []Settings         `json:"settings"`
	Misspelt   string             `json:"misspelt"`           // the domain that was probably meant; nothing was asked then, unless AsSpelt
	Absent     bool               `json:"absent"`             // the domain does not exist
	NotOffered []string           `json:"not_offered"`        // services that the domain says it has not: "_submission._tcp"
	Provider   *provider.Provider `json:"provider,omitempty"` // whose users have such addresses, or whose customer the domain is
	Tried      []Tried            `json:"tried"`
}

// Best returns the first settings that name an outgoing server.
func (r *Result) Best() (Settings, bool) {
	for _, s := range r.Settings {
		if len(s.Outgoing) > 0 {
			return s, true
		}
	}
	return Settings{}, false
}

// fill puts the parts of address in place of a file's placeholders, in one pass,
// so that what an address holds is never taken for one. Real files lack the
// closing sign at times.
func fill(text, address string) string {
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:max(at, 0)], address[at+1:]
	return strings.NewReplacer(
		provider.Address, address, provider.LocalPart, local, provider.Domain, domain,
		strings.TrimSuffix(provider.Address, "%"), address, strings.TrimSuffix(provider.LocalPart, "%"), local, strings.TrimSuffix(provider.Domain, "%"), domain,
	).Replace(text)
}

// registered returns the part of a name that is registered, or the name itself.
func registered(name string) string {
	if r, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return r
	}
	return name
}

// Within reports whether a host belongs to a mail domain: both are below the same
// registered domain.
func Within(domain, host string) bool { return registered(host) == registered(domain) }

// foreign reports whether one of the servers is in another registered domain than
// the mail domain.
func foreign(domain string, servers []Outgoing) bool {
	for _, s := range servers {
		if !Within(domain, s.Host) {
			return true
		}
	}
	return false
}

// ofProvider returns a provider's servers for an address.
func ofProvider(p *provider.Provider, address string) Settings {
	s := Settings{Where: string(p.ID), Name: p.Name, Incoming: p.Incoming, Docs: p.Docs}
	for _, server := range p.Submission {
		s.Outgoing = append(s.Outgoing, Outgoing{Server: server, User: p.User.Fill(address), Logins: p.Logins})
	}
	return s
}
