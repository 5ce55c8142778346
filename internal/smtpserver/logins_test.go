package smtpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"sync"
	"testing"

	"github.com/wellsent/wellsent/internal/smtp"
)

// asked is an Exchange that asks one question and takes one answer.
type asked struct{ account string }

func (a *asked) Next(_ context.Context, response []byte) smtp.LoginStep {
	switch string(response) {
	case "":
		return smtp.LoginStep{Challenge: []byte("?")}
	case "!":
		return smtp.LoginStep{Account: a.account}
	}
	r := smtp.NewReply(535, 7, 8, "no")
	if string(response) == "stale" {
		return smtp.LoginStep{Challenge: []byte("why"), Refusal: &r}
	}
	return smtp.LoginStep{Refusal: &r}
}

// TestAuth_OfferedMechanisms: what EHLO offers, for what the listener says.
func TestAuth_OfferedMechanisms(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  Listener
		scram bool
		plain string // the AUTH line in the clear; "" for none
		tls   string // and under TLS
	}{
		{"default, not all have keys", Listener{Kind: smtp.KindSubmission}, false, "", "S: 250-AUTH PLAIN LOGIN\n"},
		{"default", Listener{Kind: smtp.KindSubmission}, true, "", "S: 250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\n"},
		{"in the clear too", Listener{Kind: smtp.KindSubmission, PlaintextAuth: true}, true, "S: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN\n", "S: 250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\n"},
		{"as it says", Listener{Kind: smtp.KindSubmission, Mechanisms: []string{"SCRAM-SHA-256", "EXTERNAL", "NTLM"}}, false, "", "S: 250-AUTH SCRAM-SHA-256 NTLM\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, addr, client, _ := start(t, c.spec, func(o *Config) { o.SCRAMForAll = func() bool { return c.scram } })
			play(t, addr, client, greeted+hello+"S: 250-STARTTLS\n"+c.plain+"S: 250 HELP\nC: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+hello+c.tls+"S: 250 HELP\nC: QUIT\nS: 221 ...\n")
		})
	}
}

func TestAuth_Exchange(t *testing.T) {
	var seen smtp.Client
	spec := Listener{Kind: smtp.KindSubmission, PlaintextAuth: true, Mechanisms: []string{"X-ASK", "PLAIN"}}
	_, addr, client, _ := start(t, spec, func(o *Config) {
		o.Exchange = func(c *smtp.Client, mechanism string) smtp.Exchange {
			seen = *c
			return &asked{account: "ann"}
		}
	})
	begin := greeted + hello + "S: 250-STARTTLS\nS: 250-AUTH X-ASK PLAIN\nS: 250 HELP\n"
	for _, script := range []string{
		"C: AUTH X-ASK\nS: 334 Pw==\nC: IQ==\nS: 235 ...\nC: MAIL FROM:<ann@example.org>\nS: 250 ...\n",
		"C: auth x-ask IQ==\nS: 235 ...\nC: AUTH X-ASK\nS: 503 ...\n",
		"C: AUTH X-ASK =\nS: 334 Pw==\nC: eA==\nS: 535 ...\nC: AUTH X-ASK\nS: 334 Pw==\nC: *\nS: 501 ...\nC: AUTH X-ASK\nS: 334 Pw==\nC: !\nS: 501 ...\nC: MAIL FROM:<ann@example.org>\nS: 530 ...\n",
		// A refusal that says why counts, whatever the client answers to it.
		"C: AUTH X-ASK c3RhbGU=\nS: 334 d2h5\nC: *\nS: 535 ...\nC: AUTH X-ASK c3RhbGU=\nS: 334 d2h5\nC: \nS: 535 ...\nC: AUTH X-ASK c3RhbGU=\nS: 334 d2h5\nC: !!\nS: 535 ...\n",
		"C: AUTH LOGIN\nS: 504 ...\nC: AUTH NTLM\nS: 504 ...\n",
	} {
		play(t, addr, client, begin+script+"C: QUIT\nS: 221 ...\n")
	}
	if seen.Name != "client.example" || len(seen.Mechanisms) != 2 {
		t.Errorf("the exchange was told of %+v", seen)
	}
	// After HELO, which offers nothing, what EHLO would offer may be used: old devices do.
	play(t, addr, client, greeted+"C: HELO device\nS: 250 ...\nC: AUTH X-ASK IQ==\nS: 235 ...\nC: QUIT\nS: 221 ...\n")
}

// TestHandshake_CertificateIsKnown: also of a session that is resumed, which shows none.
func TestHandshake_CertificateIsKnown(t *testing.T) {
	var mu sync.Mutex
	var certificates [][]byte
	var resumed []bool
	spec := Listener{Kind: smtp.KindSubmissions, Mechanisms: []string{"X-ASK"}}
	s, addr, client, _ := start(t, spec, func(o *Config) {
		o.Exchange = func(c *smtp.Client, _ string) smtp.Exchange {
			mu.Lock()
			defer mu.Unlock()
			certificates, resumed = append(certificates, c.Certificate), append(resumed, c.TLS.DidResume)
			return &asked{account: "ann"}
		}
	})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		play(t, addr, client, "T:\n"+greeted+hello+"S: 250-AUTH X-ASK\nS: 250 HELP\nC: AUTH X-ASK IQ==\nS: 235 ...\nC: QUIT\nS: 221 ...\n")
	}
	want := s.tls.Certificates[0].Certificate[0]
	if len(certificates) != 2 || !bytes.Equal(certificates[0], want) || !bytes.Equal(certificates[1], want) {
		t.Errorf("%d certificates, or others than ours", len(certificates))
	}
	if resumed[0] || !resumed[1] {
		t.Errorf("resumed: %v", resumed)
	}
}
