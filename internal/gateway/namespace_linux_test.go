package gateway

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inside says that this process is in the namespace that TestRead_Namespace made.
const inside = "WELLSENT_TEST_NAMESPACE"

// TestRead_Namespace reads a network that the test has made: a default gateway, a
// bridge of Docker's name, and a neighbour that is neither.
func TestRead_Namespace(t *testing.T) {
	if os.Getenv(inside) != "" {
		f, err := Read()
		if err != nil {
			t.Fatal(err)
		}
		for addr, want := range map[string]string{
			"172.30.0.1": "default gateway of this machine", "172.17.0.1": "own address on a bridge to containers", "172.30.0.7": "", "172.30.0.2": "", "127.0.0.1": "",
			"fd30::1": "default gateway of this machine",
		} {
			f.Container = false
			if got := f.Shared(netip.MustParseAddr(addr)); want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q; facts %+v", addr, got, want, f)
			}
		}
		f.Container = true
		for _, addr := range []string{"172.30.0.1", "172.30.0.2"} {
			if !strings.Contains(f.Shared(netip.MustParseAddr(addr)), "container") {
				t.Errorf("in a container %s is not shared", addr)
			}
		}
		return
	}
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	const script = `set -e
ip link set lo up
ip link add outside type veth peer name far
ip addr add 172.30.0.2/24 dev outside
ip -6 addr add fd30::2/64 dev outside nodad
ip link set outside up; ip link set far up
ip route add default via 172.30.0.1
ip -6 route add default via fd30::1
ip link add docker0 type veth peer name far2
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up; ip link set far2 up
`
	if out, err := exec.Command("unshare", "--map-root-user", "--net", "sh", "-c", script).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v: %s", err, out)
	}
	c := exec.Command("unshare", "--map-root-user", "--net", "sh", "-c", script+`exec "$0" -test.run '^TestRead_Namespace$' -test.v`, os.Args[0])
	c.Env = append(os.Environ(), inside+"=1")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestRead_Namespace") {
		t.Errorf("%v\n%s", err, out)
	}
}
