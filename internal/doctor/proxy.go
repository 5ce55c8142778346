package doctor

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

// ProxyError is a proxy that would not, or could not, carry a connection.
type ProxyError struct {
	Proxy string // its host and port
	Err   error
}

// Error names the proxy and what it said.
func (e *ProxyError) Error() string { return "proxy " + e.Proxy + ": " + e.Err.Error() }

// Unwrap returns what the proxy said.
func (e *ProxyError) Unwrap() error { return e.Err }

// CheckProxy returns an error for what is not the URL of a proxy that is known.
func CheckProxy(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "":
		return errors.New("a proxy is given as socks5://host:port or http://host:port")
	case u.Scheme != "socks5" && u.Scheme != "socks5h" && u.Scheme != "http":
		return fmt.Errorf("a proxy is socks5://… or http://…, not %s://…", u.Scheme)
	}
	return nil
}

// dialProxy opens a connection through a proxy, which looks the name up.
func dialProxy(ctx context.Context, through string, at Endpoint) (net.Conn, error) {
	u, err := url.Parse(through)
	if err != nil {
		return nil, err
	}
	failed := func(err error) error { return &ProxyError{Proxy: u.Host, Err: err} }
	if u.Scheme == "http" {
		conn, err := httpConnect(ctx, u, at)
		if err != nil {
			return nil, failed(err)
		}
		return conn, nil
	}
	d, err := proxy.FromURL(u, &net.Dialer{})
	if err != nil {
		return nil, failed(err)
	}
	cd, ok := d.(proxy.ContextDialer)
	if !ok {
		return nil, failed(errors.New("cannot be used"))
	}
	conn, err := cd.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, failed(err)
	}
	return conn, nil
}

// httpConnect asks an HTTP proxy for a tunnel. RFC 9110 §9.3.6.
func httpConnect(ctx context.Context, u *url.URL, at Endpoint) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := "CONNECT " + at.String() + " HTTP/1.1\r\nHost: " + at.String() + "\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		_ = conn.Close()
		return nil, err
	}
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		_ = conn.Close()
		return nil, errors.New(strings.TrimSpace(resp.Status))
	}
	if br.Buffered() == 0 {
		return conn, nil
	}
	return &readAhead{Conn: conn, br: br}, nil
}

// readAhead is a connection of which something was read already.
type readAhead struct {
	net.Conn
	br *bufio.Reader
}

// Read reads what is left.
func (c *readAhead) Read(p []byte) (int, error) { return c.br.Read(p) }
