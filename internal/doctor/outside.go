package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wellsent/wellsent/internal/resolver"
)

// maxCertificate bounds a certificate that is fetched, in octets.
const maxCertificate = 64 << 10

// issuerURLs are where the issuer of the last certificate of a chain publishes its
// own. RFC 5280 §4.2.2.1.
func issuerURLs(t *Talk) []string {
	var unknown x509.UnknownAuthorityError
	if len(t.Chain) == 0 || !errors.As(t.VerifyError, &unknown) {
		return nil
	}
	last := t.Chain[len(t.Chain)-1]
	if bytes.Equal(last.RawSubject, last.RawIssuer) {
		return nil // a root has no issuer
	}
	var urls []string
	for _, u := range last.IssuingCertificateURL {
		if strings.HasPrefix(u, "http://") && len(urls) == 0 {
			urls = append(urls, u)
		}
	}
	return urls
}

// httpClient fetches small things. Names are looked up as all others are.
func (r *run) httpClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				n, err := strconv.Atoi(port)
				if err != nil {
					return nil, err
				}
				addresses := r.addressesOf(ctx, host)
				if r.q.Proxy != nil {
					addresses = []netip.Addr{{}}
				}
				for _, a := range addresses {
					conn, err := r.dial(ctx, Endpoint{host, n}, a)
					if err == nil {
						return conn, nil
					}
				}
				return nil, errors.New("cannot connect to " + address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// issuer fetches the certificate that a server has left out, and checks whether the
// chain is whole with it.
func (r *run) issuer(ctx context.Context, p probe) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(experiment, 0.25))
	defer cancel()
	r.mu.Lock()
	t := r.f.talk(talkTarget)
	r.mu.Unlock()
	found := &Issuer{URL: p.url}
	missing, err := fetchCertificate(ctx, r.httpClient(), p.url)
	if err != nil {
		found.Error = err.Error()
	} else {
		found.Subject = missing.Subject.String()
		between := x509.NewCertPool()
		between.AddCert(missing)
		for _, c := range t.Chain[1:] {
			between.AddCert(c)
		}
		_, err := t.Chain[0].Verify(x509.VerifyOptions{Roots: r.q.Roots, DNSName: strings.Trim(r.q.Host, "[]"), Intermediates: between, CurrentTime: r.q.now()})
		found.Verifies, found.Error = err == nil, errorText(err)
	}
	r.mu.Lock()
	r.f.Issuer = found
	r.mu.Unlock()
	if found.Error != "" {
		return found.Error, false
	}
	return found.Subject, true
}

func fetchCertificate(ctx context.Context, c *http.Client, url string) (*x509.Certificate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxCertificate))
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	return x509.ParseCertificate(b)
}

// timeProblem reports whether a certificate was refused for its dates.
func timeProblem(t *Talk) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(t.VerifyError, &invalid) && invalid.Reason == x509.Expired
}

// greetingDate is the date that many mail servers greet with. RFC 5322 §3.3.
var greetingDate = regexp.MustCompile(`[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}`)

// firstLine returns what a host says first, "" for nothing.
func (r *run) firstLine(ctx context.Context, at Endpoint) string {
	addresses := r.addressesOf(ctx, at.Host)
	if r.q.Proxy != nil {
		addresses = []netip.Addr{{}}
	}
	for _, a := range addresses {
		conn, err := r.dial(ctx, at, a)
		if err != nil {
			continue
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
		head := make([]byte, maxIncomingLine)
		n, _ := conn.Read(head)
		line, _, _ := strings.Cut(string(head[:n]), "\n")
		return line
	}
	return ""
}

// clock asks a host known to be up for its time, as web servers tell it.
func (r *run) clock(ctx context.Context, p probe) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(experiment, 0.2))
	defer cancel()
	scheme := "http"
	if p.at.Port == 443 {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, scheme+"://"+p.at.String()+"/", nil)
	if err != nil {
		return err.Error(), false
	}
	client := r.httpClient()
	if t, ok := client.Transport.(*http.Transport); ok {
		// With a wrong clock every certificate looks bad. Nothing is told there, and what
		// it says is one sign beside another.
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	said := ""
	var resp *http.Response
	if slices.Contains(submissionPorts, p.at.Port) {
		err = errNoGreeting // a mail server takes offence at requests, and its greeting may have the date
	} else {
		resp, err = client.Do(req)
	}
	if err != nil {
		said = greetingDate.FindString(r.firstLine(ctx, p.at))
	} else {
		_ = resp.Body.Close()
		said = resp.Header.Get("Date")
	}
	says, err := mail.ParseDate(said)
	if err != nil {
		return "tells no time", true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f.Clocks = append(r.f.Clocks, Clock{Source: p.at.String(), Says: says, Ours: r.q.now()})
	return says.Format(time.RFC3339), true
}

// domainWait is how long warnings may keep the answer waiting.
const domainWait = 1200 * time.Millisecond

// domain looks at what the domain that mail is from publishes.
func (r *run) domain(ctx context.Context, p probe) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.share(domainWait, 0.3))
	defer cancel()
	d := &Domain{Name: p.name, DKIM: map[string]bool{}}
	texts := func(name, prefix string) []string {
		found, err := r.q.Resolver.TXT(ctx, name+".")
		if err != nil && !resolver.KindOf(err).Definite() {
			return nil
		}
		have := []string{}
		for _, t := range found {
			if strings.HasPrefix(strings.ToLower(t), prefix) {
				have = append(have, t)
			}
		}
		return have
	}
	keys := make([][]string, len(r.q.Selectors))
	var wait sync.WaitGroup
	wait.Go(func() { d.SPF = texts(p.name, "v=spf1") })
	wait.Go(func() { d.DMARC = texts("_dmarc."+p.name, "v=dmarc1") })
	for i, s := range r.q.Selectors {
		wait.Go(func() { keys[i] = texts(s+"._domainkey."+p.name, "") })
	}
	if r.q.Port == 25 && r.q.User == "" { // only who hands mail over directly is known by address
		wait.Go(func() { d.Own, d.PTR = r.ownNames(ctx) })
	}
	listed := make([][]Listing, len(r.q.Blocklists))
	for i, zone := range r.q.Blocklists {
		wait.Go(func() { listed[i] = r.listed(ctx, strings.Trim(zone, "."), p.name) })
	}
	if _, to, ok := strings.Cut(r.q.To, "@"); ok {
		d.ToName = to
		wait.Go(func() {
			_, err := r.q.Resolver.MX(ctx, to+".")
			d.ToKind = resolver.KindOf(err)
		})
	}
	wait.Wait()
	for i, s := range r.q.Selectors {
		if keys[i] != nil {
			d.DKIM[s] = len(keys[i]) > 0
		}
	}
	d.Listed = slices.Concat(listed...)
	d.Checked = ctx.Err() == nil
	r.mu.Lock()
	r.f.Domain = d
	r.mu.Unlock()
	return "looked up", true
}

// listed looks our address up in a block list, where it is one of the Internet,
// and a domain. RFC 5782 §2.
func (r *run) listed(ctx context.Context, zone, domain string) (list []Listing) {
	ask := func(name string, x Listing) {
		codes, err := r.q.Resolver.Addresses(ctx, name+"."+zone+".")
		if err != nil {
			return
		}
		for _, code := range codes {
			// 127.255.255.0/24 says that the list does not answer us, not that it lists.
			if b := code.Unmap().As16(); code.Unmap().Is4() && b[12] == 127 && !(b[13] == 255 && b[14] == 255) {
				x.Zone, x.Code = zone, code.Unmap()
				list = append(list, x)
				return
			}
		}
	}
	if own := r.ownAddress(ctx); own.IsValid() {
		ask(reversed(own), Listing{What: own.String()})
	}
	ask(domain, Listing{What: domain, Domain: true})
	return list
}

// reversed returns an address as block lists want it: the octets, or the half
// octets, last first.
func reversed(a netip.Addr) string {
	var parts []string
	if a.Is4() {
		for _, b := range a.As4() {
			parts = append(parts, strconv.Itoa(int(b)))
		}
	} else {
		for _, b := range a.As16() {
			parts = append(parts, strconv.FormatUint(uint64(b>>4), 16), strconv.FormatUint(uint64(b&15), 16))
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}

// ownNames returns our address towards the server and its names in the DNS.
func (r *run) ownNames(ctx context.Context) (netip.Addr, []string) {
	own := r.ownAddress(ctx)
	if !own.IsValid() {
		return own, nil
	}
	names, err := r.q.Resolver.PTR(ctx, own)
	if err != nil && !resolver.KindOf(err).Definite() {
		return own, nil
	}
	return own, append([]string{}, names...)
}

// ownAddress returns the address by which this machine reaches the server, where
// it is one of the Internet. Nothing is sent to the server.
func (r *run) ownAddress(ctx context.Context) netip.Addr {
	for _, a := range r.addressesOf(ctx, r.q.Host) {
		conn, err := net.Dial("udp", net.JoinHostPort(a.String(), "25"))
		if err != nil {
			continue
		}
		own := localAddress(conn)
		_ = conn.Close()
		if public(own) {
			return own
		}
	}
	return netip.Addr{}
}
