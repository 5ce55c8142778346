package pebblespool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/spool"
)

// TestRecord_OfADevice: a message of no device keeps the form that every release
// reads, and one of a device comes back with it.
func TestRecord_OfADevice(t *testing.T) {
	for name, version := range map[string]byte{"": recordVersion, "scanner": deviceVersion} {
		m := &record{envelope: spool.Envelope{From: "ann@example.org", Received: time.Unix(1, 0), Peer: "10.0.0.12", Device: name}, header: []byte("X: y\r\n"), bodySize: 5, recipients: 2}
		b := m.encode()
		if b[0] != version {
			t.Errorf("%q: version %d, want %d", name, b[0], version)
		}
		got, err := decodeRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got, cmp.AllowUnexported(record{})); d != "" {
			t.Error(d)
		}
		for n := range b {
			if _, err := decodeRecord(b[:n]); err == nil {
				t.Errorf("%q: %d of %d octets are a record", name, n, len(b))
			}
		}
		if _, err := decodeRecord(append(b, 0)); err == nil {
			t.Error("what is left over is not seen")
		}
	}
}
