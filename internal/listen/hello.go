package listen

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"slices"

	"github.com/wellsent/wellsent/internal/evidence"
)

// names are the versions as people know them.
var names = map[uint16]string{
	0x0300: "SSL 3.0", tls.VersionTLS10: "TLS 1.0", tls.VersionTLS11: "TLS 1.1", tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3",
}

// The numbers of a client hello that are looked at. RFC 8446 §4.1.2, §4.2.1; 6066
// §3.
const (
	recordHandshake  = 22
	messageHello     = 1
	extensionName    = 0
	extensionVersion = 43
)

// peekHello reads a TLS client hello from r without taking it, so that what
// crypto/tls would only refuse is known: the versions offered. It returns nil when
// what is there is no hello. Only the first record is looked at.
func peekHello(r *bufio.Reader) *Hello {
	head, err := r.Peek(5)
	if err != nil || head[0] != recordHandshake || head[1] != 3 {
		return nil
	}
	n := int(binary.BigEndian.Uint16(head[3:]))
	record, err := r.Peek(5 + n)
	if err != nil && len(record) < 5+40 {
		return nil
	}
	return parseHello(record[5:])
}

// parseHello reads the hello in a record, as far as it is whole.
func parseHello(b []byte) *Hello {
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
		if best == 0x0300 {
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
