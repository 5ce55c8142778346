package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/net/idna"
)

// golang.org/x/net/proxy speaks SOCKS too, but keeps the reply's code in the text
// of its error only, and the code is what tells the proxy's refusal from the
// target's.

// The octets of SOCKS 5. RFC 1928 §3–§6, 1929 §2.
const (
	socksVersion  = 5
	socksLogin    = 1 // the version of RFC 1929
	socksConnect  = 1
	methodNone    = 0
	methodUser    = 2
	methodNoMatch = 0xff
	typeIPv4      = 1
	typeName      = 3
	typeIPv6      = 4
)

// socksReply is what a reply's code says. RFC 1928 §6.
type socksReply struct {
	kind  Kind
	words string
	errno error // nil: it names none
}

var socksReplies = map[byte]socksReply{
	1: {Target, "general SOCKS server failure", nil},
	2: {Forbidden, "connection not allowed by ruleset", nil},
	3: {Target, "network unreachable", syscall.ENETUNREACH},
	4: {Target, "host unreachable", syscall.EHOSTUNREACH},
	5: {Target, "connection refused", syscall.ECONNREFUSED},
	6: {Target, "TTL expired", syscall.ETIMEDOUT},
	7: {Forbidden, "command not supported", nil},
	8: {Forbidden, "address type not supported", nil},
}

// socksConnect has a SOCKS proxy connect conn to the target. RFC 1928.
func (p *Proxy) socksConnect(conn net.Conn, address, password string) error {
	request, err := socksRequest(address)
	if err != nil {
		return p.failed(Protocol, "", err)
	}
	methods := []byte{socksVersion, 1, methodNone}
	if p.user != "" {
		methods = []byte{socksVersion, 2, methodNone, methodUser}
	}
	if _, err := conn.Write(methods); err != nil {
		return p.failed(Unreachable, "", err)
	}
	var choice [2]byte
	if _, err := io.ReadFull(conn, choice[:]); err != nil {
		return p.failed(Unreachable, "", closed(err))
	}
	if choice[0] != socksVersion {
		return p.failed(Protocol, "", errors.New("it does not answer in SOCKS 5"))
	}
	switch {
	case choice[1] == methodNone:
	case choice[1] == methodUser && p.user != "":
		if err := p.socksLogin(conn, password); err != nil {
			return err
		}
	case choice[1] == methodNoMatch && p.user == "":
		return p.failed(Login, "no acceptable authentication method", errors.New("it wants a user name and a password"))
	case choice[1] == methodNoMatch:
		return p.failed(Login, "no acceptable authentication method", errors.New("it takes neither none nor user name and password"))
	default:
		return p.failed(Protocol, fmt.Sprintf("authentication method %d", choice[1]), errors.New("it was not offered"))
	}
	if _, err := conn.Write(request); err != nil {
		return p.failed(Unreachable, "", err)
	}
	return p.socksAnswer(conn)
}

// socksLogin gives user name and password. RFC 1929 §2.
func (p *Proxy) socksLogin(conn net.Conn, password string) error {
	b := append([]byte{socksLogin, byte(len(p.user))}, p.user...)
	b = append(append(b, byte(len(password))), password...)
	if _, err := conn.Write(b); err != nil {
		return p.failed(Unreachable, "", err)
	}
	var status [2]byte
	if _, err := io.ReadFull(conn, status[:]); err != nil {
		// Some close without a word, though RFC 1929 §2 wants the status first.
		return p.failed(Login, "", closed(err))
	}
	if status[1] != 0 {
		return p.failed(Login, fmt.Sprintf("SOCKS login status %d", status[1]), errors.New("user name or password is wrong"))
	}
	return nil
}

// socksAnswer reads the reply to CONNECT, and no octet more. RFC 1928 §6.
func (p *Proxy) socksAnswer(conn net.Conn) error {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return p.waiting(closed(err))
	}
	if head[0] != socksVersion {
		return p.failed(Protocol, "", errors.New("it does not answer in SOCKS 5"))
	}
	if head[1] != 0 {
		r, ok := socksReplies[head[1]]
		if !ok {
			r = socksReply{kind: Target, words: "unknown reply"}
		}
		return p.failed(r.kind, fmt.Sprintf("SOCKS reply %d (%s)", head[1], r.words), r.errno)
	}
	var rest int // the address that it connected from, which nobody wants
	switch head[3] {
	case typeIPv4:
		rest = 4
	case typeIPv6:
		rest = 16
	case typeName:
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return p.waiting(closed(err))
		}
		rest = int(n[0])
	default:
		return p.failed(Protocol, "", fmt.Errorf("its reply has the unknown address type %d", head[3]))
	}
	if _, err := io.ReadFull(conn, make([]byte, rest+2)); err != nil {
		return p.waiting(closed(err))
	}
	return nil
}

// socksRequest returns the request for a connection. RFC 1928 §4.
func socksRequest(address string) ([]byte, error) {
	host, ip, port, err := hostPort(address)
	if err != nil {
		return nil, err
	}
	b := []byte{socksVersion, socksConnect, 0}
	switch {
	case ip.Is4():
		a := ip.As4()
		b = append(append(b, typeIPv4), a[:]...)
	case ip.Is6():
		a := ip.WithZone("").As16()
		b = append(append(b, typeIPv6), a[:]...)
	default:
		name, err := targetName(host)
		if err != nil {
			return nil, err
		}
		b = append(append(b, typeName, byte(len(name))), name...)
	}
	return append(b, byte(port>>8), byte(port)), nil
}

// targetName returns a name as it is given to a proxy: in ASCII, and without what
// would end its place in the request.
func targetName(host string) (string, error) {
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || name == "" || len(name) > 255 {
		name = host // odd names, with underscores, exist
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '@' || c == '?' || c == '#' {
			return "", errors.New("the server's name is not a host name")
		}
	}
	if name == "" || len(name) > 255 {
		return "", errors.New("the server's name is not a host name")
	}
	return name, nil
}

// closed says in plain words that the other end closed.
func closed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it closed the connection without an answer")
	}
	return err
}

var _ net.Error = (*Error)(nil)
