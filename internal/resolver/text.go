package resolver

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// TXT returns the text records of a name, the strings of each joined. The error
// is an *Error. RFC 1035 §3.3.14.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	full, err := absolute(name, "TXT")
	if err != nil {
		return nil, err
	}
	rrs, failure := r.ask(ctx, full, dns.TypeTXT)
	if failure != nil {
		failure.Name, failure.Type = name, "TXT"
		return nil, failure
	}
	var texts []string
	for _, rr := range rrs {
		if txt, ok := rr.(*dns.TXT); ok {
			texts = append(texts, strings.Join(txt.Txt, ""))
		}
	}
	return texts, nil
}

// PTR returns the names of an address, without their final dots. The error is an
// *Error. RFC 1035 §3.5, 3596 §2.5.
func (r *Resolver) PTR(ctx context.Context, a netip.Addr) ([]string, error) {
	reverse, err := dns.ReverseAddr(a.Unmap().String())
	if err != nil {
		return nil, &Error{Name: a.String(), Type: "PTR", Kind: KindBadName, Err: err}
	}
	rrs, failure := r.ask(ctx, reverse, dns.TypePTR)
	if failure != nil {
		failure.Name, failure.Type = a.String(), "PTR"
		return nil, failure
	}
	var names []string
	for _, rr := range rrs {
		if ptr, ok := rr.(*dns.PTR); ok {
			names = append(names, host(ptr.Ptr))
		}
	}
	return names, nil
}

// Servers returns the name servers that are asked, with their ports.
func (r *Resolver) Servers() []string {
	servers, _ := r.upstream()
	return servers
}
