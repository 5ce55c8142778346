package device

import (
	"fmt"
	"net/netip"
)

// remedies returns what helps against a failure, first things first. The catalogue
// speaks to the client of somebody else's server; here both sides are ours, and one
// line of the configuration often does it.
func remedies(f *Failure, r *Record) []string {
	lenient := func(key string) string {
		if r.Device != "" {
			return fmt.Sprintf("If it cannot: %s = true for its [[device]] %s.", key, r.Device)
		}
		return fmt.Sprintf("If it cannot: make it a device, with a name, address = [%q] and %s = true (docs/devices.md).", r.Peer, key)
	}
	do := []string{}
	if f.Do != "" {
		do = append(do, f.Do)
	}
	switch f.Cause {
	case "tls.protocol-version":
		return append(do, "Look for new firmware or a setting for TLS versions in it.", lenient("legacy_tls"))
	case "tls.implicit-on-starttls-port":
		return append(do, "Set its security to STARTTLS, or its port to that of a listener of kind submissions (465).")
	case "tls.plain-on-implicit-port":
		return append(do, "Set its security to SSL/TLS, or its port to that of a listener of kind submission (587).")
	case "tls.certificate-untrusted":
		return append(do, "Give it the file ca.pem of the data directory to trust, or a certificate that it trusts to this server: [tls].",
			"In a network of your own, turning its certificate check off is the last resort.")
	case "service.wrong-protocol-http":
		return append(do, "Give it this server's name in the setting for mail (SMTP), not in one for a web address. If it is no device of yours, nothing.")
	case "auth.encryption-required":
		return append(do, "Turn on STARTTLS or SSL/TLS in it.", lenient("plaintext_auth")+" Its password then crosses the network in clear text.")
	case "auth.credentials-rejected", "auth.too-many-logins":
		return append(do, "Enter user name and password in it again, by hand. Which accounts there are: wellsent user list; a new password: wellsent user passwd NAME.")
	case "auth.required":
		return append(do, "Turn on authentication for the outgoing server in it, with an account of this server: wellsent user add.")
	case "relay.denied":
		if f.Do != "" {
			return do // the address is known, and is not enough
		}
		return append(do, fmt.Sprintf("If it is yours: make it a device, with a name and address = [%q], or add the address to allow of the listener.", r.Peer))
	case "message.bare-lf":
		return append(do, "Look for new firmware.", lenient("bare_newlines"))
	case "sender.bad-helo":
		return append(do, "Set its own host name.", lenient("any_hello"))
	case "recipient.address-syntax", "sender.address-invalid":
		return append(do, "Enter the full address, without blanks.", lenient("missing_brackets"))
	case "sender.address-not-owned":
		do = append(do, "Set its sender, in its menu often called \"from\" or \"reply address\", to an address that it may use: the refusal names one.")
		if r.Device != "" {
			return append(do, fmt.Sprintf("Or let it send as that address too: senders of its [[device]] %s.", r.Device))
		}
		return append(do, "Or let it send as that address too: addresses of its account, or senders of the listener.")
	case "server.insufficient-storage":
		return append(do, "Make room on the disk of this server's data directory: wellsent check. Nothing is wrong with the device.")
	case "protocol.syntax-error":
		return append(do, "See what it really says: wellsent listen --listen :2525")
	}
	if len(do) == 0 {
		do = append(do, "See what it really says: wellsent listen --listen :2525")
	}
	return do
}

// ownPeer reports whether a peer's address, as a record has it, is of one's own
// networks.
func ownPeer(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && ownNetwork(a)
}
