package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// StartExim starts an Exim daemon with a configuration of its own. It returns
// when it listens.
func (t *Tree) StartExim(ctx context.Context, o ServerOptions) (_ *Server, err error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := workDirectory("exim")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if err := o.copyCertificate(dir); err != nil {
		return nil, err
	}
	owner, group, err := eximOwner(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{name: "Exim", dir: dir, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), log: filepath.Join(dir, "log", "mainlog")}
	config := filepath.Join(dir, "exim.conf")
	if err := os.WriteFile(config, []byte(t.eximConfig(dir, owner, group, s.Address, o)), 0o644); err != nil {
		return nil, err
	}
	// -bdf: a daemon in the foreground; -q1m: a queue run at once and each minute.
	c := exec.Command(filepath.Join(t.root, "usr/sbin/exim4"), "-C", config, "-bdf", "-q1m")
	c.Env, err = t.eximEnvironment(dir, owner, group)
	if err != nil {
		return nil, err
	}
	s.silent = o.Silent
	return s.start(ctx, c)
}

// eximOwner makes Exim's directories and returns the user and group it runs as.
// Exim delivers nothing as root, so for root it is another user.
func eximOwner(dir string) (owner, group string, err error) {
	uid, gid := syscall.Geteuid(), syscall.Getegid()
	if uid == 0 {
		u, err := user.Lookup(mailOwner)
		if err != nil {
			return "", "", err
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return "", "", err
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return "", "", err
		}
	}
	for _, d := range []string{"spool", "log"} {
		path := filepath.Join(dir, d)
		if err := os.Mkdir(path, 0o755); err != nil {
			return "", "", err
		}
		if err := os.Chown(path, uid, gid); err != nil {
			return "", "", err
		}
	}
	return strconv.Itoa(uid), strconv.Itoa(gid), nil
}

// eximEnvironment returns the environment in which Exim finds the user
// Debian-exim. Debian's binary looks for it before it reads a configuration; the
// machine has none where Exim is not installed, so that user is another name of
// the one Exim runs as, in a copy of the machine's list.
func (t *Tree) eximEnvironment(dir, owner, group string) ([]string, error) {
	wrapper, err := filepath.Glob(filepath.Join(t.root, "usr/lib/*/libnss_wrapper.so"))
	if err != nil || len(wrapper) == 0 {
		return nil, &UnavailableError{"Exim", "the tree of peers has no libnss_wrapper.so"}
	}
	environment := append(t.environment(), "LD_PRELOAD="+wrapper[0])
	for _, l := range []struct{ variable, source, line string }{
		{"NSS_WRAPPER_PASSWD", "/etc/passwd", "Debian-exim:x:" + owner + ":" + group + "::" + dir + ":/bin/false\n"},
		{"NSS_WRAPPER_GROUP", "/etc/group", "Debian-exim:x:" + group + ":\n"},
	} {
		b, err := os.ReadFile(l.source)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, filepath.Base(l.source))
		if err := os.WriteFile(path, append(b, l.line...), 0o644); err != nil {
			return nil, err
		}
		environment = append(environment, l.variable+"="+path)
	}
	return environment, nil
}

func (t *Tree) eximConfig(dir, owner, group, address string, o ServerOptions) string {
	host, port, _ := net.SplitHostPort(address)
	relayHost, relayPort, _ := strings.Cut(o.Relay, ":")
	hosts := func(off bool) string {
		if off {
			return ""
		}
		return "*"
	}
	main := []string{
		"primary_hostname = exim.test",
		"exim_path = " + filepath.Join(t.root, "usr/sbin/exim4"),
		"exim_user = " + owner,
		"exim_group = " + group,
		"spool_directory = " + filepath.Join(dir, "spool"),
		"log_file_path = " + filepath.Join(dir, "log", "%slog"),
		"pid_file_path = " + filepath.Join(dir, "spool", "exim.pid"),
		"local_interfaces = <; [" + host + "]:" + port,
		"deliver_drop_privilege = true",
		"acl_smtp_rcpt = acl_rcpt",
		"acl_smtp_data = acl_data",
		"host_lookup =",
		"rfc1413_hosts =",
		"dns_ipv4_lookup = *",
		"message_size_limit = 50M",
		"smtp_accept_max = 0",
		"smtp_accept_max_per_connection = 0",
		"smtp_accept_queue_per_connection = 0",
		"remote_max_parallel = 50",
		"split_spool_directory = true",
		"keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : ^NSS_WRAPPER_",
		"accept_8bitmime = " + strconv.FormatBool(!o.No8BitMIME),
		"pipelining_advertise_hosts = " + hosts(o.NoPipelining),
		"tls_advertise_hosts = " + hosts(o.Certificate == ""),
	}
	if o.Certificate != "" {
		main = append(main, "tls_certificate = "+o.Certificate, "tls_privatekey = "+o.Key)
	}
	accept, authenticators := "accept hosts = 127.0.0.1", ""
	if o.User != "" {
		accept = "accept authenticated = *"
		advertise := "*"
		if o.Certificate != "" {
			advertise = "${if def:tls_in_cipher {*}{}}"
		}
		main = append(main, "auth_advertise_hosts = "+advertise)
		authenticators = fmt.Sprintf(`
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{%s}}{eq{$auth3}{%s}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{%[1]s}}{eq{$auth2}{%[2]s}}}}
  server_set_id = $auth1
`, o.User, o.Password) + o.Authenticators
	}
	return strings.Join(append(main, o.Settings...), "\n") + `
begin acl
acl_rcpt:
  ` + accept + `
    control = dkim_disable_verify
  deny
acl_data:
  accept
begin routers
smart:
  driver = manualroute
  route_list = * ` + relayHost + ` byname
  transport = out
  self = send
begin transports
out:
  driver = smtp
  port = ` + relayPort + `
  hosts_try_chunking =
  hosts_avoid_tls = *
begin retry
* * F,2h,1m
` + authenticators
}
