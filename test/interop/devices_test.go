package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/test/binary"
	"github.com/wellsent/wellsent/test/peers"
)

const mailbox = "relay@example.org"

// provider is a smart host that lets an account send as itself only, over TLS 1.3.
func provider(t *testing.T) *binary.Office {
	t.Helper()
	o := binary.Need(t, binary.Options{Top: "sandbox = true", Listeners: []binary.Listener{{Kind: "submission"}}})
	o.MustAddUser(t, mailbox, password)
	o.MustStart(t)
	return o
}

// deviceOffice has a scanner at 127.0.0.12, for which nearly everything is
// overlooked, and hosts at 127.0.0.1, for which nothing is.
func deviceOffice(t *testing.T, to *binary.Office) *binary.Office {
	t.Helper()
	dir := filepath.Dir(to.Config)
	writeFile(t, filepath.Join(dir, "relay.secret"), password+"\n")
	o := binary.Need(t, binary.Options{
		Listeners: []binary.Listener{{Kind: "device", More: `allow = ["127.0.0.1"]`}, {Kind: "submission"}},
		Tables: fmt.Sprintf(`
[[device]]
name = "scanner"
address = "127.0.0.12"
legacy_tls = true
bare_newlines = true
missing_brackets = true
any_hello = true
expect = "24h"

[[device]]
name = "plotter"
address = "127.0.0.13"
expect = "1ms"

[[route]]
name = "provider"
recipients = ["*"]
via = ["smtp://%s"]
user = %q
password_file = %q
ca = %q
from = %q
`, to.Address("submission"), mailbox, filepath.Join(dir, "relay.secret"), filepath.Join(to.Data, "ca.pem"), mailbox),
	})
	o.MustStart(t)
	return o
}

// deviceStatus is an element of `device list --json`, as far as it is looked at.
type deviceStatus struct {
	Name        string     `json:"name"`
	Peer        string     `json:"peer"`
	Messages    int        `json:"messages"`
	TLS         string     `json:"tls"`
	WeakTLS     *time.Time `json:"weak_tls"`
	Quirks      []string   `json:"quirks"`
	SilentSince *time.Time `json:"silent_since"`
	Failures    []struct {
		Cause string   `json:"cause"`
		What  string   `json:"what"`
		Do    []string `json:"do"`
	} `json:"failures"`
	Worries []struct {
		Kind string `json:"kind"`
	} `json:"worries"`
}

func deviceList(t *testing.T, o *binary.Office) map[string]deviceStatus {
	t.Helper()
	r := o.MustRun(t, "device", "list", "--json")
	if r.Code != 0 {
		t.Fatalf("device list: exit %d: %s", r.Code, r.Stderr)
	}
	var all []deviceStatus
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		t.Fatalf("%v: %s", err, r.Stdout)
	}
	byName := map[string]deviceStatus{}
	for _, s := range all {
		if s.Name == "" {
			s.Name = s.Peer
		}
		byName[s.Name] = s
	}
	return byName
}

// awaitFailure returns what is listed of a peer once it has failed: the client
// knows of that before the server has written it down.
func awaitFailure(t *testing.T, o *binary.Office, peer string) deviceStatus {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if s := deviceList(t, o)[peer]; len(s.Failures) > 0 {
			return s
		}
		<-tick.C
	}
	return deviceStatus{}
}

// openssl speaks SMTP with the tool that has every old protocol, from an address of
// its own, and returns what it printed.
func openssl(t *testing.T, o *binary.Office, kind, from, dialogue string, more ...string) string {
	t.Helper()
	args := append([]string{"s_client", "-quiet", "-crlf", "-connect", o.Address(kind), "-bind", from + ":0", "-CAfile", filepath.Join(o.Data, "ca.pem"), "-verify_return_error"}, more...)
	c := peers.NeedProgram(t, "openssl", args...)
	c.Stdin = strings.NewReader(dialogue)
	out, err := c.CombinedOutput()
	t.Logf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	return string(out)
}

const scan = "MAIL FROM:<scanner@lan.example>\nRCPT TO:<bob@recipient.test>\nDATA\nFrom: Scanner 2 <scanner@lan.example>\nTo: bob@recipient.test\nSubject: %s\n\n%s\n.\nQUIT\n"

// TestDevices_TLS10InAndTLS13Out: a scanner of the years of TLS 1.0 sends to a
// provider of today, and its weakness has a name.
func TestDevices_TLS10InAndTLS13Out(t *testing.T) {
	to := provider(t)
	o := deviceOffice(t, to)
	for _, c := range []struct{ name, version, ciphers string }{
		{"TLS 1.0", "-tls1", "DEFAULT@SECLEVEL=0"},
		{"TLS 1.0 with RSA key exchange", "-tls1", "AES128-SHA@SECLEVEL=0"},
		{"TLS 1.1", "-tls1_1", "DEFAULT@SECLEVEL=0"},
	} {
		subject := strings.ReplaceAll(c.name, " ", "-")
		out := openssl(t, o, "device", "127.0.0.12", "EHLO scanner\n"+fmt.Sprintf(scan, subject, "a page"), "-starttls", "smtp", c.version, "-cipher", c.ciphers)
		if !strings.Contains(out, "queued as") {
			t.Fatalf("%s: it was not taken", c.name)
		}
		arrived(t, to, subject, "\r\n\r\na page\r\n")
	}
	got := kept(t, to, "TLS-1.0")
	for _, want := range []string{
		"Return-Path: <relay@example.org>", "From: \"Scanner 2 (scanner@lan.example)\" <relay@example.org>", "Reply-To: Scanner 2 <scanner@lan.example>",
		"with ESMTPSA", "(TLS1.3)", "(TLS1.0)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the message lacks %q:\n%s", want, got)
		}
	}
	if s := deviceList(t, o)["scanner"]; s.Messages != 3 || s.WeakTLS == nil || s.TLS != "TLS 1.1" || len(s.Worries) != 1 || s.Worries[0].Kind != "weak-tls" || s.Peer != "127.0.0.12" {
		t.Errorf("%+v", s)
	}
	if text := o.MustRun(t, "device", "list").Stdout; !strings.Contains(text, "scanner at 127.0.0.12 uses TLS 1.1, which") || !strings.Contains(text, "plotter has never sent") {
		t.Errorf("device list:\n%s", text)
	}
	for _, want := range []string{`"msg":"weak encryption"`, `"tls":"TLS 1.0"`, `"device":"scanner"`, `"cause":"tls.protocol-version"`} {
		if !strings.Contains(o.Output(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}

	for _, online := range []bool{true, false} {
		if !online {
			if code, err := o.Stop(); code != 0 || err != nil {
				t.Fatalf("exit %d, %v", code, err)
			}
		}
		r := o.MustRun(t, "check", "--json")
		for _, want := range []string{`"device-weak-tls"`, `"tls.protocol-version"`, "scanner at 127.0.0.12 uses TLS 1.1", `"device-silent"`} {
			if r.Code != 1 || !strings.Contains(r.Stdout, want) {
				t.Errorf("check, server running %v: exit %d, lacks %s:\n%s%s", online, r.Code, want, r.Stdout, r.Stderr)
			}
		}
	}
	o.MustStart(t)

	// The same from a host for which nothing is overlooked, and on another listener
	// by one that is not known.
	openssl(t, o, "device", "127.0.0.1", "", "-starttls", "smtp", "-tls1", "-cipher", "DEFAULT@SECLEVEL=0")
	openssl(t, o, "submission", "127.0.0.14", "", "-starttls", "smtp", "-tls1", "-cipher", "DEFAULT@SECLEVEL=0")
	for _, peer := range []string{"127.0.0.1", "127.0.0.14"} {
		s := awaitFailure(t, o, peer)
		if len(s.Failures) == 0 || s.Failures[0].Cause != "tls.protocol-version" || !strings.Contains(s.Failures[0].What, "speaks TLS 1.0 only") || len(s.Failures[0].Do) < 2 {
			t.Errorf("%s: %+v", peer, s)
		}
	}

	// What is known is known after a restart, and without a server.
	if code, err := o.Stop(); code != 0 || err != nil {
		t.Fatalf("exit %d, %v", code, err)
	}
	if s := deviceList(t, o)["scanner"]; s.Messages != 3 || s.WeakTLS == nil {
		t.Errorf("without a server: %+v", s)
	}
	o.MustStart(t)
	if s := deviceList(t, o)["scanner"]; s.Messages != 3 {
		t.Errorf("after a restart: %+v", s)
	}
}

// TestDevices_NoManners is a device without angle brackets, with a name that is
// none and with bare newlines; a host beside it may do none of it.
func TestDevices_NoManners(t *testing.T) {
	to := provider(t)
	o := deviceOffice(t, to)
	say := func(from string) string {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
		c, err := d.DialContext(t.Context(), "tcp", o.Address("device"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprint(c, "HELO\nMAIL FROM: scanner@lan.example\nRCPT TO:bob@recipient.test\nDATA\nFrom: Scanner 2 <scanner@lan.example>\nSubject: rude\n\na page\n.\nQUIT\n")
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			b.Write(buf[:n])
			if err != nil || strings.Contains(b.String(), "\r\n500 ") {
				return b.String()
			}
		}
	}
	if got := say("127.0.0.12"); !strings.Contains(got, "queued as") {
		t.Fatalf("the device was told\n%s", got)
	}
	arrived(t, to, "rude", "\r\n\r\na page\r\n")
	if got := say("127.0.0.1"); strings.Contains(got, "queued as") || !strings.Contains(got, "500 5.5.2 A line must end in CRLF") {
		t.Errorf("a strict host was told\n%s", got)
	}
	if s := deviceList(t, o)["scanner"]; strings.Join(s.Quirks, ", ") != "bare newlines, HELO without a usable name, missing angle brackets" || s.TLS != "none" {
		t.Errorf("%+v", s)
	}
}

// kept returns the message with a subject in the sandbox.
func kept(t *testing.T, o *binary.Office, subject string) string {
	t.Helper()
	all, err := o.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if strings.Contains(m, "\nSubject: "+subject+"\r\n") {
			return m
		}
	}
	t.Fatalf("no message %s", subject)
	return ""
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
