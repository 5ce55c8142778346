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
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, read := range []func(string, string) *Program{readMSMTP, readPrefs, readEnv} {
			if p := read("file", s); p != nil {
				_, _ = p.Apply(&Question{})
			}
		}
		if p := readPostfix("main.cf", s, func(string) ([]byte, error) { return []byte(s), nil }); p != nil {
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
