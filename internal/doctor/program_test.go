package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadProgram(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sasl := write("sasl_passwd", "# relay\n[smtp.example.org]:587 ann@example.org:pass:word\n")
	for _, tt := range []struct {
		file, text string
		want       Question
		line       string // of the host
	}{
		{"msmtprc", "defaults\ntls on\nauth on\n\naccount work\nhost smtp.example.org\nport 587\nuser ann@example.org\npassword \"se cret\"\nfrom ann@example.org\n\naccount default : work\n",
			Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Password: "se cret", From: "ann@example.org"}, "line 6"},
		{"msmtprc2", "account a\nhost smtp.example.org\ntls on\ntls_starttls off\n", Question{Host: "smtp.example.org", Port: 465, Security: Implicit}, "line 2"},
		{"main.cf", "myhostname = post.example.org\nrelayhost = [smtp.example.org]:587\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:" + sasl + "\nsmtp_tls_security_level =\n  encrypt\n",
			Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Password: "pass:word", Hostname: "post.example.org"}, "line 2"},
		{"main.cf", "relayhost = [smtp.example.org]:465\nsmtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n", Question{Host: "smtp.example.org", Port: 465, Security: Implicit}, "line 1"},
		{"main.cf", "relayhost = [smtp.example.org]:587\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:" + sasl + ".missing hash:" + sasl + "\nsmtp_tls_security_level = encrypt\n",
			Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Password: "pass:word"}, "line 1"},
		{"prefs.js", "user_pref(\"mail.smtp.defaultserver\", \"smtp1\");\nuser_pref(\"mail.smtpserver.smtp1.hostname\", \"smtp.example.org\");\nuser_pref(\"mail.smtpserver.smtp1.port\", 465);\nuser_pref(\"mail.smtpserver.smtp1.try_ssl\", 3);\nuser_pref(\"mail.smtpserver.smtp1.username\", \"ann\");\n",
			Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann"}, "line 2"},
		{".env", "# mail\nexport PAPERLESS_EMAIL_HOST=smtp.example.org\nPAPERLESS_EMAIL_PORT=587\nPAPERLESS_EMAIL_USE_TLS=true\nPAPERLESS_EMAIL_HOST_USER='ann'\nPAPERLESS_EMAIL_HOST_PASSWORD=x\n",
			Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "x"}, "line 2"},
		{"nodemailer.env", "SMTP_HOST=smtp.example.org\nSMTP_PORT=587\nSMTP_SECURE=true\n", Question{Host: "smtp.example.org", Port: 587, Security: Implicit}, "line 1"},
		{"symfony.env", "MAILER_DSN=smtps://ann:pw@smtp.example.org:465\n", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "pw"}, "line 1"},
		{"ssmtp.conf", "mailhub=smtp.example.org:465\nUseTLS=YES\nAuthUser=ann\nAuthPass=pw\n", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "pw"}, "line 1"},
	} {
		p, err := ReadProgram(write(tt.file, tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		var q Question
		origin, err := p.Apply(&q)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		if q.Host != tt.want.Host || q.Port != tt.want.Port || q.Security != tt.want.Security || q.User != tt.want.User || q.Password != tt.want.Password ||
			q.From != tt.want.From || q.Hostname != tt.want.Hostname {
			t.Errorf("%s: got %+v, want %+v", tt.file, q, tt.want)
		}
		if !slices.ContainsFunc(origin, func(s string) bool { return strings.HasPrefix(s, "host ") && strings.HasSuffix(s, tt.line) }) {
			t.Errorf("%s: the host is said to be at %q, want %s", tt.file, origin, tt.line)
		}
		for _, s := range origin {
			if tt.want.Password != "" && len(tt.want.Password) > 3 && strings.Contains(s, tt.want.Password) {
				t.Errorf("%s: the password is shown: %q", tt.file, s)
			}
		}
	}
	if _, err := ReadProgram(write("nothing", "hello\n")); err == nil {
		t.Error("a file without a server is read")
	}
}

func TestProgram_Edits(t *testing.T) {
	p := &Program{
		Host: Value{"smtp.example.org", "msmtprc", 2}, Port: Value{"587", "msmtprc", 3}, Mode: StartTLS, Security: Value{"tls on", "msmtprc", 4},
		User: Value{"ann", "msmtprc", 5},
	}
	got := p.edits(&Works{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann@example.org"})
	want := []string{"In msmtprc line 3: port 587 → 465", "In msmtprc line 4: encryption STARTTLS → TLS at once", "In msmtprc line 5: user ann → ann@example.org"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := p.edits(&Works{}); got != nil {
		t.Errorf("changes to settings that are not known to work: %q", got)
	}
}

// What keeps a program from its own settings is said: a login that it makes and that
// cannot be read, and a word that it does not know.
func TestReadProgram_SaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	read := func(name, text string) (*Question, []string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadProgram(path)
		if err != nil {
			t.Fatal(err)
		}
		var q Question
		origin, err := p.Apply(&q)
		if err != nil {
			t.Fatal(err)
		}
		return &q, origin
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("[smtp.example.net]:587 ann:pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for maps, want := range map[string]string{filepath.Join(dir, "none"): "could not be read", other: "no line for [smtp.example.org]:587"} {
		q, _ := read("main.cf", "relayhost = [smtp.example.org]:587\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:"+maps+"\n")
		if r := NewReport(q, &Facts{}); r.Verdict != Unsure || len(r.Untested) != 1 || !strings.Contains(r.Untested[0], want) {
			t.Errorf("%s: %s, %q, want %q", maps, r.Verdict, r.Untested, want)
		}
	}
	_, origin := read("msmtprc", "account a\nhost smtp.example.org\nprot 587\ntls on\ntls_strtls on\ntls_min_dh_prime_bits 512\nlogfile x\n")
	notes := strings.Join(origin, "\n")
	for _, want := range []string{`line 3: msmtp knows no "prot"; port is`, `line 5: msmtp knows no "tls_strtls"; tls_starttls is`} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is missing in %q", want, notes)
		}
	}
	if strings.Count(notes, "knows no") != 2 {
		t.Errorf("words of msmtp are called slips: %q", notes)
	}
}
