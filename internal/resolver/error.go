package resolver

import (
	"errors"
	"fmt"
	"net"
)

// Kind is how a look-up failed. Each is an error, for errors.Is.
type Kind string

// The kinds of failure.
const (
	KindBadName       Kind = "not a domain name"                   // could not be asked for
	KindNoName        Kind = "no such name"                        // NXDOMAIN
	KindNoData        Kind = "the name has no record of this kind" // the name exists; RFC 2308 §2.2
	KindNullMX        Kind = "the domain takes no mail (null MX)"  // RFC 7505
	KindNotOffered    Kind = "the service is not offered"          // an SRV record with target "."; RFC 2782
	KindServerFailure Kind = "the name server could not answer"    // SERVFAIL, REFUSED and the like
	KindTimeout       Kind = "the name server did not answer"      //
	KindUnreachable   Kind = "the name server cannot be reached"   // refused, no route, no server known
	KindCancelled     Kind = "the look-up was given up"            // the caller's context ended
)

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// Definite reports whether asking again cannot help until somebody changes the
// DNS.
func (k Kind) Definite() bool {
	switch k {
	case KindBadName, KindNoName, KindNoData, KindNullMX, KindNotOffered:
		return true
	}
	return false
}

// Error is a look-up that failed.
type Error struct {
	Name   string // as asked for
	Type   string // "MX", "A/AAAA", "SRV"
	Kind   Kind
	Server string // the server that said so, or the last one tried; "" when none was asked
	Detail string // the response code, such as "SERVFAIL", or ""
	Err    error  // the underlying error, if any
}

// Error returns what was looked up, where, and what came of it.
func (e *Error) Error() string {
	s := fmt.Sprintf("look up %s of %s: %s", e.Type, e.Name, string(e.Kind))
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Server != "" {
		s += " [" + e.Server + "]"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the kind and the underlying error.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// As sets a **net.DNSError, so that callers who know nothing of this package
// see what the standard library would have told them.
func (e *Error) As(target any) bool {
	t, ok := target.(**net.DNSError)
	if !ok {
		return false
	}
	*t = &net.DNSError{
		Err: string(e.Kind), Name: e.Name, Server: e.Server,
		IsNotFound:  e.Kind == KindNoName || e.Kind == KindNoData,
		IsTimeout:   e.Kind == KindTimeout,
		IsTemporary: !e.Kind.Definite(),
	}
	return true
}

// KindOf returns the kind of the first *Error in err's chain, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// telling ranks failures by how much they say; the highest of several servers is
// returned.
func (e *Error) telling() int {
	switch e.Kind {
	case KindServerFailure:
		return 3
	case KindTimeout:
		return 2
	case KindUnreachable:
		return 1
	}
	return 0
}
