package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// ednsSize is the size of UDP answers that is asked for: what passes everywhere
// without fragments. RFC 9715 §3.
const ednsSize = 1232

// rounds is how often all servers are asked before giving up; resolv.conf(5)
// calls it attempts.
const rounds = 2

// ask returns the records of name and type, following CNAMEs. There is at least
// one when the error is nil.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) ([]dns.RR, *Error) {
	records, _, failure := r.askSecure(ctx, name, qtype)
	return records, failure
}

// askSecure does as ask and reports whether the whole answer is authenticated.
func (r *Resolver) askSecure(ctx context.Context, name string, qtype uint16) ([]dns.RR, bool, *Error) {
	secure := true
	for range maxCNAME {
		answer, failure := r.exchange(ctx, name, qtype)
		if failure != nil {
			return nil, false, failure
		}
		secure = secure && answer.AuthenticatedData
		records, target := follow(answer.Answer, name, qtype)
		switch {
		case len(records) > 0:
			return records, secure, nil
		case answer.Rcode == dns.RcodeNameError:
			return nil, false, &Error{Kind: KindNoName, Detail: "NXDOMAIN"}
		case target == name:
			return nil, false, &Error{Kind: KindNoData}
		}
		name = target // the server left the rest of the chain to us
	}
	return nil, false, &Error{Kind: KindServerFailure, Detail: "CNAMEs without end"}
}

// follow returns the records of qtype at the end of the chain of CNAMEs that
// begins at name, and the name at its end.
func follow(answer []dns.RR, name string, qtype uint16) ([]dns.RR, string) {
	for range maxCNAME {
		var found []dns.RR
		next := ""
		for _, rr := range answer {
			h := rr.Header()
			if !strings.EqualFold(h.Name, name) || h.Class != dns.ClassINET {
				continue
			}
			if c, ok := rr.(*dns.CNAME); ok {
				next = strings.ToLower(c.Target)
			} else if h.Rrtype == qtype {
				found = append(found, rr)
			}
		}
		if len(found) > 0 || next == "" {
			return found, name
		}
		name = next
	}
	return nil, name
}

// exchange asks the servers in turn until one gives an answer: NOERROR or
// NXDOMAIN.
func (r *Resolver) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, *Error) {
	servers, timeout := r.upstream()
	worst := &Error{Kind: KindUnreachable, Detail: "no name server is known"}
	for round := range rounds {
		for i, server := range servers {
			if ctx.Err() != nil {
				return nil, &Error{Kind: KindCancelled, Server: server, Err: context.Cause(ctx)}
			}
			answer, failure := exchangeWith(ctx, server, name, qtype, timeout)
			if failure == nil {
				// Somebody else's validation counts only where nobody can have
				// changed the answer since. RFC 4035 §4.9.3.
				answer.AuthenticatedData = answer.AuthenticatedData && onLoopback(server)
				return answer, nil
			}
			if failure.telling() > worst.telling() || round == 0 && i == 0 {
				worst = failure
			}
		}
	}
	if ctx.Err() != nil && worst.Kind != KindServerFailure {
		worst.Kind, worst.Err = KindCancelled, context.Cause(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			worst.Kind = KindTimeout
		}
	}
	return nil, worst
}

// exchangeWith asks one server: by UDP, by TCP where the answer was truncated,
// without EDNS where the server does not know it.
func exchangeWith(ctx context.Context, server, name string, qtype uint16, timeout time.Duration) (*dns.Msg, *Error) {
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.SetEdns0(ednsSize, false)
	q.AuthenticatedData = true // asks whether the server has validated the answer. RFC 6840 §5.7
	answer, err := roundTrip(ctx, "udp", server, q, timeout)
	if err == nil && (answer.Rcode == dns.RcodeFormatError || answer.Rcode == dns.RcodeNotImplemented) {
		q.Extra = nil // RFC 6891 §7: an old server
		answer, err = roundTrip(ctx, "udp", server, q, timeout)
	}
	if err == nil && answer.Truncated {
		answer, err = roundTrip(ctx, "tcp", server, q, timeout)
	}
	if err != nil {
		return nil, &Error{Kind: networkKind(err), Server: server, Err: err}
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, &Error{Kind: KindServerFailure, Server: server, Detail: dns.RcodeToString[answer.Rcode]}
	}
	return answer, nil
}

// onLoopback reports whether a server, an address with port, is on this machine.
func onLoopback(server string) bool {
	a, err := netip.ParseAddrPort(server)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

var errOtherQuestion = errors.New("the answer is to another question")

// roundTrip sends q and waits for its answer, no longer than timeout or ctx. Each
// question has a socket of its own, and so a port that cannot be guessed. RFC
// 5452 §9.
func roundTrip(ctx context.Context, network, server string, q *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := dns.Client{Net: network, Timeout: timeout}
	answer, _, err := c.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn})
	if err != nil {
		return nil, err
	}
	if len(answer.Question) != 1 || !strings.EqualFold(answer.Question[0].Name, q.Question[0].Name) || answer.Question[0].Qtype != q.Question[0].Qtype {
		if answer.Rcode == dns.RcodeFormatError && len(answer.Question) == 0 {
			return answer, nil // a server that could not read the question cannot repeat it
		}
		return nil, errOtherQuestion
	}
	return answer, nil
}

// networkKind tells silence from a server that is not there. What is neither is
// rubbish in place of an answer.
func networkKind(err error) Kind {
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return KindTimeout
	case errors.Is(err, context.Canceled):
		return KindCancelled
	case errors.As(err, &op):
		return KindUnreachable
	}
	return KindServerFailure
}
