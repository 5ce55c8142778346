package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wellsent/wellsent/test/binary"
)

// gatewayScript makes two networks, the other one with the default gateway of the
// first at 172.30.0.1, has the
// server listen in it, and hands mail in as the gateway, as a neighbour, and as the
// gateway once that is said to be meant. $1 is the binary, $2 a directory.
const gatewayScript = `set -e
ip link set lo up
ip link add near type veth peer name far
unshare --net sleep 300 & there=$!
trap 'kill $there' EXIT
n=0
until [ "$(readlink /proc/$there/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do n=$((n+1)); [ $n -lt 300 ] || exit 8; sleep 0.1; done
ip link set far netns $there
inside() { nsenter --target $there --net "$@"; }
ip addr add 172.30.0.2/24 dev near
ip link set near up
inside ip addr add 172.30.0.1/24 dev far
inside ip addr add 172.30.0.7/24 dev far
inside ip link set far up
ip route add default via 172.30.0.1
export HOME="$2"
cd "$2"
printf 'Subject: x\n\nx\n' > x.eml
say() { inside curl -sSv --disable --interface "$1" --url smtp://172.30.0.2:2525 --mail-from a@lan.example --mail-rcpt b@example.net --crlf -T x.eml 2>&1 || true; }
for config in strict meant; do
	"$1" serve -c $config.toml > $config.out 2> $config.log & pid=$!
	n=0
	until grep -q 'listening on' $config.out; do n=$((n+1)); [ $n -lt 300 ] || exit 9; sleep 0.1; done
	for from in 172.30.0.1 172.30.0.7; do echo "== $config $from"; say $from; done
	"$1" device list -c $config.toml
	kill $pid; wait $pid
	grep -h 'relaying by address' $config.log || true
done
`

// TestGateway_IsNoOpenRelay: who comes by the gateway may be anybody.
func TestGateway_IsNoOpenRelay(t *testing.T) {
	for _, tool := range []string{"unshare", "nsenter", "ip", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	if out, err := exec.Command("unshare", "--map-root-user", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far").CombinedOutput(); err != nil {
		t.Skipf("no network can be made here: %v: %s", err, out)
	}
	dir, err := os.MkdirTemp("", "wellsent-gateway-") // a short path, for the control socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const text = "hostname = \"post.test\"\ndata = \"data\"\nsandbox = true\n[[listener]]\nkind = \"device\"\naddress = \"172.30.0.2:2525\"\nallow = [\"172.30.0.0/24\"]\n"
	writeFile(t, filepath.Join(dir, "strict.toml"), text)
	writeFile(t, filepath.Join(dir, "meant.toml"), text+"allow_gateway = true\n")
	out, err := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--net", "sh", "-c", gatewayScript, "sh", os.Getenv(binary.PathVariable), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := map[string]string{}
	for _, p := range strings.Split(string(out), "== ")[1:] {
		name, rest, _ := strings.Cut(p, "\n")
		parts[name] = rest
	}
	for name, want := range map[string]string{
		"strict 172.30.0.1": "< 550-5.7.1 Relaying denied: everybody seems to come from 172.30.0.1, a gateway",
		"strict 172.30.0.7": "queued as", "meant 172.30.0.1": "queued as", "meant 172.30.0.7": "queued as",
	} {
		if !strings.Contains(parts[name], want) {
			t.Errorf("%s: got\n%s\nlacks %q", name, parts[name], want)
		}
	}
	if strings.Contains(parts["strict 172.30.0.7"], "make it a device") {
		t.Error("the list advises what does not help")
	}
	if strings.Contains(parts["strict 172.30.0.1"], "queued as") {
		t.Error("it was an open relay")
	}
	for _, want := range []string{`"msg":"relaying by address refused"`, "it is the ", "the client at 172.30.0.1 is known by its address only"} {
		if !strings.Contains(parts["strict 172.30.0.7"], want) {
			t.Errorf("log and list lack %q:\n%s", want, parts["strict 172.30.0.7"])
		}
	}
}
