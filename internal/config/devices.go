package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/auth"
	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/policy"
	"github.com/wellsent/wellsent/internal/smtp"
)

// devicePlaces is where the parts of a device stand that are looked at once all has
// been read.
type devicePlaces struct {
	table     place
	route     got
	rewrite   place
	listeners []got
}

// devices reads all [[device]] tables. They come before the listeners, which need
// no allow where a device may use them.
func (r *reader) devices(t *table, c *Config) (places []devicePlaces) {
	for i, s := range r.tablesOf(t, "device") {
		d, p := r.device(s, "device."+strconv.Itoa(i), c)
		c.Devices = append(c.Devices, d)
		places = append(places, p)
	}
	return places
}

func (r *reader) device(s *table, prefix string, c *Config) (d Device, p devicePlaces) {
	defer func() { r.rest(s, "device") }()
	p.table = s.at
	name := r.text(s, prefix, "name", "")
	d.Name = name.text
	switch {
	case s.find("name") == nil:
		r.wrong(s.at, "device.name", "is missing: give the device a short name, such as \"scanner 2nd floor\", which logs and lists then bear")
	case name.origin != "" && !validDeviceName(name.text):
		r.wrong(name.at, "device.name", "%q: use letters, digits, blanks, dot, dash and underscore, at most 64", name.text)
	case slices.ContainsFunc(c.Devices, func(o Device) bool { return strings.EqualFold(o.Name, d.Name) }):
		r.wrong(name.at, "device.name", "%q is there twice: give each device its own name", name.text)
	}
	addresses, at := r.textOrList(s, prefix, "address")
	d.Addresses = r.networks(addresses, "device.address", riskRelay)
	account := r.text(s, prefix, "account", "")
	d.Account = account.text
	for _, o := range c.Devices {
		for _, a := range d.Addresses {
			if slices.Contains(o.Addresses, a) && (len(o.Listeners) == 0 || s.find("listeners") == nil) {
				r.wrong(at, "device.address", "%s is that of %s already: two devices behind one address cannot be told apart, unless each has its own listeners or account", a, o.Name)
			}
		}
		if d.Account != "" && auth.Canonical(o.Account) == auth.Canonical(d.Account) {
			r.wrong(account.at, "device.account", "%s is that of %s already: give each device its own account", d.Account, o.Name)
		}
	}
	if s.find("address") == nil && d.Account == "" {
		r.wrong(s.at, "device.address", "is missing: say where the device is, such as \"10.0.0.12\", or with which account it logs in")
	}
	p.listeners, _ = r.list(s, prefix, "listeners")
	for _, g := range p.listeners {
		d.Listeners = append(d.Listeners, g.text)
	}
	senders, _ := r.list(s, prefix, "senders")
	for _, g := range senders {
		if err := policy.CheckPattern(g.text); err != nil {
			r.wrong(g.at, "device.senders", "%v", err)
			continue
		}
		d.Senders = append(d.Senders, g.text)
	}
	r.leniency(s, prefix, &d)
	r.expect(s, prefix, &d)
	p.route = r.text(s, prefix, "route", "")
	d.Route = p.route.text
	d.Rewrite = r.rewrite(s, prefix)
	if e := s.find("rewrite"); e != nil {
		p.rewrite = e.at
	}
	return d, p
}

func validDeviceName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_. ", c) >= 0:
		default:
			return false // it stands in logs and file names
		}
	}
	return strings.TrimSpace(s) == s && s != "" && len(s) <= 64
}

// leniency reads what is overlooked.
func (r *reader) leniency(s *table, prefix string, d *Device) {
	for _, k := range []struct {
		key  string
		flag *bool
	}{
		{"legacy_tls", &d.LegacyTLS}, {"plaintext_auth", &d.PlaintextAuth}, {"bare_newlines", &d.BareNewlines},
		{"missing_brackets", &d.MissingBrackets}, {"any_hello", &d.AnyHello},
	} {
		*k.flag = r.flag(s, prefix, k.key, false)
		e := s.find(k.key)
		if e == nil || !*k.flag {
			continue
		}
		if len(d.Addresses) == 0 && s.find("address") == nil {
			r.wrong(e.at, "device."+k.key, "needs the device's address: by its account alone it is known only after the login, and this comes before")
		}
		if k.key == "plaintext_auth" {
			r.warn(e.at, "device.plaintext_auth", "the password of %s crosses the network in clear text", d.Name)
		}
	}
}

// expect reads how often the device sends at least.
func (r *reader) expect(s *table, prefix string, d *Device) {
	g := r.text(s, prefix, "expect", "")
	if g.text == "" {
		return
	}
	x, suggestion, err := parseDuration(g.text)
	if err != nil {
		r.wrong(g.at, "device.expect", "%v", err).Suggestion = suggestion
		return
	}
	d.Expect = x
}

// textOrList returns the entries of a list, or the text that stands there alone.
func (r *reader) textOrList(t *table, prefix, name string) (items []got, at place) {
	if e := t.find(name); e != nil && e.value.kind == kindString {
		if g := r.text(t, prefix, name, ""); g.origin != "" {
			return []got{g}, g.at
		}
		return nil, e.at
	}
	return r.list(t, prefix, name)
}

// deviceAt reports whether a device with an address may use the listener.
func deviceAt(c *Config, listener string) bool {
	return slices.ContainsFunc(c.Devices, func(d Device) bool {
		return len(d.Addresses) > 0 && (len(d.Listeners) == 0 || slices.Contains(d.Listeners, listener))
	})
}

// devicesOwn reports whether a device names the route as its own, which is then
// used whatever stands before it.
func (r *reader) devicesOwn(c *Config, name string) bool {
	return slices.ContainsFunc(c.Devices, func(d Device) bool { return d.Route == name })
}

// checkDevices looks at what devices and routes name elsewhere in the file.
func (r *reader) checkDevices(c *Config, places []devicePlaces) {
	var listeners, routes, devices []string
	open := false // a listener takes mail without login
	for _, l := range c.Listeners {
		listeners = append(listeners, l.Address)
		open = open || l.Kind == smtp.KindRelay || l.Kind == smtp.KindDevice
	}
	mailbox := false
	for i := range c.Routes {
		routes = append(routes, c.Routes[i].Name)
		mailbox = mailbox || !c.Routes[i].From.IsNull()
	}
	for i := range c.Devices {
		d, p := &c.Devices[i], &places[i]
		devices = append(devices, d.Name)
		for _, g := range p.listeners {
			r.exists(g, "device.listeners", "no listener has the address", listeners)
		}
		if d.Route != "" && !c.Sandbox {
			r.exists(p.route, "device.route", "there is no route", routes)
		}
		if len(d.Addresses) > 0 && d.Account == "" && !open && len(c.Listeners) > 0 {
			r.warn(p.table, "device", "%s can send only after a login, as there is no listener of kind device or relay: add one, or name the account it logs in with", d.Name)
		}
		if d.Rewrite != "" && !mailbox && len(c.Routes) > 0 {
			r.warn(p.rewrite, "device.rewrite", "does nothing, as no route has a mailbox in from")
		}
	}
	for _, n := range r.named {
		switch {
		case n.key == "listeners":
			r.exists(n.got, "route.listeners", "no listener has the address", listeners)
		case n.key == "devices" && n.got.text != "*":
			r.exists(n.got, "route.devices", "there is no device", devices)
		}
	}
}

// exists notes a name that is none of the names there are.
func (r *reader) exists(g got, key, what string, names []string) {
	if slices.Contains(names, g.text) {
		return
	}
	m := r.wrong(g.at, key, "%s %q", what, g.text)
	if n := nearest(g.text, names); n != "" {
		m.Suggestion = strconv.Quote(n)
	}
}

// DeviceSet returns the devices.
func (c *Config) DeviceSet() *device.Set {
	all := make([]device.Device, len(c.Devices))
	for i := range c.Devices {
		all[i] = c.Devices[i].Device
	}
	return device.NewSet(all)
}
