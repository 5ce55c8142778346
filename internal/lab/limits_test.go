package lab

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

func TestMeter_CountsTheTimeThatEndsNow(t *testing.T) {
	m := meter{limits: Limits{PerMinute: 2, RecipientsPerDay: 5}}
	now := time.Date(2026, 12, 31, 23, 59, 30, 0, time.UTC)
	for _, c := range []struct {
		after      time.Duration
		recipients int
		want       string
	}{
		{0, 1, ""},
		{50 * time.Second, 1, ""},
		{9*time.Second + 999*time.Millisecond, 1, saysBusy}, // another minute by the clock
		{time.Millisecond, 1, ""},                           // the first is 60 s old
		{time.Hour, 3, saysQuota},
		{0, 2, ""},
		{time.Hour, 1, saysQuota},
		{22 * time.Hour, 1, ""}, // another day by the clock long since, and 24 hours just now
	} {
		now = now.Add(c.after)
		if _, got := m.spend(now, c.recipients); got != c.want {
			t.Errorf("%v: %q, want %q", now, got, c.want)
		}
	}
	if u := m.usageNow(); u.Messages != 5 || u.Recipients != 6 || u.OverRate != 1 || u.OverQuota != 2 || u.Over() != 3 {
		t.Errorf("%+v", u)
	}
}

// TestLimits_AClientWithoutPaceIsRefused has a client that sends as fast as it can,
// over more connections than there may be, and whose password is then revoked.
func TestLimits_AClientWithoutPaceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(t.Context(), Options{Cause: "ok/exchange-online", Hostname: "lab.test", ClearAuth: true})
		if err != nil {
			t.Fatal(err)
		}
		var served sync.WaitGroup
		defer served.Wait()
		defer s.Close()
		open := func(word string) (*smtpclient.Client, *evidence.Error) {
			c := smtpclient.New(smtpclient.Options{Hostname: "client.test", Host: "lab.test", Port: 587, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
				Policy: smtpclient.TLSNone, PlaintextAuth: true, User: s.Settings().User, Password: word,
				Dial: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					served.Go(func() { s.Serve(far) })
					return near, nil
				}})
			return c, c.Open(t.Context())
		}
		send := func(c *smtpclient.Client) string {
			body := []byte("Subject: lab\r\n\r\ntext\r\n")
			a := c.Send(t.Context(), &smtpclient.Mail{From: sender, Recipients: []smtp.Recipient{{Path: recipient}}, Head: body, Size: int64(len(body))})
			if a.Err != nil {
				return a.Err.Reply.String()
			}
			return ""
		}
		var all []*smtpclient.Client
		for range 4 {
			c, err := open(s.Settings().Password)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		if got := send(all[0]); !strings.HasPrefix(got, "432 4.3.2") {
			t.Errorf("with four connections: %q", got)
		}
		all[3].Close()
		for i := range 30 {
			if got := send(all[i%3]); got != "" {
				t.Fatalf("message %d: %q", i, got)
			}
		}
		if got := send(all[0]); !strings.HasPrefix(got, "451 4.7.500") {
			t.Errorf("the 31st message: %q", got)
		}
		time.Sleep(time.Minute)
		if got := send(all[0]); got != "" {
			t.Errorf("a minute later: %q", got)
		}
		s.SetPassword("")
		if c, err := open(s.Settings().Password); err == nil || err.Reply.Code != 535 {
			c.Close()
			t.Errorf("with the password revoked: %v", err)
		}
		if u := s.Usage(); u.Messages != 31 || u.OverConnection != 1 || u.OverRate != 1 || u.Refused != 1 || u.Connections != 4 {
			t.Errorf("%+v", u)
		}
		for _, c := range all[:3] {
			c.Close()
		}
	})
}
