package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programFile is a file of a program, and what is to be read from it.
type programFile struct {
	file, text, name string
	want             Question
	line             string // of the host
}

func checkPrograms(t *testing.T, files []programFile) {
	t.Helper()
	for _, tt := range files {
		path := filepath.Join(t.TempDir(), tt.file)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadProgram(path)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		var q Question
		origin, err := p.Apply(&q)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		got := Question{Host: q.Host, Port: q.Port, Security: q.Security, User: q.User, Password: q.Password, From: q.From, Hostname: q.Hostname}
		for _, f := range []struct{ what, got, want string }{
			{"program", p.Name, tt.name}, {"host", got.Host, tt.want.Host}, {"security", string(got.Security), string(tt.want.Security)},
			{"user", got.User, tt.want.User}, {"password", got.Password, tt.want.Password}, {"from", got.From, tt.want.From},
			{"greeting", got.Hostname, tt.want.Hostname},
		} {
			if f.got != f.want {
				t.Errorf("%s: the %s is %q, want %q", tt.file, f.what, f.got, f.want)
			}
		}
		if got.Port != tt.want.Port {
			t.Errorf("%s: the port is %d, want %d", tt.file, got.Port, tt.want.Port)
		}
		all := strings.Join(origin, "\n") + "\n"
		if !strings.Contains(all, "host "+tt.want.Host+": "+path+" "+tt.line+"\n") {
			t.Errorf("%s: the host is not at %s: %s", tt.file, tt.line, all)
		}
		if strings.Contains(all, "s3cret") {
			t.Errorf("%s: the password is shown: %s", tt.file, all)
		}
	}
}

func TestReadProgram_applications(t *testing.T) {
	checkPrograms(t, []programFile{
		{"config.php", "<?php\n$CONFIG = array (\n  'instanceid' => 'oc1',\n  'mail_from_address' => 'cloud',\n  'mail_domain' => 'example.org',\n  'mail_smtpmode' => 'smtp',\n  'mail_smtphost' => 'smtp.example.org',\n  'mail_smtpport' => '465',\n  'mail_smtpsecure' => 'ssl',\n  'mail_smtpname' => 'ann',\n  'mail_smtppassword' => 's3cret\\'x',\n);\n",
			"Nextcloud", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret'x", From: "cloud@example.org"}, "line 7"},
		{"app.ini", "[database]\nHOST = db:5432\n\n[mailer]\nENABLED = true\nSMTP_ADDR = smtp.example.org\nSMTP_PORT = 587\nPROTOCOL = smtp+starttls\nUSER = ann\nPASSWD = `s3cret`\nFROM = \"Git\" <git@example.org>\n",
			"Gitea", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret", From: "git@example.org"}, "line 6"},
		{"grafana.ini", "[server]\nhttp_port = 3000\n[smtp]\nenabled = true\nhost = smtp.example.org:587\nuser = ann\n;password =\npassword = \"\"\"s3cret#1\"\"\"\nfrom_address = graf@example.org\nstartTLS_policy = MandatoryStartTLS\n",
			"Grafana", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret#1", From: "graf@example.org"}, "line 5"},
		{"gitlab.rb", "external_url 'https://git.example.org'\n# gitlab_rails['smtp_address'] = \"smtp.server\"\ngitlab_rails['smtp_enable'] = true\ngitlab_rails['smtp_address'] = \"smtp.example.org\"\ngitlab_rails['smtp_port'] = 465\ngitlab_rails['smtp_user_name'] = \"ann\"\ngitlab_rails['smtp_password'] = \"s3cret\"\ngitlab_rails['smtp_enable_starttls_auto'] = false\ngitlab_rails['smtp_tls'] = true\ngitlab_rails['gitlab_email_from'] = 'git@example.org'\n",
			"GitLab", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret", From: "git@example.org"}, "line 4"},
		{"app.yml", "env:\n  LC_ALL: en_US.UTF-8\n  DISCOURSE_SMTP_ADDRESS: smtp.example.org # TODO\n  DISCOURSE_SMTP_PORT: 587\n  DISCOURSE_SMTP_USER_NAME: ann@example.org\n  DISCOURSE_SMTP_PASSWORD: \"s3cret\"\n",
			"Discourse", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann@example.org", Password: "s3cret"}, "line 3"},
		{"discourse.conf", "db_host = db\nsmtp_address = smtp.example.org\nsmtp_port = 25\nsmtp_enable_start_tls = false\n",
			"Discourse", Question{Host: "smtp.example.org", Port: 25, Security: Clear}, "line 2"},
		{"wp-config.php", "<?php\ndefine( 'DB_HOST', 'localhost' );\ndefine( 'WPMS_ON', true );\ndefine( 'WPMS_SMTP_HOST', 'smtp.example.org' );\ndefine( 'WPMS_SMTP_PORT', 587 ); // port\ndefine( 'WPMS_SSL', 'tls' );\ndefine( 'WPMS_SMTP_USER', 'ann' );\ndefine( 'WPMS_SMTP_PASS', 's3cret);' );\n",
			"WordPress", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret);"}, "line 4"},
		{"application.properties", "server.port=8080\nspring.mail.host=smtp.example.org\nspring.mail.port=587\nspring.mail.username=ann\nspring.mail.password=s3cret\nspring.mail.properties.mail.smtp.starttls.enable=true\n",
			"Spring", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret"}, "line 2"},
		{"application.yml", "server:\n  port: 8080\nspring:\n  datasource:\n    username: db\n  mail:\n    host: ${SMTP_HOST:smtp.example.org}\n    port: 465\n    username: ann\n    password: ${SMTP_PASSWORD}\n    properties:\n      mail:\n        smtp:\n          ssl:\n            enable: true\n",
			"Spring", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann"}, "line 7"},
		{"settings.py", "import os\nDEBUG = False\nEMAIL_HOST = 'smtp.example.org'\nEMAIL_PORT = 587\nEMAIL_USE_TLS = True\nEMAIL_USE_SSL = False\nEMAIL_HOST_USER = \"ann\"\nEMAIL_HOST_PASSWORD = os.environ[\"PW\"]\nDEFAULT_FROM_EMAIL = 'Site <site@example.org>'\n",
			"Django", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", From: "site@example.org"}, "line 3"},
		{"laravel.env", "APP_NAME=Laravel\nDB_HOST=127.0.0.1\nMAIL_MAILER=smtp\nMAIL_HOST=smtp.example.org\nMAIL_PORT=465\nMAIL_USERNAME=ann\nMAIL_PASSWORD=\"s3cret\"\nMAIL_SCHEME=smtps\nMAIL_FROM_ADDRESS=\"app@example.org\"\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret", From: "app@example.org"}, "line 4"},
		{"production.rb", "Rails.application.configure do\n  config.action_mailer.delivery_method = :smtp\n  config.action_mailer.smtp_settings = {\n    address:              'smtp.example.org',\n    port:                 587,\n    domain:               'app.example.org',\n    user_name:            'ann',\n    password:             ENV['PW'],\n    authentication:       'plain',\n    enable_starttls_auto: true\n  }\nend\n",
			"Rails", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Hostname: "app.example.org"}, "line 4"},
		{"environment.rb", "ActionMailer::Base.smtp_settings = { :address => 'smtp.example.org', :port => 465, :user_name => 'ann', :ssl => true }\n",
			"Rails", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann"}, "line 1"},
		{"chatwoot.env", "SMTP_ADDRESS=smtp.example.org\nSMTP_PORT=587\nSMTP_USERNAME=ann\nSMTP_PASSWORD=s3cret\nSMTP_ENABLE_STARTTLS_AUTO=true\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret"}, "line 1"},
		{"docker-compose.yml", "services:\n  app:\n    image: app\n    environment:\n      - TZ=UTC\n      - SMTP_HOST=smtp.example.org\n      - \"SMTP_PORT=587\"\n      - SMTP_SECURITY=starttls\n      - SMTP_USERNAME=ann\n      - SMTP_PASSWORD=${PW}\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann"}, "line 6"},
		{"nouser.yml", "env:\n  SMTP_HOST: smtp.example.org\n  SMTP_PORT: 25\n  SMTP_USER: ${NAME}\n  SMTP_PASSWORD: s3cret\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 25}, "line 2"},
		{"compose.yaml", "services:\n  app:\n    environment:\n      SMTP_HOST: smtp.example.org\n      SMTP_PORT: \"465\"\n      SMTP_SSL: \"true\"\n      SMTP_USER: ann\n      SMTP_PASSWORD: s3cret\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret"}, "line 4"},
	})
}

func TestReadProgram_bounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.env")
	if err := os.WriteFile(path, []byte("SMTP_HOST=x\n"+strings.Repeat("#\n", maxProgramFile/2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProgram(path); err == nil || errors.Is(err, ErrNoServer) {
		t.Errorf("a file over the bound is read: %v", err)
	}
}

func TestReadProgram_parametersThatGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.cf")
	if err := os.WriteFile(path, []byte("relayhost = smtp.example.org\nmyhostname = "+strings.Repeat("$myhostname", 90)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadProgram(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Hello.Text); n > maxParameter*maxParameter {
		t.Errorf("a value that names itself became %d octets", n)
	}
}

// A large file is read in a moment, whatever is in it.
func TestReadProgram_worstCase(t *testing.T) {
	for _, piece := range []string{
		"<SMTP_Server>x</", "<key>OutgoingMailServerHostName</key>", "\"a\"=hex:00,\\\n", "a:\n", "define('", "set smtp_url=", "x smtp --a\n", "user_pref(\n", "{a: ",
		"[a]\nSMTPServer=\n", "account a : a\n", "a = { b: 1, ", "$a",
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(strings.Repeat(piece, maxProgramFile/4/len(piece))), 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if p, err := ReadProgram(path); err == nil {
			_, _ = p.Apply(&Question{})
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%q many times takes %v", piece, d)
		}
	}
}
