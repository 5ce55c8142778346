package smtpserver

import (
	"strings"
	"testing"
)

// TestCommands_InEachState plays every command in every state: whether it is
// taken, and what it is told if not. RFC 5321 §4.1.4, 3207 §4, 4954 §4.
func TestCommands_InEachState(t *testing.T) {
	const (
		ehlo = "EHLO client.example"
		mail = "C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 Ok\n"
		rcpt = "C: RCPT TO:<bob@example.net>\nS: 250 2.1.5 Ok\n"
	)
	columns := []string{"connected", "greeted", "logged in", "mail", "rcpt"}
	for _, row := range []struct {
		command string
		want    [5]string // by column
	}{
		{ehlo, [5]string{"250", "250", "250", "250", "250"}},
		{"HELO client.example", [5]string{"250", "250", "250", "250", "250"}},
		{"helo client.example", [5]string{"250", "250", "250", "250", "250"}},
		{"EHLO", [5]string{"501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4"}},
		{"AUTH PLAIN AGFubgBzZWNyZXQ=", [5]string{"503 5.5.1", "235 2.7.0", "503 5.5.1", "503 5.5.1", "503 5.5.1"}},
		{"MAIL FROM:<ann@example.org>", [5]string{"503 5.5.1", "530 5.7.0", "250 2.1.0", "503 5.5.1", "503 5.5.1"}},
		{"MAIL FROM:ann", [5]string{"503 5.5.1", "530 5.7.0", "501 5.5.4", "503 5.5.1", "503 5.5.1"}},
		{"RCPT TO:<bob@example.net>", [5]string{"503 5.5.1", "503 5.5.1", "503 5.5.1", "250 2.1.5", "250 2.1.5"}},
		{"RCPT TO:<nobody@example.net>", [5]string{"503 5.5.1", "503 5.5.1", "503 5.5.1", "550 5.1.1", "550 5.1.1"}},
		{"DATA", [5]string{"503 5.5.1", "503 5.5.1", "503 5.5.1", "503 5.5.1", "354"}},
		{"BDAT 5 LAST", [5]string{"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
		{"RSET", [5]string{"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}},
		{"RSET now", [5]string{"501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4", "501 5.5.4"}},
		{"NOOP", [5]string{"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}},
		{"NOOP anything", [5]string{"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}},
		{"VRFY ann", [5]string{"252 2.1.5", "252 2.1.5", "252 2.1.5", "252 2.1.5", "252 2.1.5"}},
		{"EXPN all", [5]string{"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
		{"HELP", [5]string{"214-2.0.0", "214-2.0.0", "214-2.0.0", "214-2.0.0", "214-2.0.0"}},
		{"QUIT", [5]string{"221 2.0.0", "221 2.0.0", "221 2.0.0", "221 2.0.0", "221 2.0.0"}},
		{"XYZZY", [5]string{"500 5.5.1", "500 5.5.1", "500 5.5.1", "500 5.5.1", "500 5.5.1"}},
		{"STARTTLS", [5]string{"503 5.5.1", "503 5.5.1", "503 5.5.1", "503 5.5.1", "503 5.5.1"}},
	} {
		for i, column := range columns {
			for _, w := range ways {
				want := row.want[i]
				if row.command == "STARTTLS" && w.name == "plain" && i <= 1 {
					want = "220 2.0.0" // TLS is not on, nobody has logged in, and no transaction is under way
				}
				t.Run(w.name+"/"+column+"/"+row.command, func(t *testing.T) {
					t.Parallel()
					before := [5]string{w.connect, w.begin, w.begin + loggedIn, w.begin + loggedIn + mail, w.begin + loggedIn + mail + rcpt}[i]
					_, addr, tc, _ := start(t, w.spec, nil)
					code := want[:3]
					after := "" // the lines of a longer reply, and what shows that the session goes on
					switch {
					case strings.HasPrefix(row.command, ehlo) && strings.HasPrefix(want, "250"):
						after = strings.TrimPrefix(w.begin[strings.LastIndex(w.begin, "C: EHLO"):], "C: EHLO client.example\nS: 250-post.example.org\n")
						want = "250-post.example.org"
					case code == "214":
						after = "S: 214 2.0.0 ...\n"
					case code == "354":
						after = "C: hello\nC: .\nS: 250 2.0.0 ...\n"
					case code == "221":
						after = "E:\n"
					}
					if code != "221" && code != "220" {
						after += "C: NOOP\nS: 250 2.0.0 Ok\n"
					}
					play(t, addr, tc, before+"C: "+row.command+"\nS: "+want+" ...\n"+after)
				})
			}
		}
	}
}
