package deliver

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// Resolver looks up where mail goes; *resolver.Resolver is one.
type Resolver interface {
	MX(ctx context.Context, domain string) ([]resolver.MX, error)
	Addresses(ctx context.Context, host string) ([]netip.Addr, error)
}

// Options are what all conversations share.
type Options struct {
	Hostname   string // our name, for EHLO and against loops
	Resolver   Resolver
	SandboxDir string                                                               // the maildir of routes whose via is the sandbox; made when needed
	MXPort     int                                                                  // of mail exchangers; 0: that of the via
	Dial       func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	TLSConfig  *tls.Config                                                          // base; nil: the defaults
	Listening  func() []netip.AddrPort                                              // our own listeners, against loops; nil: none
	Timeouts   smtpclient.Timeouts                                                  // zero: RFC 5321's
	Log        *slog.Logger                                                         // nil: slog.Default()
}

// Deliverer opens conversations. It is used by many goroutines at once.
type Deliverer struct {
	o        Options // immutable
	standIns standIns
	big      chan struct{} // one for each big message in memory; capacity bigAtOnce
}

// New returns a Deliverer. It opens nothing yet.
func New(o Options) *Deliverer {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Deliverer{o: o, big: make(chan struct{}, bigAtOnce)}
}

// Open returns a conversation with the next hop of r, which for MX is that of
// domain. It opens no connection: the first Send does.
func (d *Deliverer) Open(r *route.Route, domain string) Conversation {
	if len(r.Via) > 0 && r.Via[0].Scheme == route.SchemeSandbox {
		return &sandbox{dir: d.o.SandboxDir, hostname: d.o.Hostname}
	}
	return &conversation{d: d, route: r, domain: strings.ToLower(domain)}
}
