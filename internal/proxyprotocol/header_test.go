package proxyprotocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// v2 makes a binary header.
func v2(command, family byte, body string) string {
	return signature + string([]byte{0x20 | command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	four = "\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\x40\x00\x19" // 192.0.2.1:40000 to 192.0.2.2:25
	tls  = "\x20\x00\x08\x07\x00\x00\x00\x00\x21\x00\x00"     // an SSL field that claims TLS and a verified client
)

var six = string(netip.MustParseAddr("2001:db8::1").AsSlice()) + string(netip.MustParseAddr("2001:db8::2").AsSlice()) + "\x9c\x40\x00\x19"

// summed adds a checksum to a header, wrong by so much.
func summed(header string, wrong uint32) string {
	n := binary.BigEndian.Uint16([]byte(header[14:16])) + 7
	b := []byte(header + "\x03\x00\x04\x00\x00\x00\x00")
	binary.BigEndian.PutUint16(b[14:], n)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))+wrong)
	return string(b)
}

func TestRead(t *testing.T) {
	const fours, sixes = "192.0.2.1:40000 192.0.2.2:25", "[2001:db8::1]:40000 [2001:db8::2]:25"
	for _, c := range []struct {
		name, in string
		want     string // source and destination, "local", or part of the error
	}{
		{"v1", "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\n", fours},
		{"v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 40000 25\r\n", sixes},
		{"v1, unknown", "PROXY UNKNOWN\r\n", "unknown"},
		{"v1, unknown with more", "PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", "unknown"},
		{"v1, mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 40000 25\r\n", fours},
		{"v1, the other family", "PROXY TCP4 2001:db8::1 192.0.2.2 40000 25\r\n", "not one of TCP4"},
		{"v1, two blanks", "PROXY TCP4  192.0.2.1 192.0.2.2 40000 25\r\n", "malformed"},
		{"v1, leading zero", "PROXY TCP4 192.0.2.1 192.0.2.2 040000 25\r\n", "a port"},
		{"v1, sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +40000 25\r\n", "a port"},
		{"v1, large port", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n", "a port"},
		{"v1, zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "not one of TCP6"},
		{"v1, UDP", "PROXY UDP4 192.0.2.1 192.0.2.2 40000 25\r\n", "TCP4|TCP6"},
		{"v1, bare newline", "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\nEHLO x\r\n", "malformed"},
		{"v1, too long", "PROXY UNKNOWN " + strings.Repeat("x", 200), "longer than 107"},
		{"v1, cut off", "PROXY TCP4 192.0.2.1", "ends in the middle"},
		{"v1, nowhere", "PROXY TCP4 0.0.0.0 192.0.2.2 40000 25\r\n", "no address of a connection"},
		{"v2", v2(1, 0x11, four), fours},
		{"v2, IPv6", v2(1, 0x21, six), sixes},
		{"v2, fields", v2(1, 0x11, four+tls), fours},
		{"v2, sum", summed(v2(1, 0x11, four+tls), 0), fours},
		{"v2, wrong sum", summed(v2(1, 0x11, four), 1), "checksum"},
		{"v2, local", v2(0, 0x00, ""), "local"},
		{"v2, local with addresses", v2(0, 0x11, four), "local"},
		{"v2, no family", v2(1, 0x00, ""), "unknown"},
		{"v2, unix", v2(1, 0x31, strings.Repeat("\x00", 216)), "unknown"},
		{"v2, UDP", v2(1, 0x12, four), "TCP"},
		{"v2, unknown family", v2(1, 0x41, four), "family 4"},
		{"v2, unknown command", v2(2, 0x11, four), "command 2"},
		{"v2, version 3", signature + "\x31\x11\x00\x0c" + four, "version 3"},
		{"v2, too short", v2(1, 0x11, four[:11]), "too short"},
		{"v2, field cut off", v2(1, 0x11, four+"\x04\x00\x05ab"), "cut off"},
		{"v2, field without length", v2(1, 0x11, four+"\x04"), "cut off"},
		{"v2, huge", signature + "\x21\x11\xff\xff", "longer than"},
		{"v2, cut off", v2(1, 0x11, four)[:20], "ends in the middle"},
		{"SMTP", "EHLO client.example.org\r\n", "no PROXY header"},
		{"POST", "POST / HTTP/1.1\r\n", "no PROXY header"},
		{"blank lines", "\r\n\r\nEHLO", "no PROXY header"},
		{"TLS", "\x16\x03\x01", "no PROXY header"},
		{"nothing", "", "EOF"},
	} {
		const rest = "220 what follows"
		r := strings.NewReader(c.in + rest)
		h, err := Read(onlyEnough{r, len(c.in)})
		got := "local"
		switch {
		case err != nil:
			got = err.Error()
		case h.Unknown:
			got = "unknown"
		case !h.Local:
			got = h.Source.String() + " " + h.Destination.String()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if left, _ := io.ReadAll(r); err == nil && string(left) != rest {
			t.Errorf("%s: %q is left, want %q", c.name, left, rest)
		}
	}
}

// onlyEnough ends after n octets, so that a header that is cut off stays so.
type onlyEnough struct {
	r *strings.Reader
	n int
}

func (o onlyEnough) Read(p []byte) (int, error) {
	if done := int(o.r.Size()) - o.r.Len(); done >= o.n {
		return 0, io.EOF
	} else if len(p) > o.n-done {
		p = p[:o.n-done]
	}
	return o.r.Read(p)
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n",
		v2(1, 0x11, four), v2(1, 0x21, six), v2(0, 0, ""), summed(v2(1, 0x11, four+tls), 0), "EHLO x\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := Read(r)
		if read := len(b) - r.Len(); read > 16+maxV2 {
			t.Fatalf("%d octets were read", read)
		}
		switch {
		case err != nil && (h != Header{}) && !errors.Is(err, ErrMalformed):
			t.Fatalf("%+v with %v", h, err)
		case err == nil && !h.Local && !h.Unknown && (!h.Source.Addr().IsValid() || h.Source.Addr().Is4In6() || h.Source.Addr().Zone() != ""):
			t.Fatalf("source %v", h.Source)
		case err == nil && h.Local && (h != Header{Local: true}), err == nil && h.Unknown && (h != Header{Unknown: true}):
			t.Fatalf("local with addresses: %+v", h)
		}
	})
}
