package gmail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
)

// Host is where the Gmail API answers, Port its port.
const (
	Host = "gmail.googleapis.com"
	Port = 443
)

// What a request may carry.
const (
	MaxSize   = int64(36_700_160) // octets of a message: the maxSize of users.messages.send
	maxSimple = 5_000_000         // octets of a message in one upload: "5 MB or less"
	chunk     = 32 * 256 << 10    // octets of one piece: multiples of 256 KiB
)

// maxResumes is how often one upload goes on after its line broke.
const maxResumes = 3

// Client sends by the Gmail API. It is used by one goroutine.
type Client struct {
	*api.Client
	host string
	path string
}

// New returns a conversation that has not begun.
func New(o api.Options) *Client {
	if o.Host == "" {
		o.Host = Host
	}
	if o.Port == 0 {
		o.Port = Port
	}
	return &Client{Client: api.New(o), host: o.Host, path: "/upload/gmail/v1/users/" + url.PathEscape(o.User) + "/messages/send"}
}

// Send sends one message. users.messages.send.
func (c *Client) Send(ctx context.Context, m *api.Mail) *api.Answer {
	return m.Hand(c.host, "the Gmail API", MaxSize, func(raw []byte) *api.Answer {
		if len(raw) <= maxSimple {
			return c.simple(ctx, raw)
		}
		return c.resumable(ctx, raw)
	})
}

// simple sends a message in one upload.
func (c *Client) simple(ctx context.Context, raw []byte) *api.Answer {
	res, err := c.Do(ctx, &api.Request{Method: "POST", URL: c.path + "?uploadType=media", Type: "message/rfc822", Commit: true,
		Size: int64(len(raw)), Body: func() (io.Reader, error) { return bytes.NewReader(raw), nil }})
	switch {
	case err != nil:
		return &api.Answer{Err: err}
	case !res.OK():
		return c.refused(res, true)
	}
	return taken(res)
}

func taken(res *api.Response) *api.Answer {
	return &api.Answer{Reply: api.Accepted(res.Status, "taken by the Gmail API")}
}

// resumable sends a message by an upload session.
func (c *Client) resumable(ctx context.Context, raw []byte) *api.Answer {
	res, err := c.Do(ctx, &api.Request{Method: "POST", URL: c.path + "?uploadType=resumable",
		Header: map[string]string{"X-Upload-Content-Type": "message/rfc822", "X-Upload-Content-Length": strconv.Itoa(len(raw))}})
	switch {
	case err != nil:
		return &api.Answer{Err: err}
	case !res.OK():
		return c.refused(res, false)
	}
	session, perr := url.Parse(res.Header.Get("Location"))
	if perr != nil || session.Scheme != "https" || session.Hostname() != c.host {
		// The token goes with every piece, so it goes to this host alone.
		return c.refused(&api.Response{Status: http.StatusInternalServerError, Body: []byte("the upload session has no address at this host under https")}, false)
	}
	return c.pieces(ctx, session.String(), raw)
}

// pieces puts a message to its session, piece by piece.
func (c *Client) pieces(ctx context.Context, session string, raw []byte) *api.Answer {
	resumes := 0
	for at := 0; ; {
		piece := raw[at:min(at+chunk, len(raw))]
		last := at+len(piece) == len(raw)
		res, err := c.put(ctx, session, piece, fmt.Sprintf("bytes %d-%d/%d", at, at+len(piece)-1, len(raw)), last)
		if err == nil && res.OK() {
			return taken(res)
		}
		if err == nil && res.Status == http.StatusPermanentRedirect { // 308 Resume Incomplete
			if next := received(res, len(raw)); next > at {
				at = next
				continue
			}
			res.Status = http.StatusServiceUnavailable // it takes nothing
		}
		failure := c.failure(res, err, last)
		if resumes++; resumes > maxResumes || ctx.Err() != nil || !again(res, err) {
			return failure
		}
		// What has come is known to the server alone.
		now, ask := c.put(ctx, session, nil, fmt.Sprintf("bytes */%d", len(raw)), false)
		switch {
		case ask == nil && now.OK():
			return taken(now) // the answer was lost, not the message
		case ask == nil && now.Status == http.StatusPermanentRedirect:
			at = received(now, len(raw))
		default:
			return failure
		}
	}
}

// put makes one request of an upload session.
func (c *Client) put(ctx context.Context, session string, piece []byte, contentRange string, last bool) (*api.Response, *evidence.Error) {
	r := &api.Request{Method: "PUT", URL: session, Commit: last, Header: map[string]string{"Content-Range": contentRange}}
	if piece != nil {
		r.Type, r.Size, r.Body = "message/rfc822", int64(len(piece)), func() (io.Reader, error) { return bytes.NewReader(piece), nil }
	}
	return c.Do(ctx, r)
}

// failure returns the answer that a piece's failure is.
func (c *Client) failure(res *api.Response, err *evidence.Error, last bool) *api.Answer {
	switch {
	case err != nil:
		return &api.Answer{Err: err}
	case res.Status == http.StatusNotFound: // the session has run out; of a mailbox that is not there the first request tells
		e := api.Verdict{Code: 451, Subject: 3, Detail: 0, Stage: evidence.StageData, Scope: evidence.ScopeHost}.Error(api.ProblemOf(res), c.host)
		e.Cause = "server.temporary-failure"
		return &api.Answer{Reply: e.Reply, Err: e}
	}
	return c.refused(res, last)
}

// again reports a failure after which an upload may go on.
func again(res *api.Response, err *evidence.Error) bool {
	if err != nil {
		return err.Origin == evidence.OriginNetwork
	}
	return res.Status >= 500 && res.Status != http.StatusServiceUnavailable
}

// received returns how many of size octets a 308 answer says that the session has; 0
// where it says what cannot be: whoever has all of them answers otherwise.
func received(res *api.Response, size int) int {
	_, to, ok := strings.Cut(strings.TrimPrefix(res.Header.Get("Range"), "bytes="), "-")
	n, err := strconv.Atoi(to)
	if !ok || err != nil || n < 0 || n >= size-1 {
		return 0 // none
	}
	return n + 1
}

// refused returns the answer that a refusal is. commit says that the request was
// the one that sends.
func (c *Client) refused(res *api.Response, commit bool) *api.Answer {
	p := api.ProblemOf(res)
	err := judge(p, commit).Error(p, c.host)
	return &api.Answer{Reply: err.Reply, Err: err, RetryAfter: api.RetryAfter(res, time.Now())}
}
