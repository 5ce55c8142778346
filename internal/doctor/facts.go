package doctor

import (
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/proxy"
	"github.com/wellsent/wellsent/internal/resolver"
)

// Facts are all that was seen. Lists hold what was tried, in the order in which it
// ended; what is not there was not tried.
type Facts struct {
	Local     *Local
	Names     []Name
	Connects  []Connect
	Talks     []*Talk
	Logins    []Login
	Envelope  *Envelope
	Incoming  []IncomingLogin
	Issuer    *Issuer
	Clocks    []Clock
	Portals   []Portal
	Domain    *Domain
	Token     *Token
	Grant     *GrantAnswer     // of the identity provider; nil: not asked
	Directory *DirectoryAnswer // nil: not asked
	Withheld  string           // why the login was not made although it was asked for
	OutOfTime bool             // the run was ended before all was tried
	Stopped   bool             // and that by the user, not by the deadline
	Took      time.Duration    // the run
}

// Local is what this machine's network looks like.
type Local struct {
	Up   bool `json:"up"`   // an interface beside loopback is up and has an address
	IPv6 bool `json:"ipv6"` // one with a global IPv6 address
}

// Name is one look-up.
type Name struct {
	Name      string
	Why       nameReason
	Server    string // the name server asked apart from the usual; "": the usual
	Addresses []netip.Addr
	Kind      resolver.Kind // of the failure; "": there are addresses
	By        string        // the name server that said so
	Detail    string
	Took      time.Duration
}

// nameReason is why a name was looked up.
type nameReason string

const (
	nameTarget    nameReason = "target"    // the server itself
	nameControl   nameReason = "control"   // a host known to be up
	nameCandidate nameReason = "candidate" // a name that may have been meant
	nameOther     nameReason = "other"     // the server's name, at another name server
	nameCheck     nameReason = "check"     // any other name, to see whether names resolve at all
)

// Outcome is what became of an attempt to connect.
type Outcome string

// The outcomes.
const (
	Open        Outcome = "open"
	Refused     Outcome = "refused"      // answered at once with a no
	Silent      Outcome = "no answer"    // nothing came back in the time
	Unreachable Outcome = "unreachable"  // no route, said by this machine or a router
	Denied      Outcome = "not allowed"  // this machine's own firewall
	ByProxy     Outcome = "proxy"        // the proxy would not
	Broken      Outcome = "failed"       // anything else
	Unknown     Outcome = "not resolved" // the name has no address, so it was not tried
)

// answered reports whether the host itself said something.
func (o Outcome) answered() bool { return o == Open || o == Refused }

// Connect is one attempt to open a TCP connection.
type Connect struct {
	Endpoint
	Address netip.Addr
	Why     connectReason
	Outcome Outcome
	Error   string
	Through *proxy.Found // the proxy of the environment; nil: none
	Refusal *proxy.Error // what the proxy said, of the environment or the question; nil: there is none, or it connected
	Took    time.Duration
}

// connectReason is why a connection was tried.
type connectReason string

const (
	connectTarget  connectReason = "target"  // the server on the port asked for
	connectOther   connectReason = "other"   // the same server on another port
	connectControl connectReason = "control" // a host known to be up
	connectProxy   connectReason = "proxy"   // the server on the port asked for, through a proxy of the environment
)

// Talk is one conversation with a server up to EHLO under TLS.
type Talk struct {
	Endpoint
	Security    Security
	Why         talkReason
	Record      *evidence.Record
	Failure     *evidence.Error     // nil: it got as far as EHLO
	Chain       []*x509.Certificate // as presented
	TLS         string              // "TLS 1.3"; "" without
	Verified    bool                // the certificate was verified
	VerifyError error               // why not
	AskedCert   bool                // the server asked for a client certificate
	Spoke       Protocol            // what is spoken there, as far as it can be told
	First       time.Duration       // until the first octet came; 0: none came
	Local       netip.Addr          // our end
	Hello       string              // the name we gave with EHLO
	NoTLS       bool                // STARTTLS was wanted and is not offered
	Auth        []string            // mechanisms offered at the end
	MaxSize     int64               // octets; 0: not said
	Extensions  []string            // the last reply to EHLO
	Masked      bool                // extensions or greeting are overwritten
	Through     *proxy.Found        // the proxy of the environment; nil: none
}

// talkReason is why a conversation was held.
type talkReason string

const (
	talkTarget    talkReason = "target"     // as asked for
	talkMode      talkReason = "mode"       // the same port, secured in the other way
	talkPort      talkReason = "port"       // another port of the same server
	talkLegacy    talkReason = "legacy"     // with TLS 1.0 and 1.1
	talkHello     talkReason = "hello"      // with another name for EHLO
	talkNudge     talkReason = "nudge"      // speaking first, where the server says nothing
	talkAgain     talkReason = "again"      // once more, for the next login
	talkSuccessor talkReason = "successor"  // the server in place of one whose name was withdrawn
	talkSmall     talkReason = "small"      // with small segments only
	talkControl   talkReason = "control"    // a host known to be up, on the port of the target
	talkAnyCert   talkReason = "unverified" // as servers do that hand mail over: with any certificate
	talkProxy     talkReason = "proxy"      // as asked for, through a proxy of the environment
)

// well reports whether the conversation got as far as EHLO.
func (t *Talk) well() bool { return t != nil && t.Failure == nil }

// Protocol is what is spoken at a port.
type Protocol string

// The protocols that are told apart.
const (
	ProtoSMTP  Protocol = "SMTP"
	ProtoIMAP  Protocol = "IMAP"
	ProtoPOP3  Protocol = "POP3"
	ProtoHTTP  Protocol = "HTTP"
	ProtoSSH   Protocol = "SSH"
	ProtoTLS   Protocol = "TLS"
	ProtoOther Protocol = "something else"
)

// Login is one login.
type Login struct {
	User      string
	Mechanism string
	Failure   *evidence.Error
	Challenge string // what the server said before it refused a token
}

// Envelope is what became of the question about sender and recipient.
type Envelope struct {
	From, To string
	Sender   *evidence.Error // MAIL was refused
	Rcpt     *evidence.Error // RCPT was refused
	Message  *evidence.Error // the message was refused; only where one was sent
	Sent     bool
	Asked    bool // it was asked for, and not made only to see whether TLS is demanded
}

// IncomingLogin is the same login at a server for reading mail.
type IncomingLogin struct {
	Incoming
	OK    bool
	Tried bool // the password was sent
	Said  string
}

// Issuer is a missing certificate that its issuer publishes.
type Issuer struct {
	URL      string
	Subject  string
	Verifies bool // with it the chain leads to a trusted root
	Error    string
}

// Domain is what the sender's domain publishes. A nil list means not looked up, an
// empty one that there is none.
type Domain struct {
	Name    string
	SPF     []string
	DMARC   []string
	DKIM    map[string]bool // selector: it has a key
	ToName  string          // the recipient's domain
	ToKind  resolver.Kind   // why it takes no mail; "": it does, or it is not known
	Own     netip.Addr      // this machine's address towards the server, where it is one of the Internet; zero: it is not, or was not looked at
	PTR     []string        // its names; nil: not looked up
	Listed  []Listing       // on the block lists that were asked
	Checked bool
}

// Listing is an entry of a block list. RFC 5782.
type Listing struct {
	Zone   string
	What   string     // the address or the domain that is listed
	Domain bool       // it is a domain
	Code   netip.Addr // what the list says, of 127.0.0.0/8
}

// name returns the look-up for a reason, or nil.
func (f *Facts) name(why nameReason) *Name {
	for i := range f.Names {
		if f.Names[i].Why == why {
			return &f.Names[i]
		}
	}
	return nil
}

// talk returns the last conversation for a reason, or nil.
func (f *Facts) talk(why talkReason) *Talk {
	for i := len(f.Talks) - 1; i >= 0; i-- {
		if f.Talks[i].Why == why {
			return f.Talks[i]
		}
	}
	return nil
}

// connects returns the attempts for a reason.
func (f *Facts) connects(why connectReason) []Connect {
	var found []Connect
	for _, c := range f.Connects {
		if c.Why == why {
			found = append(found, c)
		}
	}
	return found
}

// reached reports whether an attempt for a reason opened a connection.
func (f *Facts) reached(why connectReason) bool {
	for _, c := range f.Connects {
		if c.Why == why && c.Outcome == Open {
			return true
		}
	}
	return false
}
