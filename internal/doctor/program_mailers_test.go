package doctor

import (
	"encoding/binary"
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
		{"express.reg", "REGEDIT4\n\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Internet Account Manager\\Accounts\\00000001]\n\"SMTP Server\"=\"smtp.example.org\"\n\"SMTP Email Address\"=\"ann@example.org\"\n",
			"Outlook", Question{Host: "smtp.example.org", Port: 25, Security: Clear, From: "ann@example.org"}, "line 4"},
		{"mail.mobileconfig", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict><key>PayloadContent</key><array><dict>\n<key>EmailAddress</key>\n<string>ann@example.org</string>\n<key>IncomingPassword</key><string>s3cret</string>\n<key>OutgoingMailServerAuthentication</key><string>EmailAuthPassword</string>\n<key>OutgoingMailServerHostName</key>\n<string>smtp.example.org</string>\n<key>OutgoingMailServerPortNumber</key>\n<integer>587</integer>\n<key>OutgoingMailServerUseSSL</key>\n<true/>\n<key>OutgoingMailServerUsername</key>\n<string>a&amp;b</string>\n<key>OutgoingPasswordSameAsIncomingPassword</key><true/>\n</dict></array></dict></plist>\n",
			"Apple Mail", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "a&b", Password: "s3cret", From: "ann@example.org"}, "line 8"},
	})
}

func TestReadProgram_iaf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.IAF")
	if err := os.WriteFile(path, []byte("\x66\x4f\xa3\x81"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProgram(path); err == nil || !strings.Contains(err.Error(), ".reg") {
		t.Errorf("got %v, want the way over the registry", err)
	}
}
