package device

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Device is one machine as configured. Immutable once in a Set.
type Device struct {
	Name      string
	Addresses []netip.Prefix // where it is; empty: it is known by its account
	Account   string         // that it logs in with; "" for none
	Listeners []string       // that it may use, as configured; empty: any
	Senders   []string       // what it may send as; empty: what its listener or account allows
	Expect    time.Duration  // it sends at least one mail in this time; 0: nobody minds
	Leniency
}

// Leniency is what is overlooked. The zero value overlooks nothing.
type Leniency struct {
	LegacyTLS       bool // TLS 1.0 and 1.1, and their ciphers
	PlaintextAuth   bool // a login without TLS
	BareNewlines    bool // a lone CR or LF ends a line
	MissingBrackets bool // an address without < and >
	AnyHello        bool // no HELO, or one without a name or with one that is none
}

// With returns what either overlooks.
func (l Leniency) With(o Leniency) Leniency {
	return Leniency{
		LegacyTLS:       l.LegacyTLS || o.LegacyTLS,
		PlaintextAuth:   l.PlaintextAuth || o.PlaintextAuth,
		BareNewlines:    l.BareNewlines || o.BareNewlines,
		MissingBrackets: l.MissingBrackets || o.MissingBrackets,
		AnyHello:        l.AnyHello || o.AnyHello,
	}
}

// Words names what is overlooked, by the keys of the configuration.
func (l Leniency) Words() []string {
	words := []string{}
	for _, w := range []struct {
		on   bool
		word string
	}{
		{l.LegacyTLS, "legacy_tls"}, {l.PlaintextAuth, "plaintext_auth"}, {l.BareNewlines, "bare_newlines"},
		{l.MissingBrackets, "missing_brackets"}, {l.AnyHello, "any_hello"},
	} {
		if w.on {
			words = append(words, w.word)
		}
	}
	return words
}

// Set is the devices there are.
type Set struct{ devices []Device }

// NewSet returns the set of these devices, which it keeps.
func NewSet(devices []Device) *Set { return &Set{devices: devices} }

// All returns the devices in the order of the configuration. They must not be
// changed.
func (s *Set) All() []Device {
	if s == nil {
		return nil
	}
	return s.devices
}

// ByAddress returns the device at an address that may use a listener; nil when
// there is none. The smallest network that holds the address decides, then the
// order.
func (s *Set) ByAddress(listener string, a netip.Addr) *Device {
	var best *Device
	bits := -1
	for i := range s.All() {
		d := &s.devices[i]
		if len(d.Listeners) > 0 && !slices.Contains(d.Listeners, listener) {
			continue
		}
		for _, p := range d.Addresses {
			if p.Contains(a) && p.Bits() > bits {
				best, bits = d, p.Bits()
			}
		}
	}
	return best
}

// ByAccount returns the device that logs in with an account; nil when there is none.
// Names are compared as auth.Canonical does, not by Unicode's folding, which takes
// more names for one.
func (s *Set) ByAccount(name string) *Device {
	lower := strings.ToLower(name)
	for i := range s.All() {
		if d := &s.devices[i]; d.Account != "" && strings.ToLower(strings.TrimSpace(d.Account)) == lower {
			return d
		}
	}
	return nil
}

// ByName returns the device of a name; nil when there is none.
func (s *Set) ByName(name string) *Device {
	for i := range s.All() {
		if d := &s.devices[i]; d.Name == name {
			return d
		}
	}
	return nil
}
