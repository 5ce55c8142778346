package provider

import (
	"strings"
	"time"
)

// ID names a provider. It never changes meaning.
type ID string

// Kind is what a provider does for its users. It is the name of the data file.
type Kind string

// The kinds, in the order in which providers are listed and, where a host is
// used by several, preferred.
const (
	KindMailbox   Kind = "mailbox"   // mail for people
	KindWorkspace Kind = "workspace" // mail of organisations
	KindISP       Kind = "isp"       // access providers
	KindHosting   Kind = "hosting"   // domains with mailboxes
	KindESP       Kind = "esp"       // sends for programs
	KindRelay     Kind = "relay"     // within a network or account of the provider
	KindEducation Kind = "education" // schools and universities
	KindLocal     Kind = "local"     // on this machine
	KindTestSink  Kind = "testsink"  // delivers nowhere
)

// Kinds returns all kinds in their order.
func Kinds() []Kind {
	return []Kind{KindMailbox, KindWorkspace, KindISP, KindHosting, KindESP, KindRelay, KindEducation, KindLocal, KindTestSink}
}

// Security is how a connection is protected.
type Security string

// The kinds of protection.
const (
	TLS      Security = "tls"      // from the first octet. RFC 8314 §3.3
	StartTLS Security = "starttls" // begins in clear text. RFC 3207
	None     Security = "none"     // never
)

// Server is a port of a host.
type Server struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Security Security `json:"security"`
}

// Incoming is a server that gives out mail.
type Incoming struct {
	Protocol string `json:"protocol"` // "imap" or "pop3"
	Server
}

// Login is what a user signs in with.
type Login string

// The ways to sign in.
const (
	OAuth2            Login = "oauth2"             // XOAUTH2 or OAUTHBEARER with a token. RFC 7628
	AppPassword       Login = "app_password"       // made for one program in the web settings
	Password          Login = "password"           // of the account or mailbox
	Challenge         Login = "challenge"          // the password, by CRAM-MD5 and kin only. RFC 2195
	AuthorizationCode Login = "authorization_code" // made when SMTP is switched on in the web settings
	APIKey            Login = "api_key"
	Credential        Login = "credential"      // a password that the service issues for SMTP
	Token             Login = "token"           // an SMTP token that belongs to one address
	BridgePassword    Login = "bridge_password" // shown by the program on this machine
	ByAddress         Login = "address"         // the client's IP address is allowed
	NoLogin           Login = "none"            // nothing is asked
	NoAccess          Login = "closed"          // mail programs are not served
)

// Standing is whether a way to sign in works.
type Standing string

// The standings.
const (
	Accepted     Standing = "accepted"
	OffByDefault Standing = "off_by_default" // until an admin switches it on
	Ended        Standing = "ended"          // for everybody
	Unknown      Standing = ""               // not among the provider's ways
)

// Change is a way to sign in that gets another standing on a day.
type Change struct {
	Login    Login     `json:"login"`
	Standing Standing  `json:"standing"`
	Since    time.Time `json:"since"` // the beginning of the day, UTC
	Note     string    `json:"note"`  // what the provider said, in our words
}

// Confidence is how well facts are founded.
type Confidence string

// How well facts are founded.
const (
	High   Confidence = "high"   // the provider's own page, or a maintained list and another
	Medium Confidence = "medium" // one list or page
	Low    Confidence = "low"    // hearsay, or sources that disagree
)

// Limits are what a provider lets one account do. Zero is unknown. They change
// often; [Limits.Note] says what they depend on.
type Limits struct {
	Connections       int    `json:"connections,omitempty" toml:"connections"` // at a time
	PerMinute         int    `json:"per_minute,omitempty" toml:"per_minute"`   // messages
	PerHour           int    `json:"per_hour,omitempty" toml:"per_hour"`       // messages
	PerDay            int    `json:"per_day,omitempty" toml:"per_day"`         // messages
	Recipients        int    `json:"recipients,omitempty" toml:"recipients"`   // of one message
	RecipientsPerHour int    `json:"recipients_per_hour,omitempty" toml:"recipients_per_hour"`
	RecipientsPerDay  int    `json:"recipients_per_day,omitempty" toml:"recipients_per_day"`
	MessageBytes      int64  `json:"message_bytes,omitempty" toml:"message_bytes"` // encoded, as sent
	Note              string `json:"note,omitempty" toml:"note"`
}

// OAuth is where tokens come from and what they must allow.
type OAuth struct {
	Issuer     string   `json:"issuer" toml:"issuer"`                 // the host that issues tokens
	Scopes     []string `json:"scopes" toml:"scopes"`                 // to ask for on behalf of a user
	Mechanisms []string `json:"mechanisms" toml:"mechanisms"`         // SASL, in order of preference
	AppScope   string   `json:"app_scope,omitempty" toml:"app_scope"` // to ask for on behalf of a program
	AppRole    string   `json:"app_role,omitempty" toml:"app_role"`   // that an admin must grant the program
}

// Mistaken is a host that people take for the outgoing server.
type Mistaken struct {
	Host string `json:"host" toml:"host"` // may hold "*" for any characters
	Role Role   `json:"role" toml:"role"` // RoleUnknown: it serves no mail
	Why  string `json:"why" toml:"why"`   // what it does
}

// Doc is a page of the provider.
type Doc struct {
	Title string `json:"title" toml:"title"`
	URL   string `json:"url" toml:"url"`
}

// Provider is one mail service.
type Provider struct {
	ID        ID       `json:"id"`
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	Countries []string `json:"countries"` // ISO 3166 in lower case; "*" everywhere

	Domains []string `json:"domains"` // what stands after the @; "*.example.com" for all below
	Vanity  []string `json:"vanity"`  // more such domains, which nobody means when mistyping another
	MX      []string `json:"mx"`      // ends of the MX hosts of customers' own domains

	Submission  []Server   `json:"submission"`   // the preferred first
	Incoming    []Incoming `json:"incoming"`     // the preferred first
	Aliases     []string   `json:"aliases"`      // other hosts that serve as the first of Submission does
	Patterns    []Server   `json:"patterns"`     // servers whose names depend on the customer or region, with "*"
	PatternNote string     `json:"pattern_note"` // how to make a name of them

	User     UserForm `json:"user"` // "": the service issues a name, or asks for none
	UserNote string   `json:"user_note"`
	Logins   []Login  `json:"logins"`          // the preferred first, changes left aside
	Changes  []Change `json:"changes"`         // the earliest first
	OAuth    *OAuth   `json:"oauth,omitempty"` // nil without OAuth2
	Limits   Limits   `json:"limits"`

	From       string     `json:"from"`  // which From addresses are allowed; "": not known
	Setup      []string   `json:"setup"` // what must be done before a program may send
	Notes      []string   `json:"notes"`
	Retired    []Retired  `json:"retired"`
	Mistaken   []Mistaken `json:"mistaken"`
	Docs       []Doc      `json:"docs"`
	Confidence Confidence `json:"confidence"`
	Sources    []string   `json:"sources"` // words that NOTICE explains
}

// Standing returns whether l works at the time at, and the change that made it
// so; nil without one.
func (p *Provider) Standing(l Login, at time.Time) (Standing, *Change) {
	s := Unknown
	for _, own := range p.Logins {
		if own == l {
			s = Accepted
		}
	}
	var last *Change
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Login == l && !at.Before(c.Since) {
			s, last = c.Standing, c
		}
	}
	return s, last
}

// Upcoming returns the changes that lie ahead of the time at, the next first.
func (p *Provider) Upcoming(at time.Time) []Change {
	var ahead []Change
	for _, c := range p.Changes {
		if at.Before(c.Since) {
			ahead = append(ahead, c)
		}
	}
	return ahead
}

// Works reports whether a program can sign in, or send without, at all.
func (p *Provider) Works() bool {
	for _, l := range p.Logins {
		if l == NoAccess {
			return false
		}
	}
	return true
}

// UserForm is a user name with placeholders.
type UserForm string

// The placeholders. They are those of the Thunderbird configuration format.
const (
	Address   = "%EMAILADDRESS%"
	LocalPart = "%EMAILLOCALPART%"
	Domain    = "%EMAILDOMAIN%"
)

// Fill returns the form with the parts of address in place of its placeholders.
// An address without @ is taken as a local part.
func (f UserForm) Fill(address string) string {
	local, domain := address, ""
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		local, domain = address[:at], address[at+1:]
	}
	// One pass: what an address holds is never taken for a placeholder.
	return strings.NewReplacer(Address, address, LocalPart, local, Domain, domain).Replace(string(f))
}

// Words says the form as one says it to a person.
func (f UserForm) Words() string {
	switch f {
	case "":
		return "issued by the service"
	case Address:
		return "the whole address"
	case LocalPart:
		return "the part before the @"
	case LocalPart + "." + Domain:
		return "the part before the @, a dot, the domain"
	}
	return "the word " + string(f)
}
