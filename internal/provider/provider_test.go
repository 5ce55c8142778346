package provider_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wellsent/wellsent/internal/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestByDomain checks the providers that most people have. The first server is
// what they are to use.
func TestByDomain(t *testing.T) {
	for _, test := range []struct {
		domain string
		id     provider.ID
		server provider.Server
		login  provider.Login
	}{
		{"gmail.com", "gmail", provider.Server{Host: "smtp.gmail.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"GoogleMail.com.", "gmail", provider.Server{Host: "smtp.gmail.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"outlook.com", "outlook-com", provider.Server{Host: "smtp-mail.outlook.com", Port: 587, Security: provider.StartTLS}, provider.OAuth2},
		{"hotmail.co.uk", "outlook-com", provider.Server{Host: "smtp-mail.outlook.com", Port: 587, Security: provider.StartTLS}, provider.OAuth2},
		{"contoso.onmicrosoft.com", "microsoft365", provider.Server{Host: "smtp.office365.com", Port: 587, Security: provider.StartTLS}, provider.OAuth2},
		{"yahoo.com", "yahoo", provider.Server{Host: "smtp.mail.yahoo.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"yahoo.co.jp", "yahoo-jp", provider.Server{Host: "smtp.mail.yahoo.co.jp", Port: 465, Security: provider.TLS}, provider.Password},
		{"aol.com", "aol", provider.Server{Host: "smtp.aol.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"verizon.net", "verizon", provider.Server{Host: "smtp.aol.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"att.net", "att", provider.Server{Host: "smtp.mail.att.net", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"icloud.com", "icloud", provider.Server{Host: "smtp.mail.me.com", Port: 587, Security: provider.StartTLS}, provider.AppPassword},
		{"proton.me", "proton-bridge", provider.Server{Host: "127.0.0.1", Port: 1025, Security: provider.StartTLS}, provider.BridgePassword},
		{"fastmail.com", "fastmail", provider.Server{Host: "smtp.fastmail.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"zoho.eu", "zoho-eu", provider.Server{Host: "smtp.zoho.eu", Port: 465, Security: provider.TLS}, provider.AppPassword},
		{"yandex.ru", "yandex", provider.Server{Host: "smtp.yandex.com", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"mail.ru", "mailru", provider.Server{Host: "smtp.mail.ru", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"qq.com", "qq", provider.Server{Host: "smtp.qq.com", Port: 465, Security: provider.TLS}, provider.AuthorizationCode},
		{"163.com", "163-com", provider.Server{Host: "smtp.163.com", Port: 465, Security: provider.TLS}, provider.AuthorizationCode},
		{"126.com", "126-com", provider.Server{Host: "smtp.126.com", Port: 465, Security: provider.TLS}, provider.AuthorizationCode},
		{"naver.com", "naver", provider.Server{Host: "smtp.naver.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"gmx.de", "gmx-net", provider.Server{Host: "mail.gmx.net", Port: 465, Security: provider.TLS}, provider.Password},
		{"gmx.com", "gmx-com", provider.Server{Host: "mail.gmx.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"web.de", "webde", provider.Server{Host: "smtp.web.de", Port: 587, Security: provider.StartTLS}, provider.Password},
		{"mail.com", "mailcom", provider.Server{Host: "smtp.mail.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"accountant.com", "mailcom", provider.Server{Host: "smtp.mail.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"t-online.de", "t-online", provider.Server{Host: "securesmtp.t-online.de", Port: 465, Security: provider.TLS}, provider.AppPassword},
		{"freenet.de", "freenet", provider.Server{Host: "mx.freenet.de", Port: 465, Security: provider.TLS}, provider.Password},
		{"posteo.de", "posteo", provider.Server{Host: "posteo.de", Port: 465, Security: provider.TLS}, provider.Password},
		{"mailbox.org", "mailbox-org", provider.Server{Host: "smtp.mailbox.org", Port: 465, Security: provider.TLS}, provider.Password},
		{"orange.fr", "orange-fr", provider.Server{Host: "smtp.orange.fr", Port: 465, Security: provider.TLS}, provider.Password},
		{"free.fr", "free-fr", provider.Server{Host: "smtp.free.fr", Port: 465, Security: provider.TLS}, provider.Password},
		{"laposte.net", "laposte", provider.Server{Host: "smtp.laposte.net", Port: 465, Security: provider.TLS}, provider.Password},
		{"libero.it", "libero", provider.Server{Host: "smtp.libero.it", Port: 465, Security: provider.TLS}, provider.Password},
		{"bluewin.ch", "bluewin", provider.Server{Host: "smtpauths.bluewin.ch", Port: 465, Security: provider.TLS}, provider.Password},
		{"seznam.cz", "seznam", provider.Server{Host: "smtp.seznam.cz", Port: 465, Security: provider.TLS}, provider.Password},
		{"wp.pl", "wp-pl", provider.Server{Host: "smtp.wp.pl", Port: 465, Security: provider.TLS}, provider.Password},
		{"comcast.net", "comcast", provider.Server{Host: "smtp.comcast.net", Port: 465, Security: provider.TLS}, provider.OAuth2},
		{"btinternet.com", "bt", provider.Server{Host: "mail.btinternet.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"sky.com", "sky-uk", provider.Server{Host: "smtp.tools.sky.com", Port: 465, Security: provider.TLS}, provider.AppPassword},
		{"bigpond.com", "telstra", provider.Server{Host: "smtp.telstra.com", Port: 465, Security: provider.TLS}, provider.Password},
		{"ziggo.nl", "ziggo", provider.Server{Host: "smtp.ziggo.nl", Port: 587, Security: provider.StartTLS}, provider.Password},
		{"uol.com.br", "uol", provider.Server{Host: "smtps.uol.com.br", Port: 587, Security: provider.StartTLS}, provider.Password},
		{"inbox.lt", "inbox-lt", provider.Server{Host: "mail.inbox.lt", Port: 465, Security: provider.TLS}, provider.Password},
	} {
		p, ok := provider.ByDomain(test.domain)
		if !ok {
			t.Errorf("%s: no provider", test.domain)
			continue
		}
		if p.ID != test.id || p.Submission[0] != test.server || p.Logins[0] != test.login {
			t.Errorf("%s: %s %v %s, want %s %v %s", test.domain, p.ID, p.Submission[0], p.Logins[0], test.id, test.server, test.login)
		}
		if byID, _ := provider.ByID(test.id); byID != p {
			t.Errorf("%s: ByID gives another", test.id)
		}
	}
	for _, domain := range []string{"", ".", "com", "example.com", "mail.gmail.com", "notgmail.com", "onmicrosoft.com.example"} {
		if p, ok := provider.ByDomain(domain); ok {
			t.Errorf("%q: %s, want none", domain, p.ID)
		}
	}
}

func TestByMX(t *testing.T) {
	for _, test := range []struct {
		hosts []string
		want  provider.ID // "": none
	}{
		{[]string{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, "google-workspace"},
		{[]string{"smtp.google.com."}, "google-workspace"},
		{[]string{"gmail-smtp-in.l.google.com"}, "gmail"},
		{[]string{"Contoso-com.mail.protection.OUTLOOK.com"}, "microsoft365"},
		{[]string{"contoso-com.x-v1.mx.microsoft"}, "microsoft365"},
		{[]string{"outlook-com.olc.protection.outlook.com"}, "outlook-com"},
		{[]string{"contoso.mail.protection.partner.outlook.cn"}, "microsoft365-cn"},
		{[]string{"mta5.am0.yahoodns.net"}, "yahoo"},
		{[]string{"mx01.mail.icloud.com"}, "icloud"},
		{[]string{"mail.protonmail.ch", "mailsec.protonmail.ch"}, "proton-smtp"},
		{[]string{"in1-smtp.messagingengine.com"}, "fastmail"},
		{[]string{"mx.zoho.com"}, "zoho-com"},
		{[]string{"mx.zoho.eu"}, "zoho-eu"},
		{[]string{"mx00.ionos.de"}, "ionos"},
		{[]string{"smtpin.rzone.de"}, "strato"},
		{[]string{"www123.your-server.de"}, "hetzner"},
		{[]string{"mx1.mail.ovh.net"}, "ovh"},
		{[]string{"spool.mail.gandi.net"}, "gandi"},
		{[]string{"mailstore1.secureserver.net"}, "godaddy-workspace"},
		{[]string{"mx1.privateemail.com"}, "namecheap"},
		{[]string{"aspmx1.migadu.com"}, "migadu"},
		{[]string{"mx.filter.example", "aspmx.l.google.com"}, "google-workspace"},
		{[]string{"mx.example.com"}, ""},
		{[]string{"notgoogle.com"}, ""},
		{nil, ""},
	} {
		p, ok := provider.ByMX(test.hosts...)
		if !ok {
			p = &provider.Provider{}
		}
		if p.ID != test.want {
			t.Errorf("%v: %q, want %q", test.hosts, p.ID, test.want)
		}
	}
}

func TestByHost(t *testing.T) {
	for _, test := range []struct {
		host string
		id   provider.ID
		role provider.Role
		port int // of the first server; 0: none
	}{
		{"smtp.gmail.com", "gmail", provider.RoleOutgoing, 465},
		{"SMTP.Gmail.com.", "gmail", provider.RoleOutgoing, 465},
		{"smtp.googlemail.com", "gmail", provider.RoleOutgoing, 465},
		{"smtp.google.com", "gmail", provider.RoleMX, 0},
		{"imap.gmail.com", "gmail", provider.RoleIncoming, 993},
		{"smtp-relay.gmail.com", "google-workspace-relay", provider.RoleOutgoing, 587},
		{"smtp.office365.com", "microsoft365", provider.RoleOutgoing, 587},
		{"smtp.outlook.com", "microsoft365", provider.RoleOutgoing, 587},
		{"outlook.office365.com", "outlook-com", provider.RoleIncoming, 993},
		{"contoso-com.mail.protection.outlook.com", "microsoft365", provider.RoleMX, 0},
		{"mail.gandi.net", "gandi", provider.RoleOutgoing, 465},
		{"email-smtp.eu-west-1.amazonaws.com", "amazon-ses", provider.RoleOutgoing, 587},
		{"email-smtp.me-south-1.amazonaws.com", "amazon-ses", provider.RoleOutgoing, 587},
		{"smtp.sendgrid.net", "sendgrid", provider.RoleOutgoing, 587},
		{"w0123456.kasserver.com", "all-inkl", provider.RoleOutgoing, 465},
	} {
		uses := provider.ByHost(test.host)
		if len(uses) == 0 {
			t.Errorf("%s: unknown", test.host)
			continue
		}
		port := 0
		if len(uses[0].Servers) > 0 {
			port = uses[0].Servers[0].Port
		}
		if u := uses[0]; u.Provider.ID != test.id || u.Role != test.role || port != test.port {
			t.Errorf("%s: %s %s %d, want %s %s %d", test.host, u.Provider.ID, u.Role, port, test.id, test.role, test.port)
		}
	}
	if s := provider.ByHost("w0123456.kasserver.com")[0].Servers; len(s) != 2 || s[1] != (provider.Server{Host: "w0123456.kasserver.com", Port: 587, Security: provider.StartTLS}) {
		t.Errorf("servers of a pattern: %v", s)
	}
	for _, host := range []string{"", "gmail.com", "smtp.example.com", "email-smtp.amazonaws.com", "smtp.live.com"} {
		if uses := provider.ByHost(host); len(uses) > 0 {
			t.Errorf("%q: %v, want unknown", host, uses)
		}
	}
}

// Exchange Online's regional names, with those of before and beside them.
func TestByRetired(t *testing.T) {
	for _, region := range []string{
		"apacnorth", "apacsouth", "emea", "emeacenter", "emeacentral", "emeaeast", "emeasouth", "emeawest",
		"latam", "nameast", "namnorth", "namsouth", "namwest", "unisa",
	} {
		r, ok := provider.ByRetired("smtp-" + region + ".outlook.com")
		if !ok || r.Successor != "smtp.office365.com" || r.Provider != "microsoft365" || r.Confidence != provider.High {
			t.Errorf("%s: %+v", region, r)
		}
	}
	for host, successor := range map[string]string{
		"SMTP.live.com.":                "smtp-mail.outlook.com",
		"pod51004.outlook.com":          "smtp.office365.com",
		"smtp-server.austin.rr.com":     "mail.twc.com",
		"smtp-relay.sendinblue.com":     "smtp-relay.brevo.com",
		"smtp.me.com":                   "smtp.mail.me.com",
		"outgoing.verizon.net":          "smtp.aol.com",
		"smtp.btconnect.com":            "",
		"mail.messagingengine.com":      "smtp.fastmail.com",
		"smtp.mail.microsoftonline.com": "smtp.office365.com",
	} {
		if r, ok := provider.ByRetired(host); !ok || r.Successor != successor {
			t.Errorf("%s: %+v, want %s", host, r, successor)
		}
	}
	for _, host := range []string{"smtp.office365.com", "smtp-mail.outlook.com", "smtp.gmail.com", "pod.outlook.com", ""} {
		if r, ok := provider.ByRetired(host); ok {
			t.Errorf("%s: %+v, want in use", host, r)
		}
	}
}

func TestByClosed(t *testing.T) {
	for _, name := range []string{"tesco.net", "smtp.dynect.net", "Openmailbox.org"} {
		if c, ok := provider.ByClosed(name); !ok || c.Name == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c, ok := provider.ByClosed("gmail.com"); ok {
		t.Errorf("gmail.com: %+v", c)
	}
}

func TestStanding_FollowsTheDate(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		id    provider.ID
		login provider.Login
		at    string
		want  provider.Standing
	}{
		{"microsoft365", provider.Password, "2026-12-31", provider.Accepted},
		{"microsoft365", provider.Password, "2027-01-01", provider.OffByDefault},
		{"microsoft365", provider.OAuth2, "2027-01-01", provider.Accepted},
		{"microsoft365", provider.AppPassword, "2026-12-31", provider.Unknown},
		{"outlook-com", provider.Password, "2024-09-15", provider.Unknown},
		{"outlook-com", provider.Password, "2024-09-16", provider.Ended},
		{"outlook-com", provider.AppPassword, "2026-01-01", provider.Ended},
		{"gmail", provider.Password, "2026-01-01", provider.Ended},
		{"gmail", provider.AppPassword, "2026-01-01", provider.Accepted},
	} {
		p, _ := provider.ByID(test.id)
		got, change := p.Standing(test.login, day(test.at))
		if got != test.want || (change == nil) != (test.want == provider.Accepted || test.want == provider.Unknown) {
			t.Errorf("%s %s %s: %q %v, want %q", test.id, test.login, test.at, got, change, test.want)
		}
	}
	p, _ := provider.ByID("microsoft365")
	if ahead := p.Upcoming(day("2026-11-01")); len(ahead) != 1 || ahead[0].Login != provider.Password {
		t.Errorf("ahead of 2026-11-01: %v", ahead)
	}
	if ahead := p.Upcoming(day("2027-01-01")); len(ahead) != 0 {
		t.Errorf("ahead of 2027-01-01: %v", ahead)
	}
}

func TestLimits_OfExchangeOnline(t *testing.T) {
	p, _ := provider.ByID("microsoft365")
	if l := p.Limits; l.Connections != 3 || l.PerMinute != 30 || l.RecipientsPerDay != 10000 {
		t.Errorf("%+v", l)
	}
}

func TestWorks(t *testing.T) {
	for id, want := range map[provider.ID]bool{"tuta": false, "hey": false, "gmail": true, "local-sinks": true} {
		if p, ok := provider.ByID(id); !ok || p.Works() != want {
			t.Errorf("%s: want %v", id, want)
		}
	}
}

func TestUserForm_Fill(t *testing.T) {
	for _, test := range []struct {
		form    provider.UserForm
		address string
		want    string
	}{
		{provider.Address, "ada@example.com", "ada@example.com"},
		{provider.LocalPart, `"a@b"@example.com`, `"a@b"`},
		{provider.LocalPart + "." + provider.Domain, "ada@example.com", "ada.example.com"},
		{"apikey", "ada@example.com", "apikey"},
		{provider.LocalPart, "ada", "ada"},
		{"", "ada@example.com", ""},
		{provider.Address, "%EMAILDOMAIN%@example.com", "%EMAILDOMAIN%@example.com"}, // filled once only
	} {
		if got := test.form.Fill(test.address); got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.form, test.address, got, test.want)
		}
		if test.form.Words() == "" {
			t.Errorf("%s: no words", test.form)
		}
	}
}

func TestRoleOf(t *testing.T) {
	for _, test := range []struct {
		host  string
		want  provider.Role
		known bool
	}{
		{"smtp.gmail.com", provider.RoleOutgoing, true},
		{"mx.freenet.de", provider.RoleOutgoing, true},
		{"outlook.office365.com", provider.RoleIncoming, true},
		{"imap-mail.outlook.com", provider.RoleIncoming, true},
		{"smtp.live.com", provider.RoleOutgoing, true},
		{"imap.example.com", provider.RoleIncoming, false},
		{"pop3.example.com", provider.RoleIncoming, false},
		{"imap4.example.com", provider.RoleIncoming, false},
		{"mx01.example.com", provider.RoleMX, false},
		{"webmail.example.com", provider.RoleWeb, false},
		{"smtp2.example.com", provider.RoleOutgoing, false},
		{"mail.example.com", provider.RoleUnknown, false},
		{"imap.com", provider.RoleUnknown, false},
		{"", provider.RoleUnknown, false},
	} {
		if got, known := provider.RoleOf(test.host); got != test.want || known != test.known {
			t.Errorf("%s: %q %v, want %q %v", test.host, got, known, test.want, test.known)
		}
	}
}

func TestNetworksByASN(t *testing.T) {
	found := provider.NetworksByASN(14061)
	if len(found) != 1 || found[0].ID != "digitalocean" || !slices.Contains(found[0].Blocks, 587) {
		t.Errorf("14061: %v", found)
	}
	if found := provider.NetworksByASN(64496); len(found) > 0 {
		t.Errorf("64496: %v", found)
	}
	if len(provider.Networks()) < 15 {
		t.Error("networks are lost")
	}
}
