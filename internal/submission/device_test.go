package submission

import (
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/spool/memspool"
)

// TestSenders_OfADevice: a device that is known by its address may send as its own
// senders say, one that logs in as both its account and they do.
func TestSenders_OfADevice(t *testing.T) {
	for _, c := range []struct {
		setup, device, header, want string
	}{
		{"host 10.0.0.5:25\nfrom fax@example.org", "fax", "fax@example.org", ""},
		{"host 10.0.0.5:25\nfrom scan@example.org", "fax", "", "553 5.7.1 "},
		{"host 10.0.0.5:25\nfrom scan@example.org", "other", "", ""}, // the listener's
		{"host 10.0.0.5:25\nfrom fax@example.org", "fax", "boss@example.org", "550 5.7.1 "},
		{"host 10.0.0.5:25\nfrom scan@example.org", "gone", "", "421 4.3.0 "}, // by a reload: not free to send as anybody
		{"account app\nfrom fax@example.org", "gone", "", "421 4.3.0 "},
		{"account app\nfrom fax@example.org", "fax", "fax@example.org", ""},
		{"account app\nfrom scan@example.org", "fax", "", "553 5.7.1 "},
		{"account ann\nfrom fax@example.org", "fax", "", "553 5.7.1 "}, // not ann's
	} {
		store := memspool.New(memspool.Options{})
		o := options(store)
		o.Settings.Devices = map[string][]string{"fax": {"fax@example.org"}, "other": nil}
		s := New(o)
		tr := transaction(t, c.setup)
		tr.Client.Device = c.device
		got := ""
		if r := s.Mail(t.Context(), tr); r != nil {
			got = r.String()
		} else if c.header != "" {
			if r := s.Data(t.Context(), tr, strings.NewReader("From: "+c.header+"\r\n\r\nx\r\n")); !r.Positive() {
				got = r.String()
			} else if m, err := store.Get(t.Context(), "1hq8k2m4abcde"); err != nil || m.Envelope.Device != c.device {
				t.Errorf("%+v, %v", m, err)
			}
		}
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%q as %s: %q, want %q", c.setup, c.device, got, c.want)
		}
	}
}
