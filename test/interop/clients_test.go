package interop

import (
	"encoding/base64"
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

const (
	account  = "ann@example.org"
	password = "correct horse"
)

// submission is one way to hand a message in.
type submission struct {
	implicit   bool   // TLS from the first octet; else STARTTLS
	mechanism  string // PLAIN or LOGIN
	password   string
	host, port string
	ca         string // file
	message    string // file with LF line ends: the clients make CRLF of them
	directory  string // for files of the client's own
}

// clients returns the command line with which each client submits.
var clients = map[string]func(t *testing.T, s submission) []string{
	"swaks": func(t *testing.T, s submission) []string {
		encryption := "--tls"
		if s.implicit {
			encryption = "--tls-on-connect"
		}
		return []string{"swaks", "--server", s.host, "--port", s.port, encryption, "--tls-verify", "--tls-ca-path", s.ca,
			"--auth", s.mechanism, "--auth-user", account, "--auth-password", s.password,
			"--from", account, "--to", "bob@recipient.test", "--data", "@" + s.message}
	},
	"curl": func(t *testing.T, s submission) []string {
		scheme := "smtp"
		if s.implicit {
			scheme = "smtps"
		}
		return []string{"curl", "--silent", "--show-error", "--verbose", "--disable", "--url", scheme + "://" + net.JoinHostPort(s.host, s.port), "--ssl-reqd", "--cacert", s.ca,
			"--user", account + ":" + s.password, "--login-options", "AUTH=" + s.mechanism,
			"--mail-from", account, "--mail-rcpt", "bob@recipient.test", "--crlf", "--upload-file", s.message}
	},
	"msmtp": func(t *testing.T, s submission) []string {
		starttls := "on"
		if s.implicit {
			starttls = "off"
		}
		config := filepath.Join(s.directory, "msmtprc")
		text := fmt.Sprintf("account default\nhost %s\nport %s\ntls on\ntls_starttls %s\ntls_trust_file %s\nauth %s\nuser %s\npassword %q\nfrom %s\n",
			s.host, s.port, starttls, s.ca, strings.ToLower(s.mechanism), account, s.password, account)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"msmtp", "--debug", "--file=" + config, "bob@recipient.test"}
	},
	"python3": func(t *testing.T, s submission) []string {
		return []string{"python3", "-c", smtplibScript, s.host, s.port, fmt.Sprint(s.implicit), s.mechanism, s.ca, account, s.password, s.message}
	},
}

const smtplibScript = `
import smtplib, ssl, sys
host, port, implicit, mechanism, ca, user, password, file = sys.argv[1:]
trust = ssl.create_default_context(cafile=ca)
if implicit == "true":
    s = smtplib.SMTP_SSL(host, int(port), context=trust, timeout=60)
else:
    s = smtplib.SMTP(host, int(port), timeout=60)
    s.starttls(context=trust)
s.ehlo()
s.user, s.password = user, password
try:
    s.auth(mechanism, {"PLAIN": s.auth_plain, "LOGIN": s.auth_login}[mechanism])
except smtplib.SMTPAuthenticationError as e:
    sys.exit("%d %s" % (e.smtp_code, e.smtp_error.decode()))
s.sendmail(user, ["bob@recipient.test"], open(file, "rb").read().replace(b"\n", b"\r\n"))
s.quit()
`

// sandboxOffice starts a server with both submission listeners, a sandbox and an account.
func sandboxOffice(t *testing.T) *binary.Office {
	o := binary.Need(t, binary.Options{
		Top:       "sandbox = true",
		Listeners: []binary.Listener{{Kind: "submission"}, {Kind: "submissions"}},
	})
	o.MustAddUser(t, account, password)
	o.MustStart(t)
	return o
}

// prepare writes text where a client finds it and fills in what is common.
func (s submission) prepare(t *testing.T, o *binary.Office, text string) submission {
	t.Helper()
	kind := "submission"
	if s.implicit {
		kind = "submissions"
	}
	var err error
	if s.host, s.port, err = net.SplitHostPort(o.Address(kind)); err != nil {
		t.Fatal(err)
	}
	s.directory, s.ca = t.TempDir(), filepath.Join(o.Data, "ca.pem")
	s.message = filepath.Join(s.directory, "message.eml")
	if err := os.WriteFile(s.message, []byte(strings.ReplaceAll(text, "\r\n", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs a client and returns what it printed.
func run(t *testing.T, s submission, client string) (string, error) {
	t.Helper()
	args := clients[client](t, s)
	c := peers.NeedProgram(t, args[0], args[1:]...)
	if client == "msmtp" {
		f, err := os.Open(s.message)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.Stdin = f
	}
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestClients_SubmitWithLogin(t *testing.T) {
	o := sandboxOffice(t)
	for client := range clients {
		for _, implicit := range []bool{false, true} {
			for _, mechanism := range []string{"PLAIN", "LOGIN"} {
				name := fmt.Sprintf("%s/implicit=%v/%s", client, implicit, mechanism)
				t.Run(name, func(t *testing.T) {
					subject := strings.NewReplacer("/", " ", "=", " ").Replace(name)
					header := textHeader
					lines := fragile
					if client != "swaks" && client != "msmtp" { // these two do not say BODY=8BITMIME
						header, lines = utf8Header, append([]string{"Grüße, 你好"}, fragile...)
					}
					text := message(subject, header, lines...)
					s := submission{implicit: implicit, mechanism: mechanism, password: password}.prepare(t, o, text)
					out, err := run(t, s, client)
					if err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					arrived(t, o, subject, text)
				})
			}
		}
	}
}

// arrived waits for the message in the sandbox and compares it.
func arrived(t *testing.T, o *binary.Office, subject, want string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for {
		all, err := o.Sandbox()
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range all {
			if !strings.Contains(got, "\nSubject: "+subject+"\r\n") && !strings.Contains(got, "\nSubject: "+subject+"\n") {
				continue
			}
			if !endsWith(got, want) {
				t.Errorf("the message has changed:\n%q\nwant at its end\n%q", got, want)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the message did not arrive; the sandbox has %d", len(all))
		}
		<-tick.C
	}
}

// endsWith reports whether got is want with fields before it. A maildir may have
// either line end, and some clients end a message with one more.
func endsWith(got, want string) bool {
	plain := func(s string) string { return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n") }
	return strings.HasSuffix(plain(got), plain(want))
}

func TestClients_WrongPasswordIsRefused(t *testing.T) {
	o := sandboxOffice(t)
	for client := range clients {
		for _, implicit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/implicit=%v", client, implicit), func(t *testing.T) {
				s := submission{implicit: implicit, mechanism: "PLAIN", password: "wrong"}.prepare(t, o, message("never", textHeader, "no"))
				out, err := run(t, s, client)
				if err == nil || !strings.Contains(out, "535") {
					t.Errorf("error %v, want one with 535:\n%s", err, out)
				}
			})
		}
	}
	if all, err := o.Sandbox(); err != nil || len(all) != 0 {
		t.Errorf("the sandbox has %d messages, %v; want none", len(all), err)
	}
}

// TestClients_NoLoginInTheClear: before TLS a password is neither asked for nor
// taken, and mail is not taken without one. RFC 4954 §4, RFC 8314.
func TestClients_NoLoginInTheClear(t *testing.T) {
	o := sandboxOffice(t)
	d := dial(t, o.Address("submission"))
	if text := d.want(250, "EHLO client.test"); strings.Contains(text, "AUTH") || !strings.Contains(text, "STARTTLS") {
		t.Errorf("EHLO offers %q; want STARTTLS and no AUTH", text)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + account + "\x00" + password))
	if code, text := d.say("AUTH PLAIN %s", plain); code/100 != 5 {
		t.Errorf("AUTH in the clear: %d %s; want a refusal", code, text)
	}
	d.want(530, "MAIL FROM:<%s>", account)
	out, err := peers.NeedProgram(t, "swaks", "--server", o.Address("submission"), "--auth", "PLAIN", "--auth-user", account, "--auth-password", password,
		"--from", account, "--to", "bob@recipient.test").CombinedOutput()
	if err == nil || strings.Contains(string(out), "-> AUTH") {
		t.Errorf("swaks without TLS: %v; want a failure and no AUTH sent:\n%s", err, out)
	}
}
