package worry

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/dispatch"
	"github.com/wellsent/wellsent/internal/oauth"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func days(n int) time.Time { return now.AddDate(0, 0, n) }

func TestTokens(t *testing.T) {
	in := oauth.Status{Route: "m365", SignedIn: true, Grant: oauth.RefreshToken}
	with := func(change func(*oauth.Status)) oauth.Status { s := in; change(&s); return s }
	expires := func(e oauth.Expiry) oauth.Status {
		return with(func(s *oauth.Status) { s.Expires = []oauth.Expiry{e} })
	}
	for _, c := range []struct {
		name string
		give oauth.Status
		kind Kind // "" for none
		now  bool
		what string
	}{
		{"well", in, "", false, ""},
		{"signed out", with(func(s *oauth.Status) { s.SignedIn = false }), SignedOut, true, "nobody has signed in for route m365"},
		{"unreadable", with(func(s *oauth.Status) { s.Problem = "sealed with another key" }), Unreadable, true, "another key"},
		{"refused", with(func(s *oauth.Status) { s.Failing, s.FailingSince = "invalid_grant", days(-1) }), TokenFails, true, "gets no new token: invalid_grant"},
		{"secret, a year", expires(oauth.Expiry{What: oauth.ExpirySecret, At: days(365)}), "", false, ""},
		{"secret, 31 days", expires(oauth.Expiry{What: oauth.ExpirySecret, At: days(31)}), "", false, ""},
		{"secret, 29 days", expires(oauth.Expiry{What: oauth.ExpirySecret, At: days(29)}), Expiring, false, "ends in 29 days, on 2026-12-30"},
		{"secret, gone", expires(oauth.Expiry{What: oauth.ExpirySecret, At: days(-1)}), Expiring, true, "ended on 2026-11-30"},
		{"certificate of 90 days, 25 left", expires(oauth.Expiry{What: oauth.ExpiryCertificate, From: days(-65), At: days(25)}), "", false, ""},
		{"certificate of 90 days, 20 left", expires(oauth.Expiry{What: oauth.ExpiryCertificate, From: days(-70), At: days(20)}), Expiring, false, "ends in 20 days"},
		{"refresh token used today", expires(oauth.Expiry{What: oauth.ExpiryRefreshToken, From: now, At: days(90)}), "", false, ""},
		{"refresh token unused for 80 days", expires(oauth.Expiry{What: oauth.ExpiryRefreshToken, From: days(-80), At: days(10)}), Expiring, false, "ends in 10 days"},
		{"refresh token of a day, used an hour ago", expires(oauth.Expiry{What: oauth.ExpiryRefreshToken, From: now.Add(-time.Hour), At: now.Add(23 * time.Hour)}), "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Tokens(c.give, now)
			switch {
			case c.kind == "" && len(got) == 0:
			case len(got) != 1 || got[0].Kind != c.kind || got[0].Now != c.now || !strings.Contains(got[0].What, c.what):
				t.Errorf("got %+v, want %s, now %v, %q", got, c.kind, c.now, c.what)
			case got[0].Do == nil:
				t.Error("do is null")
			}
		})
	}
}

func TestLanes(t *testing.T) {
	since := now.Add(-5 * time.Hour)
	got := Lanes([]dispatch.LaneStatus{
		{Name: "open", State: "open"},
		{Name: "slow", State: "slow", Since: &since},
		{Name: "paused", State: "paused", Title: "The password is wrong.", Cause: "auth.credentials-rejected", Since: &now},
		{Name: "down", State: "down", Since: &since},
		{Name: "down a moment", State: "down", Since: &now},
	}, 4*time.Hour, now)
	if len(got) != 2 || got[0].Kind != LanePaused || got[0].Cause != "auth.credentials-rejected" || !strings.Contains(strings.Join(got[0].Do, " "), "resume --lane paused") ||
		got[1].Kind != LaneDown || !strings.Contains(got[1].What, "5 hours") {
		t.Errorf("%+v", got)
	}
}

func TestLanes_NoticesAreWorriesThoughMailGoes(t *testing.T) {
	got := Lanes([]dispatch.LaneStatus{{Name: "m365", State: "open", Notices: []string{"smtp.live.com was withdrawn by its provider"}}}, time.Hour, now)
	if len(got) != 1 || got[0].Kind != LaneNotice || got[0].Now || got[0].Subject != "m365" || !strings.Contains(got[0].What, "smtp.live.com was withdrawn") ||
		len(got[0].Do) != 1 || !strings.Contains(got[0].Do[0], "wellsent doctor --route m365") {
		t.Errorf("%+v", got)
	}
}

func TestClientCertificate(t *testing.T) {
	for _, c := range []struct {
		end  time.Time
		err  error
		kind Kind // "" for none
		now  bool
	}{
		{days(31), nil, "", false}, {days(29), nil, Expiring, false}, {days(-1), nil, Expiring, true},
		{time.Time{}, errors.New("no such file"), Unreadable, true},
	} {
		got := ClientCertificate("exchange", c.end, c.err, now)
		switch {
		case c.kind == "" && len(got) == 0:
		case len(got) != 1 || got[0].Kind != c.kind || got[0].Now != c.now || got[0].Do == nil || !strings.Contains(got[0].What, "route exchange"):
			t.Errorf("%s, %v: %+v", c.end, c.err, got)
		}
	}
}

func TestQueue(t *testing.T) {
	for _, c := range []struct {
		give Mail
		want []Kind
	}{
		{Mail{}, nil},
		{Mail{Oldest: now.Add(-time.Hour)}, nil},
		{Mail{Oldest: now.Add(-5 * time.Hour)}, []Kind{OldMail}},
		{Mail{Oldest: now.Add(-5 * time.Hour), Dead: 2}, []Kind{OldMail, DeadLetters}},
		{Mail{Held: 1}, []Kind{HeldMail}},
	} {
		got := Queue(c.give, 4*time.Hour, now)
		if len(got) != len(c.want) {
			t.Errorf("%+v: %+v", c.give, got)
			continue
		}
		for i := range got {
			if got[i].Kind != c.want[i] {
				t.Errorf("%+v: %+v", c.give, got)
			}
		}
	}
}

func TestRoom(t *testing.T) {
	if got := Room("/var/lib/wellsent", nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	got := Room("/var/lib/wellsent", errors.New("full"))
	if len(got) != 1 || got[0].Kind != NoRoom || !got[0].Now || !strings.Contains(got[0].What, "/var/lib/wellsent") || len(got[0].Do) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestServerCertificate(t *testing.T) {
	for _, c := range []struct {
		end  time.Time
		many int
		now  bool
	}{{days(30), 0, false}, {days(13), 1, false}, {days(-1), 1, true}, {time.Time{}, 0, false}} {
		got := ServerCertificate("c.pem", c.end, now)
		if len(got) != c.many || c.many == 1 && got[0].Now != c.now {
			t.Errorf("%s: %+v", c.end, got)
		}
	}
}

func TestSort_WhatStopsMailComesFirst(t *testing.T) {
	soon, later := days(1), days(9)
	all := []Worry{{Subject: "later", Until: &later}, {Subject: "sometime"}, {Subject: "soon", Until: &soon}, {Subject: "now", Now: true}}
	Sort(all)
	if all[0].Subject != "now" || all[1].Subject != "soon" || all[2].Subject != "later" || all[3].Subject != "sometime" {
		t.Errorf("%+v", all)
	}
}
