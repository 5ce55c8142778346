package doctor

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// wide is a text as Windows writes it: UTF-16 with a byte order mark.
func wide(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

const oeAccount = `<?xml version="1.0" encoding="utf-16" standalone="yes"?>
<MessageAccount>
<Account_Name type="SZ">Work</Account_Name>
<POP3_User_Name type="SZ">ann</POP3_User_Name>
<SMTP_Server type="SZ">smtp.example.org</SMTP_Server>
<SMTP_Port type="DWORD">0000024b</SMTP_Port>
<SMTP_Secure_Connection type="DWORD">00000001</SMTP_Secure_Connection>
<SMTP_Use_Sicily type="DWORD">00000002</SMTP_Use_Sicily>
<SMTP_Email_Address type="SZ">ann@example.org</SMTP_Email_Address>
</MessageAccount>
`

func TestReadProgram_mailers(t *testing.T) {
	checkPrograms(t, []programFile{
		{"account{1}.oeaccount", wide(strings.ReplaceAll(oeAccount, "\n", "\r\n")),
			"Windows Mail", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", From: "ann@example.org"}, "line 5"},
		{"utf8.oeaccount", strings.NewReplacer("024b", "01d1", "00000002", "00000000").Replace(oeAccount),
			"Windows Mail", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, From: "ann@example.org"}, "line 5"},
		{"outlook.PRF", "[General]\r\nCustom=1\r\n[Internet Account List]\r\nAccount1=I_Mail\r\n[Account1]\r\nUniqueService=No\r\nPOP3Server=pop.example.org\r\nPOP3UserName=ann\r\nEmailAddress=ann@example.org\r\nSMTPServer=smtp.example.org\r\nSMTPUseAuth=1\r\nSMTPAuthMethod=0\r\nSMTPPort=587\r\nSMTPSecureConnection=2\r\n[I_Mail]\r\nSMTPServer=PT_STRING8,0x0200\r\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", From: "ann@example.org"}, "line 10"},
		{"accounts.reg", wide("Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Office\\16.0\\Outlook\\Profiles\\Outlook\\9375CFF0413111d3B88A00104B2A6676\\00000002]\r\n\"Email\"=\"ann@example.org\"\r\n\"SMTP Server\"=hex:73,00,6d,00,74,00,70,00,2e,00,65,00,78,00,61,00,6d,00,70,00,6c,\\\r\n  00,65,00,2e,00,6f,00,72,00,67,00,00,00\r\n\"SMTP Port\"=dword:000001d1\r\n\"SMTP Use SSL\"=dword:00000001\r\n\"SMTP Use Auth\"=dword:00000001\r\n\"SMTP User\"=\"EXAMPLE\\\\ann\"\r\n"),
			"Outlook", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: `EXAMPLE\ann`, From: "ann@example.org"}, "line 5"},
		{"2016.reg", "REGEDIT4\n\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Office\\16.0\\Outlook\\Profiles\\x\\00000003]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Port\"=dword:0000024b\n\"SMTP Secure Connection\"=dword:00000002\n\"SMTP Use Auth\"=dword:00000000\n\"SMTP User\"=\"ann\"\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS}, "line 4"},
		{"ssl.reg", "REGEDIT4\n\n[x]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Port\"=dword:0000024b\n\"SMTP Secure Connection\"=dword:00000001\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 587, Security: Implicit}, "line 4"},
		{"auto.reg", "REGEDIT4\n\n[x]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Port\"=dword:0000024b\n\"SMTP Secure Connection\"=dword:00000003\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 587, Security: Auto}, "line 4"},
		{"sicily.reg", "REGEDIT4\n\n[x]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Port\"=dword:00000019\n\"SMTP Secure Connection\"=dword:00000001\n\"SMTP Use Sicily\"=dword:00000002\n\"SMTP User Name\"=\"other\"\n\"POP3 User Name\"=\"ann\"\n",
			"Outlook Express", Question{Host: "smtp.example.org", Port: 25, Security: StartTLS, User: "ann"}, "line 4"},
		{"express.reg", "REGEDIT4\n\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Internet Account Manager\\Accounts\\00000001]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Email Address\"=\"ann@example.org\"\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 25, Security: Clear, From: "ann@example.org"}, "line 4"},
		{"mail.mobileconfig", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict><key>PayloadContent</key><array><dict>\n<key>EmailAddress</key>\n<string>ann@example.org</string>\n<key>IncomingPassword</key><string>s3cret</string>\n<key>OutgoingMailServerAuthentication</key><string>EmailAuthPassword</string>\n<key>OutgoingMailServerHostName</key>\n<string>smtp.example.org</string>\n<key>OutgoingMailServerPortNumber</key>\n<integer>587</integer>\n<key>OutgoingMailServerUseSSL</key>\n<true/>\n<key>OutgoingMailServerUsername</key>\n<string>a&amp;b</string>\n<key>OutgoingPasswordSameAsIncomingPassword</key><true/>\n</dict></array></dict></plist>\n",
			"Apple Mail", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "a&b", Password: "s3cret", From: "ann@example.org"}, "line 8"},
	})
}

// iafFile composes an exported account, by the layout at readIAF.
func iafFile(wideText bool, fields ...any) string {
	b := append([]byte(iafMagic), 0, 0, 5, 0, 1, 0, 0, 0)
	if wideText {
		b[6] = 7
	}
	for i := 0; i < len(fields); i += 2 {
		var kind uint16
		var value []byte
		switch v := fields[i+1].(type) {
		case string:
			kind = 0x3f0
			for _, u := range utf16.Encode([]rune(v + "\x00")) {
				if value = append(value, byte(u)); wideText {
					value = append(value, byte(u>>8))
				}
			}
		case int:
			kind, value = 0x3e9, binary.LittleEndian.AppendUint32(nil, uint32(v))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(fields[i].(int))<<16|uint32(kind))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	return string(b)
}

func TestReadProgram_iaf(t *testing.T) {
	const secret = iafSMTPUser + 1
	for _, tt := range []struct {
		name, file, program string
		want                Question
		note                string
	}{
		{"as at the incoming server", iafFile(false, iafFirst+1, "Work", iafPOP3User, "ann", iafSMTPServer, "smtp.example.org", iafSMTPAuth, 2, iafSMTPPort, 25, iafSMTPSSL, 1, iafSMTPEmail, "ann@example.org"),
			"Outlook Express", Question{Host: "smtp.example.org", Port: 25, Security: StartTLS, User: "ann", From: "ann@example.org"}, "keeps the password elsewhere"},
		{"TLS at once, a name of its own", iafFile(false, iafSMTPServer, "smtp.example.org", iafPOP3User, "pop", iafSMTPUser, "Jürgen", secret, "s3cret", iafSMTPAuth, 3, iafSMTPPort, 465, iafSMTPSSL, 1),
			"Outlook Express", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "Jürgen"}, ""},
		{"Outlook Express begins TLS at once on 587", iafFile(false, iafSMTPServer, "smtp.example.org", iafSMTPPort, 587, iafSMTPSSL, 1),
			"Outlook Express", Question{Host: "smtp.example.org", Port: 587, Security: Implicit}, ""},
		{"wide", iafFile(true, iafIMAPUser, "ann", iafSMTPServer, "smtp.example.org", iafSMTPAuth, 1, iafSMTPPort, 587, iafSMTPSSL, 1),
			"Windows Live Mail", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann"}, "NTLM"},
		{"nothing but the name", iafFile(false, iafSMTPServer, "smtp.example.org", iafSMTPUser, "ann"), "Outlook Express", Question{Host: "smtp.example.org", Port: 25, Security: Clear}, ""},
	} {
		path := filepath.Join(t.TempDir(), "work.IAF")
		if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadProgram(path)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var q Question
		origin, err := p.Apply(&q)
		if err != nil || p.Name != tt.program || q.Host != tt.want.Host || q.Port != tt.want.Port || q.Security != tt.want.Security || q.User != tt.want.User || q.From != tt.want.From || q.Password != "" {
			t.Errorf("%s: got %s %+v, %v; want %s %+v", tt.name, p.Name, q, err, tt.program, tt.want)
		}
		all := strings.Join(origin, "\n")
		if !strings.Contains(all, "host smtp.example.org: "+path+" field \"SMTP Server\"") || !strings.Contains(all, tt.note) || strings.Contains(all, "s3cret") || strings.Contains(all, "line 0") {
			t.Errorf("%s: it says %s", tt.name, all)
		}
	}
	for name, file := range map[string]string{"cut off": iafFile(false, iafSMTPServer, "smtp.example.org")[:24], "not one": "\x66\x4f\xa3\x81", "news": iafFile(false, iafFirst+300, "news.example.org")} {
		path := filepath.Join(t.TempDir(), "bad.iaf")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadProgram(path); !errors.Is(err, ErrNoServer) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The fields of an exported account are a stranger's octets.
func FuzzIAF(f *testing.F) {
	f.Add([]byte(iafFile(false, iafSMTPServer, "x", iafSMTPPort, 25)))
	f.Add([]byte(iafFile(true, iafSMTPServer, "x", iafSMTPAuth, 1, iafSMTPUser, "y")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p := readIAF("file", b); p != nil {
			_, _ = p.Apply(&Question{})
		}
	})
}
