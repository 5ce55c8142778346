package doctor

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wellsent/wellsent/internal/cause"
)

// blockage is a rule of the router and what the doctor must say.
type blockage struct {
	name   string
	target string // "": smtp://mail.world.test:587
	rules  []string
	more   []string // arguments
	want   cause.ID
	also   []cause.ID
}

const answersOf = "ip saddr " + target + " "

const toTarget = "ip daddr " + target + " "

var blockages = []blockage{
	{name: "nothing in the way"},
	{name: "port dropped everywhere", rules: []string{"tcp dport 587 drop"}, want: "net.port-blocked"},
	{name: "port reset everywhere", rules: []string{"tcp dport 587 reject with tcp reset"}, want: "net.port-blocked"},
	{name: "port prohibited everywhere", rules: []string{"tcp dport 587 reject with icmpx type admin-prohibited"}, want: "net.port-blocked"},
	{name: "all mail ports dropped", rules: []string{"tcp dport { 25, 465, 587, 2525 } drop"}, want: "net.port-blocked"},
	{name: "all mail ports reset", rules: []string{"tcp dport { 25, 465, 587, 2525 } reject with tcp reset"}, want: "net.port-blocked"},
	{name: "465 dropped everywhere", target: "smtps://mail.world.test:465", more: []string{"--control", control1 + ":465", "--control", control2 + ":465"}, rules: []string{"tcp dport 465 drop"}, want: "net.port-blocked"},
	{name: "port of this server dropped", rules: []string{toTarget + "tcp dport 587 drop"}, want: "service.wrong-port"},
	{name: "port of this server reset", rules: []string{toTarget + "tcp dport 587 reject with tcp reset"}, want: "service.wrong-port"},
	{name: "all ports of this server dropped", rules: []string{toTarget + "drop"}, want: "net.host-down"},
	{name: "all ports of this server reset", rules: []string{toTarget + "meta l4proto tcp reject with tcp reset"}, want: "net.refused"},
	{name: "this server prohibited", rules: []string{toTarget + "reject with icmpx type admin-prohibited"}, want: "net.unreachable", also: []cause.ID{"net.host-down"}},
	{name: "a host that is not there", target: "smtp://dead.world.test:587", want: "net.unreachable", also: []cause.ID{"net.host-down"}},
	{name: "a port that nobody serves", target: "smtp://mail.world.test:2525", more: []string{"--control", control1 + ":587"}, want: "service.wrong-port"},
	{name: "the name server dropped", rules: []string{"ip daddr " + nameServed + " drop"}, want: "dns.resolver-unreachable"},
	{name: "the name server prohibited", rules: []string{"ip daddr " + nameServed + " reject"}, want: "dns.resolver-unreachable"},
	{name: "connected, and nothing comes back, from anybody", rules: []string{"tcp sport 587 meta length > 60 drop"}, want: "net.port-blocked"},
	{name: "connected, and nothing comes back, 465", target: "smtps://mail.world.test:465", rules: []string{"tcp sport 465 meta length > 60 drop"}, want: "net.port-blocked"},
	{name: "connected, and nothing comes back from this port", rules: []string{answersOf + "tcp sport 587 meta length > 60 drop"}, want: "service.wrong-port"},
	{name: "connected, and nothing comes back from this server", rules: []string{answersOf + "tcp sport { 465, 587 } meta length > 60 drop"}, want: "service.wrong-protocol-other", also: []cause.ID{"net.timeout"}},
	{name: "what is said is dropped", rules: []string{"tcp dport 587 ct state established meta length > 60 drop"}, want: "net.timeout"},
	{name: "only web pages pass", rules: []string{"ct state established accept", "tcp dport != 443 drop"}, want: "net.port-blocked"},
	{name: "everything dropped, by address", target: "smtp://" + target + ":587", rules: []string{"drop"}, want: "net.offline"},
	{name: "IPv6 dropped", target: "smtp://six.world.test:1587", rules: []string{"ip6 daddr fd12::/64 tcp dport 1587 drop"}, want: "net.ipv6-broken"},
	{name: "IPv6 reset", target: "smtp://six.world.test:1587", rules: []string{"ip6 daddr fd12::/64 tcp dport 1587 reject with tcp reset"}, want: "net.ipv6-broken"},
	{name: "IPv6 prohibited", target: "smtp://six.world.test:1587", rules: []string{"ip6 daddr fd12::/64 reject with icmpx type admin-prohibited"}, want: "net.ipv6-broken"},
	{name: "nobody listens on IPv6", target: "smtp://six.world.test:1587", want: "net.ipv6-broken"},
}

func TestNetworks_Blocked(t *testing.T) {
	t.Parallel()
	worlds := pool(t, 5)
	t.Run("cases", func(t *testing.T) {
		for _, b := range blockages {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				w := <-worlds
				defer func() { worlds <- w }()
				w.firewall(t, b.rules...)
				at := b.target
				if at == "" {
					at = "smtp://mail.world.test:587"
				}
				k := w.question(t, b.name, at, b.more...)
				k.want, k.also = b.want, b.also
				ask(t, k)
			})
		}
	})
}

// TestNetworks_Offline: the client has no network, or none beyond its own.
func TestNetworks_Offline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.standard(t)
	for _, c := range []struct {
		name      string
		cut, mend []string // of ip
		also      []cause.ID
	}{
		{"the cable is out", []string{w.router, "link", "set", "down11", "down"}, []string{w.router, "link", "set", "down11", "up"}, nil},
		{"there is no route", []string{w.client, "route", "del", "default"}, []string{w.client, "route", "add", "default", "via", "10.11.0.1"}, []cause.ID{"net.unreachable"}}, // it is both
		{"the interface is down", []string{w.client, "link", "set", "wire", "down"}, nil, nil},
	} {
		w.ip(t, c.cut[0], c.cut[1:]...)
		k := w.question(t, c.name, "smtp://"+target+":587")
		k.want, k.also = "net.offline", c.also
		ask(t, k)
		k = w.question(t, c.name+", by name", "smtp://mail.world.test:587")
		k.want = "net.offline"
		ask(t, k)
		if c.mend != nil {
			w.ip(t, c.mend[0], c.mend[1:]...)
		}
	}
}

// TestNetworks_OneFamilyOnly: a server with more addresses than work, and one with
// addresses that this machine cannot reach.
func TestNetworks_OneFamilyOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(t, "ok/relay", target+":587", "two.world.test")
	w.serve(t, "ok/relay", "["+targetSix+"]:587", "six.world.test")
	w.controls(t)
	w.names(t, "two.world.test. 60 IN A "+nothing, "two.world.test. 60 IN A "+target, "six.world.test. 60 IN AAAA "+targetSix,
		"world.test. 60 IN A "+target)
	well := func(name, at string) { ask(t, w.question(t, name, at)) }
	well("one of two addresses is dead", "smtp://two.world.test:587")
	well("IPv6 only", "smtp://six.world.test:587")
	w.ip(t, w.client, "-6", "route", "del", "default")
	w.ip(t, w.client, "-6", "addr", "flush", "dev", "wire")
	k := w.question(t, "IPv6 only, and this machine has none", "smtp://six.world.test:587")
	k.want = "net.unreachable"
	if r := ask(t, k); len(r.Findings) > 0 && !strings.Contains(strings.Join(r.Findings[0].Seen, "\n"), "IPv6 addresses only") {
		t.Errorf("it does not say why: %q", r.Findings[0].Seen)
	}
}

// TestNetworks_SmallPacketsOnly: what is larger than 576 octets vanishes.
func TestNetworks_SmallPacketsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.standard(t)
	// Segments leave as they are sent; else the rule would see joined ones.
	w.ip(t, w.client, "link", "set", "wire", "gso_max_segs", "1")
	w.ip(t, w.servers, "link", "set", "wire", "gso_max_segs", "1")
	w.firewall(t, "ip protocol tcp meta length > 576 drop")
	for name, args := range map[string][]string{
		"MTU black hole, STARTTLS":    {"smtp://mail.world.test:587"},
		"MTU black hole, TLS at once": {"smtps://mail.world.test:465"},
	} {
		k := w.question(t, name, args[0])
		k.want = "net.mtu-black-hole"
		ask(t, k)
	}
}

// TestNetworks_CaptivePortal: a login page stands between, and answers for all web
// servers; mail ports are dropped, or answered by it too.
func TestNetworks_CaptivePortal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.standard(t)
	var page net.Listener
	inside(t, w.servers, func() (err error) {
		page, err = net.Listen("tcp", control2+":8080")
		return err
	})
	server := &http.Server{Handler: http.RedirectHandler("http://login.hotel.example/welcome", http.StatusFound)}
	done := make(chan struct{})
	go func() { // ends when the test closes the server
		defer close(done)
		server.Serve(page)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	for name, rules := range map[string][2]string{
		"login page, mail dropped":        {"tcp dport 80 dnat to " + control2 + ":8080", "tcp dport { 25, 465, 587, 2525, 443 } drop"},
		"login page, mail ports reset":    {"tcp dport 80 dnat to " + control2 + ":8080", "tcp dport { 25, 465, 587, 2525, 443 } reject with tcp reset"},
		"login page, it answers for mail": {"tcp dport { 80, 587 } dnat to " + control2 + ":8080", "tcp dport { 25, 465, 2525, 443 } drop"},
	} {
		w.firewall(t, rules[1])
		w.rules(t, "table ip world {\n chain prerouting {\n  type nat hook prerouting priority dstnat;\n  "+rules[0]+"\n }\n}\n")
		k := w.question(t, name, "smtp://mail.world.test:587")
		k.want = "net.captive-portal"
		ask(t, k)
	}
}

// TestNetworks_IncomingServer: the port says what it is, whatever speaks there.
func TestNetworks_IncomingServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(t, "service.incoming-server", target+":143", "mail.world.test")
	w.serve(t, "service.incoming-server/imaps", target+":993", "mail.world.test")
	w.serve(t, "service.incoming-server/pop3s", target+":995", "mail.world.test")
	w.serve(t, "ok/relay", target+":587", "mail.world.test")
	w.controls(t)
	w.names(t, "mail.world.test. 60 IN A "+target, "world.test. 60 IN A "+target)
	for _, at := range []string{"smtp://mail.world.test:143", "smtps://mail.world.test:993", "smtp://mail.world.test:993", "smtps://mail.world.test:995", "smtp://mail.world.test:110"} {
		k := w.question(t, "incoming server, "+at, at)
		k.want = "service.incoming-server"
		ask(t, k)
	}
}

// TestNetworks_Inspected: the router passes mail through something that masks
// STARTTLS.
func TestNetworks_Inspected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.standard(t)
	w.serve(t, "net.smtp-inspection", control1+":5870", "mail.world.test")
	w.rules(t, `table ip world {
 chain prerouting {
  type nat hook prerouting priority dstnat;
  tcp dport 587 dnat to `+control1+`:5870
 }
}
`)
	k := w.question(t, "mail goes through an inspecting firewall", "smtp://mail.world.test:587")
	k.want = "net.smtp-inspection"
	ask(t, k)
}

// TestNetworks_Redirected: the network leads mail to a server of its own, whomever
// one asks for.
func TestNetworks_Redirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.standard(t)
	w.serve(t, "ok/relay", target+":25", "mail.world.test")
	w.serve(t, "ok/relay", control1+":25", control1)
	w.serve(t, "tls.certificate-name-mismatch", target+":2525", "mail.world.test")
	w.serve(t, "ok/relay", control1+":2525", control1)
	w.serve(t, "ok/relay", control1+":5870", "smtp.isp.test")
	w.serve(t, "tls.certificate-self-signed", control1+":5871", "smtp.isp.test")
	w.serve(t, "tls.starttls-not-offered", control1+":5872", "smtp.isp.test")
	envelope := []string{"--from", "ann@world.test", "--to", "bob@example.net"}
	login := []string{"--user", "ann@world.test", "--password-file", file(t, "password", "never to be sent")}
	for _, c := range []struct {
		name, to, target string
		args             []string
		want             cause.ID
	}{
		{"another's server, with its certificate", "5870", "smtp://mail.world.test:587", login, "net.port-blocked"},
		{"another's server, that signs itself", "5871", "smtp://mail.world.test:587", login, "net.port-blocked"},
		{"another's server, on port 25", "5870", "smtp://mail.world.test:25", envelope, "net.port-blocked"},
		{"another's server, without STARTTLS", "5872", "smtp://mail.world.test:587", append([]string{"--security", "starttls"}, login...), "net.port-blocked"},
		{"another's server, without STARTTLS, on port 25", "5872", "smtp://mail.world.test:25", envelope, "net.port-blocked"},
		{"the server itself has another's certificate", "", "smtp://mail.world.test:2525", []string{"--control", control1 + ":2525"}, "tls.certificate-name-mismatch"},
	} {
		rules := "flush ruleset\n"
		if c.to != "" {
			rules += "table ip world {\n chain prerouting {\n  type nat hook prerouting priority dstnat;\n  tcp dport { 25, 587 } dnat to " + control1 + ":" + c.to + "\n }\n}\n"
		}
		w.rules(t, rules)
		k := w.question(t, c.name, c.target, c.args...)
		k.want = c.want
		ask(t, k)
	}
}

// TestNetworks_ClockWrong: all the world is in another month than this machine.
func TestNetworks_ClockWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(t, "tls.certificate-expired", target+":587", "mail.world.test")
	w.serve(t, "tls.certificate-expired/not-yet", target+":1587", "mail.world.test")
	w.names(t, "mail.world.test. 60 IN A "+target, "world.test. 60 IN A "+target)
	off := map[string]time.Duration{}
	for _, host := range []string{control1, control2} {
		var l net.Listener
		inside(t, w.servers, func() (err error) {
			l, err = net.Listen("tcp", host+":443")
			return err
		})
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Date", time.Now().Add(off[host]).UTC().Format(http.TimeFormat))
		}))
		s.Listener.Close()
		s.Listener = l
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name, target string
		first, other time.Duration
		want         cause.ID
		sure         string
	}{
		{"this clock is ahead", "smtp://mail.world.test:587", -4 * day, -4 * day, "tls.clock-wrong", "certain"},
		{"this clock is behind", "smtp://mail.world.test:1587", 12 * day, 12 * day, "tls.clock-wrong", "certain"},
		{"this clock is right", "smtp://mail.world.test:587", 0, 0, "tls.certificate-expired", "certain"},
		{"one of two clocks says otherwise", "smtp://mail.world.test:587", -4 * day, 0, "tls.certificate-expired", "certain"},
		{"another clock is so wrong that it explains nothing", "smtp://mail.world.test:587", -9000 * day, -9000 * day, "tls.certificate-expired", "certain"},
	} {
		off[control1], off[control2] = c.first, c.other
		k := w.question(t, c.name, c.target, "--control", control1+":443", "--control", control2+":443")
		k.want = c.want
		if r := ask(t, k); len(r.Findings) > 0 && r.Findings[0].Confidence != c.sure {
			t.Errorf("%s: it is %s, want %s", c.name, r.Findings[0].Confidence, c.sure)
		}
	}
}

// TestNetworks_BetweenServers: on port 25 without a login any certificate does.
func TestNetworks_BetweenServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.controls(t)
	const ip = "10.12.1."
	names := []string{"world.test. 60 IN A " + target}
	host := func(n, scenario string) string {
		w.ip(t, w.servers, "addr", "add", ip+n+"/32", "dev", "wire")
		w.serve(t, scenario, ip+n+":25", "mx"+n+".world.test")
		names = append(names, "mx"+n+".world.test. 60 IN A "+ip+n)
		return "mx" + n + ".world.test:25"
	}
	w.ip(t, w.router, "route", "add", "10.12.1.0/24", "via", "10.12.0.2")
	self, name, old, unknown, clear, closed, refuses := host("1", "tls.certificate-self-signed"), host("2", "tls.certificate-name-mismatch"), host("3", "tls.certificate-expired"),
		host("4", "tls.certificate-untrusted"), host("5", "tls.starttls-not-offered"), host("6", "tls.server-unavailable"), host("7", "recipient.unknown")
	w.names(t, names...)
	envelope := []string{"--from", "ann@world.test", "--to", "bob@example.net"}
	login := append([]string{"--user", "ann@world.test", "--password-file", file(t, "password", "never to be sent")}, envelope...)
	for _, c := range []struct {
		name, target string
		args         []string
		want         cause.ID
		warning      cause.ID
	}{
		{"certificate that signs itself", self, envelope, "", "tls.certificate-self-signed"},
		{"certificate for another name", name, envelope, "", "tls.certificate-name-mismatch"},
		{"expired certificate", old, envelope, "", "tls.certificate-expired"},
		{"certificate of a private authority", unknown, envelope, "", "tls.certificate-untrusted"},
		{"no STARTTLS", clear, envelope, "", "tls.starttls-not-offered"},
		{"STARTTLS cannot be begun", closed, envelope, "tls.server-unavailable", ""},
		{"unknown recipient", refuses, envelope, "recipient.unknown", ""},
		{"certificate that signs itself, and a login", self, login, "tls.certificate-self-signed", ""},
		{"certificate that signs itself, and STARTTLS demanded", self, append([]string{"--security", "starttls"}, envelope...), "tls.certificate-self-signed", ""},
		{"certificate for another name, and a login", name, login, "tls.certificate-name-mismatch", ""},
		{"no STARTTLS, and a login", clear, login, "tls.starttls-not-offered", ""},
	} {
		k := w.question(t, "port 25: "+c.name, c.target, c.args...)
		k.want, k.warning = c.want, c.warning
		ask(t, k)
	}
}
