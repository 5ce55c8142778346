package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtpclient"
)

// talk holds one conversation up to EHLO under TLS. The connection stays open where
// it got as far as that, for the login and the envelope.
func (r *run) talk(ctx context.Context, p probe) (string, bool) {
	t := &Talk{Endpoint: p.at, Security: p.security, Why: talkReason(p.why), Hello: p.name, Spoke: ProtoOther, Through: p.through}
	if t.Hello == "" {
		t.Hello = r.q.Hostname
	}
	conn, a, outcome := r.connection(ctx, t)
	if conn == nil {
		return string(outcome), false
	}
	seen := &watched{Conn: conn, began: time.Now(), first: make(chan struct{})}
	t.Local = localAddress(conn)
	o, chain := r.options(t, a, seen)
	open, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	aside := make(chan struct{})
	experiments, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // waited for below
		defer close(aside)
		if t.Why == talkTarget || t.Why == talkAgain {
			r.whenQuiet(experiments, t, seen, ended, cancel)
		}
	}()
	c := smtpclient.New(o)
	failure := c.Open(open)
	close(ended)
	if failure == nil {
		stop() // it speaks after all
	}
	<-aside
	if failure != nil && errors.Is(failure.Err, smtpclient.ErrNoStartTLS) {
		t.NoTLS, failure = true, nil // the conversation goes on in clear text, without secrets
	}
	t.fill(c, failure, chain, seen)
	r.mu.Lock()
	r.f.Talks = append(r.f.Talks, t)
	if failure == nil && c.Alive() {
		r.clients[t] = c
	}
	r.mu.Unlock()
	if failure != nil {
		_ = c.Close()
		return evidence.Clip(evidence.Printable(failure.Error()), 160), false
	}
	return t.inWords(), true
}

// inWords says what a conversation has shown.
func (t *Talk) inWords() string {
	s := "greeted"
	if t.TLS != "" {
		s = t.TLS
	}
	if t.NoTLS {
		s = "no STARTTLS"
	}
	if len(t.Auth) > 0 {
		s += ", login by " + strings.Join(t.Auth, " ")
	}
	return s
}

// connection returns a connection for a conversation: one that the target's probe
// has opened, or a new one.
func (r *run) connection(ctx context.Context, t *Talk) (net.Conn, netip.Addr, Outcome) {
	if t.Through != nil {
		return r.dialThrough(ctx, t)
	}
	if t.Why == talkTarget {
		if conn, a := r.take(); conn != nil {
			return conn, a, Open
		}
	}
	why := connectOther
	wait := r.share(otherWait, 0.2)
	if t.Endpoint == (Endpoint{r.q.Host, r.q.Port}) {
		why, wait = connectTarget, r.share(connectWait, 0.3)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	addresses := r.working(ctx, t.Host)
	if len(addresses) == 0 {
		return nil, netip.Addr{}, Unknown
	}
	if t.Why == talkSmall {
		conn, err := r.dialSmall(ctx, t.Endpoint, addresses[0])
		return conn, addresses[0], outcomeOf(err)
	}
	return r.race(ctx, t.Endpoint, addresses, why)
}

// dialThrough opens a connection through a proxy of the environment, which looks
// the name up.
func (r *run) dialThrough(ctx context.Context, t *Talk) (net.Conn, netip.Addr, Outcome) {
	ctx, cancel := context.WithTimeout(ctx, r.share(connectWait, 0.3))
	defer cancel()
	began := time.Now()
	conn, err := t.Through.DialContext(ctx, "tcp", t.Endpoint.String())
	c := Connect{Endpoint: t.Endpoint, Why: connectProxy, Through: t.Through, Took: time.Since(began)}
	c.Outcome, c.Error, c.Refusal = outcomeOf(err), errorText(err), refusalOf(err)
	r.connected(c)
	return conn, netip.Addr{}, c.Outcome
}

// working returns the address of the target that a connection was opened to, else
// one address of each family.
func (r *run) working(ctx context.Context, host string) []netip.Addr {
	if host == r.q.Host {
		r.mu.Lock()
		for _, c := range r.f.Connects {
			if c.Why == connectTarget && c.Outcome == Open {
				r.mu.Unlock()
				return []netip.Addr{c.Address}
			}
		}
		r.mu.Unlock()
	}
	if r.q.Proxy != nil {
		return []netip.Addr{{}}
	}
	return r.addressesOf(ctx, host)
}

func localAddress(conn net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// options returns what a conversation demands. chain gets the certificates as they
// come.
func (r *run) options(t *Talk, a netip.Addr, conn net.Conn) (smtpclient.Options, *[]*x509.Certificate) {
	chain := &[]*x509.Certificate{}
	config := &tls.Config{
		Time: r.q.Now,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			for _, der := range raw {
				if c, err := x509.ParseCertificate(der); err == nil {
					*chain = append(*chain, c)
				}
			}
			return nil // smtpclient verifies
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			t.AskedCert = true
			return &tls.Certificate{}, nil
		},
	}
	o := smtpclient.Options{
		Hostname: t.Hello, Host: t.Host, Port: t.Port, Implicit: t.Security == Implicit,
		Policy: smtpclient.TLSVerified, TLSConfig: config, Roots: r.q.Roots,
		Timeouts: r.timeouts(t),
	}
	if !a.IsValid() {
		a = netip.IPv4Unspecified() // the proxy knows it
	}
	o.Addresses = []netip.Addr{a}
	switch {
	case t.Why == talkLegacy:
		config.MinVersion = tls.VersionTLS10
		for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
			for _, s := range list {
				config.CipherSuites = append(config.CipherSuites, s.ID)
			}
		}
	case t.Security == Clear:
		o.Policy = smtpclient.TLSNone
	case t.Why == talkAnyCert, t.Why == talkAgain && r.q.betweenServers():
		o.Policy = smtpclient.TLSOpportunistic
	}
	used := false
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, errors.New("one connection a conversation")
		}
		used = true
		return conn, nil
	}
	return o, chain
}

// timeouts returns the waits of a conversation.
func (r *run) timeouts(t *Talk) smtpclient.Timeouts {
	command := r.share(commandWait, 0.4)
	w := smtpclient.Timeouts{
		Connect: r.share(connectWait, 0.3), TLS: command, Greeting: r.share(greetingWait, 0.65), Command: command,
		Mail: command, Rcpt: command, DataInit: command, DataBlock: command, DataDot: r.share(greetingWait, 0.65),
		Quit: goodbye, Leaving: goodbye,
	}
	if t.Why != talkTarget && t.Why != talkAgain && t.Why != talkHello && t.Why != talkProxy {
		w.TLS, w.Greeting, w.Command = r.share(experiment, 0.25), r.share(experiment, 0.25), r.share(experiment, 0.25)
	}
	if t.Why == talkMode {
		w.Greeting = r.share(patience, 0.4)
	}
	return w
}

// fill notes what a conversation has shown.
func (t *Talk) fill(c *smtpclient.Client, failure *evidence.Error, chain *[]*x509.Certificate, seen *watched) {
	t.Record, t.Failure, t.Chain = c.Record(failure), failure, *chain
	if t.Record.TLS != nil && t.Record.TLS.Version != "" {
		t.TLS, t.Verified = t.Record.TLS.Version, t.Record.TLS.Verified
	}
	if failure != nil {
		var invalid *tls.CertificateVerificationError
		if errors.As(failure.Err, &invalid) {
			t.VerifyError = invalid.Err
		}
	}
	x := c.Extensions()
	t.Auth, t.MaxSize, t.Extensions = append([]string{}, x.Auth...), x.MaxSize, t.Record.Extensions
	t.First = seen.after()
	t.Spoke = spoken(t, seen.start())
	t.Masked = masked(t)
}

// whenQuiet makes the experiments that tell what a port waits for which says
// nothing: TLS, or a client that speaks first. It ends with the conversation, and
// ends it when it has found out.
func (r *run) whenQuiet(ctx context.Context, t *Talk, seen *watched, ended <-chan struct{}, giveUp context.CancelFunc) {
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
	began := time.Now()
	if !wait(r.share(quiet, 0.2)) {
		return
	}
	if t.Security != Implicit {
		if seen.after() > 0 {
			return // it speaks
		}
		r.do(ctx, probe{kind: probeTalk, at: t.Endpoint, security: Implicit, why: string(talkMode)})
		r.mu.Lock()
		mode := r.f.talk(talkMode)
		r.mu.Unlock()
		if mode != nil && (mode.Spoke == ProtoHTTP || mode.Spoke == ProtoTLS || mode.TLS != "") {
			if mode.TLS != "" && mode.Spoke == ProtoTLS {
				r.nudge(ctx, t.Endpoint, Implicit)
			}
			giveUp()
			return
		}
	}
	if t.Security == Implicit && seen.after() == 0 && !seen.loopback() && r.q.Proxy == nil && r.smallWorks(ctx, t) {
		if wait(r.share(quiet, 0.2)) && seen.after() == 0 {
			giveUp() // what the first hello needs does not pass
			return
		}
	}
	rest := r.share(patience, 0.4) - time.Since(began)
	if seen.loopback() {
		rest = 0 // nobody there takes offence
	}
	if rest > 0 && !wait(rest) {
		return
	}
	if t.Security == Implicit && !seen.isTLS() {
		return
	}
	if t.Security != Implicit && seen.after() > 0 {
		return
	}
	if found := r.nudge(ctx, t.Endpoint, t.Security); found != "" && found != ProtoSMTP {
		giveUp()
	}
}

// smallWorks holds the same conversation with small segments, beside one that has
// had no answer to its TLS hello, and reports whether it got one.
func (r *run) smallWorks(ctx context.Context, t *Talk) bool {
	r.do(ctx, probe{kind: probeTalk, at: t.Endpoint, security: t.Security, why: string(talkSmall)})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.talk(talkSmall).passed()
}
