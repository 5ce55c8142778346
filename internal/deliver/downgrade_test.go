package deliver

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
)

const mimeHead = "MIME-Version: 1.0\r\nSubject: x\r\n"

func TestDowngrade(t *testing.T) {
	for _, c := range []struct{ name, in, want, note string }{
		{"7-bit stays", mimeHead + "\r\nabc\r\n", mimeHead + "\r\nabc\r\n", ""},
		{"no MIME stays", "Subject: x\r\n\r\nGrüße\r\n", "Subject: x\r\n\r\nGrüße\r\n", noteNoMIME},
		{"DKIM stays", "DKIM-Signature: v=1\r\n" + mimeHead + "\r\nGrüße\r\n", "DKIM-Signature: v=1\r\n" + mimeHead + "\r\nGrüße\r\n", noteSigned},
		{"text", mimeHead + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n.\r\n",
			mimeHead + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n.\r\n", ""},
		{"folded encoding", mimeHead + "Content-Transfer-Encoding:\r\n 8bit\r\nX: y\r\n\r\nü\r\n", mimeHead + "Content-Transfer-Encoding: quoted-printable\r\nX: y\r\n\r\n=C3=BC\r\n", ""},
		{"no encoding named", mimeHead + "\r\nü\r\n", mimeHead + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n", ""},
		{"binary", mimeHead + "Content-Type: application/x\r\n\r\n\xff\xfe\r\n", mimeHead + "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n//4NCg==\r\n", ""},
		{"parts", mimeHead + "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nprä\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<ü>\r\n--b--\r\nepi\r\n",
			mimeHead + "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\npr??\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<=C3=BC>\r\n--b--\r\nepi\r\n", ""},
		{"signed stays", mimeHead + "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nü\r\n--b--\r\n", mimeHead + "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nü\r\n--b--\r\n", noteSigned},
		{"a message within", mimeHead + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\n\r\nü\r\n",
			mimeHead + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n", ""},
	} {
		got, note := downgrade([]byte(c.in))
		if string(got) != c.want || note != c.note {
			t.Errorf("%s:\n%q, %q, want\n%q, %q", c.name, got, note, c.want, c.note)
		}
	}
}

// decoded returns the decoded contents of all leaves of a message.
func decoded(t *testing.T, header mail.Header, body io.Reader) (leaves []string) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil && strings.HasPrefix(kind, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err != nil {
				return leaves
			}
			leaves = append(leaves, decoded(t, mail.Header(p.Header), p)...)
		}
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return []string{"error"}
	}
	return []string{string(b)}
}

func FuzzDowngrade(f *testing.F) {
	f.Add([]byte("ü\r\nabc \r\n=\r\n"), "text/plain")
	f.Add([]byte("--b\r\n\r\nü\r\n--b--\r\n"), "multipart/mixed; boundary=b")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r"), nil), []byte("\n"), []byte("\r\n"))
		if strings.ContainsAny(kind, "\r\n") {
			return
		}
		msg := append([]byte(mimeHead+"Content-Type: "+kind+"\r\n\r\n"), body...)
		got, note := downgrade(bytes.Clone(msg))
		if note == "" && eightBit(got) && strings.HasPrefix(kind, "text/") {
			if h, _ := splitEntity(got); !eightBit(h) {
				t.Fatalf("still 8-bit: %q", got)
			}
		}
		if kind != "text/plain" || len(body) == 0 || !utf8Lines(body) {
			return
		}
		a, errA := mail.ReadMessage(bytes.NewReader(msg))
		b, errB := mail.ReadMessage(bytes.NewReader(got))
		if errA != nil || errB != nil {
			return
		}
		x, y := decoded(t, a.Header, a.Body), decoded(t, b.Header, b.Body)
		if strings.Join(x, "|") != strings.Join(y, "|") {
			t.Fatalf("%q became %q", x, y)
		}
	})
}

// utf8Lines keeps to content on which decoders agree: quoted-printable readers
// drop blanks at the end of lines that were not encoded.
func utf8Lines(b []byte) bool {
	return !bytes.Contains(b, []byte(" \r\n")) && !bytes.Contains(b, []byte("\t\r\n")) && bytes.HasSuffix(b, []byte("\r\n"))
}
