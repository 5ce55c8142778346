package autoconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/internal/provider"
)

// short writes outgoing servers as "host:port security user logins".
func short(c *Config) []string {
	var lines []string
	for _, o := range c.Outgoing {
		lines = append(lines, fmt.Sprintf("%s:%d %s %s %s", o.Host, o.Port, o.Security, o.User, o.Logins))
	}
	return lines
}

// server writes an outgoing server of a file.
func server(host, port, security, user, auth string) string {
	return `<outgoingServer type="smtp"><hostname>` + host + `</hostname><port>` + port + `</port><socketType>` + security +
		`</socketType><username>` + user + `</username><authentication>` + auth + `</authentication></outgoingServer>`
}

func inFile(servers string) string {
	return `<clientConfig version="1.1"><emailProvider id="x"><domain>example.org</domain>` + servers + `</emailProvider></clientConfig>`
}

func TestParseConfig(t *testing.T) {
	for _, test := range []struct {
		name string
		file string
		want []string
	}{
		{"placeholders in the user", inFile(server("smtp.example.org", "587", "STARTTLS", "%EMAILADDRESS%", "password-cleartext")),
			[]string{"smtp.example.org:587 starttls ada@example.org [password]"}},
		{"placeholders in the host", inFile(server("mail.%EMAILDOMAIN%", "465", "SSL", "%EMAILLOCALPART%", "OAuth2")),
			[]string{"mail.example.org:465 tls ada [oauth2]"}},
		{"without the closing sign", inFile(server("smtp.example.org", "587", "STARTTLS", "%EMAILADDRESS", "password-cleartext")),
			[]string{"smtp.example.org:587 starttls ada@example.org [password]"}},
		{"two in one", inFile(server("smtp.example.org", "25", "plain", "%EMAILLOCALPART%.%EMAILDOMAIN%", "password-encrypted")),
			[]string{"smtp.example.org:25 none ada.example.org [challenge]"}},
		{"old words", inFile(server("smtp.example.org", "465", "SSL", "x", "plain")), []string{"smtp.example.org:465 tls x [password]"}},
		{"unknown words", inFile(server("smtp.example.org", "465", "SSL", "x", "telepathy")), []string{"smtp.example.org:465 tls x []"}},
		{"no user", inFile(server("smtp.example.org", "465", "SSL", "", "client-IP-address")), []string{"smtp.example.org:465 tls  [address]"}},
		{"several words, the first known counts", inFile(`<outgoingServer type="smtp"><hostname>smtp.example.org</hostname><port>465</port>
			<socketType>QUIC</socketType><socketType>SSL</socketType><socketType>plain</socketType><username>x</username>
			<authentication>GSSAPI</authentication><authentication>NTLM</authentication></outgoingServer>`),
			[]string{"smtp.example.org:465 tls x [gssapi ntlm]"}},
		{"order, and bad ones left out", inFile(server("b.example.org", "465", "SSL", "x", "none") + server("", "465", "SSL", "x", "none") +
			server("192.0.2.1", "465", "SSL", "x", "none") + server("localhost", "465", "SSL", "x", "none") + server("a b.example", "465", "SSL", "x", "none") +
			server("c.example.org", "0", "SSL", "x", "none") + server("c.example.org", "65536", "SSL", "x", "none") + server("c.example.org", "x", "SSL", "x", "none") +
			server("c.example.org", "465", "", "x", "none") + server("c.example.org", "465", "SSL", "x&#x200b;", "none") + server("a.example.org", "587", "STARTTLS", "x", "smtp-after-pop")),
			[]string{"b.example.org:465 tls x [none]", "a.example.org:587 starttls x [smtp_after_pop]"}},
		{"spaces, case, a final dot", inFile(server(" SMTP.Example.ORG. ", " 465 ", " ssl ", " x ", " oauth2 ")), []string{"smtp.example.org:465 tls x [oauth2]"}},
		{"U-labels", inFile(server("smtp.bücher.example", "465", "SSL", "x", "none")), []string{"smtp.xn--bcher-kva.example:465 tls x [none]"}},
		{"other character set", `<?xml version="1.0" encoding="ISO-8859-1"?>` + inFile("<displayName>Caf\xe9</displayName>"+server("smtp.example.org", "465", "SSL", "x", "none")),
			[]string{"smtp.example.org:465 tls x [none]"}},
		{"unknown version and elements", strings.Replace(inFile(`<jmap><url>x</url></jmap>`+server("smtp.example.org", "465", "SSL", "x", "none")), `"1.1"`, `"7"`, 1),
			[]string{"smtp.example.org:465 tls x [none]"}},
		{"document type", `<!DOCTYPE clientConfig [<!ELEMENT a ANY>]>` + inFile(server("smtp.example.org", "465", "SSL", "x", "none")), []string{"smtp.example.org:465 tls x [none]"}},
	} {
		c, err := ParseConfig([]byte(test.file), "ada@example.org")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := short(c); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestParseConfig_Whole(t *testing.T) {
	c, err := ParseConfig([]byte(inFile(`<displayName>Mail of %EMAILDOMAIN%</displayName>
		<incomingServer type="imap"><hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
		<incomingServer type="exchange"><hostname>x.example.org</hostname><port>443</port><socketType>SSL</socketType></incomingServer>
		<documentation url="https://example.org/help"><descr lang="en">How to
			set up</descr></documentation><documentation url="http://example.org/help"/>`+
		server("smtp.example.org", "465", "SSL", "x", "none"))), "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "Mail of example.org" || len(c.Incoming) != 1 || c.Incoming[0].Host != "imap.example.org" || c.Incoming[0].Protocol != "imap" {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.Docs, []provider.Doc{{Title: "How to set up", URL: "https://example.org/help"}}) {
		t.Errorf("%+v", c.Docs)
	}
}

// Hostile files fail, quickly and without reading anything else.
func TestParseConfig_Refuses(t *testing.T) {
	for name, file := range map[string]string{
		"empty":           "",
		"no XML":          "hello",
		"another root":    "<html/>",
		"cut off":         inFile(server("smtp.example.org", "465", "SSL", "x", "none"))[:120],
		"no server":       inFile(""),
		"own entities":    `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + inFile(server("&b;.example.org", "465", "SSL", "x", "none")),
		"outer entity":    `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + inFile(server("smtp.example.org", "465", "SSL", "&a;", "none")),
		"unknown charset": `<?xml version="1.0" encoding="UTF-7"?>` + inFile(server("smtp.example.org", "465", "SSL", "x", "none")),
		"deep":            "<clientConfig><emailProvider>" + strings.Repeat("<a>", 80000),
		"invalid UTF-8":   inFile(server("smtp.example.org\xff", "465", "SSL", "x", "none")),
	} {
		if c, err := ParseConfig([]byte(file), "ada@example.org"); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, err := ParseConfig(make([]byte, maxFile+1), "ada@example.org"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	c, err := ParseConfig([]byte(inFile(strings.Repeat(server("smtp.example.org", "465", "SSL", "x", "none"), 500))), "ada@example.org")
	if err != nil || len(c.Outgoing) != maxServers {
		t.Errorf("500 servers: %d %v", len(c.Outgoing), err)
	}
}

// What an address holds is never taken for a placeholder.
func TestParseConfig_FillsOnce(t *testing.T) {
	c, err := ParseConfig([]byte(inFile(server("smtp.example.org", "465", "SSL", "%EMAILADDRESS%", "none"))), "%EMAILDOMAIN%@example.org")
	if err != nil || c.Outgoing[0].User != "%EMAILDOMAIN%@example.org" {
		t.Errorf("%+v %v", c, err)
	}
}

func protocol(elements string) string {
	return "<Autodiscover><Response><Account><Protocol>" + elements + "</Protocol></Account></Response></Autodiscover>"
}

func TestParseAutodiscover(t *testing.T) {
	const host = "<Type>SMTP</Type><Server>smtp.example.org</Server>"
	for elements, want := range map[string]string{
		"<Port>587</Port><SSL>on</SSL>":                                 "smtp.example.org:587 starttls ada@example.org [password]",
		"<Port>465</Port><SSL>on</SSL><LoginName>ada</LoginName>":       "smtp.example.org:465 tls ada [password]",
		"<Port>465</Port><Encryption>TLS</Encryption>":                  "smtp.example.org:465 tls ada@example.org [password]",
		"<Port>25</Port><Encryption>SSL</Encryption>":                   "smtp.example.org:25 starttls ada@example.org [password]",
		"<Port>587</Port><Encryption>Auto</Encryption><SSL>off</SSL>":   "smtp.example.org:587 starttls ada@example.org [password]",
		"<Port>587</Port><Encryption>None</Encryption><SSL>on</SSL>":    "smtp.example.org:587 none ada@example.org [password]",
		"<Port>25</Port><SSL>off</SSL><AuthRequired>off</AuthRequired>": "smtp.example.org:25 none  [none]",
		"<Port>587</Port><SPA>on</SPA><SSL>On</SSL>":                    "smtp.example.org:587 starttls ada@example.org [ntlm]",
		"<Port>587</Port>": "smtp.example.org:587 starttls ada@example.org [password]",
		"<Port> 2465 </Port><SSL>on</SSL><DomainRequired>off</DomainRequired><X/>": "smtp.example.org:2465 tls ada@example.org [password]",
	} {
		c, err := ParseAutodiscover([]byte(protocol(host+elements)), "ada@example.org")
		if err != nil || len(c.Outgoing) != 1 || short(c)[0] != want {
			t.Errorf("%s: %v %v, want %s", elements, c, err, want)
		}
	}
	for elements, want := range map[string]string{
		"": ErrNoServer.Error(),
		"<Type>IMAP</Type><Server>imap.example.org</Server><Port>993</Port>": ErrNoServer.Error(),
		host:                    ErrNoServer.Error(), // no port
		host + "<Port>0</Port>": ErrNoServer.Error(),
		"<Type>SMTP</Type><Server>10.0.0.1</Server><Port>25</Port>": ErrNoServer.Error(),
	} {
		if _, err := ParseAutodiscover([]byte(protocol(elements)), "ada@example.org"); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", elements, err, want)
		}
	}
	for text, want := range map[string]string{
		"<Autodiscover><Response><Account><Action>redirectAddr</Action><RedirectAddr>a@x.example</RedirectAddr></Account></Response></Autodiscover>": ErrElsewhere.Error(),
		"<Autodiscover><Response><Error><ErrorCode>600</ErrorCode><Message>Invalid\n Request</Message></Error></Response></Autodiscover>":            `it answers with error "600" "Invalid Request"`,
		"<clientConfig/>": "read the XML: ",
	} {
		if _, err := ParseAutodiscover([]byte(text), "ada@example.org"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// checkParsed fails unless all that was read is fit for use.
func checkParsed(t *testing.T, c *Config, err error) {
	if err != nil {
		if c != nil {
			t.Errorf("%+v beside %v", c, err)
		}
		return
	}
	if len(c.Outgoing) == 0 || len(c.Outgoing) > maxServers || len(c.Incoming) > maxServers || !isText(c.Name) {
		t.Errorf("%+v", c)
	}
	for _, o := range c.Outgoing {
		if h, ok := hostName(o.Host); !ok || h != o.Host || o.Port < 1 || o.Port > 65535 || o.Security == "" || !isText(o.User) {
			t.Errorf("%+v", o)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(fileOf("smtp.example.org")))
	f.Add([]byte(inFile(server("mail.%EMAILDOMAIN%", "465", "SSL", "%EMAILLOCALPART", "OAuth2"))))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := ParseConfig(file, "ada@example.org")
		checkParsed(t, c, err)
	})
}

func FuzzParseAutodiscover(f *testing.F) {
	f.Add([]byte(autodiscoverAnswer))
	f.Add([]byte(protocol("<Type>SMTP</Type><Server>a.b</Server><Port>25</Port><SPA>on</SPA>")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, err := ParseAutodiscover(answer, "ada@example.org")
		checkParsed(t, c, err)
	})
}
