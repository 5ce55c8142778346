package smtp

import (
	"crypto/tls"
	"net/netip"
	"strings"
)

// BodyType is the value of the BODY parameter of MAIL. RFC 6152.
type BodyType string

// The body types that are offered. BINARYMIME is not.
const (
	Body7Bit     BodyType = "7BIT"
	Body8BitMIME BodyType = "8BITMIME"
)

// DSNReturn is the value of the RET parameter of MAIL. RFC 3461 §4.3.
type DSNReturn string

// The values of RET; the empty value means that it was not given.
const (
	ReturnFull    DSNReturn = "FULL"
	ReturnHeaders DSNReturn = "HDRS"
)

// Notify is the value of the NOTIFY parameter of RCPT, a set. The zero value
// means that it was not given, which asks for failure and, as servers may
// choose, delay. RFC 3461 §4.1.
type Notify uint8

// The members of NOTIFY. NEVER stands alone.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// String returns the value as it stands on the wire, "" when not given.
func (n Notify) String() string {
	var parts []string
	for _, p := range []struct {
		bit  Notify
		word string
	}{{NotifyNever, "NEVER"}, {NotifySuccess, "SUCCESS"}, {NotifyFailure, "FAILURE"}, {NotifyDelay, "DELAY"}} {
		if n&p.bit != 0 {
			parts = append(parts, p.word)
		}
	}
	return strings.Join(parts, ",")
}

// WantsFailure reports whether a failure is to be notified.
func (n Notify) WantsFailure() bool { return n == 0 || n&NotifyFailure != 0 }

// WantsDelay reports whether a delay is to be notified.
func (n Notify) WantsDelay() bool { return n == 0 || n&NotifyDelay != 0 }

// WantsSuccess reports whether delivery or relaying is to be notified.
func (n Notify) WantsSuccess() bool { return n&NotifySuccess != 0 }

// MailParams are the parameters of MAIL. Zero values mean "not given".
type MailParams struct {
	Size       int64     // octets as declared, SIZE; RFC 1870
	Body       BodyType  // BODY; RFC 6152
	SMTPUTF8   bool      // SMTPUTF8; RFC 6531
	Return     DSNReturn // RET; RFC 3461 §4.3
	EnvelopeID string    // ENVID, decoded from xtext; RFC 3461 §4.4
	Auth       string    // AUTH, decoded from xtext; RFC 4954 §5
}

// RcptParams are the parameters of RCPT. Zero values mean "not given".
type RcptParams struct {
	Notify            Notify // NOTIFY; RFC 3461 §4.1
	OriginalRecipient string // ORCPT with its address type, decoded: "rfc822;ann@example.org"; RFC 3461 §4.2
}

// Recipient is one accepted RCPT of a mail transaction.
type Recipient struct {
	Path   Path
	Params RcptParams
}

// ListenerKind is what a listener is for; it decides which checks apply.
type ListenerKind string

// The kinds of listener.
const (
	KindSubmission  ListenerKind = "submission"  // STARTTLS, then AUTH, then mail; RFC 6409
	KindSubmissions ListenerKind = "submissions" // TLS at once, then AUTH, then mail; RFC 8314 §3.3
	KindRelay       ListenerKind = "relay"       // hosts named by address
	KindDevice      ListenerKind = "device"      // like relay, with named leniencies for old devices
	KindUnix        ListenerKind = "unix"        // local users
)

// Client is what a server knows of the peer of one session.
type Client struct {
	SessionID string               // appears in log lines and in the text of some replies
	Listener  string               // the listener's address as configured
	Kind      ListenerKind         // the listener's kind
	Addr      netip.AddrPort       // the client's address
	Local     netip.AddrPort       // the address it connected to
	Via       netip.AddrPort       // the peer that has told Addr and Local, by PROXY or XCLIENT; zero: the client is the peer
	Name      string               // the argument of EHLO or HELO, as given; "" before
	ESMTP     bool                 // greeted with EHLO
	TLS       *tls.ConnectionState // nil: the connection is in clear text
	Account   string               // the authenticated account; "" when none
	Device    string               // the name of the device it is; "" for none
	Mechanism string               // the SASL mechanism used or being used; "" when none

	Certificate []byte   // DER of our certificate as shown to it; nil: clear text
	Mechanisms  []string // what it was offered at its last EHLO
}

// Transaction is the mail transaction in hand. RFC 5321 §3.3.
type Transaction struct {
	Client     *Client
	From       Path
	Params     MailParams
	Recipients []Recipient
}
