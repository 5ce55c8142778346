package proxy

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// maxAnswer bounds the head of a proxy's answer, in octets.
const maxAnswer = 64 << 10

// httpConnect has an HTTP proxy connect conn to the target. RFC 9110 §9.3.6.
func (p *Proxy) httpConnect(conn net.Conn, address, password string) (net.Conn, error) {
	at, err := authority(address)
	if err != nil {
		return nil, p.failed(Protocol, "", err)
	}
	request := "CONNECT " + at + " HTTP/1.1\r\nHost: " + at + "\r\n"
	if p.user != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+password)) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return nil, p.failed(Unreachable, "", err)
	}
	limited := &io.LimitedReader{R: conn, N: maxAnswer}
	br := bufio.NewReader(limited)
	r, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	var network net.Error
	switch {
	case err == nil:
	case errors.As(err, &network), errors.Is(err, syscall.ECONNRESET):
		return nil, p.waiting(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, p.waiting(closed(err))
	default:
		return nil, p.failed(Protocol, "", errors.New("it does not answer in HTTP"))
	}
	_ = r.Body.Close()
	if r.StatusCode/100 != 2 {
		return nil, p.refused(r)
	}
	if br.Buffered() == 0 {
		return conn, nil
	}
	ahead, _ := br.Peek(br.Buffered()) // what is buffered is there
	return &readAhead{Conn: conn, rest: ahead}, nil
}

// refused returns what a status means: of 4xx, the proxy's rules or its login; of
// 5xx, that it did not reach the target. RFC 9110 §15.5, §15.6, 6585 §6.
func (p *Proxy) refused(r *http.Response) *Error {
	status := printable(r.Status)
	switch {
	case r.StatusCode == http.StatusProxyAuthRequired, r.StatusCode == http.StatusNetworkAuthenticationRequired, r.StatusCode == http.StatusUnauthorized:
		switch challenge := r.Header.Get("Proxy-Authenticate"); {
		case p.user == "":
			return p.failed(Login, status, errors.New("it wants a user name and a password"))
		case challenge != "" && !offersBasic(r.Header.Values("Proxy-Authenticate")):
			return p.failed(Login, status, fmt.Errorf("it takes no Basic login, which is the only one we know, but %s", printable(challenge)))
		}
		return p.failed(Login, status, errors.New("user name or password is wrong"))
	case r.StatusCode == http.StatusGatewayTimeout:
		return p.failed(Target, status, syscall.ETIMEDOUT)
	case r.StatusCode/100 == 5:
		return p.failed(Target, status, nil)
	}
	return p.failed(Forbidden, status, nil)
}

func offersBasic(challenges []string) bool {
	for _, c := range challenges {
		if scheme, _, _ := strings.Cut(strings.TrimSpace(c), " "); strings.EqualFold(scheme, "Basic") {
			return true
		}
	}
	return false
}

// printable returns the beginning of a foreign text without control characters.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return -1
		}
		return c
	}, s)
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return strings.TrimSpace(s)
}

// authority returns a target as CONNECT has it.
func authority(address string) (string, error) {
	host, ip, port, err := hostPort(address)
	if err != nil {
		return "", err
	}
	if ip.IsValid() {
		return netip.AddrPortFrom(ip.WithZone(""), port).String(), nil
	}
	name, err := targetName(host)
	return net.JoinHostPort(name, strconv.Itoa(int(port))), err
}

// readAhead is a connection of which something was read already.
type readAhead struct {
	net.Conn
	rest []byte // owned by the reader
}

// Read reads what is left of it first.
func (c *readAhead) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
