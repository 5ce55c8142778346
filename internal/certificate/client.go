package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// Client is a certificate with its key that is shown to servers, from files that
// are read again when they change. All methods may be called by many goroutines at
// once.
type Client struct {
	cert, key string           // immutable
	now       func() time.Time // immutable

	mu      sync.Mutex // guards the fields below
	stamp   pairStamp  // of the files as they were read
	current *tls.Certificate
}

// ForServers reads a certificate, with its issuers behind it, and its key, both in
// PEM form. An error says what is wrong with which file.
func ForServers(cert, key string) (*Client, error) {
	c := &Client{cert: cert, key: key, now: time.Now}
	if _, err := c.Get(); err != nil {
		return nil, err
	}
	return c, nil
}

// Get returns the present certificate. Files that have changed and cannot be used
// are an error only until the old certificate expires: half a renewal must not stop
// mail. The caller does not change what it gets.
func (c *Client) Get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp := pairStamp{cert: stampOf(c.cert), key: stampOf(c.key)}
	if c.current != nil && stamp == c.stamp {
		return c.current, nil
	}
	next, err := load(c.cert, c.key, c.now())
	if err != nil {
		if c.current != nil && c.now().Before(c.current.Leaf.NotAfter) {
			return c.current, nil // the stamp stays old, so that it is looked at again
		}
		return nil, err
	}
	c.stamp, c.current = stamp, &next.leaves[0]
	return c.current, nil
}

// NotAfter returns when the present certificate expires.
func (c *Client) NotAfter() (time.Time, error) {
	cert, err := c.Get()
	if err != nil {
		return time.Time{}, err
	}
	return cert.Leaf.NotAfter, nil
}

// Warnings returns what is wrong with the present certificate though it can be
// shown: that it has expired or will within within, is not valid yet, or may not be
// used for this.
func (c *Client) Warnings(within time.Duration) []string {
	cert, err := c.Get()
	if err != nil {
		return []string{err.Error()}
	}
	const day = "2006-01-02"
	var w []string
	now, leaf := c.now(), cert.Leaf
	switch {
	case now.After(leaf.NotAfter):
		w = append(w, fmt.Sprintf("%s expired on %s: servers will refuse it; put a renewed certificate in its place, it is then used without a restart", c.cert, leaf.NotAfter.Format(day)))
	case leaf.NotAfter.Sub(now) < within:
		w = append(w, fmt.Sprintf("%s expires on %s: put a renewed certificate in its place, it is then used without a restart", c.cert, leaf.NotAfter.Format(day)))
	case now.Before(leaf.NotBefore):
		w = append(w, fmt.Sprintf("%s is valid from %s only: check the clock of this machine", c.cert, leaf.NotBefore.Format(day)))
	}
	if !forClients(leaf) {
		w = append(w, c.cert+" is for servers only (extended key usage): many servers refuse it from a client; request one for client authentication")
	}
	return w
}

// forClients reports whether a certificate may prove a client. RFC 5280 §4.2.1.12:
// without the extension it may be used for anything.
func forClients(leaf *x509.Certificate) bool {
	if len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) == 0 {
		return true
	}
	for _, u := range leaf.ExtKeyUsage {
		if u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}
