package smtpserver

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/device"
	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/smtptest"
)

// told is an office that notes the client of each mail transaction.
type told struct {
	office
	clients chan smtp.Client
}

func (o *told) Mail(_ context.Context, t *smtp.Transaction) *smtp.Reply {
	o.clients <- *t.Client
	return nil
}

// tellers starts a listener to which this machine is a balancer, a proxy or both.
func tellers(t *testing.T, spec Listener, change func(*Config)) (addr string, tc *tls.Config, clients chan smtp.Client) {
	o := &told{clients: make(chan smtp.Client, 10)}
	_, addr, tc, _ = start(t, spec, func(c *Config) {
		c.Handler = o
		if change != nil {
			change(c)
		}
	})
	return addr, tc, o.clients
}

// after plays a script on a connection that began with a header.
func after(t *testing.T, addr string, tc *tls.Config, header, text string) {
	t.Helper()
	s, err := smtptest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	if _, err := io.WriteString(c, header); err != nil {
		t.Fatal(err)
	}
	s.PlayClient(t, c, tc)
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const (
	fromOutside  = "PROXY TCP4 198.51.100.7 192.0.2.2 40000 25\r\n"
	fromInside   = "PROXY TCP4 10.1.2.3 192.0.2.2 40001 25\r\n"
	saidLoopback = "PROXY TCP4 127.0.0.1 192.0.2.2 40002 25\r\n"
	// The same as fromInside, in version 2, with a field that claims TLS and a
	// verified certificate.
	binaryInside = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x17\x0a\x01\x02\x03\xc0\x00\x02\x02\x9c\x41\x00\x19" + "\x20\x00\x08\x07\x00\x00\x00\x00\x21\x00\x00"
	unknownPeer  = "PROXY UNKNOWN\r\n"
	balancerOwn  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	noTLSOffered = hello + "S: 250-STARTTLS\nS: 250 HELP\n"
	mail         = "C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 Ok\n"
)

func TestProxyHeader_SaysWhoTheClientIs(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name   string
		spec   Listener
		header string
		text   string
		want   string // address and way of the client at MAIL; "": it came to none
	}{
		{"allowed", Listener{Kind: smtp.KindRelay, Allow: inside, ProxyProtocol: loopback}, fromInside, greeted + noTLSOffered + mail, "10.1.2.3:40001 127.0.0.1"},
		{"allowed, version 2", Listener{Kind: smtp.KindRelay, Allow: inside, ProxyProtocol: loopback}, binaryInside, greeted + noTLSOffered + mail, "10.1.2.3:40001 127.0.0.1"},
		{"not allowed", Listener{Kind: smtp.KindRelay, Allow: inside, ProxyProtocol: loopback}, fromOutside, "S: 554 5.7.1 ...\nE:\n", ""},
		{"the balancer's own rights are not its clients'", Listener{Kind: smtp.KindRelay, Allow: loopback, ProxyProtocol: loopback}, fromOutside, "S: 554 5.7.1 ...\nE:\n", ""},
		{"the balancer itself", Listener{Kind: smtp.KindRelay, Allow: inside, ProxyProtocol: loopback}, balancerOwn, "S: 554 5.7.1 ...\nE:\n", ""},
		{"of no address", Listener{Kind: smtp.KindRelay, Allow: inside, ProxyProtocol: loopback}, unknownPeer, "S: 554 5.7.1 ...\nE:\n", ""},
		{"missing", Listener{Kind: smtp.KindRelay, Allow: loopback, ProxyProtocol: loopback}, "EHLO client.example\r\n", "S: 421 4.7.0 ...\nE:\n", ""},
		{"malformed", Listener{Kind: smtp.KindRelay, Allow: loopback, ProxyProtocol: loopback}, "PROXY TCP4 nonsense\r\n", "S: 421 4.7.0 ...\nE:\n", ""},
		{"from others", Listener{Kind: smtp.KindRelay, Allow: loopback, ProxyProtocol: inside}, fromInside, greeted + "S: 554 5.7.1 ...\nE:\n", ""},
		{"login", Listener{Kind: smtp.KindSubmission, ProxyProtocol: loopback}, fromOutside, upgraded + hello + authOffered + loggedIn + mail, "198.51.100.7:40000 127.0.0.1"},
		{"TLS at once", Listener{Kind: smtp.KindSubmissions, ProxyProtocol: loopback}, fromOutside, "T:\n" + greeted + hello + authOffered + loggedIn + mail, "198.51.100.7:40000 127.0.0.1"},
		{"what the header says of TLS is not believed", Listener{Kind: smtp.KindSubmission, ProxyProtocol: loopback}, binaryInside, greeted + noTLSOffered + "C: MAIL FROM:<ann@example.org>\nS: 530 5.7.0 Must issue a STARTTLS command first\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr, tc, clients := tellers(t, c.spec, nil)
			after(t, addr, tc, c.header, c.text)
			got := ""
			if len(clients) > 0 {
				x := <-clients
				got = x.Addr.String() + " " + x.Via.Addr().String()
			}
			if got != c.want {
				t.Errorf("the client is %q, want %q", got, c.want)
			}
		})
	}
}

func TestProxyHeader_IsNotWaitedForLong(t *testing.T) {
	addr, tc, _ := tellers(t, Listener{Kind: smtp.KindSubmission, ProxyProtocol: loopback}, func(c *Config) { c.Timeouts.Header = 50 * time.Millisecond })
	after(t, addr, tc, "PROXY TCP4", "S: 421 4.7.0 ...\nE:\n")
}

// Who is said to be at a loopback address is not this machine, and a balancer on
// this machine lends its exemption to nobody.
func TestProxyHeader_LimitsAreThoseOfTheClient(t *testing.T) {
	addr, tc, _ := tellers(t, Listener{Kind: smtp.KindSubmission, ProxyProtocol: loopback}, func(c *Config) { c.ConnectionsPerAddress = 1 })
	for _, header := range []string{saidLoopback, fromOutside} {
		after(t, addr, tc, header, greeted) // and stays open until the test ends
		after(t, addr, tc, header, "S: 421 4.7.0 Too many connections ...\nE:\n")
	}
	after(t, addr, tc, fromInside, greeted+"C: QUIT\nS: 221 2.0.0 ...\nE:\n")
	after(t, addr, tc, unknownPeer, greeted) // of this machine itself
	after(t, addr, tc, unknownPeer, greeted)
}

func TestXClient_SaysWhoTheClientIs(t *testing.T) {
	const offered = hello + "S: 250-STARTTLS\nS: 250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT\nS: 250 HELP\n"
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	relay := Listener{Kind: smtp.KindRelay, Allow: inside, XClient: loopback}
	for _, c := range []struct {
		name string
		spec Listener
		text string
		want string
	}{
		{"allowed", relay, greeted + offered + "C: XCLIENT NAME=[UNAVAILABLE] ADDR=10.1.2.3 PORT=40001 HELO=client+2Eexample PROTO=ESMTP\n" + greeted + noTLSOffered + mail, "10.1.2.3:40001 127.0.0.1"},
		{"IPv6", relay, greeted + "C: xclient addr=IPv6:2001:db8::7\n" + greeted + noTLSOffered + mail, "[2001:db8::7]:0 127.0.0.1"},
		{"not allowed", relay, greeted + "C: XCLIENT ADDR=198.51.100.7\nS: 554 5.7.1 ...\nE:\n", ""},
		{"mail of the proxy's own", relay, greeted + offered + "C: MAIL FROM:<ann@example.org>\nS: 554 5.7.1 ...\n", ""},
		{"EHLO comes anew", relay, greeted + offered + "C: XCLIENT ADDR=10.1.2.3\n" + greeted + "C: MAIL FROM:<ann@example.org>\nS: 503 5.5.1 ...\n", ""},
		{"once only", relay, greeted + "C: XCLIENT ADDR=10.1.2.3\n" + greeted + noTLSOffered + "C: XCLIENT ADDR=10.1.2.4\nS: 550 5.7.0 ...\n" + mail, "10.1.2.3:0 127.0.0.1"},
		{"once only, though the client has the proxy's address", Listener{Kind: smtp.KindRelay, Allow: loopback, XClient: loopback}, greeted + "C: XCLIENT ADDR=127.0.0.1\n" + greeted + "C: XCLIENT ADDR=10.1.2.4\nS: 550 5.7.0 ...\n", ""},
		{"from others", Listener{Kind: smtp.KindRelay, Allow: loopback, XClient: inside}, greeted + noTLSOffered + "C: XCLIENT ADDR=10.1.2.3\nS: 550 5.7.0 ...\n" + mail, "127.0.0.1 "},
		{"in a transaction", Listener{Kind: smtp.KindRelay, Allow: loopback, XClient: loopback}, greeted + offered + mail + "C: XCLIENT ADDR=10.1.2.3\nS: 503 5.5.1 ...\n", "127.0.0.1 "},
		{"login is not given away", relay, greeted + "C: XCLIENT ADDR=10.1.2.3 LOGIN=ann\nS: 501 5.5.4 ...\n", ""},
		{"no address", relay, greeted + "C: XCLIENT NAME=x\nS: 501 5.5.4 ...\nC: XCLIENT ADDR=[UNAVAILABLE]\nS: 501 5.5.4 ...\nC: XCLIENT ADDR=10.1.2.3 ADDR=10.1.2.3\nS: 501 5.5.4 ...\n", ""},
		{"under TLS, which stays on", Listener{Kind: smtp.KindSubmission, XClient: loopback},
			greeted + offered + "C: STARTTLS\nS: 220 2.0.0 ...\nT:\nC: XCLIENT ADDR=198.51.100.7\n" + greeted + hello + authOffered + loggedIn + mail, "198.51.100.7:0 127.0.0.1"},
		{"after a login", Listener{Kind: smtp.KindSubmission, XClient: loopback, PlaintextAuth: true},
			greeted + strings.Replace(offered, "S: 250-XCLIENT", "S: 250-AUTH PLAIN LOGIN\nS: 250-XCLIENT", 1) + loggedIn + "C: XCLIENT ADDR=198.51.100.7\nS: 503 5.5.1 ...\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr, tc, clients := tellers(t, c.spec, nil)
			play(t, addr, tc, c.text)
			got := ""
			if len(clients) > 0 {
				x := <-clients
				got = x.Addr.String() + " "
				if x.Via.IsValid() {
					got += x.Via.Addr().String()
				} else {
					got = x.Addr.Addr().String() + " "
				}
			}
			if got != c.want {
				t.Errorf("the client is %q, want %q", got, c.want)
			}
		})
	}
}

func TestXClient_LimitsAreThoseOfTheClient(t *testing.T) {
	addr, tc, _ := tellers(t, Listener{Kind: smtp.KindSubmission, XClient: loopback}, func(c *Config) { c.ConnectionsPerAddress = 1 })
	for _, who := range []string{"198.51.100.7", "127.0.0.1"} {
		play(t, addr, tc, greeted+"C: XCLIENT ADDR="+who+"\n"+greeted)
		play(t, addr, tc, greeted+"C: XCLIENT ADDR="+who+"\nS: 421 4.7.0 Too many connections ...\nE:\n")
	}
}

// By way of a balancer and then a proxy: the proxy is named, the balancer is not to
// speak XCLIENT for whoever comes through it.
func TestPeers_BalancerBeforeProxy(t *testing.T) {
	spec := Listener{Kind: smtp.KindRelay, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")},
		ProxyProtocol: loopback, XClient: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), loopback[0]}}
	addr, tc, clients := tellers(t, spec, nil)
	after(t, addr, tc, fromInside, greeted+"C: XCLIENT ADDR=192.0.2.9\n"+greeted+noTLSOffered+mail)
	if x := <-clients; x.Addr.Addr().String() != "192.0.2.9" || x.Via.Addr().String() != "127.0.0.1" {
		t.Errorf("the client is %s by %s", x.Addr, x.Via)
	}
	after(t, addr, tc, strings.Replace(fromInside, "10.1.2.3", "10.1.2.4", 1), greeted+noTLSOffered+"C: XCLIENT ADDR=192.0.2.9\nS: 550 5.7.0 ...\n")
}

func FuzzXClient(f *testing.F) {
	for _, s := range []string{"ADDR=192.0.2.1 PORT=25", "ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE] DESTADDR=::1 DESTPORT=1", "ADDR=+31", "LOGIN=x ADDR=192.0.2.1", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, ok := parseXClient(s)
		if a := x.addr.Addr(); ok && (!a.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast()) {
			t.Fatalf("%q is the client %s", s, x.addr)
		}
	})
}

// A device is known by its own address behind a balancer or a proxy too, and its
// leniencies are not those of the teller.
func TestPeers_DeviceBehindThem(t *testing.T) {
	scanner := device.Device{Name: "scanner", Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32")}, Leniency: device.Leniency{AnyHello: true}}
	teller := device.Device{Name: "balancer", Addresses: loopback}
	const bare = "C: HELO\nS: 250 post.example.org\n" + oneMail
	for name, text := range map[string]string{
		fromInside:     greeted + bare,
		binaryInside:   greeted + bare,
		balancerOwn:    greeted + "C: HELO\nS: 501 5.5.4 ...\nC: XCLIENT ADDR=10.1.2.3\n" + greeted + bare,
		fromOutside:    "S: 554 5.7.1 ...\nE:\n",
		"EHLO early\r": "S: 421 4.7.0 ...\nE:\n",
	} {
		change, ended := with(scanner, teller)
		_, addr, tc, _ := start(t, Listener{Kind: smtp.KindDevice, Address: ":25", ProxyProtocol: loopback, XClient: loopback}, change)
		after(t, addr, tc, name, text)
		if name != fromInside && name != binaryInside && name != balancerOwn {
			continue
		}
		if s := <-ended; s.Device != "scanner" || s.Peer.String() != "10.1.2.3" || s.Messages != 1 {
			t.Errorf("%q: %+v", name, s)
		}
	}
}

// The certificate of a proxy logs in none of its clients: it is the proxy's.
func TestXClient_CertificateOfTheProxyIsNotItsClients(t *testing.T) {
	ca := newAuthority(t, "ours")
	spec := Listener{Kind: smtp.KindSubmission, Mechanisms: []string{"EXTERNAL", "PLAIN"}, ClientCA: ca.pool, XClient: loopback}
	_, addr, tc, _ := start(t, spec, nil)
	tc = tc.Clone()
	tc.Certificates = []tls.Certificate{ca.client(t, "ann", time.Now().Add(time.Hour))}
	play(t, addr, tc, greeted+hello+"S: 250-STARTTLS\n"+xclients+"C: STARTTLS\nS: 220 2.0.0 ...\nT:\n"+
		hello+"S: 250-AUTH EXTERNAL PLAIN\n"+xclients+"C: XCLIENT ADDR=198.51.100.7\n"+greeted+
		hello+"S: 250-AUTH PLAIN\nS: 250 HELP\nC: AUTH EXTERNAL =\nS: 504 5.5.4 ...\n")
}
