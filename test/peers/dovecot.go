package peers

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dovecot is a Dovecot that serves IMAP: Address is that of IMAP with STARTTLS,
// IMAPS that with TLS at once.
type Dovecot struct {
	*Server
	IMAPS string
}

// StartDovecot starts Dovecot with one account. Passwords go over TLS only. It
// needs what Postfix needs of the machine.
func (t *Tree) StartDovecot(ctx context.Context, o ServerOptions) (*Dovecot, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	imaps := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s, err := service("dovecot", map[string]string{
		"users": o.User + ":{PLAIN}" + o.Password + "\n",
		"dovecot.conf": `
protocols = imap
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
    port = ` + strconv.Itoa(port) + `
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
	return &Dovecot{Server: s, IMAPS: imaps}, nil
}

// StartOpenSMTPD starts OpenSMTPD without TLS and without logins: it takes mail
// for the domain example.org and denies the rest. Its TLS does not run outside of
// an installed system.
func (t *Tree) StartOpenSMTPD(ctx context.Context, o ServerOptions) (*Server, error) {
	s, err := service("opensmtpd", map[string]string{
		"smtpd.conf": `
table domains { "example.org" }
listen on 127.0.0.1 port {port} hostname opensmtpd.test
action "out" relay host smtp://` + o.Relay + `
match from any for domain <domains> action "out"
` + strings.Join(o.Settings, "\n") + "\n",
	})
	if err != nil {
		return nil, err
	}
	s.silent = o.Silent
	return t.runInRoom(ctx, s, "opensmtpd opensmtpq", "mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty /run/opensmtpd; chmod 711 /var/spool/smtpd",
		"/usr/sbin/smtpd", "-d", "-f", filepath.Join(s.dir, "smtpd.conf"))
}
