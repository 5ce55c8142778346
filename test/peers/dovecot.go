package peers

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dovecot is a Dovecot that serves IMAP, POP3 and submission: Address is that of
// IMAP with STARTTLS, IMAPS that with TLS at once, and so on.
type Dovecot struct {
	*Server
	IMAPS, POP3, POP3S, Submission, Submissions string
}

// StartDovecot starts Dovecot with one account. Passwords go over TLS only, and
// what is submitted goes to o.Relay. It needs what Postfix needs of the machine.
func (t *Tree) StartDovecot(ctx context.Context, o ServerOptions) (*Dovecot, error) {
	var d Dovecot
	ports := map[string]string{}
	for name, at := range map[string]*string{"imaps": &d.IMAPS, "pop3": &d.POP3, "pop3s": &d.POP3S, "submission": &d.Submission, "submissions": &d.Submissions} {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports[name], *at = strconv.Itoa(port), net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	relay, relayPort, err := net.SplitHostPort(o.Relay)
	if err != nil {
		relay, relayPort = "127.0.0.1", "1" // nothing is submitted
	}
	s, err := service("dovecot", map[string]string{
		"users": o.User + ":{PLAIN}" + o.Password + "\n",
		"dovecot.conf": `
protocols = imap pop3 submission
submission_relay_host = ` + relay + `
submission_relay_port = ` + relayPort + `
hostname = dovecot.test
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
default_login_user = nobody
default_internal_user = ` + mailOwner + `
default_internal_group = ` + mailOwner + `
import_environment = LD_LIBRARY_PATH
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
ssl_dh =
mail_location = maildir:{dir}/mail
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = {dir}/users
}
userdb {
  driver = static
  args = uid=` + mailOwner + ` gid=` + mailOwner + ` home={dir}/mail
}
service imap-login {
  chroot =
  inet_listener imap {
    port = {port}
  }
  inet_listener imaps {
    port = ` + ports["imaps"] + `
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = ` + ports["pop3"] + `
  }
  inet_listener pop3s {
    port = ` + ports["pop3s"] + `
  }
}
service submission-login {
  chroot =
  inet_listener submission {
    port = ` + ports["submission"] + `
  }
  inet_listener submissions {
    port = ` + ports["submissions"] + `
    ssl = yes
  }
}
service auth {
  user = root
  chroot =
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
` + strings.Join(o.Settings, "\n") + "\n",
	})
	if err != nil {
		return nil, err
	}
	for name, from := range map[string]string{"cert.pem": o.Certificate, "key.pem": o.Key} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, name), b, 0o644)
		}
		if err != nil {
			removeAll(s.dir)
			return nil, err
		}
	}
	if err := os.Mkdir(filepath.Join(s.dir, "mail"), 0o777); err != nil {
		removeAll(s.dir)
		return nil, err
	}
	if err := os.Chmod(filepath.Join(s.dir, "mail"), 0o777); err != nil {
		removeAll(s.dir)
		return nil, err
	}
	if _, err := t.runInRoom(ctx, s, "", "", "/usr/sbin/dovecot", "-F", "-c", filepath.Join(s.dir, "dovecot.conf")); err != nil {
		return nil, err
	}
	d.Server = s
	return &d, nil
}

// StartOpenSMTPD starts OpenSMTPD without logins: it takes mail for the domain
// example.org and denies the rest. With a certificate it offers STARTTLS, and in
// Debian 12 that breaks in the handshake: OpenSMTPD 6.8 keeps its keys in a process
// of their own in a way that OpenSSL 3 does not know (OpenSMTPD issue 1171). As it
// takes logins under TLS only, it takes none there.
func (t *Tree) StartOpenSMTPD(ctx context.Context, o ServerOptions) (*Server, error) {
	pki, tls := "", ""
	if o.Certificate != "" {
		pki, tls = "pki x cert \"{dir}/cert.pem\"\npki x key \"{dir}/key.pem\"\n", " tls pki x"
	}
	s, err := service("opensmtpd", map[string]string{
		"smtpd.conf": pki + `
table domains { "example.org" }
listen on 127.0.0.1 port {port} hostname opensmtpd.test` + tls + `
action "out" relay host smtp://` + o.Relay + `
match from any for domain <domains> action "out"
` + strings.Join(o.Settings, "\n") + "\n",
	})
	if err != nil {
		return nil, err
	}
	if o.Certificate != "" {
		for name, from := range map[string]string{"cert.pem": o.Certificate, "key.pem": o.Key} {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(filepath.Join(s.dir, name), b, 0o600) // it refuses a key that others may read
			}
			if err != nil {
				removeAll(s.dir)
				return nil, err
			}
		}
	}
	s.silent = o.Silent
	return t.runInRoom(ctx, s, "opensmtpd opensmtpq", "mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty /run/opensmtpd; chmod 711 /var/spool/smtpd",
		"/usr/sbin/smtpd", "-d", "-f", filepath.Join(s.dir, "smtpd.conf"))
}
