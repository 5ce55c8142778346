package dsn

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wellsent/wellsent/internal/smtp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// refused is a report of one failure, with all that a report can have.
func refused() *Report {
	return &Report{
		ReportingMTA: "post.example.org", EnvelopeID: "QQ=314159", Arrival: noon.Add(-time.Minute),
		From: "mailer-daemon@post.example.org", To: "ann@example.org", MessageID: "r1@post.example.org", Date: noon, QueueID: "1k113azemzmhg3ap",
		Header: []byte("From: Ann <ann@example.org>\r\nTo: bbo@example.net\r\nSubject: Lunch on Friday?\r\nMessage-ID: <m1@example.org>"),
		Body:   strings.NewReader("Shall we?\r\n"), BodySize: 11,
		Recipients: []Recipient{{
			Original: "rfc822;bbo@example.net", Final: "bbo@example.net", Action: Failed, Status: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1},
			RemoteMTA: "mx.example.net", Diagnostic: "550 5.1.1 <bbo@example.net>: Recipient address rejected: User unknown in local recipient table",
			LastAttempt: noon.Add(-time.Second), CauseID: "recipient.unknown", Title: "there is no mailbox bbo@example.net",
			Why: "The recipient's server was reached and says that it does not know this address.", Do: []string{"Check the address letter by letter."}, Who: "user",
		}},
	}
}

// reports are the reports of the golden files.
func reports() map[string]*Report {
	full := refused()
	full.ReturnFull = true
	delayed := refused()
	x := &delayed.Recipients[0]
	x.Action, x.Status, x.WillRetryUntil = Delayed, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, noon.Add(100*time.Hour)
	x.Diagnostic, x.CauseID, x.Title = "", "net.timeout", "mx.example.net does not answer"
	x.Why, x.Do, x.Who = "Nothing answered at that address.", []string{"Nothing: it is tried again by itself."}, "network-admin"
	success := refused()
	success.Recipients = []Recipient{
		{Final: "bob@example.net", Action: Relayed, Status: smtp.EnhancedCode{Class: 2}, RemoteMTA: "mx.example.net", Diagnostic: "250 2.0.0 ok"},
		{Final: "eve@example.net", Action: Delivered, Status: smtp.EnhancedCode{Class: 2}},
	}
	mixed := refused()
	y := mixed.Recipients[0]
	y.Final, y.Original, y.CauseID, y.Title, y.Why = "eve@example.com", "", "recipient.mailbox-full", "the mailbox of eve@example.com is full", "It has no room for more mail."
	y.Diagnostic, y.Status = "552 5.2.2 over quota", smtp.EnhancedCode{Class: 5, Subject: 2, Detail: 2}
	mixed.Recipients = append(mixed.Recipients, y)
	global := refused()
	global.To, global.UTF8 = "änn@example.org", true
	global.Recipients[0].Final, global.Recipients[0].Original = "bübo@example.net", "utf-8;bübo@example.net"
	return map[string]*Report{"failed": refused(), "failed-full": full, "delayed": delayed, "success": success, "mixed": mixed, "global": global}
}

// TestCompose_Golden shows whole notifications. They change with -update, and are
// reviewed like code.
func TestCompose_Golden(t *testing.T) {
	for name, r := range reports() {
		got, err := Compose(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join("testdata", name+".eml")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestCompose_Form: what RFC 5321, 5322 and 3834 ask of every notification.
func TestCompose_Form(t *testing.T) {
	for name, r := range reports() {
		b, err := Compose(r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(name, err)
		}
		if m.Header.Get("Auto-Submitted") != "auto-replied" || !strings.HasPrefix(m.Header.Get("Content-Type"), "multipart/report") {
			t.Errorf("%s: %v", name, m.Header)
		}
		for i, l := range strings.Split(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
			if len(l) > 998 || strings.ContainsAny(l, "\r\n") {
				t.Errorf("%s: line %d is %d octets long or has a bare line end", name, i+1, len(l))
			}
		}
	}
}

func TestParse_ReadsWhatComposeWrites(t *testing.T) {
	for name, want := range reports() {
		b, err := Compose(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// The words for people are in the part for people.
		same := cmpopts.IgnoreFields(Recipient{}, "Title", "Why", "Do", "Who")
		if d := cmp.Diff(want.Recipients, got.Recipients, same, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if got.EnvelopeID != want.EnvelopeID || got.QueueID != want.QueueID || !got.Arrival.Equal(want.Arrival) || got.ReportingMTA != want.ReportingMTA {
			t.Errorf("%s: %+v", name, got)
		}
		if string(got.Header) != string(want.Header) {
			t.Errorf("%s: the header came back as %q", name, got.Header)
		}
		if want.ReturnFull {
			if body, err := io.ReadAll(got.Body); err != nil || string(body) != "Shall we?\r\n" {
				t.Errorf("%s: the body came back as %q, %v", name, body, err)
			}
		}
	}
}

// TestCompose_HostileReply: what a server said cannot break out of its field.
func TestCompose_HostileReply(t *testing.T) {
	r := refused()
	r.Recipients[0].Diagnostic = "550 no\r\n\r\n--evil\r\nContent-Type: text/html\r\n\r\n<script>" + strings.Repeat("x", 5000)
	r.Recipients[0].RemoteMTA = "mx\r\nBcc: eve@example.net"
	r.EnvelopeID = "a\r\nAction: delivered"
	b, err := Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Recipients) != 1 || got.Recipients[0].Action != Failed {
		t.Errorf("%+v", got.Recipients)
	}
	if head, _, _ := bytes.Cut(b, []byte("\r\n\r\n")); bytes.Contains(head, []byte("\r\nBcc:")) {
		t.Errorf("the header section:\n%s", head)
	}
}

func TestCompose_LongContentIsCutToTheHeader(t *testing.T) {
	r := refused()
	r.ReturnFull = true
	r.Body, r.BodySize = strings.NewReader(strings.Repeat("x\r\n", MaxContent)), 3*MaxContent
	b, err := Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > MaxContent {
		t.Errorf("%d octets", len(b))
	}
	if got, err := Parse(bytes.NewReader(b)); err != nil || got.ReturnFull {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCompose_Mistakes(t *testing.T) {
	for name, change := range map[string]func(*Report){
		"nobody":  func(r *Report) { r.Recipients = nil },
		"no host": func(r *Report) { r.ReportingMTA = "" },
	} {
		r := refused()
		change(r)
		if _, err := Compose(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParse_NoReport(t *testing.T) {
	for _, s := range []string{"", "hello", "Subject: hi\r\n\r\nhello\r\n", "Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x--\r\n"} {
		if _, err := Parse(strings.NewReader(s)); !errors.Is(err, ErrNotReport) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestParseStatus_AsOthersWriteIt takes the status part of a log or a paste.
func TestParseStatus_AsOthersWriteIt(t *testing.T) {
	r, err := ParseStatus("Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: RFC822; bob@example.net\nAction: Failed (relayed)\nStatus: 5.2.2 (full)\nDiagnostic-Code: smtp; 552-5.2.2 the mailbox\n 552 5.2.2 is full\n" +
		"Final-Recipient: rfc822;eve@example.net\nAction: delayed\nStatus: 4.4.1\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Recipient{
		{Final: "bob@example.net", Action: Failed, Status: smtp.EnhancedCode{Class: 5, Subject: 2, Detail: 2}, Diagnostic: "552-5.2.2 the mailbox 552 5.2.2 is full"},
		{Final: "eve@example.net", Action: Delayed, Status: smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}},
	}
	if d := cmp.Diff(want, r.Recipients); d != "" {
		t.Error(d)
	}
}

func FuzzReport(f *testing.F) {
	for _, r := range reports() {
		if b, err := Compose(r); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Parse(bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(r.Recipients) == 0 || len(r.Recipients) > maxRecipients {
			t.Fatalf("%d recipients", len(r.Recipients))
		}
		// What was read can be told again.
		r.ReportingMTA = "post.example.org"
		if _, err := Compose(r); err != nil {
			t.Fatal(err)
		}
	})
}
