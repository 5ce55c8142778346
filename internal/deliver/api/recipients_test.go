package api

import (
	"io"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/smtp"
)

// TestAddressTo: the header section names the envelope's recipients and nobody
// else, and is left alone where it does.
func TestAddressTo(t *testing.T) {
	for _, c := range []struct {
		name       string
		head       string
		recipients string
		want       string
		noted      bool
	}{
		{"as it is", "Subject: x\nTo: Bob <bob@example.net>\nCc: eve@example.net\n", "bob@example.net eve@example.net",
			"Subject: x\nTo: Bob <bob@example.net>\nCc: eve@example.net\n", false},
		{"case and A-labels are the same person", "To: Bob@BÜCHER.example\n", "bob@xn--bcher-kva.example", "To: Bob@BÜCHER.example\n", false},
		{"a folded field", "To: bob@example.net,\n  eve@example.net\n", "eve@example.net bob@example.net", "To: bob@example.net,\n  eve@example.net\n", false},
		{"blind recipients", "To: bob@example.net\n", "bob@example.net cleo@example.net dan@example.net",
			"To: bob@example.net\nBcc: cleo@example.net,\n dan@example.net\n", false},
		{"a Bcc that was left in is not believed", "To: bob@example.net\nBcc: mallory@example.net\n", "bob@example.net", "To: bob@example.net\n", false},
		{"somebody else's copy", "To: \"Ann, Smith\" <ann@example.org>, Bob <bob@example.net>\n", "bob@example.net",
			"To: \"Bob\" <bob@example.net>\nX-Wellsent-Original-To: \"Ann, Smith\" <ann@example.org>, Bob <bob@example.net>\n", true},
		{"a list's address", "To: list@example.org\nCc: ann@example.org\n", "bob@example.net",
			"X-Wellsent-Original-To: list@example.org\nX-Wellsent-Original-Cc: ann@example.org\nTo: undisclosed-recipients:;\nBcc: bob@example.net\n", true},
		{"a local name", "To: root\n", "postmaster@example.org", "X-Wellsent-Original-To: root\nTo: undisclosed-recipients:;\nBcc: postmaster@example.org\n", true},
		{"a field that cannot be read", "To: bob@example.net <<eve@example.net\n", "bob@example.net",
			"X-Wellsent-Original-To: bob@example.net <<eve@example.net\nTo: undisclosed-recipients:;\nBcc: bob@example.net\n", true},
		{"a group is written out", "To: friends: bob@example.net, Eve <eve@example.net>;\n", "bob@example.net eve@example.net",
			"To: <bob@example.net>,\n \"Eve\" <eve@example.net>\n", false},
		{"a comment may hide an address", "To: bob@example.net (or eve@example.net)\n", "bob@example.net", "To: \"or eve@example.net\" <bob@example.net>\n", false},
		{"nobody named", "Subject: x\n", "bob@example.net", "Subject: x\nBcc: bob@example.net\n", false},
		{"undisclosed", "To: undisclosed-recipients: ;\n", "bob@example.net", "To: undisclosed-recipients: ;\nBcc: bob@example.net\n", false},
		{"resent", "Resent-To: mallory@example.net\nTo: bob@example.net\n", "bob@example.net", "X-Wellsent-Resent-To: mallory@example.net\nTo: bob@example.net\n", false},
		{"a blank before the colon", "To : mallory@example.net\n", "bob@example.net",
			"X-Wellsent-Original-To: mallory@example.net\nTo: undisclosed-recipients:;\nBcc: bob@example.net\n", true},
		{"two To fields", "To: bob@example.net\nTo: mallory@example.net\n", "bob@example.net", "To: bob@example.net\nX-Wellsent-Original-To: mallory@example.net\n", true},
		{"an encoded name in a charset of old", "To: =?koi8-r?Q?=C2?= <bob@example.net>\n", "bob@example.net", "To: =?koi8-r?Q?=C2?= <bob@example.net>\n", false},
		{"a lone CR", "X: y\rTo: mallory@example.net\nTo: bob@example.net\n", "bob@example.net", "X: y To: mallory@example.net\nTo: bob@example.net\n", false},
		{"a quoted local part", "To: \"b o b\"@example.net\n", `"b o b"@example.net`, "To: \"b o b\"@example.net\n", false},
	} {
		var to []smtp.Path
		if strings.HasPrefix(c.recipients, `"`) {
			to = []smtp.Path{smtp.Path(c.recipients)}
		} else {
			for _, r := range strings.Fields(c.recipients) {
				to = append(to, smtp.Path(r))
			}
		}
		head := strings.ReplaceAll(c.head, "\n", "\r\n") + "\r\n"
		got, note := addressTo([]byte(head), to)
		want := strings.ReplaceAll(c.want, "\n", "\r\n") + "\r\n"
		if string(got) != want || (note != "") != c.noted {
			t.Errorf("%s:\n%s\nwant\n%s\nnote %q", c.name, got, want, note)
		}
	}
}

// TestOpen: the content is whole.
func TestOpen(t *testing.T) {
	text := "To: bob@example.net\r\nSubject: x\r\n\r\nbody\r\n"
	m := &Mail{Recipients: []smtp.Path{"bob@example.net", "eve@example.net"}, Size: int64(len(text)),
		Content: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
	o, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(o.All())
	if want := "To: bob@example.net\r\nSubject: x\r\nBcc: eve@example.net\r\n\r\nbody\r\n"; string(all) != want {
		t.Errorf("%q", all)
	}
	m.Recipients = []smtp.Path{"bob@example.net\r\nBcc: mallory@example.net"}
	if _, err := m.Open(); err == nil || err.Reply.Code != 501 {
		t.Errorf("an address with a line end: %v", err)
	}
}

// FuzzAddressTo: whatever the header section, a reader finds no recipient in it
// that is none.
func FuzzAddressTo(f *testing.F) {
	f.Add("To: a@x.example, b@y.example\r\nCc: x\r\n\r\n")
	f.Add("To: (c@z.example) g: b@y.example;\r\nBcc: q@x.example\r\n\r\n")
	f.Add("To:\r\n c@z.example\r\n")
	f.Fuzz(func(t *testing.T, head string) {
		out, _ := addressTo([]byte(head), []smtp.Path{"b@y.example"})
		fields, _ := split(out)
		for _, x := range fields {
			switch strings.ToLower(x.name) {
			case "to", "cc", "bcc":
			default:
				continue
			}
			_, others, _ := x.addresses(func(k string) bool { return k == "b@y.example" })
			if others {
				t.Errorf("%q names others", x.raw)
			}
		}
	})
}
