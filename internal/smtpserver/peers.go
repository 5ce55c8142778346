package smtpserver

import (
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/proxyprotocol"
	"github.com/wellsent/wellsent/internal/smtp"
)

// Two kinds of peer speak for others and are believed where the listener names
// them: a balancer, which sends a PROXY header before all else, and a proxy, which
// gives the command XCLIENT of Postfix. From then on the client is the one they
// tell of: for the limits, for who may use the listener, in the log and in
// Received. What they say of TLS and of logins is not taken.

// within reports whether one of the networks has the address.
func within(networks []netip.Prefix, a netip.AddrPort) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a.Addr()) })
}

// readHeader reads the PROXY header of a peer that must send one, and reports
// whether the session may go on.
func (s *session) readHeader() bool {
	if !within(s.spec.ProxyProtocol, s.client.Addr) {
		return true
	}
	wait := s.server.c.Timeouts.Header
	s.conn.expect(wait, true)
	s.conn.bound(time.Now().Add(wait)) // for all of it: octet by octet it could take long
	h, err := proxyprotocol.Read(s.conn)
	s.conn.bound(time.Time{})
	switch {
	case err == nil && h.Local:
		return true // of the balancer's own: it looks whether we are up
	case err == nil && h.Unknown:
		s.unknown = true
		s.asPeer()
		return true
	case err == nil:
		s.clientIs(h.Source, h.Destination)
		return true
	case errors.Is(err, io.EOF):
		s.log.Debug("session ended", "reason", "closed before the PROXY header") // looking whether we are up, too
	case errors.Is(err, errInterrupted):
		s.turnAway(replyShuttingDown)
	case isTimeout(err):
		s.fail("", "no PROXY header in time, from an address that proxy_protocol names")
		s.turnAway(replyNoHeader)
	default:
		s.fail("", "an address that proxy_protocol names must begin with a PROXY header: "+err.Error())
		s.turnAway(replyNoHeader)
	}
	return false
}

// clientIs notes who the client is, as the peer has told. It may tell no more than
// once: who comes through a proxy must not pass for another by XCLIENT.
func (s *session) clientIs(addr, local netip.AddrPort) {
	via := s.client.Via
	if !via.IsValid() {
		via = s.client.Addr
	}
	s.client = smtp.Client{SessionID: s.client.SessionID, Listener: s.client.Listener, Kind: s.client.Kind,
		TLS: withoutPeer(s.client.TLS), Certificate: s.client.Certificate, Addr: addr, Local: local, Via: via}
	s.tx = smtp.Transaction{}
	s.noted = nil // it was said of the proxy
	s.asPeer()
}

// withoutPeer returns the state of TLS without the certificate that the peer has
// shown: it proves the teller, and must log nobody else in.
func withoutPeer(cs *tls.ConnectionState) *tls.ConnectionState {
	if cs == nil {
		return nil
	}
	own := *cs
	own.PeerCertificates, own.VerifiedChains = nil, nil
	return &own
}

// xclientNames are the attributes that are offered. NAME, PROTO and HELO are taken
// for the sake of proxies that send them, and not used: the client's own EHLO
// follows. LOGIN is not offered, as nobody is logged in on another's word.
var xclientNames = []string{"NAME", "ADDR", "PORT", "PROTO", "HELO", "DESTADDR", "DESTPORT"}

// xclientCommand takes another client in place of the peer, and begins the session
// anew, with a greeting. TLS stays on. Postfix, XCLIENT_README.
func (s *session) xclientCommand(arg string) event {
	if !s.xclient {
		s.reply(replyNoXClient)
		return eventNone
	}
	if s.state.inTransaction() || s.client.Account != "" {
		s.reply(replyXClientInMail)
		return eventNone
	}
	x, ok := parseXClient(arg)
	if !ok {
		s.reply(replyXClientSyntax)
		return eventNone
	}
	local := s.client.Local
	if x.local.Addr().IsValid() {
		local = x.local
	}
	s.clientIs(x.addr, local)
	s.xclient, s.told = false, true
	if refusal := s.server.count(s); refusal != nil {
		s.reply(*refusal)
		return eventClose
	}
	if !s.needsLogin() && !s.allowed {
		s.note("relay.denied", "may not use the listener "+s.spec.Address)
		s.fail("relay.denied", "client is not allowed on this listener")
		s.reply(replyNotAllowed)
		return eventClose
	}
	if !s.needsLogin() {
		s.conn.bound(time.Time{}) // the peer may have been a gateway, which must log in
	}
	s.lines = 0
	s.reply(greeting(s.server.c.Hostname))
	return eventClient
}

// xclient is what is used of the attributes.
type xclient struct {
	addr, local netip.AddrPort
}

// parseXClient reads "ADDR=192.0.2.1 PORT=40000"; ok is false when something of it
// is not as it must be, or ADDR is missing.
func parseXClient(arg string) (x xclient, ok bool) {
	values := map[string]string{}
	for _, f := range strings.Fields(arg) {
		name, text, found := strings.Cut(f, "=")
		name = strings.ToUpper(name)
		value, err := smtp.DecodeXtext(text)
		_, twice := values[name]
		if !found || err != nil || twice || !slices.Contains(xclientNames, name) {
			return x, false
		}
		values[name] = value
	}
	if x.addr, ok = xclientAddress(values["ADDR"], values["PORT"]); !ok {
		return x, false
	}
	if values["DESTADDR"] == "" || unknown(values["DESTADDR"]) {
		return x, true
	}
	x.local, ok = xclientAddress(values["DESTADDR"], values["DESTPORT"])
	return x, ok
}

// unknown reports a value by which a proxy says that it does not know.
func unknown(value string) bool {
	return strings.EqualFold(value, "[UNAVAILABLE]") || strings.EqualFold(value, "[TEMPUNAVAIL]")
}

// xclientAddress reads an address, of IPv6 with "IPV6:" in front, and a port, which
// need not be known.
func xclientAddress(address, port string) (netip.AddrPort, bool) {
	const six = "IPV6:"
	is6 := len(address) > len(six) && strings.EqualFold(address[:len(six)], six)
	if is6 {
		address = address[len(six):]
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || is6 && a.Is4() {
		return netip.AddrPort{}, false
	}
	var n uint64
	if port != "" && !unknown(port) {
		if n, err = strconv.ParseUint(port, 10, 16); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
