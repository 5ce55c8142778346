package autoconfig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/provider"
)

// ErrElsewhere says that an Autodiscover server sends its client to another
// address or URL. That is how Exchange answers; it names no outgoing server there
// either, so it is not followed.
var ErrElsewhere = errors.New("it sends the client elsewhere")

// autodiscoverXML is an answer of Autodiscover in plain XML.
type autodiscoverXML struct {
	XMLName  xml.Name `xml:"Autodiscover"`
	Response struct {
		Name  string `xml:"User>DisplayName"`
		Error *struct {
			Code    string `xml:"ErrorCode"`
			Message string `xml:"Message"`
		} `xml:"Error"`
		Account []struct {
			Action   string        `xml:"Action"`
			Address  string        `xml:"RedirectAddr"`
			URL      string        `xml:"RedirectUrl"`
			Protocol []protocolXML `xml:"Protocol"`
		} `xml:"Account"`
	} `xml:"Response"`
}

type protocolXML struct {
	Type         string `xml:"Type"`
	Server       string `xml:"Server"`
	Port         string `xml:"Port"`
	LoginName    string `xml:"LoginName"`
	SSL          string `xml:"SSL"`
	Encryption   string `xml:"Encryption"`
	SPA          string `xml:"SPA"`
	AuthRequired string `xml:"AuthRequired"`
}

// autodiscoverRequest returns the question for an address.
func autodiscoverRequest(address string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>`)
	xml.EscapeText(&b, []byte(address)) // to a buffer: never fails
	b.WriteString(`</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>`)
	return b.Bytes()
}

// ParseAutodiscover reads an answer of Autodiscover in plain XML. Only outgoing
// servers are taken. A server with a missing or bad part is left out. The error is
// ErrTooLarge, ErrElsewhere, ErrNoServer, what the server says is wrong, or one of
// the XML. MS-OXDSCLI.
func ParseAutodiscover(answer []byte, address string) (*Config, error) {
	var x autodiscoverXML
	if err := decodeXML(answer, &x); err != nil {
		return nil, err
	}
	if e := x.Response.Error; e != nil {
		return nil, fmt.Errorf("it answers with error %q %q", clip(e.Code), clip(e.Message))
	}
	c := &Config{}
	if name := strings.TrimSpace(x.Response.Name); isText(name) && len(name) <= maxUser {
		c.Name = name
	}
	elsewhere := false
	for _, a := range x.Response.Account {
		elsewhere = elsewhere || a.Address != "" || a.URL != ""
		for i := range a.Protocol {
			if o, ok := a.Protocol[i].outgoing(address); ok && len(c.Outgoing) < maxServers {
				c.Outgoing = append(c.Outgoing, o)
			}
		}
	}
	switch {
	case len(c.Outgoing) > 0:
		return c, nil
	case elsewhere:
		return nil, ErrElsewhere
	}
	return nil, ErrNoServer
}

func (p *protocolXML) outgoing(address string) (Outgoing, bool) {
	host, ok := hostName(p.Server)
	port, err := strconv.Atoi(strings.TrimSpace(p.Port))
	user := strings.TrimSpace(p.LoginName)
	if user == "" {
		user = address // which stands for a missing one
	}
	if !strings.EqualFold(strings.TrimSpace(p.Type), "SMTP") || !ok || err != nil || port < 1 || port > 65535 || !isText(user) || len(user) > maxUser {
		return Outgoing{}, false
	}
	o := Outgoing{Server: provider.Server{Host: host, Port: port, Security: p.security(port)}, User: user}
	switch {
	case is(p.AuthRequired, "off"):
		o.User, o.Logins = "", []provider.Login{provider.NoLogin}
	case is(p.SPA, "on"):
		o.Logins = []provider.Login{NTLM}
	default:
		o.Logins = []provider.Login{provider.Password}
	}
	return o, true
}

// security says what "SSL on" or an encryption means on a port. The words do not
// tell the two ways of TLS apart, and servers use them at will; the port does.
func (p *protocolXML) security(port int) provider.Security {
	if is(p.Encryption, "none") || p.Encryption == "" && is(p.SSL, "off") {
		return provider.None
	}
	switch port {
	case 25, 587, 2525, 2587:
		return provider.StartTLS
	}
	return provider.TLS
}

func is(text, word string) bool { return strings.EqualFold(strings.TrimSpace(text), word) }

// clip returns what a person needs to see of a foreign text.
func clip(text string) string {
	const enough = 100
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > enough {
		text = string(r[:enough]) + "…"
	}
	return text
}
