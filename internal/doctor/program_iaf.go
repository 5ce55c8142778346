package doctor

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An .iaf file is what Outlook Express, Outlook 2000 and Windows Live Mail export an
// account to. Microsoft has not published its layout; this is what the Perl module
// Win32::Outlook::IAF and the field table of OE Classic's author
// (infobyte.hr/blog/450) say of it alike:
//
//	octets 0–3    "fMAI"
//	octet  6      5: strings of octets, 7: strings in UTF-16, little-endian
//	octet  8      0: news, 1: mail, 2: directory
//	from octet 12 fields: tag, length, value; tag and length of four octets, little-endian
//
// The upper half of a tag is the property, the lower half its type, which is not
// needed here: strings end in a zero, numbers have four octets. The properties are
// numbered from 0x1234, a hundred and more apart for each protocol, as AP_FIRST,
// AP_SMTP_SERVER and so on in the header imnact.h of Outlook Express.
const (
	iafMagic    = "fMAI"
	iafHeader   = 12
	iafFirst    = 0x1234 // AP_FIRST
	iafMaxField = 4096   // octets; the most that Win32::Outlook::IAF reads
)

// The properties that are read. Those of passwords, which are only disguised, are
// left alone.
const (
	iafIMAPUser   = iafFirst + 101
	iafPOP3User   = iafFirst + 401
	iafSMTPServer = iafFirst + 500
	iafSMTPUser   = iafFirst + 501
	iafSMTPAuth   = iafFirst + 504 // SMTPAUTHTYPE
	iafSMTPPort   = iafFirst + 505
	iafSMTPSSL    = iafFirst + 506
	iafSMTPEmail  = iafFirst + 510
)

// readIAF reads an exported account; nil when the file is none.
func readIAF(path string, b []byte) *Program {
	if len(b) < iafHeader || string(b[:4]) != iafMagic {
		return nil
	}
	wide := b[6] == 7
	set := map[int][]byte{}
	for rest := b[iafHeader:]; len(rest) >= 8; {
		property, n := int(binary.LittleEndian.Uint16(rest[2:])), binary.LittleEndian.Uint32(rest[4:])
		if rest = rest[8:]; n > iafMaxField || int(n) > len(rest) {
			break // what comes after it cannot be told
		}
		if _, have := set[property]; !have {
			set[property] = rest[:n]
		}
		rest = rest[n:]
	}
	at := func(name, text string) Value { return Value{Text: text, File: fmt.Sprintf("%s field %q", path, name)} }
	text := func(property int, name string) Value { return at(name, iafText(set[property], wide)) }
	number := func(property int, name string) Value {
		v := set[property]
		if len(v) != 4 {
			return Value{}
		}
		return at(name, strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v)), 10))
	}
	p := &Program{Name: "Outlook Express", Host: text(iafSMTPServer, "SMTP Server"), Port: number(iafSMTPPort, "SMTP Port"), From: text(iafSMTPEmail, "SMTP Email Address")}
	if wide {
		p.Name = "Windows Live Mail"
	}
	p.sicily(number(iafSMTPAuth, "SMTP Use Sicily"), text(iafSMTPUser, "SMTP User Name"), text(iafPOP3User, "POP3 User Name"), text(iafIMAPUser, "IMAP User Name"))
	return p.oneSSL(number(iafSMTPSSL, "SMTP Secure Connection"), "SMTP Secure Connection", wide)
}

// iafText returns a string without the zero at its end.
func iafText(b []byte, wide bool) string {
	if wide {
		var units []uint16
		for ; len(b) >= 2; b = b[2:] {
			u := binary.LittleEndian.Uint16(b)
			if u == 0 {
				break
			}
			units = append(units, u)
		}
		return strings.TrimSpace(string(utf16.Decode(units)))
	}
	s, _, _ := strings.Cut(string(b), "\x00")
	if !utf8.ValidString(s) { // in the code page of the machine, of which Latin-1 is the commonest
		runes := make([]rune, 0, len(s))
		for i := range len(s) {
			runes = append(runes, rune(s[i]))
		}
		s = string(runes)
	}
	return strings.TrimSpace(s)
}
