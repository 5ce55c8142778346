package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loginPackages are what logs in by other ways than PLAIN and LOGIN: an Exim with
// every authenticator, Dovecot's submission server, OpenLDAP, GNU SASL's client, and others that
// know NTLM or SCRAM.
var loginPackages = []string{"exim4-daemon-heavy", "libnss-wrapper", "dovecot-core", "dovecot-submissiond", "gsasl", "slapd",
	"msmtp", "swaks", "libnet-ssleay-perl", "libauthen-ntlm-perl", "libdigest-hmac-perl"}

// OpenLogins returns the tree with them, in a directory of its own beside that of
// Open. Errors are those of Open.
func OpenLogins(ctx context.Context) (*Tree, error) {
	return open(ctx, "logins", loginPackages, []string{"usr/sbin/exim4", "usr/sbin/dovecot", "usr/lib/dovecot/submission-login", "usr/bin/gsasl", "usr/sbin/slapd", "usr/bin/msmtp"})
}

// NeedLogins returns the tree of OpenLogins. Where there cannot be one the test is
// skipped, or fails where CI=true.
func NeedLogins(t testing.TB) *Tree {
	t.Helper()
	tree, err := OpenLogins(context.Background())
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// StartSubmission starts Dovecot's submission server with one account, whose password
// it knows, so that all its mechanisms work. It needs what Postfix needs of the
// machine, and a server to relay to: o.Relay.
func (t *Tree) StartSubmission(ctx context.Context, o ServerOptions) (*Server, error) {
	relayHost, relayPort, err := net.SplitHostPort(o.Relay)
	if err != nil {
		return nil, err
	}
	s, err := service("dovecot-submission", map[string]string{
		"users": o.User + ":{PLAIN}" + o.Password + "\n",
		"dovecot.conf": `
protocols = submission
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
auth_verbose = yes
default_login_user = nobody
default_internal_user = ` + mailOwner + `
default_internal_group = ` + mailOwner + `
import_environment = LD_LIBRARY_PATH
listen = 127.0.0.1
hostname = dovecot.test
submission_relay_host = ` + relayHost + `
submission_relay_port = ` + relayPort + `
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
service submission-login {
  chroot =
  inet_listener submission {
    port = {port}
  }
}
service auth {
  user = root
  chroot =
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty { # it slows down whoever was refused
    mode = 0
  }
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
	mail := filepath.Join(s.dir, "mail")
	if err = os.Mkdir(mail, 0o777); err == nil {
		err = os.Chmod(mail, 0o777) // whatever the mask is
	}
	if err != nil {
		removeAll(s.dir)
		return nil, err
	}
	return t.runInRoom(ctx, s, "", "", "/usr/sbin/dovecot", "-F", "-c", filepath.Join(s.dir, "dovecot.conf"))
}

// LDAPSuffix is the top of the directory that StartLDAP serves, and LDAPRoot who may
// write in it, with the password "root".
const (
	LDAPSuffix = "dc=example,dc=org"
	LDAPRoot   = "cn=root," + LDAPSuffix
)

// StartLDAP starts OpenLDAP with an empty directory that only those may read who have
// logged in. It offers StartTLS.
func (t *Tree) StartLDAP(ctx context.Context, o ServerOptions) (*Server, error) {
	modules, err := filepath.Glob(filepath.Join(t.root, "usr/lib/ldap"))
	if err != nil || len(modules) == 0 {
		return nil, &UnavailableError{"OpenLDAP", "the tree of peers has no modules for it"}
	}
	schema := filepath.Join(t.root, "etc/ldap/schema")
	s, err := service("slapd", map[string]string{"slapd.conf": fmt.Sprintf(`
include %[1]s/core.schema
include %[1]s/cosine.schema
include %[1]s/inetorgperson.schema
modulepath %[2]s
moduleload back_mdb
pidfile {dir}/pid
TLSCertificateFile %[3]s
TLSCertificateKeyFile %[4]s
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
database mdb
suffix "%[5]s"
rootdn "%[6]s"
rootpw root
directory {dir}/data
%[7]s
`, schema, modules[0], o.Certificate, o.Key, LDAPSuffix, LDAPRoot, strings.Join(o.Settings, "\n"))})
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		removeAll(s.dir)
		return nil, err
	}
	return t.run(ctx, s, "usr/sbin/slapd", "-d", "0", "-h", "ldap://"+s.Address, "-f", filepath.Join(s.dir, "slapd.conf"))
}
