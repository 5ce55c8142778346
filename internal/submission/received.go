package submission

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// writeReceived writes the trace field of this hop. The account's name is left
// out: the "A" of the protocol says that there was a login, our log says whose, and
// the recipient has no business with it. The recipient is named only when it is the
// one there is, as otherwise Bcc recipients would show. RFC 5321 §4.4, 3848
// (protocol), 8314 §4.3 (tls clause).
func writeReceived(b *bytes.Buffer, t *smtp.Transaction, m *spool.Message, hostname string) {
	c := t.Client
	b.WriteString("Received: from " + helo(c.Name))
	if lit := literal(c.Addr); lit != "" {
		b.WriteString(" (" + lit + ")")
	}
	b.WriteString("\r\n\tby " + hostname + " (Wellsent) with " + protocol(t) + " id " + string(m.ID))
	// Only a message that may be internationalised may name one that is not ASCII.
	if len(m.Recipients) == 1 && (t.Params.SMTPUTF8 || m.Recipients[0].Path.IsASCII()) {
		b.WriteString("\r\n\tfor " + m.Recipients[0].Path.String())
	}
	if c.TLS != nil {
		b.WriteString("\r\n\ttls " + tls.CipherSuiteName(c.TLS.CipherSuite) + " (" + strings.ReplaceAll(tls.VersionName(c.TLS.Version), " ", "") + ")")
	}
	b.WriteString(";\r\n\t" + m.Envelope.Received.UTC().Format(dateForm) + "\r\n")
}

// protocol returns the word after "with". RFC 3848; 6531 §4.3 for SMTPUTF8.
func protocol(t *smtp.Transaction) string {
	c := t.Client
	if !c.ESMTP {
		return "SMTP"
	}
	p := "ESMTP"
	if t.Params.SMTPUTF8 {
		p = "UTF8SMTP"
	}
	if c.TLS != nil {
		p += "S"
	}
	if c.Account != "" {
		p += "A"
	}
	return p
}

// helo returns the client's name as far as it can stand in a header field. It is
// the client's own word, and must not be able to end the field or a comment.
func helo(name string) string {
	const longest = 255 // RFC 5321 §4.5.3.1.2
	if name == "" || len(name) > longest {
		return "unknown"
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._:[]", c) >= 0:
		default:
			return "unknown"
		}
	}
	return name
}

// literal returns the client's address as an address literal. RFC 5321 §4.1.3.
func literal(a netip.AddrPort) string {
	ip := a.Addr().Unmap().WithZone("")
	switch {
	case ip.Is4():
		return "[" + ip.String() + "]"
	case ip.Is6():
		return "[IPv6:" + ip.String() + "]"
	}
	return ""
}
