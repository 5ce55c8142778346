package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hear plays a client's side against a server and returns what it saw.
func hear(t *testing.T, client func(conn net.Conn, tc *tls.Config)) *Session {
	t.Helper()
	server, tc := smtptest.TLS(t, "listen.test")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *Session, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := New(Options{Hostname: "listen.test", TLS: server, Session: func(s *Session) { got <- s }})
	go func() { done <- s.Serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client(conn, tc)
	conn.Close()
	x := <-got
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return x
}

func play(t *testing.T, text string) *Session {
	t.Helper()
	p, err := smtptest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return hear(t, func(conn net.Conn, tc *tls.Config) { p.PlayClient(t, conn, tc) })
}

const (
	greetedBy = "S: 220 listen.test ...\n"
	offered   = "S: 250-listen.test\nS: 250-PIPELINING\nS: 250-SIZE 0\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250-ENHANCEDSTATUSCODES\n"
	auths     = "S: 250-AUTH ...\nS: 250 HELP\n"
	ehlo      = "C: EHLO scanner.example.org\n" + offered
	secured   = greetedBy + ehlo + "S: 250-STARTTLS\n" + auths + "C: STARTTLS\nS: 220 2.0.0 ...\nT:\n" + ehlo + auths
	sent      = "C: MAIL FROM:<scan@example.org>\nS: 250 2.1.0 ok\nC: RCPT TO:<bob@example.net>\nS: 250 2.1.5 ok\nC: DATA\nS: 354 ...\n"
	bye       = "S: 250 2.0.0 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n"
	header    = "C: From: Scanner <scan@example.org>\nC: To: bob@example.net\nC: Subject: page\nC: Date: Thu, 26 Nov 2026 10:00:00 +0000\nC: Message-ID: <1@example.org>\nC: \nC: text\nC: .\n"
)

// causes returns the causes of the remarks, of the grades that matter.
func causes(s *Session) (ids []cause.ID) {
	for _, r := range s.Remarks {
		if r.Grade != Note {
			ids = append(ids, r.Cause)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestListen_NothingToSayOfAGoodClient(t *testing.T) {
	s := play(t, secured+"C: AUTH PLAIN AHNjYW5AZXhhbXBsZS5vcmcAc2VjcmV0\nS: 235 2.7.0 ...\n"+sent+header+bye)
	if len(s.Remarks) != 0 || s.Ended != "QUIT" || s.Mails != 1 || s.TLS != "TLS 1.3" {
		t.Errorf("%+v", s)
	}
	if s.Content.Header["Subject"] != "page" || s.Logins[0].User != "scan@example.org" || !s.Logins[0].Done {
		t.Errorf("%+v %+v", s.Content, s.Logins)
	}
}

// TestListen_Remarks: each fault that a client can have, and what it is called.
func TestListen_Remarks(t *testing.T) {
	plain := func(rest string) string { return greetedBy + ehlo + "S: 250-STARTTLS\n" + auths + rest }
	login := "C: AUTH PLAIN AHNjYW5AZXhhbXBsZS5vcmcAc2VjcmV0\nS: 235 2.7.0 ...\n"
	mailFrom := func(arg string) string {
		return secured + login + "C: MAIL FROM:" + arg + "\nS: 250 2.1.0 ok\nC: QUIT\nS: 221 2.0.0 bye\nE:\n"
	}
	message := func(raw string) string {
		return secured + login + sent + fmt.Sprintf("C> %q\n", raw) + bye
	}
	whole := "From: scan@example.org\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x>\r\n"
	for _, c := range []struct {
		name, script string
		want         []cause.ID
	}{
		{"no TLS and no login", plain(sent + header + bye), []cause.ID{"auth.required", "tls.required"}},
		{"password in the clear", plain(login + "C: QUIT\nS: 221 2.0.0 bye\nE:\n"), []cause.ID{"auth.encryption-required", "tls.required"}},
		{"localhost", secured + "C: EHLO localhost\n" + offered + auths + "C: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"sender.bad-helo"}},
		{"container's name", secured + "C: EHLO 3f2a9c1b77aa\n" + offered + auths + "C: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"sender.bad-helo"}},
		{"underscore", secured + "C: EHLO my_scanner.example.org\n" + offered + auths + "C: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"sender.bad-helo"}},
		{"local user name", secured + "C: AUTH LOGIN c2Nhbg==\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"auth.username-format"}},
		{"blank after the password", secured + "C: AUTH LOGIN c2NhbkBleGFtcGxlLm9yZw==\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0IA==\nS: 235 2.7.0 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"auth.credentials-rejected"}},
		{"broken login", secured + "C: AUTH PLAIN !!!\nS: 501 5.5.2 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"auth.malformed-exchange"}},
		{"NTLM", secured + "C: AUTH NTLM TlRMTVNTUAABAAAA\nS: 535 5.7.8 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n", []cause.ID{"auth.ntlm-failed"}},
		{"made-up sender", mailFrom("<root@nas.local>"), []cause.ID{"sender.address-not-owned", "sender.domain-not-found"}},
		{"no brackets", mailFrom("scan@example.org"), []cause.ID{"sender.address-invalid"}},
		{"blank after the colon", mailFrom(" <scan@example.org>"), []cause.ID{"sender.address-invalid"}},
		{"another sender", mailFrom("<boss@example.org>"), []cause.ID{"sender.address-not-owned"}},
		{"bare line feeds", message(whole + "\r\na\nb\n.\n"), []cause.ID{"message.bare-lf"}},
		{"long line", message(whole + "\r\n" + strings.Repeat("x", 2000) + "\r\n.\r\n"), []cause.ID{"message.line-too-long"}},
		{"no header", message("hello there, no header\r\n.\r\n"), []cause.ID{"message.malformed"}},
		{"two From fields", message(whole + "From: eve@example.org\r\n\r\nx\r\n.\r\n"), []cause.ID{"message.malformed"}},
		{"From of somebody else", message(strings.Replace(whole, "scan@", "boss@", 1) + "\r\nx\r\n.\r\n"), []cause.ID{"sender.address-not-owned"}},
		{"raw letters in the header", message(whole + "Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n.\r\n"), []cause.ID{"message.malformed"}},
		{"breaks off", secured + login + sent + "C: From: scan@example.org\nC: Date: x\nC: \nC: text\nX:\n", []cause.ID{"net.connection-lost"}},
		{"HTTP", "C: GET / HTTP/1.1\nC: Host: x\nC: \nS: 220 ...\nE:\n", []cause.ID{"service.wrong-protocol-http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := play(t, c.script)
			if got := causes(s); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v\n%+v", got, c.want, s.Remarks)
			}
			for _, r := range s.Remarks {
				if _, ok := cause.Lookup(r.Cause); r.Cause != "" && !ok || r.What == "" || r.Why == "" || r.Do == "" {
					t.Errorf("not a whole remark: %+v", r)
				}
			}
		})
	}
}

func TestListen_OldTLSIsNamedAndHeardOut(t *testing.T) {
	s := hear(t, func(conn net.Conn, tc *tls.Config) {
		tc = tc.Clone()
		tc.MinVersion, tc.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
		c := tls.Client(conn, tc)
		if err := c.Handshake(); err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(c, "QUIT\r\n")
		b := make([]byte, 1000)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	})
	if s.TLS != "TLS 1.0" || !s.Implicit || !slices.Contains(causes(s), "tls.protocol-version") {
		t.Errorf("%+v", s)
	}
}

func TestListen_ClientThatChecksCertificates(t *testing.T) {
	s := hear(t, func(conn net.Conn, tc *tls.Config) {
		if err := tls.Client(conn, &tls.Config{ServerName: "smtp.example.org"}).Handshake(); err == nil {
			t.Error("it trusts a stranger")
		}
	})
	if s.Hello == nil || s.Hello.Name != "smtp.example.org" || s.Hello.Versions[0] != "TLS 1.3" || len(s.Remarks) == 0 || s.Remarks[0].Cause != "tls.certificate-untrusted" {
		t.Errorf("%+v", s)
	}
}

// TestListen_KeepsNoSecret looks for the password in all that a session keeps.
func TestListen_KeepsNoSecret(t *testing.T) {
	s := play(t, secured+"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: c2Nhbg==\nS: 334 UGFzc3dvcmQ6\nC: aHVudGVyMg==\nS: 235 2.7.0 ...\nC: AUTH PLAIN AHNjYW4AaHVudGVyMg==\nS: 235 2.7.0 ...\n"+
		"C: AUTH XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBodW50ZXIyAQE=\nS: 235 2.7.0 ...\nC: QUIT\nS: 221 2.0.0 bye\nE:\n")
	text := fmt.Sprintf("%+v", s)
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "BodW50ZXIy"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
	if s.Logins[2].User != "a@b.c" {
		t.Errorf("%+v", s.Logins)
	}
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("From: a@b\r\n folded\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWatcher()
		for line := range bytes.Lines(b) {
			w.add(line)
		}
		if c := w.content(); c.Octets != int64(len(b)) || len(c.Header) > len(watched) {
			t.Errorf("%+v", c)
		}
		Judge(&Session{Verb: "EHLO", Content: w.content(), From: &Address{}})
	})
}
