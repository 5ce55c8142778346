package route

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The ports of the schemes where a via names none.
const (
	PortSMTP  = 587 // message submission; RFC 6409 §3.1
	PortSMTPS = 465 // submission with TLS at once; RFC 8314 §7.3
	PortMX    = 25  // RFC 5321 §4.5.4.2
	PortHTTPS = 443 // of an interface whose host is named; RFC 9110 §4.2.2
)

// ParseVia reads a via as the configuration has it: "mx", "smtp://host",
// "smtp://host:port", "smtps://host" or "smtps://host:port"; and "graph://" or
// "gmail://", with a host and a port where it is not the usual one. The host may be
// an IP address, an IPv6 one in brackets. The error says what is wrong with it, for
// the person who wrote it.
func ParseVia(s string) (Via, error) {
	if strings.EqualFold(s, string(SchemeMX)) {
		return Via{Scheme: SchemeMX, Port: PortMX}, nil
	}
	scheme, rest, ok := strings.Cut(s, "://")
	v := Via{Scheme: Scheme(strings.ToLower(scheme))}
	switch {
	case !ok:
		return Via{}, fmt.Errorf("%q is neither mx nor smtp://HOST:PORT nor smtps://HOST:PORT", s)
	case v.Scheme == SchemeSMTP:
		v.Port = PortSMTP
	case v.Scheme == SchemeSMTPS:
		v.Port = PortSMTPS
	case v.IsAPI() && strings.TrimSuffix(rest, "/") == "":
		return v, nil
	case v.IsAPI():
		v.Port = PortHTTPS
	default:
		return Via{}, fmt.Errorf("%q: %s:// is not known; use smtp:// or smtps://, or graph:// or gmail://", s, scheme)
	}
	if strings.ContainsAny(rest, "@?#") {
		// What is before an @ may be a password, so the text is not repeated.
		return Via{}, fmt.Errorf("%s:// takes a host and a port and nothing else", v.Scheme)
	}
	rest = strings.TrimSuffix(rest, "/")
	host, port, err := splitHostPort(rest)
	if err != nil {
		return Via{}, fmt.Errorf("%q: %w", s, err)
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Via{}, fmt.Errorf("%q: port %q is not a number from 1 to 65535", s, port)
		}
		v.Port = int(n)
	}
	v.Host = host
	return v, nil
}

// splitHostPort splits "host", "host:port", "[v6]" and "[v6]:port".
func splitHostPort(s string) (host, port string, err error) {
	if in, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(s, "]") {
		host = strings.TrimSuffix(in, "]")
	} else if strings.Contains(s, ":") {
		if host, port, err = net.SplitHostPort(s); err != nil {
			return "", "", fmt.Errorf("%q is not HOST:PORT; an IPv6 address stands in brackets", s)
		}
		if port == "" {
			return "", "", fmt.Errorf("the port is missing after the colon")
		}
	} else {
		host = s
	}
	if host == "" {
		return "", "", fmt.Errorf("the host is missing")
	}
	if strings.ContainsAny(host, "/[] \t") {
		return "", "", fmt.Errorf("%q is not a host name", host)
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return "", "", fmt.Errorf("%q is not an IPv6 address", host)
		}
	}
	return host, port, nil
}

// IsAPI reports a via that takes mail over HTTPS, by token alone.
func (v Via) IsAPI() bool { return v.Scheme == SchemeGraph || v.Scheme == SchemeGmail }

// String returns the via as it is written in the configuration, always with its
// port.
func (v Via) String() string {
	switch v.Scheme {
	case SchemeSMTP, SchemeSMTPS:
		return string(v.Scheme) + "://" + net.JoinHostPort(v.Host, strconv.Itoa(v.Port))
	case SchemeGraph, SchemeGmail:
		if v.Host == "" {
			return string(v.Scheme) + "://"
		}
		return string(v.Scheme) + "://" + net.JoinHostPort(v.Host, strconv.Itoa(v.Port))
	}
	return string(v.Scheme)
}
