package gateway

import (
	"net/netip"
	"slices"
)

// Facts are what is known of this machine's place in the network.
type Facts struct {
	Container bool         // this process is in a container
	Gateways  []netip.Addr // default gateways
	Own       []netip.Addr // addresses of this machine, without loopback
	Bridges   []netip.Addr // those of Own that are on a bridge to containers: docker0
}

// mesh are the addresses from which Istio's proxy forwards to the container that it
// stands beside, by its rules for iptables.
var mesh = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 6}), netip.AddrFrom16([16]byte{15: 6})}

// Shared returns why connections from addr may be anybody's, "" when they are that
// machine's.
func (f *Facts) Shared(addr netip.Addr) (reason string) {
	addr = addr.Unmap().WithZone("")
	switch {
	case slices.Contains(f.Gateways, addr) && f.Container:
		return "it is the gateway of this container, as which every client of a forwarded port appears"
	case slices.Contains(mesh, addr) && f.Container:
		return "it is the address as which a service mesh's proxy beside this container (Istio) appears, whoever connects to it"
	case slices.Contains(f.Bridges, addr):
		return "it is this machine's own address on a bridge to containers, as which forwarded connections appear"
	case slices.Contains(f.Own, addr) && f.Container:
		return "it is this container's own address, as which every client of a forwarded port appears"
	case slices.Contains(f.Gateways, addr):
		return "it is the default gateway of this machine, as which every client appears that comes through its address translation"
	}
	return ""
}
