package graph

import (
	"bytes"
	"strings"
	"testing"
)

const filler = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"

// TestTakeApart: what is taken out, and what is not.
func TestTakeApart(t *testing.T) {
	long := strings.Repeat(filler, 20)
	attachment := "Content-Type: application/zip\r\nContent-Disposition: attachment; filename=a.zip\r\n\r\n" + long
	for _, c := range []struct {
		name  string
		raw   string
		files string // names, "" where it cannot be done
		rest  string
	}{
		{"mixed", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n" + attachment + "\r\n--x--\r\n", "a.zip", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"},
		{"the only part", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + attachment + "\r\n--x--\r\n", "a.zip",
			"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\r\n--x--\r\n"},
		{"the whole message", "Subject: scan\r\n" + attachment, "a.zip", "Subject: scan\r\n\r\n"},
		{"a message", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n" + long + "\r\n--x--\r\n", "attachment.eml", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"},
		{"a picture in a form of the text", "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\nContent-Type: multipart/related; boundary=xy\r\n\r\n--xy\r\nContent-Type: text/html\r\n\r\n<p>\r\n--xy\r\nContent-Type: image/png; name=p.png\r\nContent-ID: <p>\r\n\r\n" + long + "\r\n--xy--\r\n--x--\r\n", "", ""},
		{"long text", "Content-Type: text/plain\r\n\r\n" + long, "", ""},
		{"no type", "Subject: x\r\n\r\n" + long, "", ""},
		{"signed", "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n" + attachment + "\r\n--x--\r\n", "", ""},
		{"signed within", "Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n" + attachment + "\r\n--x--\r\n--y--\r\n", "", ""},
		{"encrypted", "Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\n" + long, "", ""},
		{"without an end", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n" + attachment, "", ""},
		{"an unknown encoding", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: x-uuencode\r\n" + attachment + "\r\n--x--\r\n", "", ""},
	} {
		rest, files, ok := takeApart([]byte(c.raw), 1000)
		var names []string
		for _, f := range files {
			names = append(names, f.name)
			if !bytes.Contains(f.content, []byte(filler)) {
				t.Errorf("%s: %s has %d octets", c.name, f.name, len(f.content))
			}
		}
		if got := strings.Join(names, " "); got != c.files || ok != (c.files != "") || ok && string(rest) != c.rest {
			t.Errorf("%s: %q %v\n%q", c.name, got, ok, rest)
		}
	}
}

// FuzzTakeApart: what is left is never longer than asked for, and no panic.
func FuzzTakeApart(f *testing.F) {
	f.Add("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nt\r\n--x\r\nContent-Type: a/b; name=c\r\n\r\nddddddddddddddd\r\n--x--\r\n")
	f.Add("Content-Type: a/b; name=c\r\n\r\nddddddddddddddddddddddddddddddddddddddddddddd")
	f.Fuzz(func(t *testing.T, raw string) {
		rest, files, ok := takeApart([]byte(raw), 100)
		if ok && len(files) == 0 && string(rest) != raw {
			t.Errorf("changed for nothing: %q", rest)
		}
	})
}
