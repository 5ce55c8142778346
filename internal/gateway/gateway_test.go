package gateway

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func addresses(s string) (out []netip.Addr) {
	for _, f := range strings.Fields(s) {
		out = append(out, netip.MustParseAddr(f))
	}
	return out
}

func TestShared(t *testing.T) {
	inside := Facts{Container: true, Gateways: addresses("172.17.0.1 fe80::1"), Own: addresses("172.17.0.2 fe80::2")}
	host := Facts{Gateways: addresses("10.0.0.1"), Own: addresses("10.0.0.5 172.17.0.1"), Bridges: addresses("172.17.0.1")}
	for _, c := range []struct {
		name   string
		facts  Facts
		addr   string
		shared bool
	}{
		{"a container's gateway", inside, "172.17.0.1", true},
		{"the same in an IPv6 socket", inside, "::ffff:172.17.0.1", true},
		{"its IPv6 gateway", inside, "fe80::1%eth0", true},
		{"a container's own address", inside, "172.17.0.2", true},
		{"another container", inside, "172.17.0.3", false},
		{"a client beyond", inside, "10.0.0.40", false},
		{"loopback", inside, "127.0.0.1", false},
		{"a mesh's proxy", inside, "127.0.0.6", true},
		{"a mesh's proxy by IPv6", inside, "::6", true},
		{"a loopback address of a host", host, "127.0.0.6", false},
		{"a host's bridge", host, "172.17.0.1", true},
		{"a host's router", host, "10.0.0.1", true},
		{"a host itself", host, "10.0.0.5", false},
		{"a neighbour", host, "10.0.0.40", false},
		{"a container of the host", host, "172.17.0.2", false},
		{"nothing is known", Facts{}, "10.0.0.1", false},
	} {
		if got := c.facts.Shared(netip.MustParseAddr(c.addr)); (got != "") != c.shared {
			t.Errorf("%s: %q, want shared %v", c.name, got, c.shared)
		}
	}
}

func TestInContainer(t *testing.T) {
	none := func(string) string { return "" }
	for _, c := range []struct {
		name string
		root fstest.MapFS
		env  string
		want bool
	}{
		{"a host", fstest.MapFS{"proc/1/cgroup": {Data: []byte("0::/init.scope\n")}}, "", false},
		{"nothing to read", fstest.MapFS{}, "", false},
		{"Docker", fstest.MapFS{".dockerenv": {}}, "", true},
		{"Podman", fstest.MapFS{"run/.containerenv": {}}, "", true},
		{"systemd-nspawn", fstest.MapFS{}, "container", true},
		{"Kubernetes", fstest.MapFS{"proc/1/cgroup": {Data: []byte("11:cpu:/kubepods/besteffort/pod1\n")}}, "", true},
	} {
		env := none
		if c.env != "" {
			env = func(name string) string { return map[string]string{c.env: "x"}[name] }
		}
		if got := inContainer(c.root, env); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestGateways(t *testing.T) {
	if !littleEndian {
		t.Skip("the text below is a little endian machine's")
	}
	const four = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
eth0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
tun0	00000000	00000000	0001	0	0	0	00000000	0	0	0
eth1	00000000	zz	0003	0	0	0	00000000	0	0	0
`
	if got := gateways4([]byte(four)); !slices.Equal(got, addresses("172.17.0.1")) {
		t.Errorf("%v", got)
	}
	const six = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`
	if got := gateways6([]byte(six)); !slices.Equal(got, addresses("fe80::1")) {
		t.Errorf("%v", got)
	}
}

func TestBridgeNames(t *testing.T) {
	for name, want := range map[string]bool{"docker0": true, "br-0123456789ab": true, "podman1": true, "cni0": true, "br0": false, "eth0": false, "br-lan": false} {
		if bridge.MatchString(name) != want {
			t.Errorf("%s", name)
		}
	}
}

// TestWatch_KeepsWhatItKnew: facts that cannot be read again open nothing.
func TestWatch_KeepsWhatItKnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := netip.MustParseAddr("10.0.0.1")
		reads := 0
		shared := Watch(func() (*Facts, error) {
			if reads++; reads > 1 {
				return &Facts{}, errors.New("too many open files")
			}
			return &Facts{Gateways: []netip.Addr{router}}, nil
		})
		for range 3 {
			if shared(router) == "" {
				t.Errorf("after %d readings the gateway is nobody else's", reads)
			}
			time.Sleep(fresh + time.Second)
		}
		if reads < 2 {
			t.Error("the facts were not read again")
		}
	})
}
