package interop

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
)

func TestMain(m *testing.M) { os.Exit(binary.Main(m)) }

// message returns a whole message with a body of lines that mail software has
// been seen to damage.
func message(subject string, header string, lines ...string) string {
	return strings.Join(append([]string{
		"From: Ann <ann@example.org>",
		"To: <bob@recipient.test>",
		"Subject: " + subject,
		"Date: Tue, 24 Nov 2026 12:00:00 +0000",
		"Message-ID: <" + strings.ReplaceAll(subject, " ", "-") + "@example.org>",
		"MIME-Version: 1.0",
		header,
		"",
	}, lines...), "\r\n") + "\r\n"
}

// fragile are such lines.
var fragile = []string{
	".", "..", ". a dot and more", "...three dots", "",
	"From a line that mailboxes quote",
	"ends in blanks   ", "\ttabulators\t", "=3D looks encoded, =20 too =",
	strings.Repeat("x", 998), // the longest line there is. RFC 5322 §2.1.1
	"", "after an empty line, and the last are empty too", "", "",
}

const (
	textHeader = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit"
	utf8Header = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
)

// dialogue is a plain SMTP connection of a test.
type dialogue struct {
	t *testing.T
	c *textproto.Conn
}

// dial connects to a server and says EHLO.
func dial(t *testing.T, address string) *dialogue {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return converse(t, c)
}

// converse says EHLO on a connection, which it closes when the test ends.
func converse(t *testing.T, c net.Conn) *dialogue {
	t.Helper()
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	d := &dialogue{t: t, c: textproto.NewConn(c)}
	if code, text := d.read(); code != 220 {
		t.Fatalf("greeting %d %s", code, text)
	}
	d.want(250, "EHLO client.test")
	return d
}

// say sends a line and returns the reply.
func (d *dialogue) say(format string, args ...any) (code int, text string) {
	d.t.Helper()
	fmt.Fprintf(d.c.W, format+"\r\n", args...)
	if err := d.c.W.Flush(); err != nil {
		d.t.Fatal(err)
	}
	return d.read()
}

func (d *dialogue) read() (int, string) {
	d.t.Helper()
	code, text, err := d.c.ReadResponse(0)
	if code == 0 && err != nil {
		d.t.Fatal(err)
	}
	return code, text
}

// want sends a line and fails the test unless the reply has the code.
func (d *dialogue) want(code int, format string, args ...any) string {
	d.t.Helper()
	got, text := d.say(format, args...)
	if got != code {
		d.t.Fatalf("%s: %d %s; want %d", fmt.Sprintf(format, args...), got, text, code)
	}
	return text
}

// submit sends one message over a connection of its own.
func submit(t *testing.T, address, parameters, data string, to ...string) {
	t.Helper()
	d := dial(t, address)
	d.want(250, "MAIL FROM:<ann@example.org>%s", parameters)
	for _, r := range to {
		d.want(250, "RCPT TO:<%s>", r)
	}
	d.want(354, "DATA")
	w := bufio.NewWriter(d.c.W)
	for line := range strings.SplitAfterSeq(data, "\r\n") {
		if strings.HasPrefix(line, ".") {
			line = "." + line // RFC 5321 §4.5.2
		}
		w.WriteString(line)
	}
	w.Flush()
	d.want(250, ".")
	d.want(221, "QUIT")
}
