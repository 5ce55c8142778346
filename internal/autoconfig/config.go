package autoconfig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/wellsent/wellsent/internal/provider"
	"github.com/wellsent/wellsent/internal/resolver"
)

// What bounds a file.
const (
	maxFile    = 256 << 10 // bytes; real ones have 2 KiB
	maxServers = 32
	maxUser    = 320 // bytes: the longest address. RFC 5321 §4.5.3.1
)

// Errors of files.
var (
	ErrTooLarge = errors.New("the answer is larger than 256 KiB")
	ErrNoServer = errors.New("it names no outgoing server")
)

// Config is what a file says of outgoing and incoming servers.
type Config struct {
	Name     string
	Outgoing []Outgoing
	Incoming []provider.Incoming
	Docs     []provider.Doc
}

// configXML is a file of the Thunderbird configuration format. The version is not
// looked at: draft-ietf-mailmaint-autoconfig forbids to refuse a file for it.
type configXML struct {
	XMLName  xml.Name `xml:"clientConfig"`
	Provider []struct {
		Name     string      `xml:"displayName"`
		Incoming []serverXML `xml:"incomingServer"`
		Outgoing []serverXML `xml:"outgoingServer"`
		Doc      []struct {
			URL   string   `xml:"url,attr"`
			Descr []string `xml:"descr"`
		} `xml:"documentation"`
	} `xml:"emailProvider"`
}

type serverXML struct {
	Type     string   `xml:"type,attr"`
	Host     string   `xml:"hostname"`
	Port     string   `xml:"port"`
	Security []string `xml:"socketType"`
	User     string   `xml:"username"`
	Auth     []string `xml:"authentication"`
}

// ParseConfig reads a file of the Thunderbird configuration format, version 1.1,
// and puts the parts of address in place of its placeholders. Unknown elements and
// values are skipped, and a server with a missing or bad part is left out. The
// error is ErrTooLarge, ErrNoServer when no outgoing server is left, or one of the
// XML. Incoming servers may be missing: they are not what we look for.
func ParseConfig(file []byte, address string) (*Config, error) {
	var x configXML
	if err := decodeXML(file, &x); err != nil {
		return nil, err
	}
	c := &Config{}
	for _, p := range x.Provider {
		if name := strings.TrimSpace(fill(p.Name, address)); c.Name == "" && isText(name) && len(name) <= maxUser {
			c.Name = name
		}
		for _, s := range p.Outgoing {
			if o, ok := s.outgoing(address); ok && len(c.Outgoing) < maxServers {
				c.Outgoing = append(c.Outgoing, o)
			}
		}
		for _, s := range p.Incoming {
			protocol := strings.ToLower(strings.TrimSpace(s.Type))
			if server, ok := s.server(address); ok && (protocol == "imap" || protocol == "pop3") && len(c.Incoming) < maxServers {
				c.Incoming = append(c.Incoming, provider.Incoming{Protocol: protocol, Server: server})
			}
		}
		for _, d := range p.Doc {
			title := ""
			if len(d.Descr) > 0 {
				title = strings.Join(strings.Fields(d.Descr[0]), " ")
			}
			if strings.HasPrefix(d.URL, "https://") && isText(d.URL) && isText(title) && len(c.Docs) < maxServers {
				c.Docs = append(c.Docs, provider.Doc{Title: title, URL: d.URL})
			}
		}
	}
	if len(c.Outgoing) == 0 {
		return nil, ErrNoServer
	}
	return c, nil
}

// outgoing returns the server if all its parts are good.
func (s *serverXML) outgoing(address string) (Outgoing, bool) {
	server, ok := s.server(address)
	user := strings.TrimSpace(fill(s.User, address))
	if !ok || !strings.EqualFold(strings.TrimSpace(s.Type), "smtp") || !isText(user) || len(user) > maxUser {
		return Outgoing{}, false
	}
	o := Outgoing{Server: server, User: user}
	for _, a := range s.Auth {
		if l := loginOf(a); l != "" && len(o.Logins) < maxServers {
			o.Logins = append(o.Logins, l)
		}
	}
	return o, true
}

func (s *serverXML) server(address string) (provider.Server, bool) {
	host, ok := hostName(fill(s.Host, address))
	port, err := strconv.Atoi(strings.TrimSpace(s.Port))
	if !ok || err != nil || port < 1 || port > 65535 {
		return provider.Server{}, false
	}
	for _, word := range s.Security { // the first that is known counts
		switch strings.ToUpper(strings.TrimSpace(word)) {
		case "SSL":
			return provider.Server{Host: host, Port: port, Security: provider.TLS}, true
		case "STARTTLS":
			return provider.Server{Host: host, Port: port, Security: provider.StartTLS}, true
		case "PLAIN":
			return provider.Server{Host: host, Port: port, Security: provider.None}, true
		}
	}
	return provider.Server{}, false
}

// loginOf returns what a file's word for signing in means, or "".
func loginOf(word string) provider.Login {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "oauth2":
		return provider.OAuth2
	case "password-cleartext", "plain":
		return provider.Password
	case "password-encrypted", "secure":
		return provider.Challenge
	case "ntlm":
		return NTLM
	case "gssapi":
		return Kerberos
	case "tls-client-cert":
		return ClientCert
	case "client-ip-address":
		return provider.ByAddress
	case "smtp-after-pop":
		return AfterPOP
	case "none":
		return provider.NoLogin
	}
	return ""
}

// decodeXML reads XML that anybody may have written. encoding/xml knows no
// external entities and expands none but the five of XML, and v is flat, so that
// the size of the file bounds the work.
func decodeXML(file []byte, v any) error {
	if len(file) > maxFile {
		return ErrTooLarge
	}
	d := xml.NewDecoder(bytes.NewReader(file))
	d.CharsetReader = charset
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read the XML: %w", err)
	}
	return nil
}

// charset reads the other character sets that files are in. Names and ports are
// ASCII in all of them.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii", "iso-8859-1", "windows-1252":
		b, err := io.ReadAll(io.LimitReader(r, maxFile))
		var s strings.Builder
		for _, c := range b {
			s.WriteRune(rune(c))
		}
		return strings.NewReader(s.String()), err
	}
	return nil, fmt.Errorf("the character set %q is not known", label)
}

// hostName returns a host's name as A-labels. An address, a name of one label and
// this machine are none: no mail service for others is there.
func hostName(text string) (string, bool) {
	name, err := resolver.ToASCII(strings.TrimSuffix(strings.TrimSpace(text), "."))
	if err != nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") {
		return "", false
	}
	if _, err := netip.ParseAddr(name); err == nil || strings.Trim(name[strings.LastIndexByte(name, '.')+1:], "0123456789") == "" {
		return "", false
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return "", false
		}
	}
	return name, true
}

// isText reports whether s can be shown and sent as it is.
func isText(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
