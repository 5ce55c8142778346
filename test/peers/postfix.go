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
	"syscall"
	"time"
)

// ServerOptions say what a peer offers and where it sends what it accepts.
type ServerOptions struct {
	Relay          string // host:port that gets all mail; 127.0.0.1 only
	Certificate    string // PEM files; both empty: the peer has no STARTTLS
	Key            string
	User, Password string   // both set: mail only after AUTH
	NoPipelining   bool     // do not offer PIPELINING
	No8BitMIME     bool     // do not offer 8BITMIME
	Silent         bool     // it does not greet in plain text, or not at once: listening is enough
	Settings       []string // more lines of the main configuration; the last wins in Postfix
	Authenticators string   // more of Exim's authenticators, where User is set
}

// Server is a peer that accepts mail.
type Server struct {
	*Process
	Address string // host:port
	name    string
	dir     string
	log     string // path of its log
	close   func() // of what belongs to it; may be nil
	silent  bool   // it is ready when it listens
	lastLog string // what Log returned when it stopped
}

// Log returns the end of the server's log and of what it printed.
func (s *Server) Log() string { return s.output.String() + tail(s.log) }

// Stop ends the server and removes its directory.
func (s *Server) Stop() {
	s.Process.Stop()
	s.lastLog = s.Log()
	if s.close != nil {
		s.close()
	}
	removeAll(s.dir)
}

// The users that a Postfix of the tree runs as: every Debian has them, by
// base-passwd, and nothing of a mail server runs under them.
const (
	mailOwner   = "news"
	setgidGroup = "uucp"
)

// How long a peer may take to listen, on a busy machine.
const startLimit = 60 * time.Second

// Tuned are the settings with which Postfix was fastest as a relay on loopback.
var Tuned = []string{
	"default_process_limit = 200",
	"initial_destination_concurrency = 50",
	"smtp_destination_concurrency_limit = 50",
	"in_flow_delay = 0",
	"smtpd_client_connection_count_limit = 0",
	"smtpd_client_connection_rate_limit = 0",
	"smtpd_peername_lookup = no",
	"smtp_connection_reuse_time_limit = 300s",
	"qmgr_message_active_limit = 50000",
	"qmgr_message_recipient_limit = 50000",
}

// StartPostfix starts Postfix's master with a configuration of its own. It
// returns when it listens.
func (t *Tree) StartPostfix(ctx context.Context, o ServerOptions) (_ *Server, err error) {
	prefix, err := rootPrefix(ctx)
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := workDirectory("postfix")
	if err != nil {
		return nil, err
	}
	s := &Server{name: "Postfix", dir: dir, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), log: filepath.Join(dir, "log", "mail.log")}
	defer func() {
		if err != nil {
			if s.close != nil {
				s.close()
			}
			removeAll(dir)
		}
	}()
	if err := o.copyCertificate(dir); err != nil {
		return nil, err
	}
	if err := t.postfixDirectories(ctx, prefix, dir); err != nil {
		return nil, err
	}
	if err := writeAll(filepath.Join(dir, "etc"), map[string]string{
		"main.cf":        t.postfixMain(dir, o),
		"master.cf":      postfixMaster(s.Address),
		"dynamicmaps.cf": "",
	}); err != nil {
		return nil, err
	}
	if o.User != "" {
		if s.close, err = serveLogins(filepath.Join(dir, "queue", "private", "auth"), o.User, o.Password); err != nil {
			return nil, err
		}
	}
	// -d: neither leave the process group nor close the output.
	args := append(slices.Clone(prefix), filepath.Join(t.root, "usr/lib/postfix/sbin/master"), "-c", filepath.Join(dir, "etc"), "-d")
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(t.environment(), "MAIL_CONFIG="+filepath.Join(dir, "etc"))
	s.silent = o.Silent
	return s.start(ctx, c)
}

// start starts c, which is the server's program, and waits for its greeting.
func (s *Server) start(ctx context.Context, c *exec.Cmd) (*Server, error) {
	p, err := startProcess(c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	s.Process = p
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ready := greeted
	if s.silent {
		ready = listening
	}
	if err := p.await(ctx, s.Address, ready); err != nil {
		p.Stop()
		return nil, fmt.Errorf("start %s: %w; its log: %s", s.name, err, s.Log())
	}
	return s, nil
}

// postfixDirectories makes the directories of the queue as Postfix's own
// post-install does.
func (t *Tree) postfixDirectories(ctx context.Context, prefix []string, dir string) error {
	for _, d := range []string{"etc", "log", "data", "queue", "queue/pid"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	own := []string{filepath.Join(dir, "data")}
	for _, d := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "public", "maildrop", "saved", "trace"} {
		path := filepath.Join(dir, "queue", d)
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		own = append(own, path)
	}
	args := append(slices.Clone(prefix), append([]string{"chown", mailOwner}, own...)...)
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("give Postfix its directories: %w: %s", err, out)
	}
	return nil
}

func (t *Tree) postfixMain(dir string, o ServerOptions) string {
	in := func(p string) string { return filepath.Join(t.root, p) }
	host, port, _ := strings.Cut(o.Relay, ":")
	lines := []string{
		"compatibility_level = 3.6",
		"daemon_directory = " + in("usr/lib/postfix/sbin"),
		"command_directory = " + in("usr/sbin"),
		"shlib_directory = " + in("usr/lib/postfix"),
		"meta_directory = " + filepath.Join(dir, "etc"),
		"queue_directory = " + filepath.Join(dir, "queue"),
		"data_directory = " + filepath.Join(dir, "data"),
		"maillog_file = " + filepath.Join(dir, "log", "mail.log"),
		"maillog_file_prefixes = " + filepath.Join(dir, "log"),
		"import_environment = MAIL_CONFIG MAIL_DEBUG LD_LIBRARY_PATH=" + t.libraryPath(),
		"mail_owner = " + mailOwner,
		"setgid_group = " + setgidGroup,
		"default_privs = nobody",
		"myhostname = postfix.test",
		"mydestination =",
		"mynetworks = 127.0.0.0/8",
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"alias_maps =",
		"alias_database =",
		fmt.Sprintf("relayhost = [%s]:%s", host, port),
		"smtp_dns_support_level = disabled",
		"smtp_tls_security_level = none",
		"smtp_host_lookup = native",
		"message_size_limit = 52428800",
	}
	if o.Certificate != "" {
		lines = append(lines, "smtpd_tls_security_level = may", "smtpd_tls_loglevel = 1",
			"smtpd_tls_cert_file = "+o.Certificate, "smtpd_tls_key_file = "+o.Key)
	}
	if o.User != "" {
		lines = append(lines, "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", "smtpd_sasl_path = private/auth",
			"smtpd_relay_restrictions = permit_sasl_authenticated,reject", "smtpd_recipient_restrictions = permit_sasl_authenticated,reject")
		if o.Certificate != "" {
			lines = append(lines, "smtpd_tls_auth_only = yes")
		}
	}
	var without []string
	if o.NoPipelining {
		without = append(without, "pipelining")
	}
	if o.No8BitMIME {
		without = append(without, "8bitmime")
	}
	if len(without) > 0 {
		lines = append(lines, "smtpd_discard_ehlo_keywords = "+strings.Join(without, ", "))
	}
	return strings.Join(append(lines, o.Settings...), "\n") + "\n"
}

// postfixMaster returns the services of a Postfix that takes mail at address and
// sends it on. None is in a chroot: the tree's libraries are not.
func postfixMaster(address string) string {
	return `# service  type  private unpriv chroot wakeup maxproc command
` + address + ` inet n - n - - smtpd
pickup    unix  n - n 60   1 pickup
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
verify    unix  - - n -    1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -    - proxymap
smtp      unix  - - n -    - smtp
relay     unix  - - n -    - smtp
showq     unix  n - n -    - showq
error     unix  - - n -    - error
retry     unix  - - n -    - error
discard   unix  - - n -    - discard
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
postlog   unix-dgram n - n - 1 postlogd
`
}

// copyCertificate puts the certificate where the server's users can read it: a
// test's own directory is closed to them.
func (o *ServerOptions) copyCertificate(dir string) error {
	for _, file := range []*string{&o.Certificate, &o.Key} {
		if *file == "" {
			continue
		}
		b, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		*file = filepath.Join(dir, filepath.Base(*file))
		if err := os.WriteFile(*file, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeAll(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// rootPrefix returns the command that runs another one as a root with a range of
// users: none for root itself.
func rootPrefix(ctx context.Context) ([]string, error) {
	if syscall.Geteuid() == 0 {
		return nil, nil
	}
	prefix := []string{"unshare", "--map-root-user", "--map-auto", "--"}
	if out, err := exec.CommandContext(ctx, prefix[0], append(slices.Clone(prefix[1:]), "chgrp", "--version")...).CombinedOutput(); err != nil {
		return nil, &UnavailableError{"Postfix", fmt.Sprintf("it needs root, or a user namespace with a range of users (/etc/subuid, newuidmap, util-linux 2.38): %v: %s", err, strings.TrimSpace(string(out)))}
	}
	return prefix, nil
}

// removeAll removes a peer's directory. Where files belong to users of a
// namespace, it is removed in such a one.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil || syscall.Geteuid() == 0 {
		return
	}
	exec.Command("unshare", "--map-root-user", "--map-auto", "--", "rm", "-rf", dir).Run() // what is left is in the temporary directory
}
