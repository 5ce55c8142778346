package provider

import "slices"

// Network is a network that is known to block outgoing mail.
type Network struct {
	ID         string     `json:"id" toml:"id"`
	Name       string     `json:"name" toml:"name"`
	Blocks     []int      `json:"blocks" toml:"blocks"` // ports
	How        string     `json:"how" toml:"how"`       // what a client sees
	Open       []int      `json:"open" toml:"open"`     // ports that remain
	Lift       string     `json:"lift" toml:"lift"`     // how to have them opened
	Since      string     `json:"since" toml:"since"`
	ASN        []uint32   `json:"asn" toml:"asn"`           // the numbers of the network. RFC 6793
	Metadata   string     `json:"metadata" toml:"metadata"` // an address or name that only machines in it reach
	Confidence Confidence `json:"confidence" toml:"confidence"`
}

// Networks returns all networks known to block outgoing mail.
func Networks() []Network { return slices.Clone(data().networks) }

// NetworksByASN returns those that the autonomous system number belongs to.
func NetworksByASN(asn uint32) []Network {
	var found []Network
	for _, n := range data().networks {
		if slices.Contains(n.ASN, asn) {
			found = append(found, n)
		}
	}
	return found
}
