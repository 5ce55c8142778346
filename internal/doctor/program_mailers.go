package doctor

import (
	"encoding/hex"
	"fmt"
	"html"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// plainText makes UTF-8 of a file in UTF-16, as Windows writes .reg and .oeaccount
// files, and takes a byte order mark away.
func plainText(b []byte) string {
	low := 0
	switch {
	case len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe, len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		low = 1
	default:
		return strings.TrimPrefix(string(b), "\ufeff")
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i+low])|uint16(b[i+1-low])<<8)
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// readMailer reads the exported accounts of mail programs; nil when the file is none.
func readMailer(path, text string) *Program {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case ext == ".oeaccount" || strings.Contains(text, "<MessageAccount"):
		return readOEAccount(path, text)
	case ext == ".mobileconfig" || strings.Contains(text, "OutgoingMailServerHostName"):
		return readMobileConfig(path, text)
	case ext == ".reg" || strings.HasPrefix(text, "Windows Registry Editor") || strings.HasPrefix(text, "REGEDIT4"):
		return readRegistry(path, text)
	case ext == ".prf":
		return readPRF(path, text)
	}
	return nil
}

// number reads a port of a DWORD in hexadecimal; what is none stays as it is.
func number(v Value, base int) Value {
	if n, err := strconv.ParseUint(v.Text, base, 32); err == nil {
		v.Text = strconv.FormatUint(n, 10)
	}
	return v
}

// connection completes the settings of Outlook 2007 and later, where secure is
// SMTP Secure Connection: 0 is none, 1 SSL, 2 TLS, 3 automatic. Its documentation
// (PROP_SMTP_SECURE_CONNECTION, and the ENCRYPT_CONN_ values of "Constants (Account
// management API)") has them in this order; in its dialog 1 is TLS at once and 2
// STARTTLS.
func (p *Program) connection(secure Value, label string) *Program {
	p.complete(secure, label)
	switch secure.Text {
	case "", "0":
		p.Mode = Clear
	case "1":
		p.Mode = Implicit
	case "2":
		p.Mode = StartTLS
	default:
		p.Mode = Auto
	}
	return p
}

// oneSSL completes the settings of programs with one box for SSL and no choice of
// how: Outlook up to 2003, Outlook Express and Windows Mail. They use STARTTLS on
// port 25, and TLS at once on others: "they only supported STARTTLS on port 25 and
// insisted on using the deprecated TLS-on-connect mode on all other ports" (Tony
// Finch, NANOG, 22 April 2010). Windows Mail and Windows Live Mail, the newer ones,
// know STARTTLS on 587 too, as providers without TLS at once had their users set it.
func (p *Program) oneSSL(ssl Value, label string, newer bool) *Program {
	p.complete(ssl, label)
	switch {
	case !ssl.set(), ssl.Text == "0":
		p.Mode = Clear
	case p.Port.Text == "25", newer && p.Port.Text == "587":
		p.Mode = StartTLS
	case newer && p.Port.Text != "465":
		p.Mode = Auto
	default:
		p.Mode = Implicit
	}
	return p
}

// complete sets the words for the encryption, the port that Microsoft's programs
// use where none is set, and says what is not in the file.
func (p *Program) complete(secure Value, label string) {
	if !p.Port.set() {
		p.Port = orValue(Value{}, p.Host, "25") // DEF_SMTPPORT, with SSL too
	}
	p.Security = orValue(secure, p.Host, label+" "+secure.Text)
	if !secure.set() {
		p.Security.Text = "no " + label
	}
	if p.User.set() && !p.Password.set() {
		p.Notes = append(p.Notes, p.Name+" keeps the password elsewhere, or encrypted: give --password-file")
	}
}

// sicily sets the user by how Outlook Express and Windows Mail log in: 0 not at
// all, 1 by secure password authentication with a name of its own, 2 as at the
// incoming server, 3 by a password with a name of its own. These are the
// SMTP_AUTH_ values of Outlook Express, and what Thunderbird's importer of Windows
// Mail goes by (nsWMSettings.cpp, SetSmtpServer). With 1 and 3 and no name, it takes
// that of the incoming server.
func (p *Program) sicily(how, own, pop3, imap Value) {
	switch how.Text {
	case "1", "3":
		p.User = first(own, pop3, imap)
	case "2":
		p.User = first(pop3, imap)
	}
	if how.Text == "1" {
		p.Notes = append(p.Notes, fmt.Sprintf("it logs in by secure password authentication, that is NTLM (%s): many servers have none of it", how.where()))
	}
}

// lineAt returns the line of an offset in text, from 1.
func lineAt(text string, offset int) int { return 1 + strings.Count(text[:offset], "\n") }

var oeElement = regexp.MustCompile(`<(\w+)(?:\s[^<>]*)?>([^<]*)</`)

// readOEAccount reads an account of Windows Mail or Windows Live Mail. Its numbers
// are hexadecimal: the example in "Windows Mail account data" (MSDN, "New Handling
// for Account Data") has <SMTP_Port type="DWORD">19 for port 25.
func readOEAccount(path, text string) *Program {
	set := map[string]Value{}
	for _, m := range oeElement.FindAllStringSubmatchIndex(text, 256) {
		name := text[m[2]:m[3]]
		if _, have := set[name]; !have {
			set[name] = Value{strings.TrimSpace(html.UnescapeString(text[m[4]:m[5]])), path, lineAt(text, m[0])}
		}
	}
	p := &Program{Name: "Windows Mail", Host: set["SMTP_Server"], Port: number(set["SMTP_Port"], 16), From: set["SMTP_Email_Address"]}
	p.sicily(number(set["SMTP_Use_Sicily"], 16), set["SMTP_User_Name"], set["POP3_User_Name"], set["IMAP_User_Name"])
	return p.oneSSL(number(set["SMTP_Secure_Connection"], 16), "SMTP_Secure_Connection", true)
}

// first returns the first value that is set.
func first(values ...Value) Value {
	for _, v := range values {
		if v.set() {
			return v
		}
	}
	return Value{}
}

// readPRF reads the first account with an outgoing server of an Outlook profile. The
// sections at its end, which say what property a name stands for, are left out.
func readPRF(path, text string) *Program {
	set := map[string]Value{}
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") {
			if set["smtpserver"].set() {
				break
			}
			set = map[string]Value{}
			continue
		}
		k, v, ok := strings.Cut(l, "=")
		if v = strings.Trim(strings.TrimSpace(v), `"`); !ok || strings.HasPrefix(l, ";") || strings.HasPrefix(v, "PT_") {
			continue
		}
		set[strings.ToLower(strings.TrimSpace(k))] = Value{v, path, i + 1}
	}
	p := &Program{Name: "Outlook", Host: set["smtpserver"], Port: number(set["smtpport"], 0), From: set["emailaddress"]}
	if auth := set["smtpuseauth"]; auth.Text != "0" && (auth.set() || set["smtpusername"].set()) {
		p.User = first(set["smtpusername"], set["userid"], set["pop3username"], set["imapusername"])
	}
	if secure := set["smtpsecureconnection"]; secure.set() {
		return p.connection(secure, "SMTPSecureConnection")
	}
	return p.oneSSL(set["smtpusessl"], "SMTPUseSSL", false)
}

var regValue = regexp.MustCompile(`^"((?:[^"\\]|\\.)*)"\s*=\s*(.*)$`)

// readRegistry reads the first account with an outgoing server of an exported
// registry key of Outlook or Outlook Express.
func readRegistry(path, text string) *Program {
	set := map[string]Value{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		l, at := strings.TrimSpace(lines[i]), i+1
		if strings.HasPrefix(l, "[") {
			if set["smtp server"].set() {
				break
			}
			set = map[string]Value{}
			continue
		}
		var whole strings.Builder
		for ; strings.HasSuffix(l, `\`) && i+1 < len(lines); i++ { // goes on in the next line
			whole.WriteString(strings.TrimSuffix(l, `\`))
			l = strings.TrimSpace(lines[i+1])
		}
		whole.WriteString(l)
		if m := regValue.FindStringSubmatch(whole.String()); m != nil {
			set[strings.ToLower(m[1])] = Value{regText(m[2]), path, at}
		}
	}
	p := &Program{Name: "Outlook", Host: set["smtp server"], Port: set["smtp port"], From: first(set["smtp email address"], set["email"])}
	own, pop3, imap := first(set["smtp user name"], set["smtp user"]), first(set["pop3 user name"], set["pop3 user"]), first(set["imap user name"], set["imap user"])
	if express := set["smtp use sicily"]; express.set() { // Outlook Express has one number for both
		p.Name = "Outlook Express"
		p.sicily(express, own, pop3, imap)
		return p.oneSSL(set["smtp secure connection"], "SMTP Secure Connection", false)
	}
	switch auth := set["smtp use auth"]; { // PROP_SMTP_USE_AUTH: zero is no login
	case !auth.set():
		p.User = own
	case auth.Text != "0":
		p.User = first(own, pop3, imap)
	}
	if secure := set["smtp secure connection"]; secure.set() {
		return p.connection(secure, "SMTP Secure Connection")
	}
	return p.oneSSL(set["smtp use ssl"], "SMTP Use SSL", false) // PROP_SMTP_SSL: zero is none
}

// regText reads a value as regedit writes it: a string, a DWORD, or octets that are
// a string in UTF-16. Passwords, which are encrypted, become nothing of use.
func regText(s string) string {
	if inner, ok := strings.CutPrefix(s, `"`); ok {
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.TrimSuffix(inner, `"`))
	}
	if n, ok := strings.CutPrefix(s, "dword:"); ok {
		return number(Value{Text: strings.TrimSpace(n)}, 16).Text
	}
	_, octets, ok := strings.Cut(s, ":")
	if !ok || !strings.HasPrefix(s, "hex") {
		return ""
	}
	b, err := hex.DecodeString(strings.NewReplacer(",", "", " ", "").Replace(octets))
	if err != nil {
		return ""
	}
	text, _, _ := strings.Cut(plainText(b), "\x00")
	return text
}

var plistEntry = regexp.MustCompile(`<key>\s*(\w+)\s*</key>\s*(?:<(?:string|integer)>([^<]*)</|<(true|false)\s*/>)`)

// readMobileConfig reads the first mail account of a profile for Apple's systems. A
// signed profile has the same text in its signature's envelope.
func readMobileConfig(path, text string) *Program {
	set := map[string]Value{}
	for _, m := range plistEntry.FindAllStringSubmatchIndex(text, 512) {
		name := text[m[2]:m[3]]
		if _, have := set[name]; have {
			continue
		}
		v := Value{"", path, lineAt(text, m[0])}
		if m[4] >= 0 {
			v.Text, v.Line = strings.TrimSpace(html.UnescapeString(text[m[4]:m[5]])), lineAt(text, m[4])
		} else {
			v.Text, v.Line = text[m[6]:m[7]], lineAt(text, m[6])
		}
		set[name] = v
	}
	p := &Program{Name: "Apple Mail", Host: set["OutgoingMailServerHostName"], Port: set["OutgoingMailServerPortNumber"], From: set["EmailAddress"]}
	if set["OutgoingMailServerAuthentication"].Text != "EmailAuthNone" {
		p.User, p.Password = set["OutgoingMailServerUsername"], set["OutgoingPassword"]
		if set["OutgoingPasswordSameAsIncomingPassword"].Text == "true" {
			p.Password = set["IncomingPassword"]
		}
	}
	ssl := set["OutgoingMailServerUseSSL"]
	p.Security = orValue(ssl, p.Host, "OutgoingMailServerUseSSL "+ssl.Text)
	switch {
	case ssl.Text != "true":
		p.Mode = Clear
	case p.Port.Text == "465":
		p.Mode = Implicit
	case p.Port.Text == "587" || p.Port.Text == "25":
		p.Mode = StartTLS
	default:
		p.Mode = Auto // Mail finds out
	}
	if p.User.set() && !p.Password.set() {
		p.Notes = append(p.Notes, fmt.Sprintf("%s asks for the password when the profile is installed: give --password-file", p.Name))
	}
	return p
}
