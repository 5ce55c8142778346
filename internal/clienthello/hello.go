package clienthello

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"slices"

	"github.com/wellsent/wellsent/internal/evidence"
)

// Hello is what a TLS client hello offers.
type Hello struct {
	Versions []string `json:"versions"`      // newest first
	Best     uint16   `json:"-"`             // the newest, as on the wire
	Name     string   `json:"sni,omitempty"` // the server's name it asked for
}

// SSL3 is the version of SSL 3.0 on the wire, which crypto/tls has no name for.
const SSL3 = 0x0300

// Newest returns the newest version offered in words: "TLS 1.0", or "nothing that
// is known".
func (h *Hello) Newest() string {
	if len(h.Versions) == 0 {
		return "nothing that is known"
	}
	return h.Versions[0]
}

// IsSSL2 reports whether b, the first octets of a client, is an SSL 2.0 hello: a
// length with the high bit set, and the message's type. RFC 6101 appendix E.1.
func IsSSL2(b []byte) bool { return len(b) > 2 && b[0]&0x80 != 0 && b[2] == messageHello }

// IsHandshake reports whether b begins a TLS handshake record.
func IsHandshake(b []byte) bool { return len(b) > 0 && b[0] == recordHandshake }

// names are the versions as people know them.
var names = map[uint16]string{
	SSL3: "SSL 3.0", tls.VersionTLS10: "TLS 1.0", tls.VersionTLS11: "TLS 1.1", tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3",
}

// The numbers of a client hello that are looked at. RFC 8446 §4.1.2, §4.2.1; 6066
// §3.
const (
	recordHandshake  = 22
	messageHello     = 1
	extensionName    = 0
	extensionVersion = 43
)

// Peek reads a TLS client hello from r without taking it, so that what
// crypto/tls would only refuse is known: the versions offered. It returns nil when
// what is there is no hello. Only the first record is looked at.
func Peek(r *bufio.Reader) *Hello {
	head, err := r.Peek(5)
	if err != nil || head[0] != recordHandshake || head[1] != 3 {
		return nil
	}
	n := int(binary.BigEndian.Uint16(head[3:]))
	record, err := r.Peek(5 + n)
	if err != nil && len(record) < 5+40 {
		return nil
	}
	return Parse(record)
}

// Parse reads the hello at the begin of b, the octets of a connection, as far as it
// is whole there. It returns nil when there is none.
func Parse(b []byte) *Hello {
	if len(b) < 5 || b[0] != recordHandshake || b[1] != 3 {
		return nil
	}
	return parseMessage(b[5:min(len(b), 5+int(binary.BigEndian.Uint16(b[3:])))])
}

// parseMessage reads the hello in a record.
func parseMessage(b []byte) *Hello {
	c := cursor{b: b}
	if c.number(1) != messageHello {
		return nil
	}
	c.number(3) // its length: what is here is what counts
	best := uint16(c.number(2))
	c.take(32)          // random
	c.take(c.number(1)) // session id
	c.take(c.number(2)) // cipher suites
	c.take(c.number(1)) // compression methods
	if c.bad {
		return nil
	}
	h := &Hello{}
	found := map[uint16]bool{}
	extensions := cursor{b: c.take(c.number(2))}
	for !extensions.bad && len(extensions.b) > 0 {
		kind := extensions.number(2)
		x := cursor{b: extensions.take(extensions.number(2))}
		switch kind {
		case extensionName:
			x.number(2)
			if x.number(1) == 0 {
				h.Name = evidence.Printable(string(x.take(x.number(2))))
			}
		case extensionVersion:
			list := cursor{b: x.take(x.number(1))}
			for len(list.b) >= 2 {
				found[uint16(list.number(2))] = true
			}
		}
	}
	if len(found) == 0 { // before TLS 1.3 the version in the hello is the best, and lower ones are understood
		for v := uint16(tls.VersionTLS10); v <= min(best, tls.VersionTLS12); v++ {
			found[v] = true
		}
		if best == SSL3 {
			found[best] = true
		}
	}
	var all []uint16
	for v := range found {
		if names[v] != "" { // others are GREASE; RFC 8701
			all = append(all, v)
			h.Best = max(h.Best, v)
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	h.Versions = []string{}
	for _, v := range all {
		h.Versions = append(h.Versions, names[v])
	}
	return h
}

// cursor reads numbers and lengths; it is bad from where it went past the end.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.bad = true
		n = len(c.b)
	}
	x := c.b[:n]
	c.b = c.b[n:]
	return x
}

func (c *cursor) number(octets int) int {
	n := 0
	for _, x := range c.take(octets) {
		n = n<<8 | int(x)
	}
	return n
}
