package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// servicePackages are the services that a doctor is shown beside mail servers, and
// what makes networks fail.
var servicePackages = []string{"dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-submissiond", "opensmtpd", "nginx", "openssh-server", "tinyproxy-bin", "dante-server", "unbound", "nftables"}

// OpenServices returns the tree with Dovecot, OpenSMTPD, nginx, OpenSSH,
// tinyproxy, Dante, unbound and nft, in a directory of its own beside that of
// Open. Errors are those of Open.
func OpenServices(ctx context.Context) (*Tree, error) {
	return open(ctx, "services", servicePackages, []string{"usr/sbin/dovecot", "usr/lib/dovecot/imap-login", "usr/lib/dovecot/pop3-login", "usr/lib/dovecot/submission-login", "usr/sbin/smtpd", "usr/sbin/nginx",
		"usr/sbin/sshd", "usr/bin/tinyproxy", "usr/sbin/danted", "usr/sbin/unbound", "usr/sbin/nft"})
}

// NeedServices returns the tree of OpenServices. Where there cannot be one the
// test is skipped, or fails where CI=true.
func NeedServices(t testing.TB) *Tree {
	t.Helper()
	tree, err := OpenServices(context.Background())
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// Run starts a service for a test and stops it at its end.
func Run(t testing.TB, s *Server, err error) *Server {
	t.Helper()
	skipUnavailable(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("%s's log:\n%s", s.name, s.lastLog)
		}
	})
	return s
}

// service makes the directory of a service called name at a free port, with the
// files of its configuration, in which {dir}, {port} and {address} stand for what
// they are.
func service(name string, files map[string]string) (*Server, error) {
	return serviceAt(name, "127.0.0.1", files)
}

// serviceAt does so at another address, which is {host} in the files.
func serviceAt(name, host string, files map[string]string) (*Server, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := workDirectory(name)
	if err != nil {
		return nil, err
	}
	s := &Server{name: name, dir: dir, Address: net.JoinHostPort(host, strconv.Itoa(port)), log: filepath.Join(dir, "log"), silent: true}
	fill := strings.NewReplacer("{dir}", dir, "{port}", strconv.Itoa(port), "{address}", s.Address, "{host}", host)
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(fill.Replace(text)), 0o644); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	return s, os.WriteFile(s.log, nil, 0o666)
}

// run starts a program of the tree as s.
func (t *Tree) run(ctx context.Context, s *Server, program string, args ...string) (*Server, error) {
	c := exec.Command(filepath.Join(t.root, program), args...)
	c.Env = t.environment()
	return s.orRemove(s.start(ctx, c))
}

// orRemove removes the directory of a service that did not start.
func (s *Server) orRemove(started *Server, err error) (*Server, error) {
	if err != nil {
		removeAll(s.dir)
	}
	return started, err
}

// room is the beginning of a script that makes the machine look, to one program,
// as if the tree were installed: a mount namespace with the tree over /usr, more
// users, and empty directories where services write. What it needs of the kernel
// is overlayfs.
const room = `set -e
mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
cat /etc/passwd > {dir}/passwd
cat /etc/group > {dir}/group
for u in {users}; do
  grep -q "^$u:" {dir}/passwd || echo "$u:x:9:9::/nonexistent:/bin/false" >> {dir}/passwd
  grep -q "^$u:" {dir}/group || echo "$u:x:9:" >> {dir}/group
done
mount --bind {dir}/passwd /etc/passwd
mount --bind {dir}/group /etc/group
for d in /var/spool /var/lib /run; do mount -t tmpfs tmpfs $d; done
{more}
exec "$@"
`

// runInRoom starts a program of the tree, named by its path when installed, in a
// room of its own with more users. more are further commands.
func (t *Tree) runInRoom(ctx context.Context, s *Server, users, more, program string, args ...string) (*Server, error) {
	prefix, err := rootPrefix(ctx)
	if err != nil {
		removeAll(s.dir)
		return nil, err
	}
	if len(prefix) == 0 {
		prefix = []string{"unshare", "--mount", "--"}
	} else {
		prefix = append(slices.Clone(prefix[:len(prefix)-1]), "--mount", "--")
	}
	script := filepath.Join(s.dir, "room.sh")
	text := strings.NewReplacer("{tree}", t.root, "{dir}", s.dir, "{users}", users, "{more}", more).Replace(room)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		removeAll(s.dir)
		return nil, err
	}
	all := slices.Concat(prefix, []string{"sh", script, program}, args)
	c := exec.Command(all[0], all[1:]...)
	c.Env = t.environment()
	return s.orRemove(s.start(ctx, c))
}

// Path returns where a program of the tree is, and its environment, for commands
// that run it elsewhere: in a network namespace.
func (t *Tree) Path(program string) (path string, environment []string) {
	return filepath.Join(t.root, program), t.environment()
}

// StartNginx starts a web server. With a certificate it is one with TLS.
func (t *Tree) StartNginx(ctx context.Context, c Certificate) (*Server, error) {
	tls := ""
	listen := "listen {address};"
	if c.Chain != "" {
		listen = "listen {address} ssl;"
		tls = fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", c.Chain, c.Key)
	}
	s, err := service("nginx", map[string]string{"nginx.conf": `
daemon off;
master_process off;
pid {dir}/pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server { ` + listen + tls + ` location / { return 200 "hello"; } }
}
`})
	if err != nil {
		return nil, err
	}
	return t.run(ctx, s, "usr/sbin/nginx", "-e", "stderr", "-c", filepath.Join(s.dir, "nginx.conf"))
}

// StartSSH starts an SSH server, with a host key of its own. Root only: its
// privileges are separated.
func (t *Tree) StartSSH(ctx context.Context) (*Server, error) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		return nil, &UnavailableError{"OpenSSH", "ssh-keygen is missing"}
	}
	s, err := service("sshd", map[string]string{"sshd.conf": "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/key\nPidFile none\nUsePAM no\n"})
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, keygen, "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, "key")).CombinedOutput(); err != nil {
		removeAll(s.dir)
		return nil, fmt.Errorf("make a host key: %w: %s", err, out)
	}
	return t.runInRoom(ctx, s, "sshd", "mkdir -p /run/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(s.dir, "sshd.conf"))
}

// StartUnbound starts a name server that knows what lines of its server clause
// tell it, and asks nobody.
func (t *Tree) StartUnbound(ctx context.Context, lines ...string) (*Server, error) {
	s, err := service("unbound", map[string]string{"unbound.conf": UnboundConfig("127.0.0.1@{port}", "{dir}", lines...)})
	if err != nil {
		return nil, err
	}
	return t.run(ctx, s, "usr/sbin/unbound", "-d", "-c", filepath.Join(s.dir, "unbound.conf"))
}

// UnboundConfig returns the configuration of such a name server that works in
// dir. at is address@port.
func UnboundConfig(at, dir string, lines ...string) string {
	return `server:
  directory: "` + dir + `"
  username: ""
  chroot: ""
  pidfile: "` + dir + `/pid"
  interface: ` + at + `
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  num-threads: 1
  local-zone: "." static
  ` + strings.Join(lines, "\n  ") + `
remote-control:
  control-enable: no
`
}
