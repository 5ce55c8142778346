package doctor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/wellsent/wellsent/internal/lab"
	"github.com/wellsent/wellsent/test/peers"
)

// world is three network namespaces: a client, a router with a firewall, and a
// network of servers behind it.
//
//	client 10.11.0.2 ── 10.11.0.1 router 10.12.0.1 ── 10.12.0.0/24 servers
//	       fd11::2      fd11::1          fd12::1      fd12::/64
//
// mail.world.test is .2, two controls are .3 and .4, the name server is .53.
type world struct {
	client, router, servers string // the namespaces' names
	nft                     []string
	ca                      strings.Builder // of all servers
}

// The addresses of a world.
const (
	target     = "10.12.0.2"
	control1   = "10.12.0.3"
	control2   = "10.12.0.4"
	nothing    = "10.12.0.9" // nobody has it
	nameServed = "10.12.0.53"
	targetSix  = "fd12::2"
)

var worlds atomic.Int32

// sweep removes the worlds of test processes that were killed.
var sweep = sync.OnceFunc(func() {
	left, _ := filepath.Glob("/run/netns/wellsent*-*") // the pattern is well formed
	for _, path := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), "wellsent"), "-")
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			exec.Command("ip", "netns", "del", filepath.Base(path)).Run()
		}
	}
})

// newWorld makes a world with nobody in it. Where that cannot be the test is
// skipped; CI does not change that for want of root, which a machine may not give.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			peers.Skip(t, tool+" of iproute2 is missing")
		}
	}
	sweep()
	path, environment := peers.NeedServices(t).Path("usr/sbin/nft")
	name := fmt.Sprintf("wellsent%d-%d", os.Getpid(), worlds.Add(1))
	w := &world{client: name + "c", router: name + "r", servers: name + "s", nft: []string{"env"}}
	for _, v := range environment {
		if strings.HasPrefix(v, "LD_LIBRARY_PATH=") {
			w.nft = append(w.nft, v)
		}
	}
	w.nft = append(w.nft, path, "-f", "-")
	for _, ns := range []string{w.client, w.router, w.servers} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			peers.Skip(t, fmt.Sprintf("no network namespace can be made: %v: %s", err, out))
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	}
	w.link(t, w.client, w.router, "11")
	w.link(t, w.servers, w.router, "12")
	for _, host := range []string{control1, control2, nameServed} {
		w.ip(t, w.servers, "addr", "add", host+"/24", "dev", "wire")
	}
	w.must(t, "ip", "netns", "exec", w.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
	return w
}

// link joins a namespace to the router by network 10.N.0.0/24 and fdN::/64.
func (w *world) link(t *testing.T, ns, router, n string) {
	w.must(t, "ip", "link", "add", "wire", "netns", ns, "type", "veth", "peer", "name", "down"+n, "netns", router)
	for _, args := range [][]string{
		{ns, "addr", "add", "10." + n + ".0.2/24", "dev", "wire"},
		{ns, "addr", "add", "fd" + n + "::2/64", "dev", "wire", "nodad"},
		{router, "addr", "add", "10." + n + ".0.1/24", "dev", "down" + n},
		{router, "addr", "add", "fd" + n + "::1/64", "dev", "down" + n, "nodad"},
		{ns, "link", "set", "lo", "up"},
		{ns, "link", "set", "wire", "up"},
		{router, "link", "set", "down" + n, "up"},
		{ns, "route", "add", "default", "via", "10." + n + ".0.1"},
		{ns, "-6", "route", "add", "default", "via", "fd" + n + "::1"},
	} {
		w.ip(t, args[0], args[1:]...)
	}
}

func (w *world) must(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (w *world) ip(t *testing.T, ns string, args ...string) {
	t.Helper()
	w.must(t, append([]string{"ip", "-n", ns}, args...)...)
}

// firewall sets the rules by which the router forwards, in place of those before.
func (w *world) firewall(t *testing.T, rules ...string) {
	t.Helper()
	text := "flush ruleset\ntable inet world {\n chain forward {\n  type filter hook forward priority 0;\n  " + strings.Join(rules, "\n  ") + "\n }\n}\n"
	w.rules(t, text)
}

// rules gives the router tables of nftables.
func (w *world) rules(t *testing.T, text string) {
	t.Helper()
	args := append([]string{"ip", "netns", "exec", w.router}, w.nft...)
	c := exec.Command(args[0], args[1:]...)
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not supported") || strings.Contains(string(out), "Protocol not") {
			peers.Skip(t, "the kernel has no nftables for this: "+string(out))
		}
		t.Fatalf("nft: %v: %s\n%s", err, out, text)
	}
}

// inside runs f on a thread that is in a namespace: what it listens at is there.
func inside(t *testing.T, ns string, f func() error) {
	t.Helper()
	// The thread must not end: programs that it has started would end with it, by
	// Pdeathsig. So it goes back to where it was.
	runtime.LockOSThread()
	here, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(here)
	there, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	failed := f()
	if err := unix.Setns(here, unix.CLONE_NEWNET); err != nil {
		panic(err) // the thread is of no use for anything else
	}
	runtime.UnlockOSThread()
	if failed != nil {
		t.Fatal(failed)
	}
}

// serve starts a scenario of the lab at an address of the servers' network.
func (w *world) serve(t *testing.T, scenario, address, hostname string) *lab.Server {
	t.Helper()
	var s *lab.Server
	inside(t, w.servers, func() (err error) {
		s, err = lab.Start(t.Context(), lab.Options{Cause: scenario, Listen: address, Hostname: hostname})
		return err
	})
	t.Cleanup(func() { s.Close() })
	w.ca.WriteString(s.Settings().CA)
	return s
}

// names starts the name server.
func (w *world) names(t *testing.T, records ...string) {
	t.Helper()
	zone := map[string][]dns.RR{}
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		zone[rr.Header().Name] = append(zone[rr.Header().Name], rr)
	}
	handler := dns.HandlerFunc(func(c dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		all, ok := zone[strings.ToLower(q.Question[0].Name)]
		if !ok {
			m.Rcode = dns.RcodeNameError
		}
		for _, rr := range all {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		c.WriteMsg(m)
	})
	var pc net.PacketConn
	inside(t, w.servers, func() (err error) {
		pc, err = net.ListenPacket("udp", nameServed+":53")
		return err
	})
	ready, done := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: handler, NotifyStartedFunc: func() { close(ready) }}
	go func() { // ends when the test shuts the server down
		defer close(done)
		s.ActivateAndServe()
	}()
	<-ready
	t.Cleanup(func() {
		s.Shutdown()
		<-done
	})
}

// pool makes worlds with the usual servers for the cases of a test, which take
// turns: a namespace takes a second to make.
func pool(t *testing.T, size int) chan *world {
	worlds := make(chan *world, size)
	for range size {
		w := newWorld(t)
		w.standard(t)
		worlds <- w
	}
	return worlds
}

// standard puts the usual servers into a world: a mail server on 587 and 465, two
// controls on 587, 465 and 443, and the name server.
func (w *world) standard(t *testing.T) {
	t.Helper()
	w.serve(t, "ok/relay", target+":587", "mail.world.test")
	w.serve(t, "ok/tls", target+":465", "mail.world.test")
	w.serve(t, "ok/relay", target+":1587", "six.world.test")
	w.controls(t)
	w.names(t, "mail.world.test. 60 IN A "+target, "world.test. 60 IN A "+target, "dead.world.test. 60 IN A "+nothing,
		"six.world.test. 60 IN A "+target, "six.world.test. 60 IN AAAA "+targetSix)
}

// controls are hosts known to be up.
func (w *world) controls(t *testing.T) {
	t.Helper()
	for _, host := range []string{control1, control2} {
		w.serve(t, "ok/relay", host+":587", host)
		w.serve(t, "ok/tls", host+":465", host)
		w.serve(t, "service.wrong-protocol-http/tls", host+":443", host)
	}
}

// question returns a case in which the client asks about host:port, told of the
// controls.
func (w *world) question(t *testing.T, name, target string, more ...string) kase {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(w.ca.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{target, "--ca", ca, "--control", control1 + ":587", "--control", control2 + ":587"}, more...)
	return kase{name: "network: " + name, args: args, inside: []string{"ip", "netns", "exec", w.client}, dns: nameServed + ":53"}
}
