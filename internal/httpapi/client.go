package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/worry"
)

// answerTimeout bounds how long the server may take to begin its answer. An order
// about a million messages writes a million records first.
const answerTimeout = 5 * time.Minute

// maxAnswer bounds an answer that is one value, octets; a list is not.
const maxAnswer = 64 << 20

// Client gives orders to the server that listens on a control socket. Each call
// uses a connection of its own. Its methods return ErrNotRunning and ErrDenied
// besides what the server says.
type Client struct {
	http  *http.Client // answers within answerTimeout
	flush *http.Client // answers when it is done
}

// NewClient returns a client for the socket at path. It does not open it yet.
func NewClient(path string) *Client {
	transport := func(wait time.Duration) *http.Client {
		return &http.Client{Transport: &http.Transport{
			DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
			DisableKeepAlives:     true,
			DisableCompression:    true,
			ResponseHeaderTimeout: wait,
		}}
	}
	return &Client{http: transport(answerTimeout), flush: transport(0)}
}

// Info asks which server answers. It is also how to find out whether one runs.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var i Info
	return i, c.call(ctx, c.http, http.MethodGet, "/v1/info", nil, &i)
}

// Lanes returns the state of all lanes.
func (c *Client) Lanes(ctx context.Context) ([]dispatch.LaneStatus, error) {
	var lanes []dispatch.LaneStatus
	return lanes, c.call(ctx, c.http, http.MethodGet, "/v1/lanes", nil, &lanes)
}

// Devices returns how devices have done lately.
func (c *Client) Devices(ctx context.Context) ([]device.Status, error) {
	var devices []device.Status
	return devices, c.call(ctx, c.http, http.MethodGet, "/v1/devices", nil, &devices)
}

// Worries returns what is to be looked at.
func (c *Client) Worries(ctx context.Context) ([]worry.Worry, error) {
	var all []worry.Worry
	return all, c.call(ctx, c.http, http.MethodGet, "/v1/worries", nil, &all)
}

// Show returns one message in full, or spool.ErrNotFound.
func (c *Client) Show(ctx context.Context, id string) (*dispatch.Detail, error) {
	var d dispatch.Detail
	if err := c.call(ctx, c.http, http.MethodGet, "/v1/queue/"+url.PathEscape(id), nil, &d); err != nil {
		return nil, err
	}
	return &d, nil
}

// Retry makes recipients due at once.
func (c *Client) Retry(ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return c.order(ctx, "retry", s)
}

// Hold keeps recipients from being tried until they are resumed.
func (c *Client) Hold(ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return c.order(ctx, "hold", s)
}

// Resume ends a hold of recipients or a pause of a lane.
func (c *Client) Resume(ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return c.order(ctx, "resume", s)
}

// Cancel removes recipients without telling anybody.
func (c *Client) Cancel(ctx context.Context, s dispatch.Selection) (dispatch.Done, error) {
	return c.order(ctx, "cancel", s)
}

// Flush has every recipient that waits tried once and returns when that is done.
func (c *Client) Flush(ctx context.Context) error {
	return c.call(ctx, c.flush, http.MethodPost, "/v1/flush", struct{}{}, &struct{}{})
}

func (c *Client) order(ctx context.Context, name string, s dispatch.Selection) (dispatch.Done, error) {
	var d dispatch.Done
	return d, c.call(ctx, c.http, http.MethodPost, "/v1/queue/"+name, s, &d)
}

// List yields the entries that f selects. A list that breaks off ends in an error.
func (c *Client) List(ctx context.Context, f dispatch.Filter) iter.Seq2[dispatch.Entry, error] {
	return func(yield func(dispatch.Entry, error) bool) {
		q := url.Values{"state": f.States}
		if f.Lane != "" {
			q.Set("lane", f.Lane)
		}
		if f.ID != "" {
			q.Set("id", f.ID)
		}
		res, err := c.send(ctx, c.http, http.MethodGet, "/v1/queue?"+q.Encode(), nil)
		if err != nil {
			yield(dispatch.Entry{}, err)
			return
		}
		defer res.Body.Close()
		for d := json.NewDecoder(res.Body); ; {
			var l listLine
			switch err := d.Decode(&l); {
			case err != nil:
				yield(dispatch.Entry{}, fmt.Errorf("the list of the queue broke off: %w", unexpected(err)))
				return
			case l.End:
				return
			case l.Error != nil:
				yield(dispatch.Entry{}, l.Error.err())
				return
			case l.Entry != nil && !yield(*l.Entry, nil):
				return
			}
		}
	}
}

// call sends one request and decodes the answer into out.
func (c *Client) call(ctx context.Context, h *http.Client, method, path string, in, out any) error {
	res, err := c.send(ctx, h, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", unexpected(err))
	}
	return nil
}

// send sends one request and returns the answer, or the failure it is.
func (c *Client) send(ctx context.Context, h *http.Client, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	// The host is not used: the connection leads to one server only.
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := h.Do(req)
	if err != nil {
		// url.Error names a host that does not exist; what it wraps says enough.
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("ask the running server: %w", unexpected(err))
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&f); err != nil || f.Error.Message == "" {
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	return nil, f.Error.err()
}

// unexpected returns err, an end of the answer in its middle as what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
