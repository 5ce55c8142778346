package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// The waits of one request.
const (
	connectTimeout = 30 * time.Second // an address that does not answer by then does not answer; as smtpclient
	tlsTimeout     = 1 * time.Minute  // a handshake is two round trips
	writeTimeout   = 3 * time.Minute  // one write; RFC 5321 §4.5.3.2.5
	answerTimeout  = 5 * time.Minute  // the interfaces' own gateways give up after two
	bodyTimeout    = 1 * time.Minute  // an answer is some kilobytes
	idleTimeout    = 1 * time.Minute  // a connection that waits for the next message
)

// maxAnswer is what is read of an answer, in octets.
const maxAnswer = 256 << 10

// Options are one conversation's server and who speaks to it.
type Options struct {
	Host      string // the server's name, which its certificate must bear; or its address
	Port      int    // its port
	Addresses func(ctx context.Context, host string) ([]netip.Addr, error)
	ByName    bool                                                                 // Dial is given the host's name, as a proxy looks it up; Addresses is not used
	Dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	TLSConfig *tls.Config                                                          // base; nil: the defaults. Not changed
	Roots     *x509.CertPool                                                       // nil: those of TLSConfig, else the system's
	User      string                                                               // whose mailbox sends
	// Token returns an access token; refused is one that the server has just not
	// taken, "" at first; to return it again says that it is no use to ask for another.
	// Its error says what to do and holds no secret.
	Token   func(ctx context.Context, refused string) (string, error)
	Answers time.Duration // the longest wait for an answer; 0: five minutes
}

// Client is one conversation. It is used by one goroutine.
type Client struct {
	o       Options // immutable
	http    *http.Transport
	began   time.Time
	rec     record
	address string // the address in use, or last used
}

// New returns a conversation that has not begun.
func New(o Options) *Client {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Answers == 0 {
		o.Answers = answerTimeout
	}
	c := &Client{o: o, began: time.Now()}
	c.http = &http.Transport{
		DialTLSContext:         c.dial,
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return nil, errClearText },
		DisableCompression:     true,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  o.Answers,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: 64 << 10,
		// HTTP/1.1 alone: there is one request at a time, and whether it was sent whole
		// is told by what was read of its body.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	return c
}

// errClearText is an address that begins with http.
var errClearText = errors.New("the server names an address without TLS: nothing is sent there")

// Close ends the conversation.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Address returns the address and port in use, or last used; "" before any.
func (c *Client) Address() string { return c.address }

// User returns whose mailbox sends.
func (c *Client) User() string { return c.o.User }

// Request is one request.
type Request struct {
	Method string
	URL    string // an absolute one, or a path of the conversation's host
	Type   string // of the body; "": there is none
	Size   int64  // of the body, in octets
	Body   func() (io.Reader, error)
	Header map[string]string
	Bare   bool // without the token: the address itself is the permission
	Commit bool // when it has been sent whole, the message may be on its way
}

// Response is an answer, of whatever status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // the first 256 KiB
}

// OK reports a 2xx answer.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Do makes one request. A token that is not taken is replaced once. Cancelling ctx
// ends it until a committing request has been sent whole; after that the answer is
// awaited up to its own deadline. The error is of the connection or the token; an
// answer of any status is none.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, *evidence.Error) {
	if r.Bare {
		return c.once(ctx, r, "")
	}
	token, err := c.token(ctx, "")
	if err != nil {
		return nil, err
	}
	res, err := c.once(ctx, r, token)
	if err != nil || res.Status != http.StatusUnauthorized {
		return res, err
	}
	another, err := c.token(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case another == token:
		return res, nil // it was fresh: another would be refused as well
	}
	return c.once(ctx, r, another)
}

// token returns an access token. That the sign-in service cannot be reached says
// nothing about our settings.
func (c *Client) token(ctx context.Context, refused string) (string, *evidence.Error) {
	if c.o.Token == nil {
		return "", &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageClient, Scope: evidence.ScopeRoute, Host: c.o.Host, Err: ErrNoToken}
	}
	token, err := c.o.Token(ctx, refused)
	if err == nil {
		return token, nil
	}
	if e := evidence.As(err); e != nil {
		return "", e
	}
	e := &evidence.Error{Origin: evidence.OriginLocal, Stage: evidence.StageAuth, Scope: evidence.ScopeRoute, Host: c.o.Host, Err: err}
	var outage net.Error
	switch {
	case ctx.Err() != nil:
		e.Scope, e.Err = evidence.ScopeConnection, smtpclient.ErrGivenUp
	case errors.As(err, &outage):
		e.Origin, e.Scope = evidence.OriginNetwork, evidence.ScopeHost
	}
	return "", e
}

// ErrNoToken is a route without a way to an access token.
var ErrNoToken = errors.New("the route has no access token: it needs oauth or token_command")

// once makes a request with one token.
func (c *Client) once(ctx context.Context, r *Request, token string) (*Response, *evidence.Error) {
	if ctx.Err() != nil {
		return nil, c.local(evidence.StageData, evidence.ScopeConnection, smtpclient.ErrGivenUp)
	}
	address := r.URL
	if strings.HasPrefix(address, "/") {
		address = "https://" + net.JoinHostPort(c.o.Host, strconv.Itoa(c.o.Port)) + address
	}
	// The request's own context, so that ctx ends it only while nothing may have been
	// accepted.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var whole atomic.Bool
	stop := context.AfterFunc(ctx, func() {
		if !r.Commit || !whole.Load() {
			cancel()
		}
	})
	defer stop()
	req, err := c.request(own, r, address, token, &whole)
	if err != nil {
		return nil, c.local(evidence.StageData, evidence.ScopeMessage, err)
	}
	c.rec.sent(time.Since(c.began), r.Method+" "+shown(req.URL))
	res, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, c.broken(ctx, r, whole.Load(), err)
	}
	defer res.Body.Close()
	timer := time.AfterFunc(bodyTimeout, cancel)
	defer timer.Stop()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil && res.StatusCode/100 != 2 {
		body = nil // the status says enough
	} else if err != nil && !r.Commit {
		return nil, c.broken(ctx, r, false, err)
	}
	out := &Response{Status: res.StatusCode, Header: res.Header, Body: body}
	if token != "" {
		out.Body = []byte(strings.ReplaceAll(string(body), token, "***"))
	}
	c.rec.got(time.Since(c.began), line(out))
	return out, nil
}

// request makes the HTTP request; whole becomes true when it has been sent whole.
func (c *Client) request(ctx context.Context, r *Request, address, token string, whole *atomic.Bool) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, address, nil)
	if u, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("an address that the server names cannot be read: %w", u.Err) // without it: it may be a permission
	}
	if err != nil {
		return nil, err
	}
	if r.Body != nil {
		body, err := r.Body()
		if err != nil {
			return nil, err
		}
		req.Body, req.ContentLength = io.NopCloser(&counted{r: body, left: r.Size, whole: whole}), r.Size
	} else {
		req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { whole.Store(true) }}))
	}
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Wellsent")
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// counted notes when all of a body has been read.
type counted struct {
	r     io.Reader
	left  int64
	whole *atomic.Bool
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left <= 0 {
		c.whole.Store(true)
	}
	return n, err
}

// broken returns the failure of a request that had no answer.
func (c *Client) broken(ctx context.Context, r *Request, whole bool, err error) *evidence.Error {
	var e *evidence.Error
	switch {
	case errors.As(err, &e): // of dial
		c.rec.note(time.Since(c.began), e.Error())
		return e
	case r.Commit && whole:
		e = c.network(evidence.StagePostData, evidence.ScopeMessage, err)
	case ctx.Err() != nil:
		e = c.local(evidence.StageData, evidence.ScopeConnection, smtpclient.ErrGivenUp)
	default:
		e = c.network(evidence.StageData, evidence.ScopeConnection, err)
	}
	c.rec.note(time.Since(c.began), e.Error())
	return e
}

func (c *Client) network(stage evidence.Stage, scope evidence.Scope, err error) *evidence.Error {
	return &evidence.Error{Origin: evidence.OriginNetwork, Stage: stage, Scope: scope, Host: c.o.Host, Err: err}
}

func (c *Client) local(stage evidence.Stage, scope evidence.Scope, err error) *evidence.Error {
	return &evidence.Error{Origin: evidence.OriginLocal, Stage: stage, Scope: scope, Host: c.o.Host, Err: err}
}

// shown returns an address as it may be recorded: its query may hold a token.
func shown(u *url.URL) string {
	s := u.EscapedPath()
	if u.RawQuery != "" {
		s += "?…"
	}
	return s
}
