package dsn

import (
	"strings"
	"time"

	"github.com/wellsent/wellsent/internal/smtp"
)

// status returns the part for programs. RFC 3464 §2.1.
func (r *Report) status() part {
	p := part{contentType: "message/delivery-status", description: "Delivery report"}
	global := r.global()
	if global {
		p.contentType, p.encoding = "message/global-delivery-status", "8bit" // RFC 6533 §4
	}
	ascii := !global
	p.body = appendField(p.body, "Reporting-MTA", "dns; "+oneLine(r.ReportingMTA, ascii))
	// The value is what ENVID stood for, not its xtext. RFC 3461 §6.3; ENVID is
	// checked to be printable where it comes in.
	p.body = appendField(p.body, "Original-Envelope-Id", oneLine(r.EnvelopeID, ascii))
	p.body = appendDate(p.body, "Arrival-Date", r.Arrival)
	p.body = appendField(p.body, "X-Wellsent-Queue-ID", oneLine(r.QueueID, true))
	for i := range r.Recipients {
		p.body = append(p.body, "\r\n"...)
		p.body = r.Recipients[i].appendStatus(p.body, global)
	}
	return p
}

// appendStatus appends the fields of one recipient. RFC 3464 §2.3.
func (x *Recipient) appendStatus(b []byte, global bool) []byte {
	ascii := !global
	if kind, address, ok := strings.Cut(x.Original, ";"); ok {
		b = appendField(b, "Original-Recipient", typedAddress(kind, address, global))
	}
	b = appendField(b, "Final-Recipient", typedAddress("rfc822", x.Final, global))
	b = appendField(b, "Action", oneLine(string(x.Action), true))
	b = appendField(b, "Status", x.code().String())
	if host, _, _ := strings.Cut(oneLine(x.RemoteMTA, ascii), " "); host != "" {
		b = appendField(b, "Remote-MTA", "dns; "+host)
	}
	if d := oneLine(x.Diagnostic, ascii); d != "" {
		kind := "X-Wellsent" // words of ours; RFC 3464 §2.1.2 keeps "smtp" for replies
		if _, err := smtp.ParseReply(d); err == nil {
			kind = "smtp"
		}
		b = appendField(b, "Diagnostic-Code", kind+"; "+d)
	}
	b = appendDate(b, "Last-Attempt-Date", x.LastAttempt)
	if x.Action == Delayed {
		b = appendDate(b, "Will-Retry-Until", x.WillRetryUntil)
	}
	return appendField(b, "X-Wellsent-Cause", oneLine(x.CauseID, true))
}

// code returns the status, whose class must agree with the action. RFC 3464
// §2.3.4.
func (x *Recipient) code() smtp.EnhancedCode {
	code := x.Status
	switch x.Action {
	case Failed:
		code.Class = 5
	case Delayed:
		code.Class = 4
	default:
		code.Class = 2
	}
	return code
}

// typedAddress returns "type; address". An address beyond ASCII has the type
// utf-8, and outside of global types its escaped form. RFC 6533 §3.
func typedAddress(kind, address string, global bool) string {
	kind, address = strings.ToLower(oneLine(kind, true)), oneLine(address, false)
	switch {
	case isASCII(address) && kind != "utf-8":
	case global:
		kind = "utf-8"
	default:
		kind, address = "utf-8", utf8Escapes(utf8Unescapes(address))
	}
	return kind + "; " + address
}

func appendDate(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendField(b, name, t.Format(dateLayout))
}
