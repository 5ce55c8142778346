package listen

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/mail"
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Grade is how much a Remark matters.
type Grade string

// The grades.
const (
	Refused Grade = "refused" // strict providers refuse this
	Risky   Grade = "risky"   // some refuse it, or it gives something away
	Note    Grade = "note"    // worth knowing
)

// Remark is one thing that is wrong with what a client sent.
type Remark struct {
	Grade Grade    `json:"grade"`
	Cause cause.ID `json:"cause,omitempty"` // what a provider's refusal would be
	What  string   `json:"what"`            // what was seen, in one sentence
	Why   string   `json:"why"`             // who minds, and why
	Do    string   `json:"do"`              // what to change
}

// Judge returns what is wrong with what a session showed, the gravest first. It
// is pure.
func Judge(s *Session) []Remark {
	out := []Remark{}
	for _, grade := range []Grade{Refused, Risky, Note} {
		for _, look := range []func(*Session) []Remark{protocol, security, greeting, login, envelope, content} {
			for _, r := range look(s) {
				if r.Grade == grade {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// protocol is about what was spoken.
func protocol(s *Session) (out []Remark) {
	switch {
	case s.Protocol == "HTTP":
		return []Remark{{Refused, "service.wrong-protocol-http", "It speaks HTTP, as a browser or a web hook does.", "A mail server does not understand it.",
			"Give it the mail server's name in the setting for mail (SMTP), not in one for a web address."}}
	case s.Protocol != "":
		return []Remark{{Refused, "tls.protocol-version", "It speaks " + s.Protocol + ", which was given up in the nineties.", "No provider speaks it any more.",
			"Look for new firmware. If there is none, let it send to a relay on your own network that allows old devices."}}
	case s.Early && s.Verb == "" && len(s.Unknown) > 0:
		out = append(out, Remark{Refused, "protocol.synchronisation", fmt.Sprintf("It spoke before it was greeted, and not SMTP: %q.", s.Unknown[0]), "This is no mail client.",
			"Check which program uses this address and port."})
	case s.Early:
		out = append(out, Remark{Refused, "protocol.synchronisation", "It began to speak before the server's greeting.", "Servers take that for a spammer's program and close.",
			"Update the program; there is no setting for it."})
	case s.Verb == "" && s.Hello == nil:
		out = append(out, Remark{Note, "", "It connected and said nothing.", "A port scan does so, a health check, or a program that expects TLS at once and lets the server begin.",
			"If this was a real test, set its security to SSL/TLS (port 465) or to STARTTLS (port 587), and try both."})
	}
	if s.BareLF {
		out = append(out, Remark{Refused, "message.bare-lf", "Its command lines end with a line feed alone.", "SMTP lines end with CR LF; many servers wait for the CR for ever or refuse.",
			"Update the program or firmware. Wellsent's device listener takes it with bare_newlines = true."})
	}
	for _, u := range s.Unknown {
		if s.Verb != "" {
			out = append(out, Remark{Note, "protocol.syntax-error", fmt.Sprintf("It gave a command that does not exist: %q.", u), "Servers count such errors and hang up after a few.", "Update the program."})
			break
		}
	}
	return out
}

// security is about TLS.
func security(s *Session) (out []Remark) {
	if s.Verb == "" && s.Hello == nil {
		return nil
	}
	h := s.Hello
	switch {
	case h != nil && h.Best < tls.VersionTLS12:
		out = append(out, Remark{Refused, "tls.protocol-version", "The newest TLS it knows is " + h.Newest() + ".", "Exchange Online, Gmail and nearly all others want TLS 1.2 at least.",
			"Look for new firmware or a setting for TLS versions. If there is none, let it send to a relay of your own that allows legacy_tls and speaks modern TLS to the provider."})
	case s.Hello == nil:
		out = append(out, Remark{Refused, "tls.required", "It never turned encryption on.", "Providers take neither a password nor mail before TLS.",
			"Set its security to STARTTLS (port 587) or SSL/TLS (port 465)."})
	}
	switch {
	case s.TLSError == "":
	case strings.Contains(s.TLSError, "unknown certificate"), strings.Contains(s.TLSError, "bad certificate"), strings.Contains(s.TLSError, "unknown_ca"), strings.Contains(s.TLSError, "unknown authority"):
		out = append(out, Remark{Note, "tls.certificate-untrusted", "It checks certificates, and broke off at the one of this server.", "That is right of it: this server's certificate is of its own making.",
			"For this test only, turn the check off in it, or give it the file ca.pem that is named above."})
	default:
		out = append(out, Remark{Risky, "tls.handshake-failed", "The TLS handshake failed: " + s.TLSError + ".", "This server offers every version and cipher there is in Go, so providers will fare no better.",
			"Look for new firmware, or let it send to a relay of your own."})
	}
	if s.Implicit && s.TLSError == "" {
		out = append(out, Remark{Note, "", "It spoke TLS at once.", "That is right for port 465; port 587 and 25 want STARTTLS instead.", "Use port 465 with the provider."})
	}
	return out
}

// greeting is about EHLO.
func greeting(s *Session) (out []Remark) {
	if s.Verb == "" {
		return nil
	}
	if s.Verb == "HELO" {
		out = append(out, Remark{Risky, "", "It greets with HELO, the form of 1982.", "After HELO there is neither STARTTLS nor a login.", "Turn on security or authentication in it: that makes most programs say EHLO."})
	}
	bad := func(grade Grade, what string) {
		out = append(out, Remark{grade, "sender.bad-helo", what, "Servers that take mail from strangers (port 25) refuse or distrust such a name; after a login most do not mind.",
			"Set its own host name to a full one that exists, such as scanner.example.org."})
	}
	switch name := strings.ToLower(strings.TrimSuffix(s.Name, ".")); {
	case name == "":
		bad(Refused, s.Verb+" came without a name.")
	case name == "localhost", strings.HasPrefix(name, "localhost."), strings.HasSuffix(name, ".localdomain"):
		bad(Risky, fmt.Sprintf("It calls itself %s.", s.Name))
	case net.ParseIP(name) != nil:
		bad(Risky, fmt.Sprintf("It calls itself by the bare address %s; in SMTP an address stands in brackets: [%s].", s.Name, s.Name))
	case strings.HasPrefix(name, "["):
	case strings.Contains(name, "_"):
		bad(Risky, fmt.Sprintf("Its name %s has an underscore, which a host name must not.", s.Name))
	case !strings.Contains(name, "."):
		bad(Risky, fmt.Sprintf("Its name %s has no domain; containers and fresh installations are called so.", s.Name))
	case smtp.ValidDomain(name) != nil:
		bad(Risky, fmt.Sprintf("Its name %q is no valid host name.", s.Name))
	}
	return out
}

// login is about AUTH.
func login(s *Session) (out []Remark) {
	if s.Verb == "" {
		return nil
	}
	if len(s.Logins) == 0 {
		if s.From != nil {
			out = append(out, Remark{Refused, "auth.required", "It did not log in, although it was offered.", "Providers take mail for others only after a login.",
				"Turn on authentication for the outgoing server and give user name and password. Was the setting saved?"})
		}
		return out
	}
	l := &s.Logins[len(s.Logins)-1]
	if !l.Secure {
		out = append(out, Remark{Refused, "auth.encryption-required", "It gave its password away without encryption.", "Providers refuse a login before TLS; and anybody on the way could read it.",
			"Set its security to STARTTLS or SSL/TLS, and change the password."})
	}
	switch {
	case l.Mechanism == "NTLM":
		out = append(out, Remark{Refused, "auth.ntlm-failed", "It logs in by NTLM (“secure password authentication”).", "Only Windows servers on a company's own network take it, and a Wellsent listener whose mechanisms name NTLM.",
			"Turn off secure password authentication (SPA) and use STARTTLS with a normal password."})
	case l.Fault != "":
		out = append(out, Remark{Refused, "auth.malformed-exchange", fmt.Sprintf("Its login (%s) is broken: %s.", l.Mechanism, l.Fault), "Servers answer 501 and let nobody in.", "Update the program, or choose another login method in it."})
	case l.Mechanism == "CRAM-MD5":
		out = append(out, Remark{Risky, "auth.no-shared-mechanism", "It prefers CRAM-MD5.", "Large providers do not offer it; most programs then fall back to PLAIN or LOGIN.", "Nothing, if it has a choice; else set the login method to PLAIN or normal password."})
	}
	if l.Done && l.User == "" {
		out = append(out, Remark{Refused, "client.bad-configuration", "Its user name is empty.", "Nobody can log in so.", "Enter the user name. Was the setting saved?"})
	} else if l.Done && !strings.Contains(l.User, "@") && l.Mechanism != "NTLM" {
		out = append(out, Remark{Risky, "auth.username-format", fmt.Sprintf("It logs in as %q, without a domain.", l.User), "Most providers want the full address as user name.", "Enter the full mail address as user name."})
	}
	for _, p := range l.Password {
		out = append(out, Remark{Risky, "auth.credentials-rejected", "About its password: " + p + ".", "It then is not the password that the provider knows.", "Enter the password again by hand, without copying blanks."})
	}
	if strings.TrimSpace(l.User) != l.User {
		out = append(out, Remark{Risky, "auth.credentials-rejected", "There is a blank before or after its user name.", "The provider does not know such a user.", "Enter the user name again without blanks."})
	}
	return out
}

// envelope is about MAIL and RCPT.
func envelope(s *Session) (out []Remark) {
	if s.From == nil {
		if s.Verb != "" && len(s.Logins) > 0 && s.Ended != "QUIT" {
			out = append(out, Remark{Note, "", "It logged in and sent no mail.", "A test of the connection does so.", "Send a test message to see the rest."})
		}
		return out
	}
	f := s.From
	domain := strings.ToLower(smtp.Path(f.Path).Domain())
	fix := "Enter a full mail address of your own as sender, the one it logs in with if possible."
	switch {
	case f.Path == "" && f.Fault == "":
		out = append(out, Remark{Risky, "sender.address-invalid", "Its sender address is empty (<>).", "That is for notices about mail; providers refuse it from a person.", fix})
	case f.Fault != "":
		out = append(out, Remark{Refused, "sender.address-invalid", fmt.Sprintf("The sender %q is not as it must be: %s.", f.Raw, f.Fault), "Strict servers answer 501 or 553.", fix})
	case !strings.Contains(domain, ".") || madeUp(domain):
		out = append(out, Remark{Refused, "sender.domain-not-found", fmt.Sprintf("It sends as %s, a domain that does not exist on the Internet.", f.Path), "Servers look the sender's domain up and refuse. The program made it up from the machine's name.", fix})
	}
	if n := len(s.Logins); n > 0 && f.Path != "" && strings.Contains(s.Logins[n-1].User, "@") && !strings.EqualFold(s.Logins[n-1].User, f.Path) {
		out = append(out, Remark{Risky, "sender.address-not-owned", fmt.Sprintf("It logs in as %s and sends as %s.", s.Logins[n-1].User, f.Path), "Exchange Online (5.7.60) and many others let an account send as itself only.",
			"Make the sender address the one it logs in with, or have the account allowed to send as the other."})
	}
	for _, t := range s.To {
		if t.Fault != "" {
			out = append(out, Remark{Refused, "recipient.address-syntax", fmt.Sprintf("The recipient %q is not as it must be: %s.", t.Raw, t.Fault), "Strict servers answer 501 or 553.", "Correct the address in its address book."})
			break
		}
		if d := smtp.Path(t.Path).Domain(); d == "" || !strings.Contains(d, ".") {
			out = append(out, Remark{Refused, "recipient.address-syntax", fmt.Sprintf("The recipient %q has no full domain.", t.Path), "A provider cannot know where that is.", "Enter the recipient's full address."})
			break
		}
	}
	return out
}

// madeUp reports a domain that cannot be on the Internet. RFC 2606, 6761, 6762.
func madeUp(domain string) bool {
	for _, end := range []string{".local", ".lan", ".localdomain", ".internal", ".home", ".corp", ".localhost", ".invalid", ".test", ".home.arpa"} {
		if strings.HasSuffix(domain, end) {
			return true
		}
	}
	return false
}

// content is about the message itself.
func content(s *Session) (out []Remark) {
	c := s.Content
	if c == nil {
		return nil
	}
	add := func(grade Grade, id cause.ID, what, why, do string) {
		out = append(out, Remark{grade, id, what, why, do})
	}
	if s.Mails == 0 {
		add(Risky, "net.connection-lost", "The message broke off before its end.", "If it happens with large messages only, the network or the device's time limit is to blame.", "Send a small text to compare. Raise the time limit in the device if it has one.")
	}
	if c.BareLF > 0 || c.BareCR > 0 {
		add(Refused, "message.bare-lf", fmt.Sprintf("%d lines of the message end without CR LF.", c.BareLF+c.BareCR), "Since the attacks called SMTP smuggling, Exchange Online, Gmail and Postfix refuse that.",
			"Update the program. Wellsent's device listener mends it with bare_newlines = true.")
	}
	if c.NUL > 0 {
		add(Refused, "message.malformed", "The message has NUL octets in it.", "They are not allowed in mail.", "Send the file as an attachment, which encodes it.")
	}
	if c.Longest > 998 {
		add(Refused, "message.line-too-long", fmt.Sprintf("The longest line has %d octets; SMTP allows 998.", c.Longest), "Exchange Online and others refuse it or break the line in two.", "Make the program encode the text as quoted-printable or base64.")
	}
	if c.NoHeader {
		add(Refused, "message.malformed", "The message begins without a header: there is no From, no Subject.", "Gmail and others refuse mail that is not in the form of RFC 5322.", "Make the program write the header fields, with an empty line before the text.")
	}
	if c.RawField {
		add(Risky, "message.malformed", "There are letters beyond ASCII in the header, not encoded.", "They become unreadable, or the mail is refused.", "Update the program; it must encode them as RFC 2047 says.")
	}
	if c.EightBit && !s.Body8 && c.Header["Content-Type"] == "" {
		add(Risky, "message.malformed", "The text has letters beyond ASCII and does not say in which encoding.", "They arrive as wrong letters.", "Make the program write MIME-Version and Content-Type with a charset.")
	}
	for _, name := range c.Doubled {
		add(Refused, "message.malformed", "The field "+name+" stands there more than once.", "Gmail refuses it (5.7.1, multiple addresses in From header).", "Mend the program or template that writes the header.")
	}
	from := c.Header["From"]
	switch a, err := mail.ParseAddress(from); {
	case c.NoHeader:
	case from == "":
		add(Refused, "message.malformed", "There is no From field.", "RFC 5322 asks for it, and providers refuse mail without.", "Set the sender in the program.")
	case err != nil:
		if _, err := mail.ParseAddressList(from); err != nil {
			add(Refused, "message.malformed", fmt.Sprintf("The From field is not a valid address: %q.", from), "Providers refuse it.", "Set a plain address as sender.")
		}
	case s.From != nil && s.From.Path != "" && !strings.EqualFold(a.Address, s.From.Path):
		add(Risky, "sender.address-not-owned", fmt.Sprintf("From says %s, the envelope says %s.", a.Address, s.From.Path), "SPF and DMARC look at both; Exchange Online compares the From field with the account.", "Set the same address for both.")
	}
	if !c.NoHeader {
		for _, name := range []string{"Date", "Message-Id"} {
			if c.Header[name] == "" {
				add(Note, "message.malformed", "There is no "+strings.Replace(name, "Id", "ID", 1)+" field.", "Spam filters count that against it; a submission server such as Wellsent adds it.", "Nothing, if it sends through a provider or Wellsent.")
			}
		}
	}
	return out
}
