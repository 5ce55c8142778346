package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpserver"
)

// maxDemoMessage bounds what the other side takes, in octets.
const maxDemoMessage = 1 << 20

// town is the mail server of the other side: it takes mail for the mailboxes it
// has and refuses all others. It can be down and come back on the same port.
type town struct {
	name string
	tls  *tls.Config
	addr string // host:port, chosen at the first start

	mu        sync.Mutex // guards the fields below
	mailboxes map[smtp.Path]bool
	arrived   chan mail // has room for all the mail of the demo
	stop      func()    // nil: down
}

// mail is one message that arrived.
type mail struct {
	from, to smtp.Path
	tls      bool
	content  []byte
}

func newTown(name string, tc *tls.Config, mailboxes ...smtp.Path) *town {
	t := &town{name: name, tls: tc, mailboxes: map[smtp.Path]bool{}, arrived: make(chan mail, 64)}
	for _, m := range mailboxes {
		t.mailboxes[m] = true
	}
	return t
}

// start opens the server, on the port it had before if it had one.
func (t *town) start() error {
	addr := t.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	t.addr = l.Addr().String()
	server := smtpserver.New(smtpserver.Config{
		Hostname:       t.name,
		TLS:            t.tls,
		Handler:        t,
		MaxMessageSize: maxDemoMessage,
		MaxRecipients:  100,
		Log:            slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(ctx, l, smtpserver.Listener{Kind: smtp.KindRelay, Address: t.addr, Allow: loopback})
	}()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = func() {
		cancel()
		l.Close()
		<-done
	}
	return nil
}

// close takes the server down; its port refuses connections from then on.
func (t *town) close() {
	t.mu.Lock()
	stop := t.stop
	t.stop = nil
	t.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// port returns the port that start has chosen.
func (t *town) port() string {
	_, port, _ := net.SplitHostPort(t.addr)
	return port
}

// Authenticate refuses every login: servers of the other side ask for none.
func (t *town) Authenticate(context.Context, *smtp.Client, string, string) (string, *smtp.Reply) {
	r := smtp.NewReply(535, 7, 8, "no accounts here")
	return "", &r
}

// Mail takes any sender.
func (t *town) Mail(context.Context, *smtp.Transaction) *smtp.Reply { return nil }

// Rcpt takes the mailboxes of the town.
func (t *town) Rcpt(_ context.Context, _ *smtp.Transaction, r smtp.Recipient) *smtp.Reply {
	t.mu.Lock()
	known := t.mailboxes[r.Path]
	t.mu.Unlock()
	if known {
		return nil
	}
	no := smtp.NewReply(550, 1, 1, r.Path.String()+": Recipient address rejected: User unknown in local recipient table")
	return &no
}

// Data takes the message.
func (t *town) Data(ctx context.Context, tr *smtp.Transaction, body io.Reader) smtp.Reply {
	content, err := io.ReadAll(body)
	if err != nil {
		return smtp.NewReply(451, 3, 0, "could not read the message")
	}
	for _, r := range tr.Recipients {
		select {
		case t.arrived <- mail{from: tr.From, to: r.Path, tls: tr.Client.TLS != nil, content: bytes.Clone(content)}:
		case <-ctx.Done():
			return smtp.NewReply(421, 3, 2, "going down")
		}
	}
	return smtp.NewReply(250, 0, 0, "Ok: put into the mailbox")
}

var errNotArrived = errors.New("the mail did not arrive in time")

// await returns the next mail for to, or an error when ctx ends first. Mail for
// others that comes before it is dropped: the demo looks at one thing at a time.
func (t *town) await(ctx context.Context, to smtp.Path) (mail, error) {
	for {
		select {
		case m := <-t.arrived:
			if m.to == to {
				return m, nil
			}
		case <-ctx.Done():
			return mail{}, errNotArrived
		}
	}
}
