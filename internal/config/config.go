package config

import (
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Config is a configuration in which everything has been checked. Immutable.
type Config struct {
	Path     string // the file it was read from; "" for Default
	Hostname string // the name in greetings, EHLO and Received
	Data     string // directory of accounts, spool, sandbox and private CA; absolute
	Sandbox  bool   // nothing leaves; delivered mail is kept in Data/sandbox

	Listeners []Listener
	Devices   []Device
	TLS       TLS
	Users     []auth.Account
	Auth      Auth
	Routes    []Route // empty in a sandbox without routes
	Bounces   Bounces
	Aliases   Aliases
	Queue     Queue
	Limits    Limits
	Resolver  Resolver

	// Warnings are what is worth a person's look though it works.
	Warnings []Mistake

	values []Value
}

// Listener is one address that is listened on.
type Listener struct {
	Kind          smtp.ListenerKind
	Address       string         // as configured: ":587", "10.0.0.5:25"
	Allow         []netip.Prefix // relay and device: who may send without login
	Senders       []string       // relay and device: what they may send as; empty: anything
	ProxyProtocol []netip.Prefix // balancers, which send a PROXY header
	XClient       []netip.Prefix // proxies, which say by XCLIENT who their client is
	LegacyTLS     bool           // TLS 1.0 and 1.1 as well
	PlaintextAuth bool           // AUTH without TLS
	BareNewlines  bool           // bare CR and LF are normalised instead of refused
	AllowGateway  bool           // relay and device: an address may send without login although it is a gateway's
	Rewrite       route.Rewrite  // of mail that comes in here; "": as the route says

	Mechanisms []string       // SASL mechanisms that clients may use; nil: the default
	ClientCA   *x509.CertPool // issues the certificates that clients may show; nil: none
}

// Device is a printer, scanner or other machine as configured.
type Device struct {
	device.Device
	Route   string        // by which all of its mail goes; "": as the routes say
	Rewrite route.Rewrite // of its mail; "": as its listener and the route say
}

// TLS names the certificate's files. Both are empty for the private CA.
type TLS struct {
	Certificate string // absolute path, PEM
	Key         string // absolute path, PEM
}

// Route is a route as configured; RouteTable makes a route.Route of it.
type Route struct {
	Name         string
	Recipients   []string
	Via          []route.Via
	User         string
	PasswordFile string // absolute path; read at each login, so that it can be changed
	TLS          route.TLSPolicy
	From         smtp.Path
	Pace         route.Pace // what holds
	PaceOwn      route.Pace // of it, what the file says
	PaceHost     string     // the host whose provider's data gave the rest; "" for none
	CA           string     // absolute path, PEM; added to the system's roots

	Proxy             *proxy.Proxy    // nil: none; without the password of its file
	ProxyPasswordFile string          // absolute path; read for each connection
	Source            netip.Addr      // our end of connections; zero: the system's choice
	Family            route.Family    // "": auto
	ClientCertificate string          // absolute path, PEM
	ClientKey         string          // absolute path, PEM
	OAuth             *oauth.Settings // nil: no tokens

	Match   route.Match
	Rewrite route.Rewrite // "": both where there is a From
	Aliases []string      // what From's mailbox may send as beside itself
}

// Bounces says where notifications go that cannot be returned.
type Bounces struct {
	Postmaster smtp.Path // "" for none
	Route      string    // "" for the route of the address
}

// Aliases are where mail for local names goes, which have no domain.
type Aliases struct {
	Default smtp.Path            // for names that are not in Names; "" for none
	Names   map[string]smtp.Path // by name in lower case
}

// Queue is the timetable of attempts.
type Queue struct {
	Retry       []time.Duration // waits between attempts; the last repeats
	WarnAfter   time.Duration   // when the sender is told of the delay
	ExpireAfter time.Duration   // when a message is returned
}

// Limits bound what is accepted.
type Limits struct {
	MessageSize           int64 // octets
	Recipients            int   // a message
	ConnectionsPerAddress int   // at once
}

// Resolver says where names are looked up.
type Resolver struct {
	Servers []string // "address:port"; empty: the system's
}
