package smtpclient

import (
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// maxExtensions bounds what is kept of an EHLO reply, in lines.
const maxExtensions = 64

// Extensions is what a server offers in its reply to EHLO. RFC 5321 §4.1.1.1.
type Extensions struct {
	Pipelining   bool     // RFC 2920
	EightBitMIME bool     // RFC 6152
	SMTPUTF8     bool     // RFC 6531
	DSN          bool     // RFC 3461
	StartTLS     bool     // RFC 3207
	Size         bool     // RFC 1870
	MaxSize      int64    // octets; 0: no limit was said
	Auth         []string // SASL mechanisms in upper case; RFC 4954
	MaxRcpt      int      // recipients of one transaction; 0: no limit was said; RFC 9422
	MaxMail      int      // transactions of one connection; 0: no limit was said; RFC 9422
	Lines        []string // the lines after the first, printable, bounded
}

// parseExtensions reads a reply to EHLO. Unknown keywords and broken parameters
// are passed over.
func parseExtensions(r smtp.Reply) Extensions {
	var e Extensions
	for i, l := range r.Lines {
		if i == 0 {
			continue // the greeting
		}
		if len(e.Lines) < maxExtensions {
			e.Lines = append(e.Lines, evidence.Clip(evidence.Printable(l), maxRecordedLine))
		}
		e.add(l)
	}
	return e
}

func (e *Extensions) add(line string) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return
	}
	keyword, params := strings.ToUpper(fields[0]), fields[1:]
	switch {
	case keyword == "PIPELINING":
		e.Pipelining = true
	case keyword == "8BITMIME":
		e.EightBitMIME = true
	case keyword == "SMTPUTF8":
		e.SMTPUTF8 = true
	case keyword == "DSN":
		e.DSN = true
	case keyword == "STARTTLS":
		e.StartTLS = true
	case keyword == "SIZE":
		e.Size = true
		if len(params) > 0 {
			if n, err := strconv.ParseInt(params[0], 10, 64); err == nil && n > 0 {
				e.MaxSize = n
			}
		}
	case keyword == "AUTH":
		e.addAuth(params)
	case strings.HasPrefix(keyword, "AUTH="): // before RFC 2554, and still written by some beside AUTH
		e.addAuth(append([]string{keyword[len("AUTH="):]}, params...))
	case keyword == "LIMITS":
		e.addLimits(params)
	}
}

func (e *Extensions) addAuth(mechanisms []string) {
	for _, m := range mechanisms {
		if m = strings.ToUpper(m); m != "" && !e.offers(m) && len(e.Auth) < maxExtensions {
			e.Auth = append(e.Auth, m)
		}
	}
}

func (e *Extensions) addLimits(limits []string) {
	for _, l := range limits {
		name, value, _ := strings.Cut(l, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			continue
		}
		switch strings.ToUpper(name) {
		case "RCPTMAX":
			e.MaxRcpt = n
		case "MAILMAX":
			e.MaxMail = n
		}
	}
}

// offers reports whether the server offers the SASL mechanism.
func (e *Extensions) offers(mechanism string) bool {
	for _, m := range e.Auth {
		if m == mechanism {
			return true
		}
	}
	return false
}
