package proxyprotocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// github.com/pires/go-proxyproto would do the same and more: it wraps listeners,
// writes headers and guesses whether there is one. Reading one header strictly is
// less code than taming that.

// Header is what a header says.
type Header struct {
	Local       bool // the balancer's own connection; there are no addresses
	Unknown     bool // a client whose addresses the balancer does not know; there are none
	Source      netip.AddrPort
	Destination netip.AddrPort
}

// The bounds of a header, in octets.
const (
	maxV1 = 107     // the specification, §2.1
	maxV2 = 4 << 10 // of what follows the 16 octets; certificates are no field of it, so TLVs are short
)

// Errors of Read. Others wrap these or those of the connection.
var (
	ErrMissing   = errors.New("there is no PROXY header")
	ErrMalformed = errors.New("the PROXY header is malformed")
)

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// Read reads a header of either version.
func Read(r io.Reader) (Header, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return Header{}, err
	}
	switch first[0] {
	case 'P':
		return readV1(r)
	case signature[0]:
		return readV2(r)
	}
	return Header{}, ErrMissing // told at once: whoever speaks SMTP waits for us
}

// malformed says what is wrong.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// cut makes the end of the connection within a header a malformed one.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends in the middle")
	}
	return err
}

// readV1 reads the rest of a line in text, octet by octet, as its end is not known.
// The specification, §2.1.
func readV1(r io.Reader) (Header, error) {
	line := make([]byte, 1, maxV1)
	line[0] = 'P'
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == maxV1 {
			return Header{}, malformed("longer than %d octets", maxV1)
		}
		n := len(line)
		line = line[:n+1]
		if _, err := io.ReadFull(r, line[n:]); err != nil {
			return Header{}, cut(err)
		}
		if n < 6 && line[n] != "PROXY "[n] {
			return Header{}, ErrMissing
		}
	}
	return parseV1(string(line[:len(line)-2]))
}

// parseV1 reads "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25".
func parseV1(line string) (Header, error) {
	f := strings.Split(line, " ")
	switch {
	case len(f) >= 2 && f[1] == "UNKNOWN":
		return Header{Unknown: true}, nil // what follows is to be ignored
	case len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6":
		return Header{}, malformed("it is not PROXY TCP4|TCP6 ADDRESS ADDRESS PORT PORT")
	}
	var h Header
	for i, to := range []*netip.AddrPort{&h.Source, &h.Destination} {
		a, err := netip.ParseAddr(f[2+i])
		port, wrong := strconv.ParseUint(f[4+i], 10, 16)
		switch {
		case err != nil || a.Zone() != "" || a.Is4() != (f[1] == "TCP4"):
			return Header{}, malformed("an address is not one of %s", f[1])
		case wrong != nil || strconv.FormatUint(port, 10) != f[4+i]: // no sign, no leading zero
			return Header{}, malformed("a port is not a number from 0 to 65535")
		}
		*to = netip.AddrPortFrom(a.Unmap(), uint16(port))
	}
	return h, h.check()
}

// check refuses addresses that no TCP connection has.
func (h *Header) check() error {
	for _, a := range []netip.AddrPort{h.Source, h.Destination} {
		if a.Addr().IsUnspecified() || a.Addr().IsMulticast() {
			return malformed("%s is no address of a connection", a.Addr())
		}
	}
	return nil
}

// The parts of octets 12 and 13 of version 2. The specification, §2.2.
const (
	version2     = 0x20
	commandLocal = 0x0
	commandProxy = 0x1
	familyInet   = 0x1
	familyInet6  = 0x2
	familyUnix   = 0x3
	familyNone   = 0x0
	overStream   = 0x1
)

// readV2 reads the rest of a binary header. The specification, §2.2.
func readV2(r io.Reader) (Header, error) {
	head := make([]byte, 16, 16+maxV2)
	head[0] = signature[0]
	for n := 1; n < 12; n++ { // octet by octet, so that other things are told at once
		if _, err := io.ReadFull(r, head[n:n+1]); err != nil {
			return Header{}, cut(err)
		}
		if head[n] != signature[n] {
			return Header{}, ErrMissing
		}
	}
	if _, err := io.ReadFull(r, head[12:16]); err != nil {
		return Header{}, cut(err)
	}
	n := int(binary.BigEndian.Uint16(head[14:16]))
	if n > maxV2 {
		return Header{}, malformed("longer than %d octets", maxV2)
	}
	all := head[:16+n]
	if _, err := io.ReadFull(r, all[16:]); err != nil {
		return Header{}, cut(err)
	}
	return parseV2(all)
}

// parseV2 reads a whole header. It changes b.
func parseV2(b []byte) (Header, error) {
	if b[12]&0xf0 != version2 {
		return Header{}, malformed("version %d", b[12]>>4)
	}
	command, family, transport := b[12]&0x0f, b[13]>>4, b[13]&0x0f
	if command != commandLocal && command != commandProxy {
		return Header{}, malformed("command %d", command)
	}
	size := map[byte]int{familyNone: 0, familyInet: 12, familyInet6: 36, familyUnix: 216}
	n, ok := size[family]
	if !ok {
		return Header{}, malformed("address family %d", family)
	}
	if command == commandLocal {
		return Header{Local: true}, nil // the rest is to be discarded, whatever it is
	}
	if len(b) < 16+n {
		return Header{}, malformed("too short for its addresses")
	}
	if err := checkTLVs(b, 16+n); err != nil {
		return Header{}, err
	}
	a := b[16 : 16+n]
	var h Header
	switch {
	case family == familyNone, family == familyUnix:
		return Header{Unknown: true}, nil
	case transport != overStream:
		return Header{}, malformed("it is not about a TCP connection")
	case family == familyInet:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[0:4])), binary.BigEndian.Uint16(a[8:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[10:]))
	default:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[0:16])).Unmap(), binary.BigEndian.Uint16(a[32:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[16:32])).Unmap(), binary.BigEndian.Uint16(a[34:]))
	}
	return h, h.check()
}

// typeCRC32C is the field with the header's checksum. The specification, §2.2.3.
const typeCRC32C = 0x03

// checkTLVs looks at the form of the fields from octet at on, and at the checksum
// where there is one.
func checkTLVs(b []byte, at int) error {
	for at < len(b) {
		if len(b)-at < 3 {
			return malformed("a field is cut off")
		}
		kind, n := b[at], int(binary.BigEndian.Uint16(b[at+1:]))
		at += 3
		if len(b)-at < n {
			return malformed("a field is cut off")
		}
		if kind == typeCRC32C {
			if n != 4 {
				return malformed("a checksum of %d octets", n)
			}
			said := binary.BigEndian.Uint32(b[at:])
			clear(b[at : at+4]) // it counts as zero in the sum
			if sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)); sum != said {
				return malformed("the checksum does not fit")
			}
			binary.BigEndian.PutUint32(b[at:], said)
		}
		at += n
	}
	return nil
}
