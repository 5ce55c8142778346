package autoconfig

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/provider"
)

const (
	ownFile   = "https://autoconfig.example.org/mail/config-v1.1.xml"
	wellKnown = "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml"
)

// fileOf returns a file that names one outgoing server.
func fileOf(host string) string {
	return `<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="example.org"><domain>example.org</domain>
<outgoingServer type="smtp"><hostname>` + host + `</hostname><port>465</port><socketType>SSL</socketType>
<username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication></outgoingServer></emailProvider></clientConfig>`
}

func TestFind_OwnFileOverHTTPS(t *testing.T) {
	w := newWorld(t, "")
	w.text(ownFile, fileOf("smtp.example.org"))
	r := w.find(t, w.options())
	if len(r.Settings) != 1 {
		t.Fatalf("settings %+v", r.Settings)
	}
	s := r.Settings[0]
	if s.Source != FromAutoconfig || s.Trust != TrustHTTPS || s.Foreign || s.Where != ownFile {
		t.Errorf("%+v", s)
	}
	want := Outgoing{Server: provider.Server{Host: "smtp.example.org", Port: 465, Security: provider.TLS}, User: "ada", Logins: []provider.Login{provider.Password}}
	if o := s.Outgoing[0]; o.Server != want.Server || o.User != want.User || !slices.Equal(o.Logins, want.Logins) {
		t.Errorf("%+v, want %+v", o, want)
	}
	_, requests := w.traffic()
	if !slices.Contains(requests, "GET "+ownFile+"?emailaddress=ada%40example.org") {
		t.Errorf("requests %q", requests)
	}
	for _, q := range requests {
		if strings.Contains(q, "http://") || strings.Contains(q, "autodiscover") {
			t.Errorf("%s: a later step was asked", q)
		}
	}
}

// Nothing leaves the machine for an address that provider data know.
func TestFind_ProviderDataAskNobody(t *testing.T) {
	w := newWorld(t, "")
	r, err := Find(ctxOf(t), "ada@GMail.com", w.options())
	if err != nil {
		t.Fatal(err)
	}
	s, ok := r.Best()
	if !ok || s.Source != FromProvider || s.Trust != TrustOwn || s.Outgoing[0].Host != "smtp.gmail.com" || s.Outgoing[0].User != "ada@gmail.com" {
		t.Errorf("%+v", s)
	}
	if r.Provider == nil || r.Provider.ID != "gmail" || r.Domain != "gmail.com" {
		t.Errorf("provider %v, domain %s", r.Provider, r.Domain)
	}
	if asked, requests := w.traffic(); len(asked)+len(requests) > 0 {
		t.Errorf("asked %q, requested %q", asked, requests)
	}
}

func TestFind_ConfiguredComesFirst(t *testing.T) {
	w := newWorld(t, "")
	o := w.options()
	o.Configured = []Outgoing{{Server: provider.Server{Host: "relay.example.net", Port: 25, Security: provider.None}}}
	r := w.find(t, o)
	if len(r.Settings) != 1 || r.Settings[0].Source != FromCaller || r.Settings[0].Trust != TrustOwn {
		t.Errorf("%+v", r.Settings)
	}
	w.text(ownFile, fileOf("smtp.example.org"))
	o.All = true
	r = w.find(t, o)
	if len(r.Settings) != 2 || r.Settings[0].Source != FromCaller || r.Settings[1].Source != FromAutoconfig {
		t.Errorf("of all: %+v", r.Settings)
	}
}

// A slip for a known domain is said and not contacted: the address would go to
// whoever registered it.
func TestFind_MisspeltIsNotAsked(t *testing.T) {
	w := newWorld(t, "gmial.com. IN MX 10 mx.hoster.example.\nsmtp.gmial.com. IN A 192.0.2.1\n")
	r, err := Find(ctxOf(t), "ada@gmial.com", w.options())
	if err != nil {
		t.Fatal(err)
	}
	if r.Misspelt != "gmail.com" || len(r.Settings) > 0 || r.Provider != nil {
		t.Errorf("%+v", r)
	}
	if asked, requests := w.traffic(); len(asked)+len(requests) > 0 {
		t.Errorf("asked %q, requested %q", asked, requests)
	}
	o := w.options()
	o.AsSpelt = true
	r, err = Find(ctxOf(t), "ada@gmial.com", o)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := r.Best(); r.Misspelt != "gmail.com" || !ok || s.Outgoing[0].Host != "smtp.gmial.com" {
		t.Errorf("as spelt: %+v", r)
	}
}

func TestFind_ProviderByMX(t *testing.T) {
	w := newWorld(t, "example.org. IN MX 10 example-org.mail.protection.outlook.com.\nexample.org. IN MX 20 mx.hoster.example.\n")
	r := w.find(t, w.options())
	s, ok := r.Best()
	if !ok || s.Source != FromProviderMX || s.Trust != TrustPlain || s.Foreign || s.Outgoing[0].Host != "smtp.office365.com" || s.Outgoing[0].User != "ada@example.org" {
		t.Errorf("%+v", s)
	}
	if r.Provider == nil || r.Provider.ID != "microsoft365" {
		t.Errorf("provider %v", r.Provider)
	}
	w.validated.Store(true)
	if s, _ := w.find(t, w.options()).Best(); s.Trust != TrustDNSSEC {
		t.Errorf("validated: trust %s", s.Trust)
	}
}

// A hoster whose customers have a server each: the MX host is it.
func TestFind_ServerOfACustomer(t *testing.T) {
	w := newWorld(t, "example.org. IN MX 10 w0123456.kasserver.com.\n")
	s, ok := w.find(t, w.options()).Best()
	if !ok || s.Source != FromProviderMX || s.Outgoing[0].Server != (provider.Server{Host: "w0123456.kasserver.com", Port: 465, Security: provider.TLS}) || s.Outgoing[0].User != "ada@example.org" {
		t.Errorf("%+v", s)
	}
}

// A service that serves no mail programs is the answer: nobody is asked further.
func TestFind_ServiceWithoutServers(t *testing.T) {
	w := newWorld(t, "example.org. IN MX 10 mail.tutanota.de.\nsmtp.example.org. IN A 192.0.2.1\n")
	r := w.find(t, w.options())
	if _, ok := r.Best(); ok || r.Provider == nil || r.Provider.Works() {
		t.Errorf("%+v", r)
	}
	if _, requests := w.traffic(); len(requests) > 0 {
		t.Errorf("requests %q", requests)
	}
}

const srvRecords = `
_submissions._tcp.example.org. IN SRV 0 1 465 smtp.example.org.
_submission._tcp.example.org.  IN SRV 5 1 587 backup.example.org.
_submission._tcp.example.org.  IN SRV 0 1 587 smtp.example.org.
_imaps._tcp.example.org.       IN SRV 0 1 993 imap.example.org.
_imap._tcp.example.org.        IN SRV 0 0 0 .
`

func TestFind_SRV(t *testing.T) {
	w := newWorld(t, srvRecords)
	r := w.find(t, w.options())
	if len(r.Settings) != 1 {
		t.Fatalf("%+v", r.Settings)
	}
	s := r.Settings[0]
	var got []provider.Server
	for _, o := range s.Outgoing {
		got = append(got, o.Server)
		if o.User != "ada@example.org" || len(o.Logins) > 0 {
			t.Errorf("%+v", o)
		}
	}
	want := []provider.Server{
		{Host: "smtp.example.org", Port: 465, Security: provider.TLS},
		{Host: "smtp.example.org", Port: 587, Security: provider.StartTLS},
		{Host: "backup.example.org", Port: 587, Security: provider.StartTLS},
	}
	if !slices.Equal(got, want) || s.Source != FromSRV || s.Trust != TrustPlain || s.Foreign {
		t.Errorf("%v %+v, want %v", got, s, want)
	}
	if len(s.Incoming) != 1 || s.Incoming[0] != (provider.Incoming{Protocol: "imap", Server: provider.Server{Host: "imap.example.org", Port: 993, Security: provider.TLS}}) {
		t.Errorf("incoming %v", s.Incoming)
	}
	if !slices.Equal(r.NotOffered, []string{"_imap._tcp"}) {
		t.Errorf("not offered: %v", r.NotOffered)
	}
	if _, requests := w.traffic(); len(requests) > 0 {
		t.Errorf("requests %q", requests)
	}
	w.validated.Store(true)
	if s, _ := w.find(t, w.options()).Best(); s.Trust != TrustDNSSEC {
		t.Errorf("validated: trust %s", s.Trust)
	}
}

func TestFind_SRVElsewhere(t *testing.T) {
	w := newWorld(t, "_submission._tcp.example.org. IN SRV 0 1 465 out.hoster.example.\n_submissions._tcp.example.org. IN SRV 0 0 0 .\n")
	r := w.find(t, w.options())
	s, _ := r.Best()
	if !s.Foreign || s.Outgoing[0].Security != provider.TLS { // 465 under the other name
		t.Errorf("%+v", s)
	}
	if !slices.Equal(r.NotOffered, []string{"_submissions._tcp"}) {
		t.Errorf("not offered: %v", r.NotOffered)
	}
}

func TestFind_ServiceNotOffered(t *testing.T) {
	w := newWorld(t, "_submissions._tcp.example.org. IN SRV 0 0 0 .\n_submission._tcp.example.org. IN SRV 0 0 0 .\n")
	r := w.find(t, w.options())
	if len(r.Settings) > 0 || !slices.Equal(r.NotOffered, []string{"_submissions._tcp", "_submission._tcp"}) {
		t.Errorf("%+v", r)
	}
}

func TestFind_All_ReturnsEveryAnswerInOrder(t *testing.T) {
	w := newWorld(t, srvRecords+"example.org. IN MX 10 mx1.mail.hoster.example.\n")
	w.text(ownFile, fileOf("smtp.example.org"))
	w.text(wellKnown, fileOf("out.hoster.example"))
	w.text("https://database.example/v1.1/example.org", fileOf("smtp.example.org"))
	w.text("https://autoconfig.hoster.example/mail/config-v1.1.xml", fileOf("out.hoster.example"))
	w.text("https://autodiscover.example.org/autodiscover/autodiscover.xml", autodiscoverAnswer)
	w.text("http://autoconfig.example.org/mail/config-v1.1.xml", fileOf("smtp.example.org"))
	o := w.options()
	o.All, o.Database = true, "https://database.example/v1.1/"
	r := w.find(t, o)
	type line struct {
		source  Source
		trust   Trust
		foreign bool
	}
	var got []line
	for _, s := range r.Settings {
		got = append(got, line{s.Source, s.Trust, s.Foreign})
	}
	want := []line{
		{FromSRV, TrustPlain, false},
		{FromAutoconfig, TrustHTTPS, false},
		{FromWellKnown, TrustHTTPS, true},
		{FromDatabase, TrustHTTPS, false},
		{FromAutoconfigMX, TrustPlain, false},
		{FromAutodiscover, TrustHTTPS, false},
		{FromPlainFile, TrustPlain, false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	_, requests := w.traffic()
	for _, q := range requests {
		if strings.Contains(q, "emailaddress") && !strings.Contains(q, ownFile) {
			t.Errorf("%s: the address goes there", q)
		}
		if strings.Contains(q, "/v1.1/") && !strings.HasPrefix(q, "GET https://database.example/") {
			t.Errorf("%s", q)
		}
	}
	for _, want := range []string{"GET https://autoconfig.mail.hoster.example/mail/config-v1.1.xml", "GET https://database.example/v1.1/mail.hoster.example"} {
		if !slices.Contains(requests, want) {
			t.Errorf("not requested: %s in %q", want, requests)
		}
	}
	if b, err := json.Marshal(r); err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%s %v", b, err)
	}
}

// The database is asked only where the caller names one.
func TestFind_NoDatabaseUnasked(t *testing.T) {
	w := newWorld(t, "example.org. IN MX 10 mx1.mail.hoster.example.\n")
	o := w.options()
	o.All = true
	w.find(t, o)
	_, requests := w.traffic()
	for _, q := range requests {
		if !strings.Contains(q, "example.org/") && !strings.Contains(q, "hoster.example/") {
			t.Errorf("%s", q)
		}
	}
	o.Database = "http://database.example/"
	if _, err := Find(ctxOf(t), "ada@example.org", o); err == nil {
		t.Error("a database without TLS is taken")
	}
}

const autodiscoverAnswer = `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account><AccountType>email</AccountType><Action>settings</Action>
<Protocol><Type>IMAP</Type><Server>imap.example.org</Server><Port>993</Port><SSL>on</SSL></Protocol>
<Protocol><Type>SMTP</Type><Server>smtp.example.org</Server><Port>587</Port><LoginName>ada</LoginName><SSL>on</SSL></Protocol></Account></Response></Autodiscover>`

func TestFind_Autodiscover(t *testing.T) {
	w := newWorld(t, "")
	var body, contentType, login string
	w.redirect("https://autodiscover.example.org/autodiscover/autodiscover.xml", "https://mail.hoster.example/ad.xml", http.StatusFound)
	w.put("https://mail.hoster.example/ad.xml", func(out http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, contentType, login = string(b), r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		io.WriteString(out, autodiscoverAnswer)
	})
	r, err := Find(ctxOf(t), "a&b@example.org", w.options())
	if err != nil {
		t.Fatal(err)
	}
	s, ok := r.Best()
	if !ok || s.Source != FromAutodiscover || s.Trust != TrustHTTPS || s.Outgoing[0].Server != (provider.Server{Host: "smtp.example.org", Port: 587, Security: provider.StartTLS}) || len(s.Incoming) > 0 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(body, "<EMailAddress>a&amp;b@example.org</EMailAddress>") || contentType != "text/xml; charset=utf-8" || login != "" {
		t.Errorf("posted %q as %q, login %q", body, contentType, login)
	}
}

func TestFind_AutodiscoverAtTheDomain(t *testing.T) {
	w := newWorld(t, "")
	w.put("https://autodiscover.example.org/autodiscover/autodiscover.xml", func(out http.ResponseWriter, _ *http.Request) {
		out.WriteHeader(http.StatusUnauthorized)
	})
	w.text("https://example.org/autodiscover/autodiscover.xml", autodiscoverAnswer)
	r := w.find(t, w.options())
	if s, ok := r.Best(); !ok || s.Where != "https://example.org/autodiscover/autodiscover.xml" {
		t.Errorf("%+v", s)
	}
	if got := reasonOf(r, FromAutodiscover, "autodiscover.example.org"); got != "the server asks for a login (HTTP 401)" {
		t.Errorf("reason %q", got)
	}
}

// What comes without TLS is last, says so, and is not given the address.
func TestFind_PlainFile(t *testing.T) {
	for _, at := range []string{"http://autoconfig.example.org/mail/config-v1.1.xml", "http://example.org/.well-known/autoconfig/mail/config-v1.1.xml"} {
		w := newWorld(t, "")
		w.text(at, fileOf("smtp.example.org"))
		s, ok := w.find(t, w.options()).Best()
		if !ok || s.Source != FromPlainFile || s.Trust != TrustPlain || s.Where != at {
			t.Errorf("%+v", s)
		}
		_, requests := w.traffic()
		for _, q := range requests {
			if strings.Contains(q, "http://") && strings.Contains(q, "ada") {
				t.Errorf("%s: the address goes in clear text", q)
			}
		}
	}
}

func TestFind_BadAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		page   http.HandlerFunc
		reason string
	}{
		{"HTTPS to HTTP", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "http://example.org/x", http.StatusFound)
		}, "from HTTPS to HTTP"},
		{"to this machine", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://127.0.0.1/x", http.StatusFound)
		}, "no name of a server"},
		{"to localhost", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://localhost/x", http.StatusFound)
		}, "no name of a server"},
		{"to an IPv6 address", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://[::1]/x", http.StatusFound)
		}, "no name of a server"},
		{"to another port", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://www.example.org:8443/x", http.StatusFound)
		}, "unusual port"},
		{"to a login", func(out http.ResponseWriter, r *http.Request) {
			http.Redirect(out, r, "https://u:p@www.example.org/x", http.StatusFound)
		}, "with a login"},
		{"to a file", func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Location", "file:///etc/passwd")
			out.WriteHeader(http.StatusFound)
		}, "the scheme"},
		{"round and round", func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, ownFile, http.StatusFound) }, ErrRedirects.Error()},
		{"nowhere", func(out http.ResponseWriter, r *http.Request) { out.WriteHeader(http.StatusFound) }, "HTTP 302"},
		{"broken", func(out http.ResponseWriter, r *http.Request) { out.WriteHeader(http.StatusInternalServerError) }, "HTTP 500"},
		{"web page", func(out http.ResponseWriter, r *http.Request) { io.WriteString(out, "<!DOCTYPE html><html></html>") }, "a web page"},
		{"too large", func(out http.ResponseWriter, r *http.Request) {
			io.WriteString(out, fileOf("smtp.example.org")+strings.Repeat(" ", maxFile))
		}, ErrTooLarge.Error()},
		{"no XML", func(out http.ResponseWriter, r *http.Request) { io.WriteString(out, "hello") }, "read the XML"},
		{"no server", func(out http.ResponseWriter, r *http.Request) { io.WriteString(out, "<clientConfig/>") }, ErrNoServer.Error()},
	} {
		w := newWorld(t, "")
		w.put(ownFile, test.page)
		r := w.find(t, w.options())
		if got := reasonOf(r, FromAutoconfig, ownFile); !strings.Contains(got, test.reason) || len(r.Settings) > 0 {
			t.Errorf("%s: %q, want %q; settings %v", test.name, got, test.reason, r.Settings)
		}
		if strings.Contains(reasonOf(r, FromAutoconfig, ownFile), "ada") {
			t.Errorf("%s: the reason holds the address", test.name)
		}
	}
}

// Hosters redirect their customers' names; over HTTPS all the way that is as good.
func TestFind_RedirectOverHTTPS(t *testing.T) {
	w := newWorld(t, "")
	w.redirect(ownFile, "https://autoconfig.hoster.example/mail/config-v1.1.xml", http.StatusMovedPermanently)
	w.text("https://autoconfig.hoster.example/mail/config-v1.1.xml", fileOf("smtp.hoster.example"))
	if s, ok := w.find(t, w.options()).Best(); !ok || s.Trust != TrustHTTPS || !s.Foreign {
		t.Errorf("%+v", s)
	}
}

// A file over HTTP that redirects to HTTPS stays untrusted: the redirect is forgeable.
func TestFind_RedirectFromHTTP(t *testing.T) {
	w := newWorld(t, "")
	w.redirect("http://autoconfig.example.org/mail/config-v1.1.xml", "https://autoconfig.hoster.example/x", http.StatusFound)
	w.text("https://autoconfig.hoster.example/x", fileOf("smtp.hoster.example"))
	if s, ok := w.find(t, w.options()).Best(); !ok || s.Trust != TrustPlain || s.Source != FromPlainFile {
		t.Errorf("%+v", s)
	}
}

// A certificate of another name is no answer.
func TestFind_WrongCertificate(t *testing.T) {
	w := newWorld(t, "")
	r, err := Find(ctxOf(t), "ada@example.net", w.options())
	if err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(r, FromAutoconfig, ""); !strings.Contains(got, "certificate") {
		t.Errorf("reason %q", got)
	}
}

const hostRecords = "smtp.example.org. IN A 192.0.2.1\nexample.org. IN A 192.0.2.2\nexample.org. IN MX 10 mx.hoster.example.\nmx.hoster.example. IN A 192.0.2.3\n"

func TestFind_Guesses(t *testing.T) {
	w := newWorld(t, hostRecords)
	r := w.find(t, w.options())
	s, ok := r.Best()
	if !ok || s.Source != FromGuess || s.Trust != TrustGuess || s.Probed || !s.Foreign {
		t.Fatalf("%+v", s)
	}
	var got []provider.Server
	for _, o := range s.Outgoing {
		got = append(got, o.Server)
	}
	want := []provider.Server{
		{Host: "smtp.example.org", Port: 587, Security: provider.StartTLS}, {Host: "example.org", Port: 587, Security: provider.StartTLS}, {Host: "mx.hoster.example", Port: 587, Security: provider.StartTLS},
		{Host: "smtp.example.org", Port: 465, Security: provider.TLS}, {Host: "example.org", Port: 465, Security: provider.TLS}, {Host: "mx.hoster.example", Port: 465, Security: provider.TLS},
		{Host: "smtp.example.org", Port: 25, Security: provider.StartTLS}, {Host: "example.org", Port: 25, Security: provider.StartTLS}, {Host: "mx.hoster.example", Port: 25, Security: provider.StartTLS},
	}
	if !slices.Equal(got, want) { // mail.example.org does not exist
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFind_GuessesAreProbed(t *testing.T) {
	w := newWorld(t, hostRecords)
	o := w.options()
	o.Probe = func(ctx context.Context, s provider.Server) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a probe has no deadline")
		}
		if s.Host == "smtp.example.org" && s.Port != 587 {
			return nil
		}
		return errors.New("nobody there")
	}
	s, ok := w.find(t, o).Best()
	if !ok || !s.Probed || s.Foreign || len(s.Outgoing) != 2 || s.Outgoing[0].Port != 465 || s.Outgoing[1].Port != 25 {
		t.Errorf("%+v", s)
	}
	o.Probe = func(context.Context, provider.Server) error { return errors.New("nobody there") }
	if r := w.find(t, o); len(r.Settings) > 0 || reasonOf(r, FromGuess, "") == "" {
		t.Errorf("%+v", r)
	}
}

// Nothing is below a domain that does not exist.
func TestFind_DomainDoesNotExist(t *testing.T) {
	w := newWorld(t, "")
	r, err := Find(ctxOf(t), "ada@nowhere.example", w.options())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Absent || len(r.Settings) > 0 {
		t.Errorf("%+v", r)
	}
	if asked, requests := w.traffic(); len(asked) != 1 || len(requests) > 0 {
		t.Errorf("asked %q, requested %q", asked, requests)
	}
	if w.find(t, w.options()).Absent {
		t.Error("example.org does not exist")
	}
}

func TestFind_WithoutClientAsksDNSOnly(t *testing.T) {
	w := newWorld(t, "")
	r := w.find(t, Options{Resolver: w.resolver, All: true})
	for _, tried := range r.Tried {
		if strings.Contains(tried.Where, "://") {
			t.Errorf("%+v", tried)
		}
	}
	if _, requests := w.traffic(); len(requests) > 0 {
		t.Errorf("requests %q", requests)
	}
}

func TestFind_BadAddress(t *testing.T) {
	w := newWorld(t, "")
	for _, address := range []string{"", "ada", "@example.org", "ada@", "ada@localhost", "ada@[192.0.2.1]", "ada@192.0.2.1", "ada@exa mple.org", "a\nb@example.org", "ada@example.org/x", "ada@exam?ple.org", strings.Repeat("a", 400) + "@example.org"} {
		if _, err := Find(ctxOf(t), address, w.options()); !errors.Is(err, ErrBadAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if asked, requests := w.traffic(); len(asked)+len(requests) > 0 {
		t.Errorf("asked %q, requested %q", asked, requests)
	}
	r, err := Find(ctxOf(t), "ada@Bücher.example.org", w.options())
	if err != nil || r.Domain != "xn--bcher-kva.example.org" {
		t.Errorf("%v %v", r, err)
	}
}

// Cancelling ends the search, in the middle of an answer too.
func TestFind_Cancelled(t *testing.T) {
	w := newWorld(t, "")
	ctx, cancel := context.WithCancel(ctxOf(t))
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	w.put(ownFile, func(out http.ResponseWriter, r *http.Request) {
		io.WriteString(out, "<clientConfig>")
		out.(http.Flusher).Flush()
		cancel()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	if r, err := Find(ctx, "ada@example.org", w.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v %v", r, err)
	}
}

// NewClient takes its names from the resolver.
func TestNewClient(t *testing.T) {
	w := newWorld(t, "www.example.org. IN A 127.0.0.1\n")
	plain := NewClient(w.resolver, nil)
	_, err := plain.Get("http://nowhere.example.org/")
	if err == nil || !strings.Contains(err.Error(), "no such name") {
		t.Errorf("nowhere.example.org: %v", err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	l := listen(t)
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	defer func() { server.Close(); <-done }()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	r, err := plain.Get("http://www.example.org:" + port + "/")
	if err != nil || r.StatusCode != http.StatusNotFound {
		t.Fatalf("www.example.org: %v %v", r, err)
	}
	r.Body.Close()
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		domain, host string
		want         bool
	}{
		{"example.org", "mail.example.org", true},
		{"post.example.org", "mail.example.org", true},
		{"example.org", "mail.example.net", false},
		{"ann.github.io", "bob.github.io", false}, // a public suffix
	} {
		if got := Within(tt.domain, tt.host); got != tt.want {
			t.Errorf("%s, %s: %v", tt.domain, tt.host, got)
		}
	}
}
