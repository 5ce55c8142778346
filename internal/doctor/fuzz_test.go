package doctor

import (
	"testing"
	"time"
)

// What is read from files, tokens and strangers never panics.
func FuzzReaders(f *testing.F) {
	for _, s := range []string{
		"defaults\ntls on\naccount a : b\nhost x\nport 1", "relayhost = [x]:587\nsmtp_sasl_password_maps = static:a:b\nx = $y ${z} $(w)\n", "relayhost = $",
		"user_pref(\"mail.smtpserver.smtp1.hostname\", \"x\");", "SMTP_HOST=x\nMAILER_DSN=smtp://a:b@h:1", "a.eyJleHAiOjF9.c", "220 x", "\x16\x03\x01", "* OK",
		oeAccount, wide(oeAccount), "[A]\nSMTPServer=x\nSMTPPort=0x19", "REGEDIT4\n\"SMTP Server\"=hex(1):73,00,\\\n  74,00\n\"SMTP Port\"=dword:19",
		"<key>OutgoingMailServerHostName</key><string>x</string><key>OutgoingMailServerUseSSL</key><true/>", "x smtp --port=1 --user='a b'",
		"set smtp_url=\"smtp://a@x:1\" smtp_pass=`x`", "dc_smarthost='x::1'\n*:a:b", "driver = smtp\nroute_list = * x::1 byname\nclient_send = ^a^b",
		"define('SMTP_HOST', 'x');", "spring:\n  mail:\n    host: ${A:x}\n", "x.smtp_settings = { :address => 'x', port: 1 }", "- \"SMTP_HOST=x\"", "apiVersion: v1\nkind: Secret\ndata:\n  SMTP_HOST: eA==\n---\n- {name: SMTP_PORT, value: 1}\n- name: x\n  value: y\n", laravelMail, "[smtp]\nhost = \"\"\"x:1\"\"\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, read := range []func(string, string) *Program{
			readMSMTP, readPrefs, readKubernetes, readEnv, readSettings, readMailer, readOEAccount, readPRF, readRegistry, readMobileConfig, readNullmailer, readMutt, readExim,
		} {
			if p := read("file", s); p != nil {
				_, _ = p.Apply(&Question{})
			}
		}
		if p := readPostfix("main.cf", s, func(string) ([]byte, error) { return []byte(s), nil }); p != nil {
			_, _ = p.Apply(&Question{})
		}
		if p := readLaravel("mail.php", s, func(string) ([]byte, error) { return []byte(s), nil }); p != nil {
			_, _ = p.Apply(&Question{})
		}
		if p := readRelay("file", plainText([]byte(s)), func(string) ([]byte, error) { return []byte(s), nil }); p != nil {
			_, _ = p.Apply(&Question{})
		}
		if host, port := relayHost(s); len(host)+len(port) > len(s)+len("submission") {
			t.Errorf("%q became %q and %q", s, host, port)
		}
		readToken(s).unfit(time.Unix(0, 0))
		identify([]byte(s))
		if got := scrub(s, []string{s}); len(s) >= minSecret && got != "***" {
			t.Errorf("%q is left as %q", s, got)
		}
	})
}

func TestIdentify(t *testing.T) {
	for head, want := range map[string]Protocol{
		"220 mx.example.org ESMTP\r\n": ProtoSMTP,
		"421 4.3.2 busy\r\n":           ProtoSMTP,
		"220 (vsFTPd 3.0.3)\r\n":       ProtoOther,
		"220 ftp.example.org SMTP\r\n": ProtoSMTP,
		"* OK ready\r\n":               ProtoIMAP,
		"+OK ready\r\n":                ProtoPOP3,
		"HTTP/1.1 400 Bad Request\r\n": ProtoHTTP,
		"SSH-2.0-OpenSSH_9.6\r\n":      ProtoSSH,
		"\x15\x03\x01\x00\x02\x02\x46": ProtoTLS,
		"RFB 003.008\n":                ProtoOther,
		"":                             "",
	} {
		if got := identify([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
