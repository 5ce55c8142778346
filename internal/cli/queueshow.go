package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/spool"
)

func (a *app) queueShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID…",
		Short: "Show all that is known of a message: why it waits, what to do",
		Args:  args(named("the id of a message, as queue list shows it")),
		RunE: func(c *cobra.Command, ids []string) error {
			q, err := a.orders(c.Context())
			if errors.Is(err, errNoSpool) {
				return orderError("show "+printable(ids[0]), spool.ErrNotFound)
			}
			if err != nil {
				return err
			}
			defer q.close()
			return a.showMessages(c.Context(), q, ids)
		},
	}
}

// showMessages shows each message: as text one after another, as JSON one object
// for one id and a list for several.
func (a *app) showMessages(ctx context.Context, q *orders, ids []string) error {
	all := make([]*dispatch.Detail, 0, len(ids))
	for _, id := range ids {
		d, err := q.Show(ctx, id)
		if err != nil {
			return orderError("show "+printable(id), err)
		}
		d.Entries = list(d.Entries)
		for i := range d.Entries {
			d.Entries[i].Do = list(d.Entries[i].Do)
		}
		all = append(all, d)
	}
	switch {
	case a.json && len(all) == 1:
		return a.printJSON(all[0])
	case a.json:
		return a.printJSON(all)
	}
	p := a.page(a.stdout)
	now := time.Now()
	for i, d := range all {
		if i > 0 {
			p.line()
		}
		p.detail(d, now)
	}
	return p.err
}

// detail writes one message in full.
func (p *page) detail(d *dispatch.Detail, now time.Time) {
	p.line(p.strong(printable(string(d.QueueID))))
	p.field(2, "from", sender(d.From))
	p.field(2, "came", d.Received.Local().Format("2006-01-02 15:04:05 MST")+" ("+durationText(now.Sub(d.Received))+" ago)"+originWords(d))
	p.field(2, "size", bytesText(d.Size))
	for i := range d.Entries {
		p.line()
		p.recipientDetail(&d.Entries[i], now)
	}
	if d.Header != "" {
		p.line()
		p.line(p.strong("header fields added here"))
		for l := range strings.Lines(d.Header) {
			p.line("  ", printable(strings.TrimRight(l, "\r\n")))
		}
	}
}

// originWords says by whom and where a message came in.
func originWords(d *dispatch.Detail) string {
	words := ""
	if d.Account != "" {
		words += ", account " + d.Account
	}
	if d.Peer != "" {
		words += ", from " + d.Peer
	}
	words += ofDevice(d.Device)
	if d.Listener != "" {
		words += ", by " + d.Listener
	}
	if words == "" && d.From.IsNull() {
		return ", made here"
	}
	return words
}

// recipientDetail writes all that is known of one recipient.
func (p *page) recipientDetail(e *dispatch.Entry, now time.Time) {
	const indent = 2
	p.line(p.strong(printable(string(e.Address))))
	state := stateWords(e)
	switch {
	case e.Waits != "":
		state += " for " + e.Waits + ", next " + atWords(e, now)
	case !e.State.Terminal():
		state += ": " + nextWords(e, now)
	}
	p.field(indent, "state", state)
	p.field(indent, "lane", e.Lane)
	if e.Expires != nil && !e.State.Terminal() {
		p.field(indent, "until", clock(*e.Expires, now)+"; then it is given up and returned")
	}
	if e.Cause == "" && e.Reply == "" && e.Detail == "" {
		return
	}
	if e.Cause != "" {
		p.field(indent, "cause", causeWords(e))
	}
	if e.Reply != "" || e.Detail != "" {
		p.field(indent, "seen", seenWords(e))
	}
	if e.Why != "" {
		p.field(indent, "why", e.Why)
	}
	p.list("do", e.Do)
	if e.Actor != "" {
		p.field(indent, "who", who(e.Actor))
	}
	if e.Retry != "" {
		p.field(indent, "again", again(e.Retry))
	}
	if e.Unsure {
		p.field(indent, "note", "it may arrive twice: the connection died before the server's answer to the message")
	}
}

// seenWords is what the last attempt met: the server, where in the dialogue, and
// its reply or what happened instead.
func seenWords(e *dispatch.Entry) string {
	what := e.Reply
	if what == "" {
		what = e.Detail
	}
	where := e.Host
	if e.Stage != "" {
		if where != "" {
			where += ", "
		}
		where += "at " + string(e.Stage)
	}
	if where == "" {
		return what
	}
	return where + ": " + what
}
