package deliver

import (
	"bufio"
	"bytes"
	"io"

	"github.com/wellsent/wellsent/internal/rewrite"
	"github.com/wellsent/wellsent/internal/route"
	"github.com/wellsent/wellsent/internal/spool"
)

// rewriting returns what becomes the route's mailbox in msg.
func rewriting(r *route.Route, msg *spool.Message) *rewrite.Rule {
	e := &msg.Envelope
	mode := r.RewriteFor(route.Question{Sender: e.From, Account: e.Account, Listener: e.Listener, Device: e.Device})
	return &rewrite.Rule{
		Mailbox:  r.From,
		Aliases:  r.Aliases,
		Envelope: mode == route.RewriteEnvelope || mode == route.RewriteBoth,
		From:     mode == route.RewriteFrom || mode == route.RewriteBoth,
	}
}

// rewritten returns the header section of msg, the fields that were added before
// it included, as the route's mailbox may send it, the rest of the message, and by
// how many octets it has grown. It closes body when it returns an error.
func rewritten(rule *rewrite.Rule, msg *spool.Message, body io.ReadCloser) (header []byte, rest io.ReadCloser, grown int64, err error) {
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(msg.Header), body))
	section, err := rewrite.ReadSection(in)
	if err != nil {
		body.Close()
		return nil, nil, 0, err
	}
	header, _ = rule.Header(section, msg.Envelope.From.IsNull())
	return header, &remainder{in, body}, int64(len(header) - len(section)), nil
}

// remainder is a body of which the begin was read.
type remainder struct {
	io.Reader
	io.Closer
}
