package smtpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Policy is what a conversation demands of its security.
type Policy string

// The policies.
const (
	TLSVerified      Policy = "verified"      // TLS with a certificate for the host's name, or nothing is sent
	TLSOpportunistic Policy = "opportunistic" // TLS where offered, any certificate; else clear text
	TLSNone          Policy = "none"          // STARTTLS is not asked for
)

// Options are one conversation's server and what it demands.
type Options struct {
	Hostname  string       // our name, for EHLO
	Host      string       // the server's name, which its certificate must bear; or its address
	Port      int          // its port
	Addresses []netip.Addr // its addresses, tried in order
	ByName    bool         // Dial is given the host's name, as a proxy looks it up; Addresses are not used

	Implicit  bool           // TLS at once instead of STARTTLS; not verified unless Policy says so
	Policy    Policy         // "": TLSVerified
	TLSConfig *tls.Config    // base; nil: the defaults. Not changed
	Roots     *x509.CertPool // nil: those of TLSConfig, else the system's

	User          string // "": no login
	Password      string
	Token         string // an OAuth access token in place of the password
	PlaintextAuth bool   // credentials may go over clear text

	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	Timeouts Timeouts
}

// Client is one conversation. It is used by one goroutine.
type Client struct {
	o     Options  // immutable
	raw   net.Conn // the TCP connection; nil: closed
	conn  net.Conn // raw, or TLS over it
	br    *bufio.Reader
	out   []byte // commands that the next flush writes
	ext   Extensions
	esmtp bool // greeted with EHLO

	dirty bool // a mail transaction may be open: RSET comes before the next MAIL
	sent  int  // transactions on this connection

	secrets   []string // what must not be recorded; during AUTH only
	password  string   // the same; during AUTH only
	mechanism string   // that the last login used
	certified bool     // the server has asked for a certificate and was shown ours
	began     time.Time
	rec       recorder
	address   string // the address in use
	dials     []evidence.Dial
	tls       *evidence.TLS
	greet     string
	steps     []evidence.Step
}

// New returns a conversation that has not begun.
func New(o Options) *Client {
	if o.Policy == "" {
		o.Policy = TLSVerified
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	o.Timeouts = o.Timeouts.withDefaults()
	return &Client{o: o, began: time.Now()}
}

// Alive reports whether the connection is open as far as is known.
func (c *Client) Alive() bool { return c.raw != nil }

// Sent returns how many mail transactions this connection has had.
func (c *Client) Sent() int { return c.sent }

// Extensions returns what the server offers on the open connection.
func (c *Client) Extensions() *Extensions { return &c.ext }

// Address returns the address and port in use, or last used; "" before any.
func (c *Client) Address() string { return c.address }

// Secure reports whether the connection is under TLS.
func (c *Client) Secure() bool {
	_, ok := c.conn.(*tls.Conn)
	return ok
}

// Close ends the conversation with QUIT where the connection is open. It waits
// for the answer no longer than Timeouts.Quit; what that is changes nothing.
func (c *Client) Close() error {
	if c.raw == nil {
		return nil
	}
	ctx := context.Background()
	c.queue([]byte("QUIT"))
	if err := c.flush(ctx, c.o.Timeouts.Quit); err == nil {
		c.readReply(ctx, c.o.Timeouts.Quit)
	}
	return c.abort()
}

// abort closes the connection without a word.
func (c *Client) abort() error {
	if c.raw == nil {
		return nil
	}
	raw := c.raw
	c.raw = nil
	c.out = c.out[:0]
	return raw.Close()
}

// Record returns what the conversation has shown so far, with the failure that
// ended it, or nil. It shares nothing with the Client.
func (c *Client) Record(failure *evidence.Error) *evidence.Record {
	r := &evidence.Record{
		Version: evidence.Version, Host: c.o.Host, Port: c.o.Port,
		Addresses:  make([]string, 0, len(c.o.Addresses)),
		Dials:      append([]evidence.Dial{}, c.dials...),
		TLS:        c.tls,
		Greeting:   c.greet,
		Extensions: append([]string{}, c.ext.Lines...),
		Steps:      append([]evidence.Step{}, c.steps...),
		Lines:      c.rec.lines(),
		Dropped:    c.rec.dropped,
		Notes:      []string{},
		Failure:    evidence.Summarise(failure),
	}
	for _, a := range c.o.Addresses {
		r.Addresses = append(r.Addresses, a.String())
	}
	return r
}

// step notes how long a stage took, in place of an earlier one of the same name.
func (c *Client) step(stage evidence.Stage, since time.Time) {
	took := time.Since(since)
	for i := range c.steps {
		if c.steps[i].Stage == stage {
			c.steps[i].Took = took
			return
		}
	}
	c.steps = append(c.steps, evidence.Step{Stage: stage, Took: took})
}

// network returns a failure that the network, TLS or rubbish caused, and closes
// the connection: where it stands is unknown.
func (c *Client) network(stage evidence.Stage, scope evidence.Scope, err error) *evidence.Error {
	c.abort()
	if errors.Is(err, ErrGivenUp) {
		return c.local(stage, evidence.ScopeConnection, noReply, err)
	}
	return &evidence.Error{Origin: evidence.OriginNetwork, Stage: stage, Scope: scope, Host: c.o.Host, Err: err}
}

// refused returns a failure that the server replied.
func (c *Client) refused(stage evidence.Stage, scope evidence.Scope, r smtp.Reply) *evidence.Error {
	return &evidence.Error{Reply: r, Origin: evidence.OriginRemote, Stage: stage, Scope: scope, Host: c.o.Host}
}

// local returns a failure that we decided.
func (c *Client) local(stage evidence.Stage, scope evidence.Scope, r smtp.Reply, err error) *evidence.Error {
	return &evidence.Error{Reply: r, Origin: evidence.OriginLocal, Stage: stage, Scope: scope, Host: c.o.Host, Err: err}
}

// hostPort returns an address to dial.
func hostPort(a netip.Addr, port int) string {
	return net.JoinHostPort(a.String(), strconv.Itoa(port))
}
