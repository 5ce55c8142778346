package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/url"
	"time"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Host is where Graph answers, outside the national clouds. Port is its port.
const (
	Host = "graph.microsoft.com"
	Port = 443
)

// What a request may carry. Graph speaks of 4 MB for a request and of 3 MB for an
// attachment in one, and does not say which megabytes: the smaller are meant here.
const (
	maxMIME   = 3_000_000          // octets of a message in one request: base64 makes them 4,000,000
	minUpload = 3_000_000          // octets of an attachment from which on it is uploaded
	chunk     = 12 * 320 << 10     // octets of one piece of an upload: multiples of 320 KiB, below 4 MB
	MaxSize   = int64(150_000_000) // octets of all; what a tenant allows is mostly 35 MB
)

// Client sends by Graph. It is used by one goroutine.
type Client struct {
	*api.Client
	host string
	base string // path of the mailbox: "/v1.0/users/ann@example.org"
}

// New returns a conversation that has not begun.
func New(o api.Options) *Client {
	if o.Host == "" {
		o.Host = Host
	}
	if o.Port == 0 {
		o.Port = Port
	}
	return &Client{Client: api.New(o), host: o.Host, base: "/v1.0/users/" + url.PathEscape(o.User)}
}

// Send sends one message.
func (c *Client) Send(ctx context.Context, m *api.Mail) *api.Answer {
	return m.Hand(c.host, "Microsoft Graph", MaxSize, func(raw []byte) *api.Answer {
		if len(raw) <= maxMIME {
			return c.whole(ctx, raw)
		}
		return c.inPieces(ctx, raw, m)
	})
}

// whole sends a message in one request. user: sendMail, in MIME form.
func (c *Client) whole(ctx context.Context, raw []byte) *api.Answer {
	res, err := c.Do(ctx, &api.Request{Method: "POST", URL: c.base + "/sendMail", Type: "text/plain", Commit: true,
		Size: encodedLen(raw), Body: encoded(raw)})
	switch {
	case err != nil:
		return &api.Answer{Err: err}
	case !res.OK():
		return c.refused(res, true)
	}
	return &api.Answer{Reply: api.Accepted(res.Status, "taken by Microsoft Graph"+requestID(res))}
}

// encoded returns a body in base64.
func encoded(raw []byte) func() (io.Reader, error) {
	return func() (io.Reader, error) {
		return bytes.NewReader(base64.StdEncoding.AppendEncode(nil, raw)), nil
	}
}

// requestID returns the id by which Microsoft's support finds a request.
func requestID(r *api.Response) string {
	if id := r.Header.Get("request-id"); id != "" {
		return ", request-id " + evidence.Clip(evidence.Printable(id), 64)
	}
	return ""
}

// refused returns the answer that a refusal is. commit says that the request was
// the one that sends.
func (c *Client) refused(res *api.Response, commit bool) *api.Answer {
	p := api.ProblemOf(res)
	err := judge(p, commit).Error(p, c.host)
	return &api.Answer{Reply: err.Reply, Err: err, RetryAfter: api.RetryAfter(res, time.Now())}
}

func encodedLen(raw []byte) int64 { return int64(base64.StdEncoding.EncodedLen(len(raw))) }
