package smtp

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string][2]string{
		"":                     {"", ""},
		"quit":                 {"QUIT", ""},
		"QUIT \t":              {"QUIT", ""},
		"Ehlo  host  ":         {"EHLO", "host"},
		"mail FROM:<a@b> X=Y":  {"MAIL", "FROM:<a@b> X=Y"},
		" NOOP":                {"", "NOOP"},
		"NOOP\tx":              {"NOOP\tX", ""},
		"AUTH PLAIN =":         {"AUTH", "PLAIN ="},
		"straſe x":             {"STRAſE", "x"},
		"RCPT   TO:<a b@c.d> ": {"RCPT", "TO:<a b@c.d>"},
	} {
		if verb, arg := SplitCommand([]byte(line)); verb != want[0] || arg != want[1] {
			t.Errorf("%q: %q, %q, want %q", line, verb, arg, want)
		}
	}
}

func TestParseMail(t *testing.T) {
	for _, c := range []struct {
		arg  string
		path Path
		want MailParams
	}{
		{"FROM:<ann@example.org>", "ann@example.org", MailParams{}},
		{"from:<>", NullPath, MailParams{}},
		{"FROM: <ann@example.org>", "ann@example.org", MailParams{}},
		{"FROM:<@relay.example,@x.example:ann@example.org>", "ann@example.org", MailParams{}},
		{`FROM:<"a b\">@"@example.org> SIZE=5`, `"a b\">@"@example.org`, MailParams{Size: 5}},
		{"FROM:<ann@[192.0.2.1]>", "ann@[192.0.2.1]", MailParams{}},
		{"FROM:<a@b> SIZE=1000 BODY=8bitmime SMTPUTF8", "a@b", MailParams{Size: 1000, Body: Body8BitMIME, SMTPUTF8: true}},
		{"FROM:<änn@exämple.org> SMTPUTF8", "änn@exämple.org", MailParams{SMTPUTF8: true}},
		{"FROM:<a@b> SIZE=99999999999999999999", "a@b", MailParams{Size: math.MaxInt64}},
		{"FROM:<a@b>  ret=hdrs  envid=Q+2B1+20x ", "a@b", MailParams{Return: ReturnHeaders, EnvelopeID: "Q+1 x"}},
		{"FROM:<a@b> AUTH=<>", "a@b", MailParams{Auth: "<>"}},
		{"FROM:<a@b> AUTH=e+3Dmc2@example.com", "a@b", MailParams{Auth: "e=mc2@example.com"}},
	} {
		path, p, err := ParseMail(c.arg, true)
		if err != nil || path != c.path || !cmp.Equal(p, c.want) {
			t.Errorf("%s: %q, %+v, %v", c.arg, path, p, err)
		}
	}
}

func TestParseMail_Refusals(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"", "501 5.5.4 "},
		{"TO:<a@b>", "501 5.5.4 "},
		{"FROM:", "501 5.5.4 "},
		{"FROM:a@b", "501 5.5.4 the address must stand in angle brackets"},
		{"FROM:<a@b", "501 5.5.4 the angle bracket is not closed"},
		{"FROM:<a<b@c>", "501 5.5.4 "},
		{"FROM:<a@b>SIZE=1", "501 5.5.4 a blank"},
		{"FROM:<@relay.example>", "501 5.5.4 the source route"},
		{"FROM:<a@b@c>", "501 5.1.7 "},
		{"FROM:<a\x00@b>", "501 5.1.7 "},
		{"FROM:<ä@b>", "553 5.6.7 "},
		{"FROM:<\xff@b> SMTPUTF8", "501 5.1.7 the sender address is badly written: it is not UTF-8"},
		{"FROM:<a@b> SIZE", "501 5.5.4 SIZE"},
		{"FROM:<a@b> SIZE=-1", "501 5.5.4 SIZE"},
		{"FROM:<a@b> SIZE=+1", "501 5.5.4 SIZE"},
		{"FROM:<a@b> SIZE=999999999999999999999", "501 5.5.4 SIZE"},
		{"FROM:<a@b> SIZE=1 BODY=7BIT size=1", "501 5.5.4 parameter SIZE is given twice"},
		{"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4 BODY"},
		{"FROM:<a@b> SMTPUTF8=1", "501 5.5.4 SMTPUTF8"},
		{"FROM:<a@b> RET=ALL", "501 5.5.4 RET"},
		{"FROM:<a@b> ENVID=", "501 5.5.4 ENVID"},
		{"FROM:<a@b> ENVID=a+0D+0Ab", "501 5.5.4 ENVID"},
		{"FROM:<a@b> ENVID=+C3+A4", "501 5.5.4 ENVID"},
		{"FROM:<a@b> ENVID=" + strings.Repeat("x", 101), "501 5.5.4 ENVID"},
		{"FROM:<a@b> AUTH=", "501 5.5.4 AUTH"},
		{"FROM:<a@b> AUTH=a+0D+0A@b", "501 5.5.4 AUTH"},
		{"FROM:<a@b> NOTIFY=NEVER", "555 5.5.4 parameter NOTIFY"},
		{"FROM:<a@b> \x01=x", "555 5.5.4 parameter ? is"},
	} {
		_, _, err := ParseMail(c.arg, true)
		var e *CommandError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Reply.String(), c.want) {
			t.Errorf("%q: %v, want %s", c.arg, err, c.want)
		}
	}
	if _, _, err := ParseMail("FROM:<a@b> SMTPUTF8", false); err == nil || !strings.HasPrefix(err.Error(), "555 5.5.4 SMTPUTF8") {
		t.Errorf("SMTPUTF8 where it is not offered: %v", err)
	}
}

func TestParseRcpt(t *testing.T) {
	for _, c := range []struct {
		arg  string
		path Path
		want RcptParams
	}{
		{"TO:<bob@example.net>", "bob@example.net", RcptParams{}},
		{"to:<postmaster>", "postmaster", RcptParams{}},
		{"TO:<b@c> NOTIFY=NEVER", "b@c", RcptParams{Notify: NotifyNever}},
		{"TO:<b@c> NOTIFY=success,DELAY,FAILURE", "b@c", RcptParams{Notify: NotifySuccess | NotifyDelay | NotifyFailure}},
		{"TO:<b@c> ORCPT=rfc822;Bob+2Bx@example.net", "b@c", RcptParams{OriginalRecipient: "rfc822;Bob+x@example.net"}},
	} {
		path, p, err := ParseRcpt(c.arg, false)
		if err != nil || path != c.path || p != c.want {
			t.Errorf("%s: %q, %+v, %v", c.arg, path, p, err)
		}
	}
}

func TestParseRcpt_Refusals(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"FROM:<a@b>", "501 5.5.4 "},
		{"TO:<>", "501 5.1.3 "},
		{"TO:<ä@b>", "553 5.6.7 "},
		{"TO:<a..b@c>", "501 5.1.3 "},
		{"TO:<b@c> NOTIFY=", "501 5.5.4 NOTIFY"},
		{"TO:<b@c> NOTIFY=NEVER,SUCCESS", "501 5.5.4 NOTIFY=NEVER stands alone"},
		{"TO:<b@c> NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4 parameter NOTIFY is given twice"},
		{"TO:<b@c> ORCPT=bob", "501 5.5.4 ORCPT"},
		{"TO:<b@c> ORCPT=rfc822;", "501 5.5.4 ORCPT"},
		{"TO:<b@c> ORCPT=;x", "501 5.5.4 ORCPT"},
		{"TO:<b@c> ORCPT=rfc822;a+0Ab", "501 5.5.4 ORCPT"},
		{"TO:<b@c> ORCPT=rfc822;a+0", "501 5.5.4 ORCPT"},
		{"TO:<b@c> ORCPT=rfc822;" + strings.Repeat("x", 500), "501 5.5.4 ORCPT"},
		{"TO:<b@c> SIZE=1", "555 5.5.4 parameter SIZE"},
	} {
		_, _, err := ParseRcpt(c.arg, false)
		var e *CommandError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Reply.String(), c.want) {
			t.Errorf("%q: %v, want %s", c.arg, err, c.want)
		}
	}
}

func TestAppendMail_OnlyWhatIsGiven(t *testing.T) {
	for want, p := range map[string]MailParams{
		"MAIL FROM:<a@b>": {},
		"MAIL FROM:<a@b> SIZE=7 BODY=7BIT SMTPUTF8 RET=FULL ENVID=a+20b+2B AUTH=<>": {Size: 7, Body: Body7Bit, SMTPUTF8: true,
			Return: ReturnFull, EnvelopeID: "a b+", Auth: "<>"},
	} {
		if got := string(AppendMail(nil, "a@b", p)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := string(AppendMail([]byte("x"), NullPath, MailParams{})); got != "xMAIL FROM:<>" {
		t.Error(got)
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add([]byte("mail FROM:<a@b>"))
	f.Fuzz(func(t *testing.T, line []byte) {
		verb, arg := SplitCommand(line)
		if strings.Contains(verb, " ") || strings.HasPrefix(arg, " ") || strings.HasSuffix(arg, " ") {
			t.Fatalf("%q: %q, %q", line, verb, arg)
		}
	})
}

// What is parsed, written and parsed again is the same, and fits one line.
func FuzzParseMail(f *testing.F) {
	f.Add("FROM:<a@b> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=x+2B AUTH=<>", true)
	f.Add(`FROM:<@x:"a\"b"@[IPv6:::1]> SMTPUTF8`, true)
	f.Fuzz(func(t *testing.T, arg string, utf8OK bool) {
		path, p, err := ParseMail(arg, utf8OK)
		if err != nil {
			checkCommandError(t, arg, err)
			return
		}
		line := AppendMail(nil, path, p)
		if strings.ContainsAny(string(line), "\r\n\x00") {
			t.Fatalf("%q gives %q", arg, line)
		}
		verb, again := SplitCommand(line)
		path2, p2, err := ParseMail(again, utf8OK)
		if verb != "MAIL" || err != nil || path2 != path || p2 != p {
			t.Fatalf("%q: %q, %+v; written %q; then %q, %+v, %v", arg, path, p, line, path2, p2, err)
		}
	})
}

func FuzzParseRcpt(f *testing.F) {
	f.Add("TO:<bob@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2B@example.net", false)
	f.Add("TO:<bøb@example.net>", true)
	f.Fuzz(func(t *testing.T, arg string, utf8OK bool) {
		path, p, err := ParseRcpt(arg, utf8OK)
		if err != nil {
			checkCommandError(t, arg, err)
			return
		}
		line := AppendRcpt(nil, path, p)
		if strings.ContainsAny(string(line), "\r\n\x00") {
			t.Fatalf("%q gives %q", arg, line)
		}
		verb, again := SplitCommand(line)
		path2, p2, err := ParseRcpt(again, utf8OK)
		// An original recipient in UTF-8 grows when it is written, perhaps beyond the
		// limit; what was taken stays true.
		if err != nil && len(line) > 500 {
			return
		}
		if verb != "RCPT" || err != nil || path2 != path || p2 != p {
			t.Fatalf("%q: %q, %+v; written %q; then %q, %+v, %v", arg, path, p, line, path2, p2, err)
		}
	})
}

// checkCommandError makes sure that err is a reply that can be given.
func checkCommandError(t *testing.T, arg string, err error) {
	t.Helper()
	var e *CommandError
	if !errors.As(err, &e) || !e.Reply.Permanent() {
		t.Fatalf("%q: %v", arg, err)
	}
	wire := string(e.Reply.Append(nil))
	if strings.Count(wire, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(wire, "\r\n"), func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Fatalf("%q is answered %q", arg, wire)
	}
}
