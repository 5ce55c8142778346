package smtpserver

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
)

var localhost = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// with configures devices and returns what sessions showed.
func with(devices ...device.Device) (change func(*Config), ended chan device.Session) {
	ended = make(chan device.Session, 10)
	return func(c *Config) {
		c.Devices = func() *device.Set { return device.NewSet(devices) }
		c.Ended = func(s device.Session) { ended <- s }
	}, ended
}

const (
	deviceHello = "C: EHLO client.example\nS: 250-post.example.org\nS: 250-PIPELINING\nS: 250-SIZE 1000\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250-ENHANCEDSTATUSCODES\nS: 250-DSN\nS: 250-STARTTLS\n"
	noLogin     = "S: 250 HELP\n"
	oneMail     = "C: MAIL FROM:<scan@lan.example>\nS: 250 2.1.0 Ok\nC: RCPT TO:<bob@example.net>\nS: 250 2.1.5 Ok\nC: DATA\nS: 354 ...\nC: hello\nC: .\nS: 250 2.0.0 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n"
)

// TestDevice_Leniencies: what a device may, and what its session then shows; a host
// on the same listener that is no device may not.
func TestDevice_Leniencies(t *testing.T) {
	for _, c := range []struct {
		name    string
		lenient device.Leniency
		text    string // with the device
		strict  string // without
		quirk   string
		cause   cause.ID // without
	}{
		{"missing brackets", device.Leniency{MissingBrackets: true},
			deviceHello + noLogin + "C: MAIL FROM:scan@lan.example\nS: 250 2.1.0 Ok\nC: RCPT TO: bob@example.net\nS: 250 2.1.5 Ok\nC: DATA\nS: 354 ...\nC: hello\nC: .\nS: 250 2.0.0 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n",
			deviceHello + noLogin + "C: MAIL FROM:scan@lan.example\nS: 501 5.5.4 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n", "missing angle brackets", "sender.address-invalid"},
		{"no name", device.Leniency{AnyHello: true},
			"C: HELO\nS: 250 post.example.org\n" + oneMail, "C: HELO\nS: 501 5.5.4 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n", "HELO without a usable name", "sender.bad-helo"},
		{"no HELO", device.Leniency{AnyHello: true}, oneMail, "C: MAIL FROM:<scan@lan.example>\nS: 503 5.5.1 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n", "no HELO", ""},
		{"garbage for a name", device.Leniency{AnyHello: true},
			"C: HELO " + strings.Repeat("?", 300) + "\nS: 250 post.example.org\n" + oneMail, "C: HELO " + strings.Repeat("?", 300) + "\nS: 501 5.5.4 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n", "HELO without a usable name", "sender.bad-helo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := Listener{Kind: smtp.KindDevice, Address: ":25", Allow: localhost}
			change, ended := with(device.Device{Name: "scanner", Addresses: localhost, Leniency: c.lenient})
			_, addr, tc, _ := start(t, spec, change)
			play(t, addr, tc, greeted+c.text)
			if s := <-ended; s.Device != "scanner" || s.Messages != 1 || s.Failure != nil || strings.Join(s.Quirks, ",") != c.quirk {
				t.Errorf("%+v", s)
			}
			change, ended = with()
			_, addr, tc, _ = start(t, spec, change)
			play(t, addr, tc, greeted+c.strict)
			if s := <-ended; s.Device != "" || s.Failure == nil || s.Failure.Cause != c.cause || len(s.Quirks) > 0 {
				t.Errorf("%+v", s.Failure)
			}
		})
	}
}

// TestDevice_BareNewlines has lines that end in LF alone, in commands and message.
func TestDevice_BareNewlines(t *testing.T) {
	for _, lenient := range []bool{true, false} {
		change, ended := with(device.Device{Name: "scanner", Addresses: localhost, Leniency: device.Leniency{BareNewlines: lenient}})
		_, addr, _, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25"}, change)
		conn := dial(t, addr)
		fmt.Fprint(conn, "HELO scanner\nMAIL FROM:<a@b.example>\nRCPT TO:<b@c.example>\nDATA\nSubject: x\n\ntext\n.\nQUIT\n")
		if !lenient {
			conn.Close()
		}
		s := <-ended
		if lenient && (s.Messages != 1 || strings.Join(s.Quirks, ",") != "bare newlines") || !lenient && (s.Messages != 0 || s.Failure == nil || s.Failure.Cause != "message.bare-lf") {
			t.Errorf("lenient %v: %+v, %+v", lenient, s, s.Failure)
		}
	}
}

// TestDevice_SmugglesNothing: a device that ends its commands in CRLF passes on what
// others write, and no lone LF or CR in it ends the message and begins another.
func TestDevice_SmugglesNothing(t *testing.T) {
	const second = "MAIL FROM:<eve@evil.example>%sRCPT TO:<bob@c.example>%sDATA%ssmuggled"
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\n.\r", "\r\n.\r", "\r.\n"} {
		for _, eol := range []string{"\r\n", "\n"} {
			if eol == "\n" && !strings.HasPrefix(end, "\r.") {
				continue // a device whose lines end in LF adds a dot there
			}
			change, ended := with(device.Device{Name: "app", Addresses: localhost, Leniency: device.Leniency{BareNewlines: true}})
			_, addr, _, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25"}, change)
			conn := dial(t, addr)
			text := "EHLO app|MAIL FROM:<a@b.example>|RCPT TO:<b@c.example>|DATA|Subject: x||hello" + end + fmt.Sprintf(second, eol, eol, eol) + "|.|QUIT|"
			fmt.Fprint(conn, strings.ReplaceAll(text, "|", eol))
			if s := <-ended; s.Messages != 1 || s.Failure != nil {
				t.Errorf("%q with commands that end in %q: %d messages, %+v", end, eol, s.Messages, s.Failure)
			}
		}
	}
}

// TestDevice_EndsItsMessageOtherwise: what then stands in its way is said.
func TestDevice_EndsItsMessageOtherwise(t *testing.T) {
	change, ended := with(device.Device{Name: "app", Addresses: localhost, Leniency: device.Leniency{BareNewlines: true}})
	_, addr, _, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25"}, func(c *Config) {
		change(c)
		c.Timeouts.DataBlock = 50 * time.Millisecond
	})
	fmt.Fprint(dial(t, addr), "EHLO app\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\nDATA\r\nhello\n.\r\n")
	if s := <-ended; s.Failure == nil || s.Failure.Cause != "message.bare-lf" || s.Messages != 0 {
		t.Errorf("%+v, %+v", s, s.Failure)
	}
}

// TestDevice_LegacyTLS: the floor of TLS is the device's alone.
func TestDevice_LegacyTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		for _, lenient := range []bool{true, false} {
			change, ended := with(device.Device{Name: "scanner", Addresses: localhost, Leniency: device.Leniency{LegacyTLS: lenient}})
			_, addr, tc, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25"}, change)
			old := tc.Clone()
			old.MinVersion, old.MaxVersion = version, version
			if lenient {
				play(t, addr, old, greeted+deviceHello+noLogin+"C: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+strings.Replace(deviceHello, "S: 250-STARTTLS\n", "", 1)+noLogin+oneMail)
				if s := <-ended; s.TLS != version || s.Messages != 1 || s.Failure != nil {
					t.Errorf("%+v", s)
				}
				continue
			}
			conn := dial(t, addr)
			fmt.Fprint(conn, "EHLO x\r\n")
			readTo(t, conn, "250 HELP\r\n")
			fmt.Fprint(conn, "STARTTLS\r\n")
			readTo(t, conn, "start TLS\r\n")
			if err := tls.Client(conn, old).Handshake(); err == nil {
				t.Error("it was let in")
			}
			s := <-ended
			if s.Failure == nil || s.Failure.Cause != "tls.protocol-version" || !strings.Contains(s.Failure.What, "speaks "+tls.VersionName(version)) {
				t.Errorf("%+v", s.Failure)
			}
		}
	}
}

func readTo(t *testing.T, conn interface{ Read([]byte) (int, error) }, end string) {
	t.Helper()
	var got []byte
	b := make([]byte, 1)
	for !strings.HasSuffix(string(got), end) {
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, b[0])
	}
}

// TestDevice_ByAccount: a device behind any address is known by its login, and a
// password without TLS is remarked on.
func TestDevice_ByAccount(t *testing.T) {
	change, ended := with(device.Device{Name: "nas", Account: "Ann"}, device.Device{Name: "old", Addresses: localhost, Leniency: device.Leniency{PlaintextAuth: true}})
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission, Address: ":587"}, change)
	play(t, addr, tc, greeted+deviceHello+"S: 250-AUTH PLAIN LOGIN\nS: 250 HELP\n"+loggedIn+oneMail)
	if s := <-ended; s.Device != "nas" || s.Account != "ann" || !s.Plain || s.Messages != 1 {
		t.Errorf("%+v", s)
	}
	change, ended = with(device.Device{Name: "nas", Account: "ann"})
	_, addr, tc, _ = start(t, Listener{Kind: smtp.KindSubmission, Address: ":587"}, change)
	play(t, addr, tc, greeted+deviceHello+noLogin+"C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 538 5.7.11 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n")
	if s := <-ended; s.Plain || s.Failure == nil || s.Failure.Cause != "auth.encryption-required" {
		t.Errorf("%+v, %+v", s, s.Failure)
	}
}

// TestDevice_MayLogInOnADeviceListener: many send no mail without their login.
func TestDevice_MayLogInOnADeviceListener(t *testing.T) {
	change, ended := with(device.Device{Name: "copier", Addresses: localhost, Account: "ann", Leniency: device.Leniency{PlaintextAuth: true}})
	_, addr, tc, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25"}, change)
	play(t, addr, tc, greeted+deviceHello+"S: 250-AUTH PLAIN LOGIN\nS: 250 HELP\n"+loggedIn+oneMail)
	if s := <-ended; s.Device != "copier" || !s.Plain || s.Messages != 1 {
		t.Errorf("%+v", s)
	}
	play(t, addr, tc, greeted+deviceHello+"S: 250-AUTH PLAIN LOGIN\nS: 250 HELP\n"+oneMail)
	if s := <-ended; s.Device != "copier" || s.Plain || s.Messages != 1 {
		t.Errorf("%+v", s)
	}
}

// TestGateway_AddressAloneIsNotEnough: an allowed address that everybody may have
// makes no open relay; a login does, and so does saying that it is meant.
func TestGateway_AddressAloneIsNotEnough(t *testing.T) {
	shared := func(a netip.Addr) string {
		if a == localhost[0].Addr() {
			return "it is the gateway of this container"
		}
		return ""
	}
	for _, kind := range []smtp.ListenerKind{smtp.KindRelay, smtp.KindDevice} {
		for name, devices := range map[string][]device.Device{"a rule": nil, "a device": {{Name: "scanner", Addresses: localhost, Leniency: device.Leniency{PlaintextAuth: true}}}} {
			t.Run(string(kind)+" by "+name, func(t *testing.T) {
				change, ended := with(devices...)
				both := func(c *Config) { change(c); c.Shared = shared }
				spec := Listener{Kind: kind, Address: ":25"}
				if devices == nil {
					spec.Allow = localhost
				}
				_, addr, tc, _ := start(t, spec, both)
				play(t, addr, tc, greeted+deviceHello+noLogin+"C: MAIL FROM:<a@b.example>\nS: 550-5.7.1 Relaying denied: everybody seems to come from 127.0.0.1, a gateway, ...\nS: 550 5.7.1 Log in, ...\nC: RCPT TO:<b@c.example>\nS: 503 5.5.1 ...\nC: QUIT\nS: 221 2.0.0 ...\nE:\n")
				s := <-ended
				if s.Device != "" || s.Failure == nil || s.Failure.Cause != "relay.denied" || !strings.Contains(s.Failure.What, "gateway of this container") {
					t.Errorf("%+v, %+v", s, s.Failure)
				}
				inTLS := strings.Replace(deviceHello, "S: 250-STARTTLS\n", "", 1)
				play(t, addr, tc, greeted+deviceHello+noLogin+"C: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+inTLS+"S: 250-AUTH PLAIN LOGIN\nS: 250 HELP\n"+loggedIn+oneMail)
				if s := <-ended; s.Messages != 1 || s.Account != "ann" {
					t.Errorf("%+v", s)
				}
				spec.AllowGateway = true
				_, addr, tc, _ = start(t, spec, both)
				play(t, addr, tc, greeted+deviceHello+noLogin+oneMail)
				if s := <-ended; s.Messages != 1 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestEnded_WhatStrangersShow is the evidence of sessions that come to nothing.
func TestEnded_WhatStrangersShow(t *testing.T) {
	ssl3 := append([]byte{22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0}, append(make([]byte, 32), 0, 0, 2, 0, 5, 1, 0)...)
	for _, c := range []struct {
		name string
		kind smtp.ListenerKind
		say  string
		want cause.ID
		what string
	}{
		{"HTTP on the mail port", smtp.KindSubmission, "GET / HTTP/1.1\r\n", "service.wrong-protocol-http", "HTTP"},
		{"HTTP on the TLS port", smtp.KindSubmissions, "GET / HTTP/1.1\r\n\r\n", "service.wrong-protocol-http", "HTTP"},
		{"plain on the TLS port", smtp.KindSubmissions, "EHLO x\r\n", "tls.plain-on-implicit-port", "plain text"},
		{"TLS on the plain port", smtp.KindSubmission, "\x16\x03\x01\x02\x00", "tls.implicit-on-starttls-port", "TLS at once"},
		{"SSL 3", smtp.KindSubmissions, string(ssl3), "tls.protocol-version", "SSL 3.0 only"},
		{"SSL 2", smtp.KindSubmissions, "\x80\x2e\x01\x00\x02" + strings.Repeat("x", 60), "tls.protocol-version", "SSL 2.0 only"},
		{"not allowed", smtp.KindRelay, "EHLO x\r\n", "relay.denied", ":25"},
		{"AUTH before STARTTLS", smtp.KindSubmission, "EHLO x\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nQUIT\r\n", "auth.encryption-required", "without encryption"},
		{"mail without login", smtp.KindSubmission, "EHLO x\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n", "auth.encryption-required", "without encryption"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			change, ended := with()
			_, addr, _, _ := start(t, Listener{Kind: c.kind, Address: ":25"}, change)
			if _, err := dial(t, addr).Write([]byte(c.say)); err != nil {
				t.Fatal(err)
			}
			s := <-ended
			if s.Failure == nil || s.Failure.Cause != c.want || !strings.Contains(s.Failure.What, c.what) {
				t.Errorf("%+v", s.Failure)
			}
		})
	}
	t.Run("five wrong passwords", func(t *testing.T) {
		change, ended := with()
		_, addr, tc, _ := start(t, Listener{Kind: smtp.KindSubmission, PlaintextAuth: true}, change)
		play(t, addr, tc, ways[0].begin+strings.Repeat("C: AUTH PLAIN AGFubgB3cm9uZw==\nS: 535 5.7.8 wrong\n", 5)+"S: 421 4.7.0 ...\nE:\n")
		if s := <-ended; s.Failure == nil || s.Failure.Cause != "auth.too-many-logins" || !s.Plain {
			t.Errorf("%+v", s.Failure)
		}
	})
}

// TestDevice_BehindABalancer: a device is known by the address that a balancer
// tells, and a gateway that tells it is no gateway any more.
func TestDevice_BehindABalancer(t *testing.T) {
	for addr, device := range map[string]string{"10.0.0.12": "scanner", "10.0.0.13": ""} {
		change, ended := with(deviceAt("scanner", "10.0.0.12/32"), deviceAt("balancer", "127.0.0.1/32"))
		_, at, _, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25", ProxyProtocol: localhost}, func(c *Config) {
			change(c)
			c.Shared = func(a netip.Addr) string {
				if a.IsLoopback() {
					return "it is the gateway"
				}
				return ""
			}
		})
		conn := dial(t, at)
		fmt.Fprintf(conn, "PROXY TCP4 %s 10.0.0.5 40000 25\r\nHELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<b@c.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", addr)
		s := <-ended
		if s.Device != device || s.Peer.String() != addr || (s.Messages == 1) != (device != "") {
			t.Errorf("%s: %+v", addr, s)
		}
	}
}

func deviceAt(name, network string) device.Device {
	return device.Device{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(network)}}
}
