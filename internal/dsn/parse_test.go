package dsn

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// report returns a report whose status part is status.
func report(status string) string {
	return "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\nTo: ann@example.net\nDate: Mon, 12 Jan 2026 10:00:00 +0000\nMessage-ID: <1@mx.example.net>\n" +
		"MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\npreamble\n" +
		"--b\nContent-Type: text/plain; charset=utf-8\n\nSorry.\n\n--b\nContent-Type: message/delivery-status\n\n" + status +
		"\n--b\nContent-Type: message/rfc822\n\nSubject: hello\nFrom: ann@example.net\n\nthe body\n--b--\n"
}

func TestParse(t *testing.T) {
	text := report("Reporting-MTA: dns; mx.example.net\nOriginal-Envelope-Id: e1\nArrival-Date: Mon, 12 Jan 2026 09:00:00 +0000\n\n" +
		"Original-Recipient: rfc822; Bob@example.org\nFinal-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.org\n" +
		"Diagnostic-Code: smtp; 550 5.1.1 no such\n user here\nLast-Attempt-Date: Mon, 12 Jan 2026 09:30:00 +0000\n\n" +
		"Final-Recipient: rfc822;<cy@example.com>\nAction: delayed (still trying)\nStatus: 4.4.1 (no answer)\nWill-Retry-Until: Sat, 17 Jan 2026 09:00:00 +0000\n")
	for name, s := range map[string]string{"LF": text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n")} {
		r, err := Parse(strings.NewReader(s))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.ReportingMTA != "mx.example.net" || r.EnvelopeID != "e1" || r.From != "MAILER-DAEMON@mx.example.net" || r.To != "ann@example.net" || r.MessageID != "1@mx.example.net" || r.Arrival.UTC().Hour() != 9 {
			t.Errorf("%s: the message's fields: %+v", name, r)
		}
		if strings.TrimSpace(r.Human) != "Sorry." || !strings.HasPrefix(string(r.Header), "Subject: hello") || !r.ReturnFull || r.BodySize == 0 {
			t.Errorf("%s: human %q, original %q", name, r.Human, r.Header)
		}
		if len(r.Recipients) != 2 {
			t.Fatalf("%s: %d recipients", name, len(r.Recipients))
		}
		b, c := r.Recipients[0], r.Recipients[1]
		if b.Final != "bob@example.org" || b.Original != "rfc822;Bob@example.org" || b.Action != Failed || b.Status != (smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}) ||
			b.RemoteMTA != "mx.example.org" || b.Diagnostic != "550 5.1.1 no such user here" || b.LastAttempt.IsZero() {
			t.Errorf("%s: %+v", name, b)
		}
		if c.Final != "cy@example.com" || c.Action != Delayed || c.Status.String() != "4.4.1" || c.WillRetryUntil.IsZero() {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestParse_Mistakes holds that the mistakes of other servers are taken.
func TestParse_Mistakes(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Action
	}{
		"no empty line between recipients": {report("Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nFinal-Recipient: rfc822; c@d.example\nAction: delayed\n"), []Action{Failed, Delayed}},
		"no fields of the message":         {report("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"), []Action{Failed}},
		"only the original recipient":      {report("Reporting-MTA: dns; a.example\n\nOriginal-Recipient: rfc822; a@b.example\nAction: Failed\n"), []Action{Failed}},
		"lines that are no fields":         {report("Reporting-MTA: dns; a.example\n\nwhat a mess\nFinal-Recipient: rfc822; a@b.example\n=== \nAction: failed\n"), []Action{Failed}},
		"no status":                        {report("Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: expanded\n"), []Action{Expanded}},
		"forwarded": {"From: ann@example.net\nSubject: Fwd: what is this?\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nLook.\n--o\nContent-Type: message/rfc822\n\n" +
			report("Final-Recipient: rfc822; a@b.example\nAction: failed\n") + "\n--o--\n", []Action{Failed}},
	} {
		r, err := Parse(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []Action
		for _, x := range r.Recipients {
			got = append(got, x.Action)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestParse_NotReport(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no header": "hello\n", "a message": "From: a@b.example\nSubject: x\n\nAction: failed\n",
		"a report of nobody": report("Reporting-MTA: dns; a.example\n"),
	} {
		if _, err := Parse(strings.NewReader(text)); !errors.Is(err, ErrNotReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseStatus(t *testing.T) {
	r, err := ParseStatus("some words before\n\nReporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 full\n")
	if err != nil || len(r.Recipients) != 1 || r.Recipients[0].Diagnostic != "552 full" || r.ReportingMTA != "a.example" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := ParseStatus("From: a@b.example\nTo: c@d.example\n\nhello\n"); !errors.Is(err, ErrNotReport) {
		t.Errorf("a message: %v", err)
	}
}

// TestParse_Composed holds that what Compose writes is read back.
func TestParse_Composed(t *testing.T) {
	at := time.Date(2026, 1, 12, 10, 0, 0, 0, time.UTC)
	want := &Report{ReportingMTA: "mx.example.net", EnvelopeID: "e1", Arrival: at, From: "MAILER-DAEMON@mx.example.net", To: "ann@example.net", MessageID: "1@mx.example.net", Date: at, QueueID: "q1",
		Header: []byte("Subject: hello\r\nFrom: ann@example.net"),
		Recipients: []Recipient{{Final: "bob@example.org", Original: "rfc822;bob@example.org", Action: Failed, Status: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1},
			RemoteMTA: "mx.example.org", Diagnostic: "550 5.1.1 no such user", LastAttempt: at, CauseID: "recipient.unknown"}}}
	b, err := Compose(want)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	x, w := r.Recipients[0], want.Recipients[0]
	if len(r.Recipients) != 1 || x.Final != w.Final || x.Original != w.Original || x.Action != w.Action || x.Status != w.Status || x.RemoteMTA != w.RemoteMTA || x.Diagnostic != w.Diagnostic || x.CauseID != w.CauseID || !x.LastAttempt.Equal(at) {
		t.Errorf("%+v, want %+v", x, w)
	}
	if r.QueueID != "q1" || r.EnvelopeID != "e1" || !r.Arrival.Equal(at) {
		t.Errorf("%+v", r)
	}
}

// FuzzParse holds that nothing breaks the reading of a report.
func FuzzParse(f *testing.F) {
	f.Add(report("Final-Recipient: rfc822; a@b.example\nAction: failed\n"))
	f.Add("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(strings.NewReader(text))
		if (err == nil) != (r != nil && len(r.Recipients) > 0) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
