package cli

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/wellsent/wellsent/internal/doctor"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/resolver"
)

// A host of the address's own domain gets the login wherever its name came from; one
// of another domain does not, where its name came over DNS.
func TestTargetOfAddress_LoginStaysInTheDomain(t *testing.T) {
	records := map[string]string{
		"example.org.":                  "example.org. 60 IN MX 10 mail.example.org.",
		"example.net.":                  "example.net. 60 IN MX 10 mail.example.net.",
		"mail.example.org.":             "mail.example.org. 60 IN A 127.0.0.1",
		"mail.stranger.test.":           "mail.stranger.test. 60 IN A 127.0.0.1",
		"_submission._tcp.example.org.": "_submission._tcp.example.org. 60 IN SRV 0 1 587 mail.example.org.",
		"_submission._tcp.example.net.": "_submission._tcp.example.net. 60 IN SRV 0 1 587 mail.stranger.test.",
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if text, ok := records[strings.ToLower(q.Question[0].Name)]; ok {
			if rr, err := dns.NewRR(text); err == nil && rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		} else {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	go func() { // waited for below
		defer close(ended)
		_ = srv.ActivateAndServe()
	}()
	t.Cleanup(func() { conn.Close(); <-ended })
	for address, want := range map[string]bool{"ann@example.org": true, "ann@example.net": false} {
		c := &cobra.Command{}
		c.SetContext(context.Background())
		q := &doctor.Question{Timeout: 5 * time.Second, Security: doctor.Auto, Resolver: resolver.New(resolver.Options{Servers: []string{conn.LocalAddr().String()}})}
		if err := new(app).targetOfAddress(c, address, q); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(q.Host, "mail.") || q.Typed != want {
			t.Errorf("%s: %s, login allowed %v, want %v (%q)", address, q.Host, q.Typed, want, q.Origin)
		}
	}
}

// Where all that was tried works, what the program's error says is not forgotten, nor
// that no login was tried.
func TestPrintReport_AfterTheQuestions(t *testing.T) {
	said := explain.Text("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant", explain.Facts{})
	f := &doctorFlags{login: "ann@example.org", said: &said[0]}
	r := &doctor.Report{Target: doctor.Target{Host: "mail.example.org", Port: 587, Security: doctor.StartTLS}, Verdict: doctor.OK}
	var out bytes.Buffer
	if err := (&app{stdout: &out, color: colorNever}).printReport(r, f); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mail.example.org:587 works", "--user ann@example.org", "remains", "auth.smtp-auth-disabled", said[0].Do[0][:20]} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	r.Findings = []doctor.Finding{{Cause: "net.refused", Title: "refused", Seen: []string{}, Do: []string{}}}
	out.Reset()
	if err := (&app{stdout: &out, color: colorNever}).printReport(r, f); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "remains") {
		t.Errorf("the error's own cause stands beside what was found:\n%s", out.String())
	}
}
