package demo

import (
	"context"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/spool"
)

// show goes through the steps.
func (d *demo) show(ctx context.Context, o Options) error {
	p := d.page
	p.title("Wellsent: a post office for outgoing mail, on this machine only")
	p.text("It takes mail from people and programs, keeps it safe until it is gone, and explains whatever stops it. " +
		"What follows really happens, between real servers on this machine. Nothing leaves it.")
	p.fact("the post office", d.submit+", takes mail from Ann after a login over TLS")
	p.fact("the other side", d.bobs.addr+", mail server of example.net, played by this program")
	p.fact("", d.cleos.addr+", mail server of example.com, played too")
	for i, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"A message arrives", d.delivered},
		{"An address with a typing mistake", d.bounced},
		{"A wrong password", d.refused},
		{"A server that is down", d.deferred},
		{"The server comes back", d.recovered},
	} {
		p.step(i+1, step.title)
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		err := step.run(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d, %q: %w", i+1, step.title, err)
		}
	}
	p.title("That was all of it: delivered, explained, kept, and nothing lost")
	if p.err != nil {
		return p.err
	}
	if o.Once {
		return nil
	}
	p.text("The post office goes on until you press Ctrl-C. Send it something yourself:")
	p.command(fmt.Sprintf("curl --ssl-reqd -k --url smtp://%s --user '%s:%s' --mail-from %s --mail-rcpt %s -T - <<< 'Subject: hello'", d.submit, ann, password, ann, bob))
	p.text("For your own mail: wellsent serve --help, and the README.")
	if p.err != nil {
		return p.err
	}
	d.report(ctx)
	return nil
}

// report prints what happens to a person's own mail until ctx ends.
func (d *demo) report(ctx context.Context) {
	outcomes := d.watch(bob)
	for {
		select {
		case e := <-outcomes:
			d.page.say(string(e.Address)+": "+string(e.State), e.Reply)
		case <-ctx.Done():
			return
		}
	}
}

// send submits a message as Ann and returns the reply to it.
func (d *demo) send(ctx context.Context, to, subject, text, password string) (string, error) {
	conn, err := d.client(ctx)
	if err != nil {
		return "", err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.StartTLS(d.tlsConfig()); err != nil {
		return "", err
	}
	if err := c.Auth(smtp.PlainAuth("", ann, password, "localhost")); err != nil {
		return "", err
	}
	if err := c.Mail(ann); err != nil {
		return "", err
	}
	if err := c.Rcpt(to); err != nil {
		return "", err
	}
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(w, "From: Ann <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\n%s\r\n", ann, to, subject, text)
	if err := w.Close(); err != nil {
		return "", err
	}
	return "250, accepted and safe on disk", c.Quit()
}

// delivered shows a message from end to end.
func (d *demo) delivered(ctx context.Context) error {
	p := d.page
	p.say("Ann sends “Lunch on Friday?” to "+bob, "")
	outcomes := d.watch(bob)
	began := time.Now()
	reply, err := d.send(ctx, bob, "Lunch on Friday?", "One o'clock, the usual place?", password)
	if err != nil {
		return err
	}
	p.good("the post office answers " + reply)
	e, err := next(ctx, outcomes, func(e dispatch.Event) bool { return e.State == spool.StateDelivered })
	if err != nil {
		return err
	}
	m, err := d.bobs.await(ctx, bob)
	if err != nil {
		return err
	}
	if !m.tls || !strings.Contains(string(m.content), "the usual place?") {
		return errors.New("what arrived is not what was sent, or came without TLS")
	}
	p.good(fmt.Sprintf("delivered to Bob's server over TLS, %s after Ann pressed Send (queue id %s)", since(began), e.QueueID))
	return nil
}

// bounced shows what Ann gets to read about an address that does not exist.
func (d *demo) bounced(ctx context.Context) error {
	p := d.page
	p.say("Ann sends the same to "+nobody, "")
	outcomes := d.watch(nobody)
	if _, err := d.send(ctx, nobody, "Lunch on Friday?", "One o'clock, the usual place?", password); err != nil {
		return err
	}
	e, err := next(ctx, outcomes, func(e dispatch.Event) bool { return e.State == spool.StateFailed })
	if err != nil {
		return err
	}
	p.bad("Bob's server refuses: " + e.Reply)
	m, err := d.bobs.await(ctx, ann)
	if err != nil {
		return fmt.Errorf("notification to Ann: %w", err)
	}
	words := humanPart(string(m.content))
	if !strings.Contains(words, nobody) {
		return errors.New("the notification does not name the recipient")
	}
	p.say("Ann finds this in her mailbox:", "")
	p.quote(words)
	return nil
}

// refused shows a login that fails, explained.
func (d *demo) refused(ctx context.Context) error {
	p := d.page
	p.say("Ann's phone still has last year's password", "")
	_, err := d.send(ctx, bob, "Lunch", "?", "last year's")
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code != 535 {
		return fmt.Errorf("the login was not refused: %v", err)
	}
	p.bad(fmt.Sprintf("refused: %d %s", reply.Code, reply.Msg))
	p.say("wellsent explain says of it:", "")
	f := explain.Text(fmt.Sprintf("%d %s", reply.Code, reply.Msg), explain.Facts{Stage: evidence.StageAuth, Host: hostname, User: ann})[0]
	if f.Cause != "auth.credentials-rejected" {
		return fmt.Errorf("explained as %q", f.Cause)
	}
	p.finding(f)
	return nil
}

// deferred shows mail for a server that is down: kept, explained, tried again.
func (d *demo) deferred(ctx context.Context) error {
	p := d.page
	d.cleos.close()
	p.say("The mail server of example.com is down, and Ann writes to "+cleo, "")
	outcomes := d.watch(cleo)
	if _, err := d.send(ctx, cleo, "Are you there?", "Hello Cleo!", password); err != nil {
		return err
	}
	e, err := next(ctx, outcomes, func(e dispatch.Event) bool { return e.State == spool.StateQueued && e.Cause != "" })
	if err != nil {
		return err
	}
	if e.Cause == "" || e.NextAttempt == nil {
		return errors.New("it waits in silence")
	}
	p.wait("kept. wellsent queue show " + string(e.QueueID) + " says:")
	p.entry(e.Entry)
	return nil
}

// recovered shows it go out by itself.
func (d *demo) recovered(ctx context.Context) error {
	p := d.page
	outcomes := d.watch(cleo)
	if err := d.cleos.start(); err != nil {
		return err
	}
	p.say("The mail server of example.com is up again; nobody does anything", "")
	began := time.Now()
	e, err := next(ctx, outcomes, func(e dispatch.Event) bool { return e.State == spool.StateDelivered })
	if err != nil {
		return err
	}
	if _, err := d.cleos.await(ctx, cleo); err != nil {
		return err
	}
	p.good(fmt.Sprintf("delivered by itself %s later (queue id %s)", since(began), e.QueueID))
	return nil
}

// since returns the time passed, as a person would say it.
func since(t time.Time) string {
	d := time.Since(t)
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// humanPart returns the first part of a notification, decoded.
func humanPart(m string) string {
	_, after, ok := strings.Cut(m, "Content-Type: text/plain")
	if !ok {
		return ""
	}
	head, body, _ := strings.Cut(after, "\r\n\r\n")
	if i := strings.Index(body, "\r\n--"); i >= 0 {
		body = body[:i]
	}
	if strings.Contains(strings.ToLower(head), "quoted-printable") {
		var b strings.Builder
		r := quotedprintable.NewReader(strings.NewReader(body))
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				break
			}
		}
		body = b.String()
	}
	return strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
}
