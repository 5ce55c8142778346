package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadProgram_relays(t *testing.T) {
	checkPrograms(t, []programFile{
		{"remotes", "# relay\nsmtp.example.org smtp --port=587 --starttls --user=ann --pass='s3cret x'\n",
			"nullmailer", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret x"}, "line 2"},
		{"remotes", "smtp.example.org smtp --ssl\n", "nullmailer", Question{Host: "smtp.example.org", Port: 465, Security: Implicit}, "line 1"},
		{"muttrc", "set realname=\"Ann\" from=\"Ann <ann@example.org>\"\nset imap_user = ann\nset smtp_url = \"smtp://ann@example.org@smtp.example.org:587/\"\nset smtp_pass = \"s3cret\"\n",
			"mutt", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Password: "s3cret", From: "ann@example.org"}, "line 3"},
		{"neomuttrc", "set smtp_url=smtps://ann@smtp.example.org\nset smtp_pass=\"`pass mail`\"\n",
			"mutt", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann"}, "line 1"},
		{"exim4.conf", "begin routers\nsmarthost:\n  driver = manualroute\n  transport = remote_smtp_smarthost\n  route_list = * smtp.example.org byname\nbegin transports\nremote_smtp_smarthost:\n  driver = smtp\n  port = 465\n  protocol = smtps\nbegin authenticators\nplain:\n  driver = plaintext\n  client_send = ^ann^s3cret\n",
			"Exim", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret"}, "line 5"},
		{"exim.conf", "remote_smtp_smarthost:\n  driver = smtp\n  hosts = smtp.example.org\n  port = 587\n  hosts_require_tls = *\n",
			"Exim", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS}, "line 3"},
	})
}

func TestReadProgram_debianExim(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"update-exim4.conf.conf": "dc_eximconfig_configtype='local'\ndc_smarthost='smtp.example.org::587'\n",
		"passwd.client":          "# host:user:password\nother.example.org:bob:x\n*.example.org:ann:s3:cret\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadProgram(filepath.Join(dir, "update-exim4.conf.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Host.Text != "smtp.example.org" || p.Host.Line != 2 || p.Port.Text != "587" || p.User.Text != "ann" || p.Password.Text != "s3:cret" || p.User.Line != 3 {
		t.Errorf("got %+v", p)
	}
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "not used") {
		t.Errorf("the notes are %q, want that the smart host is not used", p.Notes)
	}
}
