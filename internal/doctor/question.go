package doctor

import (
	"crypto/x509"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/resolver"
)

// Security is how a connection is secured.
type Security string

// The ways. The words are those of --security.
const (
	Auto     Security = "auto"     // find out
	StartTLS Security = "starttls" // clear text first, then STARTTLS
	Implicit Security = "tls"      // TLS at once; RFC 8314 §3
	Clear    Security = "none"     // no TLS
)

// Endpoint is a host and a port.
type Endpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// String returns "host:port".
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// Incoming is a server for reading mail, for the control of a login.
type Incoming struct {
	Protocol string // "imap" or "pop3"
	Endpoint
	Security Security // Auto: TLS at once, then STARTTLS
	Typed    bool     // the user named it
}

// Question is what is asked of the doctor.
type Question struct {
	Host     string
	Port     int      // 0: the usual ones, whichever works
	Security Security // "": Auto
	Typed    bool     // the user named the host, and so agrees that the login is sent to it
	Address  string   // the user's mail address, "" when it is not known
	Meant    string   // the mail domain that the address's is probably a slip for; then nothing is asked
	Origin   []string // where the settings come from, for the report

	LoginName string // the user name for the address, as its provider has it; "": not known
	User      string // "": no login
	Password  string
	Token     string // an OAuth access token, in place of a password
	Mechanism string // "": the best that both know
	Grant     *Grant // where tokens come from; nil: from nowhere, or Token has one

	From, To string // the envelope to ask about; "": none
	Send     bool   // send a message to To

	Incoming []Incoming // where the same login is tried when SMTP refuses it
	Controls []Endpoint // hosts that are known to be up

	anyPort       bool                // Port was left open
	program       *Program            // whose settings these are; nil: none's
	Resolver      *resolver.Resolver  // for every name
	OnlyResolver  bool                // no other resolver may be asked
	Others        []string            // name servers to compare with; with ports
	Roots         *x509.CertPool      // nil: the system's
	Proxy         *proxy.Proxy        // for every connection to a mail server; it looks names up; nil: none
	Environ       func(string) string // where proxies are looked for when the server is not reached directly, as os.Getenv; nil: nowhere
	Selectors     []string            // DKIM selectors to look for
	Blocklists    []string            // zones in which our address and the sender's domain are looked up; no other is asked
	Hostname      string              // for EHLO; "": the machine's
	Timeout       time.Duration       // for all; 0: 20 s
	IgnoreHistory bool
	State         string // the directory in which logins are counted; "": they are not
	Now           func() time.Time
	Built         time.Time      // when this program was made: no right clock is before it; zero: not known
	Progress      func(Progress) // may be nil; called by one goroutine at a time
}

// Progress is one step of a run, for those who wait.
type Progress struct {
	Probe string // "connect"
	About string // "smtp.example.org:587"
	Done  bool
	Took  time.Duration
	Said  string // what came of it, in a few words; "" while it runs
	Well  bool
}

// DefaultTimeout is what a run may take where nothing else is said. What a person
// waits for without wondering is shorter than 20 s.
const DefaultTimeout = 20 * time.Second

// submissionPorts are the ports on which servers take mail from clients, in the
// order in which they are tried. RFC 8314 §3.3, 6409 §3.1; 2525 is what many
// providers offer where the others are blocked.
var submissionPorts = []int{587, 465, 2525, 25}

// usual returns how a port is secured where nothing is known.
func usual(port int) Security {
	if port == 465 {
		return Implicit
	}
	return StartTLS
}

// want returns the security that is asked for, or the usual one of the port.
func (q *Question) want() Security {
	if q.Security == "" || q.Security == Auto {
		return usual(q.Port)
	}
	return q.Security
}

// free reports whether the security is for the doctor to find out.
func (q *Question) free() bool { return q.Security == "" || q.Security == Auto }

// betweenServers reports whether the question is about handing mail over to a
// server, as servers do it to each other: on port 25, without a login, and with
// nothing said of TLS. Any certificate does there, and clear text where there is no
// TLS. RFC 7435, 3207 §4.1.
func (q *Question) betweenServers() bool { return q.free() && q.Port == 25 && q.User == "" }

// subject is what findings are about.
func (q *Question) subject() string {
	if q.Host == "" && q.Grant != nil {
		return "route " + q.Grant.Route
	}
	return Endpoint{q.Host, q.Port}.String()
}

// secrets are the strings that must not be in a report.
func (q *Question) secrets() []string {
	s := []string{q.Password, q.Token}
	if q.Proxy != nil {
		s = append(s, q.Proxy.Secrets()...)
	}
	found, _ := q.proxies()
	for _, p := range found {
		s = append(s, p.Secrets()...)
	}
	return s
}

// proxies returns those that the environment has for the server, and what of it
// names none although it should.
func (q *Question) proxies() (found []proxy.Found, wrong map[string]error) {
	if q.Environ == nil || q.Proxy != nil {
		return nil, nil
	}
	return proxy.FromEnvironment(q.Environ, q.Host, q.Port)
}

// domain returns the domain of the address that mail is from, or "".
func (q *Question) domain() string {
	for _, a := range []string{q.From, q.Address, q.User} {
		if i := strings.LastIndexByte(a, '@'); i >= 0 && i < len(a)-1 {
			return strings.ToLower(a[i+1:])
		}
	}
	return ""
}

// isIP reports whether the host is an address and no name.
func (q *Question) isIP() bool { return net.ParseIP(strings.Trim(q.Host, "[]")) != nil }
