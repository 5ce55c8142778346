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

func TestReadProgram_kubernetes(t *testing.T) {
	checkPrograms(t, []programFile{
		{"deployment.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: app:1\n        env:\n        - name: SMTP_HOST\n          value: smtp.example.org\n        - name: SMTP_PORT\n          value: \"587\"\n        - name: SMTP_SECURITY\n          value: starttls\n        - name: SMTP_USERNAME\n          value: ann\n        - name: SMTP_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: mail\n              key: password\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann"}, "line 18"},
		{"flow.yml", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: app\n      env:\n        - {name: SMTP_HOST, value: smtp.example.org}\n        - { name: \"SMTP_PORT\", value: \"465\" }\n        - {name: SMTP_SSL, value: \"true\"}\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 465, Security: Implicit}, "line 7"},
		{"config.yaml", "apiVersion: v1\ndata:\n  SMTP_PASSWORD: czNjcmV0\n  SMTP_USER: YW5uCg==\nkind: Secret\nmetadata:\n  name: mail\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  SMTP_HOST: smtp.example.org\n  SMTP_PORT: \"587\"\n",
			"NAME=VALUE", Question{Host: "smtp.example.org", Port: 587, User: "ann", Password: "s3cret"}, "line 12"},
		{"gitea.yaml", "apiVersion: apps/v1\nkind: StatefulSet\nspec:\n  env:\n    - name: GITEA__mailer__SMTP_ADDR\n      value: smtp.example.org\n    - name: GITEA__mailer__SMTP_PORT\n      value: '465'\n    - name: GITEA__mailer__PROTOCOL\n      value: smtps\n",
			"Gitea", Question{Host: "smtp.example.org", Port: 465, Security: Implicit}, "line 6"},
	})
}

func TestReadProgram_giteaEnvironment(t *testing.T) {
	checkPrograms(t, []programFile{
		{"docker-compose.yml", "services:\n  server:\n    image: gitea/gitea\n    environment:\n      - USER_UID=1000\n      - GITEA__database__HOST=db:5432\n      - GITEA__database__USER=gitea\n      - GITEA__mailer__ENABLED=true\n      - GITEA__mailer__FROM=git@example.org\n      - GITEA__mailer__PROTOCOL=smtp+starttls\n      - GITEA__mailer__SMTP_ADDR=smtp.example.org\n      - GITEA__mailer__SMTP_PORT=587\n      - GITEA__mailer__USER=ann\n      - GITEA__mailer__PASSWD=s3cret # 1\n",
			"Gitea", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, User: "ann", Password: "s3cret # 1", From: "git@example.org"}, "line 11"},
		{"gitea.env", "GITEA__mailer__HOST=smtp.example.org:465\nGITEA__mailer__IS_TLS_ENABLED=true\nGITEA__mailer__USER=ann\nGITEA__mailer__PASSWD=s3cret\n",
			"Gitea", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret"}, "line 1"},
		{"forgejo.yml", "environment:\n  FORGEJO__mailer__SMTP_ADDR: smtp.example.org\n  FORGEJO__mailer__SMTP_PORT: \"587\"\n",
			"Gitea", Question{Host: "smtp.example.org", Port: 587}, "line 2"},
	})
}

const laravelMail = `<?php

return [
    'default' => env('MAIL_MAILER', 'smtp'),

    'mailers' => [
        'smtp' => [
            'transport' => 'smtp',
            'scheme' => env('MAIL_SCHEME'),
            'host' => env('MAIL_HOST', 'smtp.example.org'),
            'port' => env('MAIL_PORT', 587),
            'encryption' => env('MAIL_ENCRYPTION', 'tls'),
            'username' => env('MAIL_USERNAME'),
            'password' => env('MAIL_PASSWORD'),
            'timeout' => null,
            'local_domain' => env('MAIL_EHLO_DOMAIN', parse_url(env('APP_URL', 'http://localhost'), PHP_URL_HOST)),
        ],
        'ses' => [
            'transport' => 'ses',
        ],
    ],
    'from' => [
        'address' => env('MAIL_FROM_ADDRESS', 'app@example.org'),
        'name' => env('MAIL_FROM_NAME', 'Example'),
    ],
];
`

func TestReadProgram_laravel(t *testing.T) {
	checkPrograms(t, []programFile{
		{"mail.php", laravelMail, "Laravel", Question{Host: "smtp.example.org", Port: 587, Security: StartTLS, From: "app@example.org"}, "line 10"},
		{"old.php", "<?php return [\n  'driver' => 'smtp',\n  'host' => 'smtp.example.org',\n  'port' => 465,\n  'from' => ['address' => 'app@example.org', 'name' => 'App'],\n  'encryption' => 'ssl',\n  'username' => 'ann',\n  'password' => 's3cret',\n];\n",
			"Laravel", Question{Host: "smtp.example.org", Port: 465, Security: Implicit, User: "ann", Password: "s3cret", From: "app@example.org"}, "line 3"},
	})
	dir := t.TempDir()
	path, beside := filepath.Join(dir, "config", "mail.php"), filepath.Join(dir, ".env")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{path: laravelMail, beside: "APP_NAME=x\nMAIL_HOST=mail.example.net\nMAIL_PORT=465\nMAIL_SCHEME=smtps\nMAIL_USERNAME=ann\nMAIL_PASSWORD=\"s3cret\"\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadProgram(path)
	if err != nil {
		t.Fatal(err)
	}
	var q Question
	origin, err := p.Apply(&q)
	if err != nil || q.Host != "mail.example.net" || q.Port != 465 || q.Security != Implicit || q.User != "ann" || q.Password != "s3cret" {
		t.Errorf("with .env beside it: %+v, %v", q, err)
	}
	if all := strings.Join(origin, "\n"); !strings.Contains(all, "host mail.example.net: "+beside+" line 2") || strings.Contains(all, "s3cret") {
		t.Errorf("it says %s", all)
	}
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
