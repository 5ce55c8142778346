package proxy

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/wellsent/wellsent/internal/cause"
)

// Kind says whose failure it was.
type Kind string

// The kinds.
const (
	Unreachable Kind = "unreachable" // the proxy itself was not reached, or broke off
	Login       Kind = "login"       // it wants a login, or another one
	Forbidden   Kind = "forbidden"   // its rules do not let it carry this connection
	Target      Kind = "target"      // it tried, and did not reach the target
	Protocol    Kind = "protocol"    // what answers is no proxy of this kind
)

// Error is a connection that a proxy would not, or could not, carry.
type Error struct {
	Proxy  string // its host and port
	Kind   Kind
	Status string // what it answered: "403 Filtered", "SOCKS reply 5"; "" where it did not
	Err    error  // what is known beside it; of Target, the system's error that it reports, where it names one

	asked bool // the request for the target was sent
}

// said says what each kind means, in front of what the proxy answered.
var said = map[Kind]string{
	Unreachable: "cannot be used",
	Login:       "proxy authentication failed",
	Forbidden:   "proxy refused to connect",
	Target:      "it could not reach the server",
	Protocol:    "this is no such proxy",
}

// Error names the proxy and what it said.
func (e *Error) Error() string {
	s := "proxy " + e.Proxy + ": " + said[e.Kind]
	if e.Status != "" {
		s += ": " + e.Status
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what is known beside the answer. The system's error of the way to
// the proxy is hidden: it says nothing about the target.
func (e *Error) Unwrap() error {
	if e.Kind == Target || errors.Is(e.Err, context.Canceled) {
		return e.Err
	}
	return nil
}

// Timeout reports whether the time was over before the target was reached.
func (e *Error) Timeout() bool {
	return e.Kind == Target && (errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, syscall.ETIMEDOUT))
}

// Temporary is for net.Error.
func (e *Error) Temporary() bool { return e.Kind == Target }

// Cause returns what the failure shows, and whether nothing else can be meant.
// What the proxy says of the target is what we would have seen without it; where it
// only says that it failed, a refusal is the likeliest.
func (e *Error) Cause() (id cause.ID, certain bool) {
	switch {
	case e.Kind != Target:
		return "net.proxy-refused", e.Kind != Unreachable
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "net.refused", true
	case errors.Is(e.Err, syscall.ENETUNREACH), errors.Is(e.Err, syscall.EHOSTUNREACH):
		return "net.unreachable", true
	case e.Timeout():
		return "net.timeout", true
	}
	return "net.refused", false
}

// Do returns the step that mends it, for the person who gave the proxy; "" where
// the cause's own steps say it.
func (e *Error) Do() string {
	switch e.Kind {
	case Unreachable:
		return "The proxy itself, " + e.Proxy + ", does not work: check its name and port, and that it runs."
	case Login:
		return "Give the proxy's user name and password, or correct them: " + e.Proxy + " does not take this login."
	case Forbidden:
		return "Have the proxy's rules on " + e.Proxy + " allow the mail port (tinyproxy: ConnectPort; Squid: SSL_ports; Dante: socks pass)."
	case Protocol:
		return "Check the kind and the port of the proxy: what answers at " + e.Proxy + " is none of this kind (socks5:// or http://)."
	}
	return ""
}

func (p *Proxy) failed(k Kind, status string, err error) *Error {
	return &Error{Proxy: p.Address(), Kind: k, Status: status, Err: err}
}

// waiting is a failure while the answer about the target was awaited.
func (p *Proxy) waiting(err error) *Error {
	e := p.failed(Unreachable, "", err)
	e.asked = true
	return e
}
