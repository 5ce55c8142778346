package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/certificate"
	"github.com/wellsent/wellsent/internal/listen"
)

func (a *app) listenCommand() *cobra.Command {
	var address, name string
	var once bool
	c := &cobra.Command{
		Use:   "listen [--listen ADDR]",
		Short: "Show what a device really sends and what is wrong in it",
		Long: `Take whatever a device or a program sends, show it, and say what a strict
provider would refuse in it and what to change. Nothing is sent on, no message
is kept, and passwords are not shown. Any user name and password will do.

Point the device at this machine: the server name is this machine's address, the
port that of --listen. One port takes STARTTLS, TLS at once and no encryption.
With --json each session is one line of JSON. Ctrl-C ends it.`,
		Example: `  wellsent listen --listen :2525
  wellsent listen --once --json | jq .remarks`,
		Args: args(noArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.listen(c.Context(), address, name, once)
		},
	}
	c.Flags().StringVar(&address, "listen", "127.0.0.1:2525", "the `ADDR` to listen on; :2525 for all addresses of this machine")
	c.Flags().StringVar(&name, "name", "", "the host `NAME` for the greeting and the certificate (default this machine's)")
	c.Flags().BoolVar(&once, "once", false, "end after the first session")
	return c
}

// listen hears clients until Ctrl-C, or one with once.
func (a *app) listen(ctx context.Context, address, name string, once bool) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	if name == "" {
		name = "localhost"
		if host, err := os.Hostname(); err == nil && host != "" {
			name = host
		}
	}
	source, ca, done, err := a.listenCertificate(name)
	if err != nil {
		return err
	}
	defer done()
	l, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return errors.New(listenText(address, err))
	}
	v := &listenView{a: a, p: a.page(a.stdout)}
	p := v.p
	if a.json {
		p = a.page(a.stderr)
	}
	p.line("listening on ", p.strong(l.Addr().String()), ": point the device here; Ctrl-C ends it")
	p.line("a device that checks certificates needs ", printable(ca))
	if host, _, err := net.SplitHostPort(l.Addr().String()); err == nil && net.ParseIP(host).IsLoopback() {
		p.line("only this machine gets here; for a device on the network: --listen :2525")
	}
	server := listen.New(listen.Options{Hostname: name, TLS: source.TLSConfig(),
		Line: v.heard,
		Session: func(s *listen.Session) {
			v.ended(s)
			if once {
				stop()
			}
		}})
	if err := server.Serve(ctx, l); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return v.p.err
}

// listenCertificate returns a certificate of a private CA, the CA's file where it
// is kept, and what removes it where it is not.
func (a *app) listenCertificate(name string) (source *certificate.Source, ca string, done func(), err error) {
	dir, done := a.stateDir(), func() {}
	if dir != "" {
		dir = filepath.Join(dir, "listen")
		err = os.MkdirAll(dir, 0o700)
	}
	if dir == "" || err != nil { // nothing can be kept: a CA for this run
		if dir, err = os.MkdirTemp("", "wellsent-listen-"); err != nil {
			return nil, "", nil, fmt.Errorf("make a certificate: %w", err)
		}
		done = func() { os.RemoveAll(dir) }
	}
	source, err = certificate.Private(dir, name)
	if err != nil {
		done()
		return nil, "", nil, err
	}
	return source, filepath.Join(dir, certificate.CAFile), done, nil
}

// listenView shows sessions as they happen.
type listenView struct {
	a  *app
	mu sync.Mutex // guards the fields below
	p  *page
}

// heard shows one line of a dialogue.
func (v *listenView) heard(peer string, l listen.Line) {
	if v.a.json {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.p.line(v.p.faint(peer+" "+l.From+": "), printable(l.Text))
}

// gradeWords are how the grades of remarks begin their line.
var gradeWords = map[listen.Grade]string{listen.Refused: "✗ refused by strict providers: ", listen.Risky: "! risky: ", listen.Note: "· "}

// ended shows what is wrong with a session.
func (v *listenView) ended(s *listen.Session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.p
	if v.a.json {
		b, err := json.Marshal(s)
		if err == nil {
			_, err = v.a.stdout.Write(append(b, '\n'))
		}
		if p.err == nil {
			p.err = err
		}
		return
	}
	p.line("")
	p.line(p.strong("What " + s.Peer + " showed"))
	p.listenFacts(s)
	for _, r := range s.Remarks {
		p.line("")
		style := p.bad
		if r.Grade != listen.Refused {
			style = p.warn
		}
		for i, l := range wrap(printable(gradeWords[r.Grade]+r.What), p.width-2) {
			if i > 0 {
				l = "  " + l
			}
			p.line(style(l))
		}
		p.field(2, "why", r.Why)
		p.field(2, "do", r.Do)
		if r.Cause != "" {
			p.field(2, "cause", string(r.Cause))
		}
	}
	if len(s.Remarks) == 0 {
		p.line(p.good("✓ nothing in it that a strict provider would refuse"))
	}
	p.line("")
}

// listenFacts shows the facts of a session.
func (p *page) listenFacts(s *listen.Session) {
	tls := "never turned on"
	switch {
	case s.TLS != "" && s.Implicit:
		tls = s.TLS + ", at once"
	case s.TLS != "":
		tls = s.TLS + ", by STARTTLS"
	case s.TLSError != "":
		tls = "failed: " + s.TLSError
	}
	p.field(2, "tls", tls)
	if s.Verb != "" {
		p.field(2, "name", s.Verb+" "+s.Name)
	}
	for _, l := range s.Logins {
		text := l.Mechanism + " as " + l.User
		if l.User == "" {
			text = l.Mechanism + ", no user name seen"
		}
		p.field(2, "login", text)
	}
	if s.From != nil {
		p.field(2, "from", "<"+s.From.Path+">")
	}
	for _, to := range s.To {
		p.field(2, "to", "<"+to.Path+">")
	}
	if c := s.Content; c != nil {
		p.field(2, "mail", fmt.Sprintf("%s, longest line %d octets", bytesText(c.Octets), c.Longest))
		for _, name := range []string{"From", "Subject", "X-Mailer", "User-Agent"} {
			if v := c.Header[name]; v != "" {
				p.field(2, "", name+": "+v)
			}
		}
	}
	p.field(2, "end", s.Ended)
}
