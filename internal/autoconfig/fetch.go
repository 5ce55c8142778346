package autoconfig

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/resolver"
)

// What bounds a fetch.
const (
	fetchTimeout = 10 * time.Second // for all hops of one URL; what mail programs wait
	maxRedirects = 5
	maxHeader    = 32 << 10 // bytes of an answer's header
)

// Errors of fetches.
var (
	ErrRedirects = errors.New("it redirects too often")
	ErrDowngrade = errors.New("it redirects from HTTPS to HTTP")
)

// StatusError is an answer that is no file.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	switch e.Code {
	case http.StatusNotFound, http.StatusGone:
		return "there is no such file"
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("the server asks for a login (HTTP %d)", e.Code)
	}
	return fmt.Sprintf("the server answers HTTP %d", e.Code)
}

// NewClient returns a client for Find that looks names up with r and nowhere else,
// uses no proxy and keeps no connection. config says which certificates are
// trusted; nil: the system's roots.
func NewClient(r *resolver.Resolver, config *tls.Config) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addresses, err := r.Addresses(ctx, host)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		var failures []error
		for _, a := range addresses {
			conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
			if err == nil {
				return conn, nil
			}
			failures = append(failures, err)
		}
		return nil, errors.Join(failures...)
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: dial, TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true,
	}}
}

// fetch gets a URL, or posts to it where there is a body, and returns the answer
// and whether it came over HTTPS all the way. It follows redirects itself: to
// names only, never from HTTPS to HTTP, and with the body.
func fetch(ctx context.Context, client *http.Client, target string, body []byte) (answer []byte, secure bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	u, err := url.Parse(target)
	if err != nil {
		return nil, false, err
	}
	c := *client // its transport and its proxies, but no cookies
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	secure = true
	for range maxRedirects + 1 {
		secure = secure && u.Scheme == "https"
		answer, location, err := hop(ctx, &c, u, body)
		if err != nil || location == "" {
			return answer, secure, err
		}
		next, err := u.Parse(location)
		if err != nil {
			return nil, false, fmt.Errorf("it redirects to what is no URL: %w", err)
		}
		if u.Scheme == "https" && next.Scheme == "http" {
			return nil, false, ErrDowngrade
		}
		if err := allowed(next); err != nil {
			return nil, false, err
		}
		u = next
	}
	return nil, false, ErrRedirects
}

// allowed reports why a server may not send us to a URL: a stranger's redirect
// must not reach what only this machine or network can, and no login belongs in it.
func allowed(u *url.URL) error {
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("it redirects to the scheme %q", clip(u.Scheme))
	}
	if _, ok := hostName(u.Hostname()); !ok {
		return fmt.Errorf("it redirects to %q, which is no name of a server", clip(u.Hostname()))
	}
	if u.User != nil || u.Port() != "" && u.Port() != "443" && u.Port() != "80" {
		return errors.New("it redirects to a URL with a login or an unusual port")
	}
	return nil
}

// hop makes one request and returns its answer, or where it redirects to.
func hop(ctx context.Context, c *http.Client, u *url.URL, body []byte) (answer []byte, location string, err error) {
	method := http.MethodGet
	var reader io.Reader
	if body != nil {
		method, reader = http.MethodPost, bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("User-Agent", "Wellsent")
	request.Header.Set("Accept", "text/xml, application/xml, */*;q=0.1")
	if body != nil {
		request.Header.Set("Content-Type", "text/xml; charset=utf-8") // exactly so: some servers compare
	}
	response, err := c.Do(request)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err // the URL is said elsewhere, and holds the address
		}
		return nil, "", err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		answer, err = io.ReadAll(io.LimitReader(response.Body, maxFile+1))
		if err != nil {
			return nil, "", fmt.Errorf("read the answer: %w", err)
		}
		if len(answer) > maxFile {
			return nil, "", ErrTooLarge
		}
		if isHTML(answer) {
			return nil, "", errors.New("it answers with a web page")
		}
		return answer, "", nil
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if l := response.Header.Get("Location"); l != "" {
			return nil, l, nil
		}
	}
	return nil, "", &StatusError{Code: response.StatusCode}
}

// isHTML reports whether a server has answered with its usual page, as many do for
// every name and path.
func isHTML(answer []byte) bool {
	start := strings.ToLower(string(answer[:min(len(answer), 200)]))
	return strings.Contains(start, "<html") || strings.Contains(start, "<!doctype html")
}
