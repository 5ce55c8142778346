package gateway

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Read returns the facts of this machine. With an error some of them are missing,
// but not for want of a file that only other systems have.
func Read() (*Facts, error) {
	f := &Facts{}
	var failed error
	note := func(err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	root := os.DirFS("/")
	f.Container = inContainer(root, os.Getenv)
	text, err := fs.ReadFile(root, "proc/net/route")
	note(err)
	f.Gateways = append(f.Gateways, gateways4(text)...)
	text, err = fs.ReadFile(root, "proc/net/ipv6_route")
	note(err)
	f.Gateways = append(f.Gateways, gateways6(text)...)
	interfaces, err := net.Interfaces()
	note(err)
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		note(err)
		if err != nil || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			addr := p.Addr().Unmap().WithZone("")
			f.Own = append(f.Own, addr)
			if bridge.MatchString(i.Name) {
				f.Bridges = append(f.Bridges, addr)
			}
		}
	}
	return f, failed
}

// bridge matches the names that Docker, Podman, Kubernetes and LXC give their
// bridges.
var bridge = regexp.MustCompile(`^(docker[0-9]+|docker_gwbridge|br-[0-9a-f]{12}|podman[0-9]+|cni[0-9]+|cni-podman[0-9]+|nerdctl[0-9]+|lxcbr[0-9]+|lxdbr[0-9]+|incusbr[0-9]+)$`)

// inContainer reports whether this process is in a container.
func inContainer(root fs.FS, env func(string) string) bool {
	for _, mark := range []string{".dockerenv", "run/.containerenv"} {
		if _, err := fs.Stat(root, mark); err == nil {
			return true
		}
	}
	if env("container") != "" || env("KUBERNETES_SERVICE_HOST") != "" { // systemd's convention; Kubernetes'
		return true
	}
	text, err := fs.ReadFile(root, "proc/1/cgroup")
	if err != nil {
		return false
	}
	for _, word := range []string{"/docker", "/kubepods", "/libpod", "/containerd", "/lxc"} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

// rtfGateway marks a route that leads to a gateway. linux/route.h.
const rtfGateway = 2

// gateways4 reads /proc/net/route: interface, destination, gateway, flags, …, mask,
// with addresses as hexadecimal numbers in this machine's order, which is little
// endian wherever Go runs Linux but for some big machines.
func gateways4(text []byte) (out []netip.Addr) {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 32)
		b, bad := hex.DecodeString(f[2])
		if err != nil || bad != nil || len(b) != 4 || flags&rtfGateway == 0 {
			continue
		}
		if littleEndian {
			slices.Reverse(b)
		}
		out = append(out, netip.AddrFrom4([4]byte(b)))
	}
	return out
}

// gateways6 reads /proc/net/ipv6_route: destination, its length, source, its length,
// next hop, metric, two counters, flags, interface.
func gateways6(text []byte) (out []netip.Addr) {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 10 || f[1] != "00" || strings.Trim(f[0], "0") != "" {
			continue
		}
		flags, err := strconv.ParseUint(f[8], 16, 32)
		b, bad := hex.DecodeString(f[4])
		if err != nil || bad != nil || len(b) != 16 || flags&rtfGateway == 0 {
			continue
		}
		out = append(out, netip.AddrFrom16([16]byte(b)))
	}
	return out
}

// fresh is how long facts hold: a gateway changes when a cable or a lease does.
const fresh = time.Minute

// Watch returns a function that says why an address is shared, by facts that are
// read again when they are old. Where they cannot be, those that were known hold: an
// address is not less shared because a file could not be opened.
func Watch(read func() (*Facts, error)) func(netip.Addr) string {
	var mu sync.Mutex // guards the variables below
	var facts *Facts
	var at time.Time
	return func(a netip.Addr) string {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); facts == nil || now.Sub(at) > fresh {
			if f, err := read(); err == nil || facts == nil {
				facts = f
			}
			at = now
		}
		return facts.Shared(a)
	}
}
