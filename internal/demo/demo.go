package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/config"
	"github.com/wellsent/wellsent/internal/daemon"
	"github.com/wellsent/wellsent/internal/dispatch"
)

// Who is who in the demonstration. The domains are those that RFC 2606 keeps for
// examples.
const (
	ann       = "ann@example.org" // has an account here; her mailbox is with the other side too
	password  = "correct horse"
	bob       = "bob@example.net" // has a mailbox on the other side
	nobody    = "bbo@example.net" // a typing mistake
	cleo      = "cleo@example.com"
	hostname  = "post.example.org"
	otherSide = "mx.example.net"
	cleosHost = "mx.example.com" // goes down and comes back
)

const (
	stepTime = 15 * time.Second        // for one thing to happen; it takes milliseconds, but machines are slow at times
	retryIn  = 1500 * time.Millisecond // the demonstration's timetable: nobody wants to watch for a minute
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Options say how Run behaves.
type Options struct {
	Once  bool // end by itself when everything has been shown
	Color bool // the output may have colours
}

// Run shows the post office on out. It returns nil when all of it worked: with
// Once at its end, else when ctx ends. What did not work is the error.
func Run(ctx context.Context, out io.Writer, o Options) error {
	dir, err := os.MkdirTemp("", "wellsent-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir, page: newPage(out, o.Color), arrivals: map[string]chan dispatch.Event{}}
	if err := d.open(); err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- d.office.Run(runCtx) }()
	defer func() {
		stop()
		d.bobs.close()
		d.cleos.close()
	}()
	if err := d.show(ctx, o); err != nil {
		stop()
		<-ended
		if ctx.Err() != nil {
			return nil // interrupted: the person has seen enough
		}
		return fmt.Errorf("the demonstration did not work: %w", err)
	}
	stop()
	return <-ended
}

// demo is one demonstration.
type demo struct {
	dir    string
	page   *page
	office *daemon.Daemon
	bobs   *town // the mail server of example.net and example.org
	cleos  *town // the mail server of example.com
	submit string
	roots  *x509.CertPool

	mu       sync.Mutex                     // guards the field below
	arrivals map[string]chan dispatch.Event // who waits for an outcome of which recipient
}

// open starts the other side and the post office.
func (d *demo) open() error {
	if err := os.Mkdir(filepath.Join(d.dir, "other-side"), 0o700); err != nil {
		return err
	}
	certs, err := certificate.Private(filepath.Join(d.dir, "other-side"), otherSide)
	if err != nil {
		return err
	}
	d.bobs = newTown(otherSide, certs.TLSConfig(), bob, ann)
	d.cleos = newTown(cleosHost, certs.TLSConfig(), cleo)
	for _, t := range []*town{d.bobs, d.cleos} {
		if err := t.start(); err != nil {
			return err
		}
	}
	data := filepath.Join(d.dir, "post-office")
	path := filepath.Join(d.dir, "wellsent.toml")
	if err := os.WriteFile(path, []byte(d.configuration(data)), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o750); err != nil {
		return err
	}
	accounts, err := auth.OpenFile(filepath.Join(data, auth.FileName))
	if err != nil {
		return err
	}
	if err := accounts.Add(ann, password, []string{ann}); err != nil {
		return err
	}
	d.office, err = daemon.Open(cfg, daemon.Options{
		Log:   slog.New(slog.DiscardHandler),
		Hooks: dispatch.Hooks{Outcome: d.happened},
	})
	if err != nil {
		return err
	}
	d.submit = d.office.Listeners()[0].Addr.String()
	ca, err := certificate.CACertificate(data)
	if err != nil {
		return err
	}
	d.roots = x509.NewCertPool()
	d.roots.AppendCertsFromPEM(ca)
	return nil
}

// configuration is the file that a person would write for this.
func (d *demo) configuration(data string) string {
	ca := filepath.Join(d.dir, "other-side", certificate.CAFile)
	return fmt.Sprintf(`hostname = %q
data = %q

[[listener]]
kind = "submission"
address = "127.0.0.1:0"

[[route]]
name = "example-com"
recipients = ["*@example.com"]
via = ["smtp://localhost:%s"]
ca = %q

[[route]]
name = "everything-else"
recipients = ["*"]
via = ["smtp://localhost:%s"]
ca = %q

[queue]
retry = ["%s"]
`, hostname, data, d.cleos.port(), ca, d.bobs.port(), ca, retryIn)
}

// happened is told of each outcome by the dispatcher.
func (d *demo) happened(e dispatch.Event) {
	d.mu.Lock()
	c := d.arrivals[string(e.Address)]
	d.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case c <- e:
	default: // nobody looks any more
	}
}

// watch returns the outcomes of mail to rcpt from now on.
func (d *demo) watch(rcpt string) <-chan dispatch.Event {
	c := make(chan dispatch.Event, 16) // more than happens within one step
	d.mu.Lock()
	d.arrivals[rcpt] = c
	d.mu.Unlock()
	return c
}

// next returns the next outcome for which want is true.
func next(ctx context.Context, c <-chan dispatch.Event, want func(dispatch.Event) bool) (dispatch.Event, error) {
	for {
		select {
		case e := <-c:
			if want(e) {
				return e, nil
			}
		case <-ctx.Done():
			return dispatch.Event{}, fmt.Errorf("nothing happened within %s", stepTime)
		}
	}
}

// tlsConfig is how a mail client trusts the post office.
func (d *demo) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: d.roots, ServerName: "localhost"}
}

// client opens a connection as a mail client does.
func (d *demo) client(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", d.submit)
}
