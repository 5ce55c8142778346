package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
)

func TestFactsIn_NamesOnlyWhatTheTextNames(t *testing.T) {
	for _, tc := range []struct {
		text string
		want explain.Facts
	}{
		{"Error: connect ECONNREFUSED 203.0.113.7:587", explain.Facts{Host: "203.0.113.7", Port: 587}},
		{"getaddrinfo ENOTFOUND smtp.exmaple.com", explain.Facts{Host: "smtp.exmaple.com"}},
		{"dial tcp: lookup smtp.gmail.com: i/o timeout", explain.Facts{Host: "smtp.gmail.com"}},
		{"Could not connect to SMTP host: smtp.example.com, port: 465, response: -1", explain.Facts{Host: "smtp.example.com", Port: 465}},
		{"stream_socket_client(): unable to connect to ssl://smtp.example.com:465 (refused)", explain.Facts{Host: "smtp.example.com", Port: 465}},
		{"The remote name could not be resolved: 'smtp.example.com'", explain.Facts{Host: "smtp.example.com"}},
		{"curl: smtps://ann:secret@smtp.example.com:465/x", explain.Facts{Host: "smtp.example.com", Port: 465}},
		{"4X: to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25, status=deferred (host mx.example.com[192.0.2.1] said: 451)",
			explain.Facts{Host: "mx.example.com", Port: 25, Recipient: "bob@example.com"}},
		{"to=<bob@example.com>, relay=none, (connect to mx.example.com[2001:db8::1]:25: Connection timed out)",
			explain.Facts{Host: "mx.example.com", Port: 25, Recipient: "bob@example.com"}},
		{"550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown", explain.Facts{Recipient: "bob@example.com"}},
		{"553 5.7.1 <ann@example.org>: Sender address rejected: not owned by user eve", explain.Facts{Sender: "ann@example.org"}},
		{"MAIL FROM:<ann@example.org>\n250 ok\nRCPT TO:<bob@example.com>\n550 no", explain.Facts{Sender: "ann@example.org", Recipient: "bob@example.com"}},
		{"x509: certificate is valid for *.example.net, not smtp.example.com", explain.Facts{Host: "smtp.example.com"}},
		// What only looks like the server spoken to.
		{"535 5.7.139 no. See https://aka.ms/x [AM6PR0202CA0052.eurprd02.prod.outlook.com 2026-07-11T08:46:12.420Z]", explain.Facts{}},
		{"550 5.7.1 see http://www.spamhaus.org/query/bl?ip=192.0.2.1", explain.Facts{}},
		{"reply 12:34:56 at 25", explain.Facts{}},
		{"Final-Recipient: rfc822; bob@example.com\nDiagnostic-Code: smtp; host mx.example.com[192.0.2.1] said: 550", explain.Facts{}},
	} {
		if diff := cmp.Diff(tc.want, factsIn(tc.text)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", tc.text, diff)
		}
	}
}

func TestTellsOfFailure(t *testing.T) {
	const at = "Nov 26 10:00:02 mx "
	for line, want := range map[string]bool{
		at + "postfix/smtp[1]: 4X: to=<bob@example.com>, relay=none, dsn=4.4.1, status=deferred (connect to mx.example.com[192.0.2.1]:25: Connection timed out)": true,
		at + "postfix/smtp[1]: connect to mx.example.com[192.0.2.1]:25: Connection timed out":                                                                    false, // the result follows
		at + "postfix/smtp[1]: warning: SASL authentication failure: No worthy mechs found":                                                                      true,
		at + "postfix/submission/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.4]: 454 4.7.1 Relay access denied":                                         true,
		at + "postfix/smtp[1]: 4X: to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25, dsn=2.0.0, status=sent (250 ok)":                                    false,
		at + "postfix/qmgr[1]: 4X: from=<ann@example.org>, size=450, nrcpt=1 (queue active)":                                                                     false,
		at + "sshd[1]: Failed password for root from 203.0.113.9 port 22 ssh2":                                                                                   false,
		at + "kernel: usb 1-1: device descriptor read/64, error -71":                                                                                             false,
		at + "dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<bob>":                                                                           false,
		at + "nextcloud[1]: Error: Failed to authenticate on SMTP server: 535":                                                                                   true,
		"2026-11-26T10:00:00.123456+01:00 mx systemd[1]: Failed to start foo.service":                                                                            false,
		"2026-11-26 10:08:00 1tFabc-000 == bob@example.com R=dnslookup T=remote_smtp defer (111): Connection refused":                                            true,
		"2026-11-26 10:08:01 1tFabc-002 => ivy@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.8] C=\"250 OK\"":                                  false,
		"Error: Invalid login: 535 5.7.8 bad credentials":                                                                                                        true,
		"":                  false,
		"a day like others": false,
	} {
		if got := tellsOfFailure(line); got != want {
			t.Errorf("%q: got %v, want %v", line, got, want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		fails          bool
	}{
		{"UTF-8", "535 nö", "535 nö", false},
		{"with a mark", "\xef\xbb\xbf535", "535", false},
		{"UTF-16 from Windows", "\xff\xfe5\x003\x005\x00", "535", false},
		{"UTF-16 the other way round", "\xfe\xff\x005\x003\x005", "535", false},
		{"Latin-1", "535 n\xf6", "535 n\ufffd", false},
		{"colours", "\x1b[31m535\x1b[0m", "\x1b[31m535\x1b[0m", false},
		{"nothing", "", "", false},
		{"one stray NUL", "535 5.7.8 Authentication credentials invalid\x00", "535 5.7.8 Authentication credentials invalid\x00", false},
		{"a program", "\x7fELF\x02\x01\x01\x00\x00\x00", "", true},
		{"compressed", "\x1f\x8b\x08\x00", "", true},
		{"a message of Outlook", "\xd0\xcf\x11\xe0\xa1\xb1", "", true},
	} {
		got, err := decodeText([]byte(tc.in))
		if got != tc.want || (err != nil) != tc.fails || tc.fails && !errors.Is(err, errNoText) {
			t.Errorf("%s: got %q and %v, want %q", tc.name, got, err, tc.want)
		}
	}
}

// Every cause of the catalogue fits into 80 columns, save for words that are
// longer than a line: they must stay fit for copying.
func TestPage_EveryCauseFitsOnATerminal(t *testing.T) {
	facts := cause.Facts{Host: "mail-relay-12.example.net", Port: "587", User: "ann@example.org", Sender: "ann@example.org", Recipient: "bob@example.com", Domain: "example.com"}
	for _, c := range cause.All() {
		text := c.Fill(facts)
		f := told{explain.Finding{Cause: c.ID, Title: text.Title, Confidence: explain.Likely, Proof: []string{"550 no"}, Alternatives: c.Related,
			Actor: c.Actor, Retry: c.Retry, Why: text.Why, Do: text.Do}, text.Remedies[1:]}
		var b bytes.Buffer
		a := &app{stdout: &b, color: colorNever}
		if err := a.printFindings([]told{f}); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(b.String()) {
			l = strings.TrimSuffix(l, "\n")
			if columnsOf(l) > 80 && !strings.HasPrefix(strings.TrimSpace(l), "`") {
				t.Errorf("%s: %d columns: %s", c.ID, columnsOf(l), l)
			}
			if strings.Contains(l, keptBlank) {
				t.Errorf("%s: a kept blank is left in %q", c.ID, l)
			}
		}
		if n := strings.Count(b.String(), "\n"); n > 50 {
			t.Errorf("%s: %d lines are more than a screen or two", c.ID, n)
		}
	}
}

func TestSplit_NoStepIsLostOrShownTwice(t *testing.T) {
	for _, c := range cause.All() {
		text := c.Fill(cause.Facts{})
		f := told{explain.Finding{Cause: c.ID, Actor: c.Actor, Do: text.Do}, text.Remedies[1:]}
		own, rest := split(&f)
		shown := append([]string{}, own...)
		if !c.Actor.Sends() {
			shown = append(shown, theirs(&f)...)
		}
		for _, r := range rest {
			shown = append(shown, r.Do...)
		}
		var want []string
		for _, r := range text.Remedies {
			want = append(want, r.Do...)
		}
		seen := map[string]int{}
		for _, s := range shown {
			seen[s]++
		}
		for _, s := range want {
			if seen[s] != 1 {
				t.Errorf("%s: shown %d times: %q", c.ID, seen[s], s)
			}
		}
	}
}

func TestIsRound(t *testing.T) {
	var got []int
	for n := 1; n <= 1000; n++ {
		if isRound(n) {
			got = append(got, n)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzFactsIn(f *testing.F) {
	f.Add("to=<bob@example.com>, relay=mx.example.com[192.0.2.1]:25")
	f.Fuzz(func(t *testing.T, text string) {
		facts := factsIn(text)
		for _, s := range []string{facts.Host, facts.Recipient, facts.Sender} {
			if strings.ContainsAny(s, " <>\n`") {
				t.Errorf("%q names %q", text, s)
			}
		}
	})
}
