package resolver

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// lookAgain is how often a file of the system's configuration is looked at. The
// standard library does so too.
const lookAgain = 5 * time.Second

// watched is what a file holds; it is read again when the file has changed.
type watched[T any] struct {
	path string              // immutable
	read func(f io.Reader) T // immutable; called with an empty reader when there is no file
	mu   sync.Mutex          // guards the fields below
	next time.Time           // when to look again
	mod  time.Time           // of the file that was read
	size int64               // of the file that was read
	ok   bool                // something was read
	have T                   //
}

// get returns the present content.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.ok && now.Before(w.next) {
		return w.have
	}
	w.next = now.Add(lookAgain)
	info, err := os.Stat(w.path)
	switch {
	case err != nil && w.ok:
		return w.have // between two writes of a network manager; the old one is the best there is
	case err == nil && w.ok && info.ModTime().Equal(w.mod) && info.Size() == w.size:
		return w.have
	case err != nil:
		w.have = w.read(strings.NewReader(""))
	default:
		f, err := os.Open(w.path)
		if err != nil {
			w.have = w.read(strings.NewReader(""))
			break
		}
		defer f.Close()
		w.mod, w.size = info.ModTime(), info.Size()
		w.have = w.read(io.LimitReader(f, 16<<20)) // block lists in the hosts file have a few MB
	}
	w.ok = true
	return w.have
}

// readConf reads a resolv.conf. Without any server it means those of this
// machine, as everywhere.
func readConf(f io.Reader) *dns.ClientConfig {
	c, err := dns.ClientConfigFromReader(f)
	if err != nil {
		c = &dns.ClientConfig{Port: "53", Ndots: 1, Timeout: 5}
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1", "::1"}
	}
	return c
}

func (r *Resolver) config() *dns.ClientConfig { return r.conf.get() }

// upstream returns the servers to ask, with ports, and the wait for each.
func (r *Resolver) upstream() ([]string, time.Duration) {
	timeout := r.timeout
	if len(r.servers) > 0 {
		if timeout == 0 {
			timeout = defaultTimeout
		}
		return r.servers, timeout
	}
	c := r.config()
	if timeout == 0 {
		timeout = time.Duration(c.Timeout) * time.Second
	}
	servers := make([]string, 0, len(c.Servers))
	for _, s := range c.Servers {
		servers = append(servers, net.JoinHostPort(s, c.Port))
	}
	return servers, timeout
}

// hosts is a hosts file: absolute names in lower case to addresses.
type hosts map[string][]netip.Addr

// readHosts reads hosts(5).
func readHosts(f io.Reader) hosts {
	h := hosts{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			if ascii, err := ToASCII(name); err == nil {
				key := dns.Fqdn(ascii)
				h[key] = append(h[key], a.Unmap())
			}
		}
	}
	return h
}

var loopback = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}

// local returns the addresses of an absolute name that no name server is asked
// for: those of the hosts file, and localhost with all below it. RFC 6761 §6.3.
func (r *Resolver) local(name string) []netip.Addr {
	if a := r.hosts.get()[name]; len(a) > 0 {
		return a
	}
	if isLocalhost(name) {
		return loopback
	}
	return nil
}

func isLocalhost(name string) bool {
	return name == "localhost." || strings.HasSuffix(name, ".localhost.")
}
