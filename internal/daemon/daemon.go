package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/deliver"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/gateway"
	"github.com/wellsent/wellsent/internal/httpapi"
	"github.com/wellsent/wellsent/internal/oauth"
	"github.com/wellsent/wellsent/internal/resolver"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpserver"
	"github.com/wellsent/wellsent/internal/spool"
	"github.com/wellsent/wellsent/internal/spool/pebblespool"
	"github.com/wellsent/wellsent/internal/submission"
)

// The parts of the data directory.
const (
	spoolDir   = "spool"
	sandboxDir = "sandbox"
)

// How long an orderly stop may take: 15 s in all, the promise of `serve`, with
// some left for the store's last sync.
const (
	stopSessions = 8 * time.Second // transactions in hand
	stopWorkers  = 5 * time.Second // deliveries in hand; what is cut off is tried again
)

// ErrBroken is returned by Run when the store could not be written any more.
var ErrBroken = errors.New("the spool cannot be written any more: nothing that was accepted is lost; mend the disk and start again")

// Options are the parts of a Daemon that no configuration file holds.
type Options struct {
	Log     *slog.Logger   // nil: slog.Default()
	Offline bool           // no listeners, no control socket: for orders while no server runs
	Hooks   dispatch.Hooks // told of outcomes and of lanes
	MXPort  int            // port of MX hosts; 0: 25
}

// Daemon is the whole post office of one data directory.
type Daemon struct {
	log         *slog.Logger
	data        string
	routes      atomic.Pointer[route.Table]
	store       *pebblespool.Store
	tokens      *oauth.Sources
	certificate string                                         // the operator's own; "": the private CA's
	clients     atomic.Pointer[map[string]*certificate.Client] // that routes show, by their names
	patience    time.Duration                                  // how long mail may wait unannounced
	accounts    *auth.Accounts
	certs       *certificate.Source
	dispatcher  *dispatch.Dispatcher
	submission  *submission.Service
	server      *smtpserver.Server
	listeners   []Listening
	control     net.Listener
	devices     atomic.Pointer[device.Set]
	book        *device.Book // nil: offline
}

// Listening is one open listener.
type Listening struct {
	Kind smtp.ListenerKind
	Addr net.Addr // as opened: a configured port 0 is a real one here

	socket net.Listener
	spec   smtpserver.Listener
}

// ListenError is a listener that could not be opened.
type ListenError struct {
	Address string // as configured
	Err     error
}

// Error returns the address and the system's reason.
func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap returns the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// Open makes the post office that cfg describes, up to its open sockets. Errors
// are for the operator: spool.ErrLocked when another process has the data
// directory, *ListenError for a socket, else what is wrong with which file. The
// caller calls Run or Close.
func Open(cfg *config.Config, o Options) (*Daemon, error) {
	d := &Daemon{log: o.Log, data: cfg.Data}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.devices.Store(cfg.DeviceSet())
	d.certificate, d.patience = cfg.TLS.Certificate, cfg.Queue.WarnAfter
	d.tokens = oauth.New(cfg.Data, oauth.Options{Log: d.log})
	routes, attach, err := d.routeTable(cfg)
	if err != nil {
		return nil, err
	}
	attach()
	d.routes.Store(routes)
	d.watchClients(cfg)
	// The group may enter: the control socket is for it. Everything else in the
	// directory has modes of its own.
	if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	file, err := auth.OpenFile(filepath.Join(cfg.Data, auth.FileName))
	if err != nil {
		return nil, err
	}
	if d.accounts, err = auth.New(file, cfg.Users); err != nil {
		return nil, err
	}
	if err := d.setOutside(cfg); err != nil {
		return nil, err
	}
	if err := d.openStore(cfg, o); err != nil {
		return nil, err
	}
	if o.Offline {
		return d, nil
	}
	if err := d.openServer(cfg); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// openStore opens the spool and what works on it.
func (d *Daemon) openStore(cfg *config.Config, o Options) error {
	var err error
	d.store, err = pebblespool.Open(filepath.Join(cfg.Data, spoolDir), pebblespool.Options{
		Watch: func(dest spool.Destination, due time.Time) { d.dispatcher.Wake(dest, due) },
		Log:   d.log,
	})
	if err != nil {
		return err
	}
	out := deliver.New(deliver.Options{
		Hostname:   cfg.Hostname,
		Resolver:   resolver.New(resolver.Options{Servers: cfg.Resolver.Servers}),
		SandboxDir: filepath.Join(cfg.Data, sandboxDir),
		MXPort:     o.MXPort,
		Listening:  d.listening,
		Log:        d.log,
	})
	d.dispatcher = dispatch.New(dispatch.Options{
		Store:        d.store,
		Routes:       d.routes.Load,
		Open:         out.Open,
		Hostname:     cfg.Hostname,
		Retry:        cfg.Queue.Retry,
		WarnAfter:    cfg.Queue.WarnAfter,
		ExpireAfter:  cfg.Queue.ExpireAfter,
		Postmaster:   cfg.Bounces.Postmaster,
		BouncesRoute: cfg.Bounces.Route,
		Log:          d.log,
		Hooks:        o.Hooks,
	})
	return nil
}

// openServer opens the listeners, the certificate first, and the control socket.
func (d *Daemon) openServer(cfg *config.Config) error {
	var err error
	if cfg.TLS.Certificate != "" {
		d.certs, err = certificate.Files(cfg.TLS.Certificate, cfg.TLS.Key)
	} else {
		d.certs, err = certificate.Private(cfg.Data, cfg.Hostname)
	}
	if err != nil {
		return err
	}
	d.certs.SetLog(d.log)
	for _, w := range d.certs.Warnings() {
		d.log.Warn("certificate", "warning", w)
	}
	d.submission = submission.New(submission.Options{
		Hostname: cfg.Hostname,
		Store:    d.store,
		Routes:   d.routes.Load,
		Accounts: d.accounts,
		Settings: settings(cfg),
		Log:      d.log,
		NewID:    spool.NewQueueID,
	})
	d.book = device.Open(cfg.Data, d.log)
	d.book.Know(d.devices.Load())
	d.server = smtpserver.New(smtpserver.Config{
		Hostname:              cfg.Hostname,
		TLS:                   d.certs.TLSConfig(),
		Handler:               d.submission,
		MaxMessageSize:        cfg.Limits.MessageSize,
		MaxRecipients:         cfg.Limits.Recipients,
		ConnectionsPerAddress: cfg.Limits.ConnectionsPerAddress,
		Log:                   d.log,
		Room:                  d.store.Room,
		Exchange:              d.submission.Exchange,
		SCRAMForAll:           d.accounts.SCRAMForAll,
		Ended:                 d.book.Note,
		Devices:               d.devices.Load,
		Shared:                gateway.Watch(gateway.Read),
	})
	for _, l := range cfg.Listeners {
		socket, err := net.Listen("tcp", l.Address)
		if err != nil {
			return &ListenError{Address: l.Address, Err: err}
		}
		d.listeners = append(d.listeners, Listening{Kind: l.Kind, Addr: socket.Addr(), socket: socket, spec: smtpserver.Listener{
			Kind: l.Kind, Address: l.Address, Allow: l.Allow, ProxyProtocol: l.ProxyProtocol, XClient: l.XClient,
			LegacyTLS: l.LegacyTLS, PlaintextAuth: l.PlaintextAuth, BareNewlines: l.BareNewlines, AllowGateway: l.AllowGateway,
			Mechanisms: l.Mechanisms, ClientCA: l.ClientCA,
		}})
	}
	d.control, err = httpapi.Listen(filepath.Join(cfg.Data, httpapi.SocketName))
	return err
}

// settings are what submission takes from the configuration.
func settings(cfg *config.Config) submission.Settings {
	s := submission.Settings{Senders: map[string][]string{}, Devices: map[string][]string{}, Aliases: cfg.Aliases.Names, AliasDefault: cfg.Aliases.Default,
		WarnAfter: cfg.Queue.WarnAfter, ExpireAfter: cfg.Queue.ExpireAfter}
	for _, l := range cfg.Listeners {
		s.Senders[l.Address] = l.Senders
	}
	for i := range cfg.Devices {
		s.Devices[cfg.Devices[i].Name] = cfg.Devices[i].Senders
	}
	return s
}

// Devices returns how the devices, and the peers that are none and failed, have
// done lately.
func (d *Daemon) Devices() []device.Status {
	return device.Report(d.devices.Load(), d.book.Records(), time.Now())
}

// Dispatcher returns the dispatcher, for orders.
func (d *Daemon) Dispatcher() *dispatch.Dispatcher { return d.dispatcher }

// Listeners returns the open listeners in the order of the configuration.
func (d *Daemon) Listeners() []Listening { return d.listeners }

// listening returns the addresses of our own listeners: mail must not be sent
// there.
func (d *Daemon) listening() []netip.AddrPort {
	var all []netip.AddrPort
	for _, l := range d.listeners {
		if a, err := netip.ParseAddrPort(l.Addr.String()); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// Reload takes routes, accounts, devices and certificates from cfg. What needs another
// start (listeners, hostname, data directory, limits) is left as it is. When it
// returns an error nothing has changed.
func (d *Daemon) Reload(cfg *config.Config) error {
	routes, attach, err := d.routeTable(cfg)
	if err != nil {
		return err
	}
	// Each of these changes nothing when it fails; the certificates first, for they
	// are read again by themselves anyway.
	if d.certs != nil {
		if err := d.certs.Reload(); err != nil {
			return err
		}
	}
	if err := d.accounts.SetConfigured(cfg.Users); err != nil {
		return err
	}
	if err := d.setOutside(cfg); err != nil {
		return err // config has made the same before, so it does not come to that
	}
	attach()
	d.routes.Store(routes)
	d.watchClients(cfg)
	d.submission.SetSettings(settings(cfg))
	d.devices.Store(cfg.DeviceSet())
	d.book.Know(d.devices.Load())
	d.dispatcher.Reloaded(context.Background()) // it writes a lane's record at most
	d.log.Info("configuration reloaded", "file", cfg.Path, "routes", len(routes.Routes))
	return nil
}

// Run serves until ctx ends and then stops in order. It closes the store before
// it returns. It returns ErrBroken when the store failed, nil after an orderly
// stop.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The dispatcher goes on while sessions end, so it has a context of its own.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	var sessions, workers errgroup.Group
	for _, l := range d.listeners {
		sessions.Go(func() error { return d.server.Serve(work, l.socket, l.spec) })
	}
	workers.Go(func() error { return d.dispatcher.Run(work) })
	workers.Go(func() error { return d.watch(work) })
	workers.Go(func() error { return d.book.Run(work) })
	workers.Go(func() error {
		s := httpapi.NewServer(d.dispatcher, d.log)
		s.Devices, s.Worries = d.Devices, d.Worries
		return s.Serve(work, d.control)
	})

	var err error
	select {
	case <-ctx.Done():
	case <-d.store.Broken():
		err = ErrBroken
	}
	d.log.Info("stopping")
	end, endSessions := context.WithTimeout(context.Background(), stopSessions)
	if d.server.Shutdown(end) != nil {
		// Theirs to send again, and no failure of ours: one client that hangs must not
		// make every stop a failed one.
		d.log.Warn("clients cut off: they did not finish their message in time", "waited", stopSessions.String())
	}
	endSessions()
	stopWork()
	err = errors.Join(err, sessions.Wait())
	if ended, workersErr := waitFor(&workers, stopWorkers); !ended {
		d.log.Warn("deliveries cut off: they did not end in time and are tried again at the next start", "waited", stopWorkers.String())
	} else {
		err = errors.Join(err, workersErr)
	}
	d.log.Info("stopped")
	return err
}

// waitFor waits for g, no longer than limit, and reports whether it has ended. What
// has not by then is cut off by the end of the process, which is safe at any
// instant.
func waitFor(g *errgroup.Group, limit time.Duration) (ended bool, err error) {
	done := make(chan error, 1) // buffered: the waiter may have gone
	go func() { done <- g.Wait() }()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case err := <-done:
		return true, err
	case <-t.C:
		return false, nil
	}
}

// Close closes sockets and store. It may be called more than once.
func (d *Daemon) Close() error {
	d.tokens.Close()
	var errs []error
	for _, l := range d.listeners {
		if err := l.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.control != nil {
		if err := d.control.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if err := d.store.Close(); err != nil && !errors.Is(err, spool.ErrClosed) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
