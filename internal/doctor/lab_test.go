package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/explain"
	"github.com/wellsent/wellsent/internal/lab"
)

// elsewhere are scenarios that a client other than the doctor must meet.
var elsewhere = map[string]string{
	"net.connection-lost/data":      "the doctor's message is too small to be cut off",
	"ok/imap":                       "it is no server for sending; TestRun_LoginAtIncomingServer has one",
	"ok/pop3":                       "the same",
	"auth.smtp-auth-disabled/plain": "it takes a second server; TestRun_LoginAtIncomingServer has one",
}

// inWordsOf are scenarios whose words package explain reads as a neighbour. Probes
// cannot tell more than the words there.
var inWordsOf = map[string]cause.ID{
	"sender.send-as-denied": "sender.address-not-owned",
	"message.url-blocked":   "message.spam",
}

// Every scenario of the lab is met as a person would: with the settings they were
// told, and a real message, since many servers say no only to that.
func TestRun_Lab(t *testing.T) {
	t.Parallel()
	for _, sc := range lab.Scenarios() {
		t.Run(sc.ID, func(t *testing.T) {
			if why := elsewhere[sc.ID]; why != "" {
				t.Skip(why)
			}
			t.Parallel()
			s, err := lab.Start(context.Background(), lab.Options{Cause: sc.ID, Slow: 100 * time.Millisecond})
			if err != nil {
				t.Skip(err) // a scenario that needs a port that is taken
			}
			defer s.Close()
			set := s.Settings()
			q := Question{
				Host: set.Host, Port: set.Port, Security: Security(set.Security), Typed: true, Address: set.From,
				User: set.User, Password: set.Password, From: set.From, To: set.To, Send: true, Timeout: 10 * time.Second, Hostname: "client.example.org",
			}
			if sc.Cause == "sender.bad-helo" {
				q.Hostname = "crm"
			}
			if set.Auth == "XOAUTH2" || set.Auth == "OAUTHBEARER" {
				q.Token, q.Password, q.Mechanism = set.Password, "", set.Auth
			}
			q.Roots = x509.NewCertPool()
			if set.CA != "" {
				q.Roots.AppendCertsFromPEM([]byte(set.CA))
			}
			q.at(zone(t, "mail.lab.example. A 127.0.0.1\nexample.org. TXT \"v=spf1 -all\"\n"))
			r := Run(context.Background(), q)
			var got cause.ID
			if len(r.Findings) > 0 {
				got = r.Findings[0].Cause
			}
			want := append([]cause.ID{sc.Cause}, sc.Words...)
			if sc.Harmless {
				want = append(want, "")
			}
			if other, ok := inWordsOf[sc.ID]; ok {
				want = append(want, other)
			}
			if !slices.Contains(want, got) {
				b, _ := json.MarshalIndent(r, "", " ")
				t.Errorf("root cause %q, want %q (the client is told %+v)\n%s", got, want, set, b)
			}
			if got != "" && r.Verdict != Problem && r.Findings[0].Confidence != explain.Possible {
				t.Errorf("verdict %s with a finding", r.Verdict)
			}
		})
	}
}
