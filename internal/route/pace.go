package route

import (
	"strings"

	"github.com/wellsent/wellsent/internal/provider"
)

// Pace bounds what a route may be given. Zero values mean no bound. What a
// message may weigh is not among it: a server says that itself, with SIZE, and
// knows better than a list (RFC 1870 §4).
type Pace struct {
	Connections       int // at once
	PerMinute         int // messages in any minute
	PerHour           int // messages in any hour
	PerDay            int // messages in any 24 hours
	Recipients        int // of one message
	RecipientsPerHour int // in any hour
	RecipientsPerDay  int // in any 24 hours
}

// ProviderPace returns what the data on providers say of the first via that they
// know, and the host that they know it by; "" when they know none.
func ProviderPace(via []Via) (p Pace, host string) {
	for _, v := range via {
		host := v.limitsHost()
		if known := knownLimits(host); known != nil {
			l := &known.Limits
			return Pace{Connections: l.Connections, PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay,
				Recipients: l.Recipients, RecipientsPerHour: l.RecipientsPerHour, RecipientsPerDay: l.RecipientsPerDay}, host
		}
	}
	return Pace{}, ""
}

// knownLimits returns the provider whose outgoing server host is, if its limits
// are known; else nil.
func knownLimits(host string) *provider.Provider {
	if host == "" {
		return nil
	}
	for _, use := range provider.ByHost(host) {
		l := use.Provider.Limits
		l.MessageBytes, l.Note = 0, ""
		if use.Role == provider.RoleOutgoing && l != (provider.Limits{}) {
			return use.Provider
		}
	}
	return nil
}

// limitsHost returns the host by whose name the limits of v are known: the API of
// a provider lets one mailbox do as much as its SMTP server does, and mail for a
// withdrawn name goes to its successor.
func (v Via) limitsHost() string {
	switch v.Scheme {
	case SchemeGraph:
		return "smtp.office365.com"
	case SchemeGmail:
		return "smtp.gmail.com"
	case SchemeSMTP, SchemeSMTPS:
		if r, ok := provider.ByRetired(v.Host); ok && r.Protocol == "smtp" && r.Successor != "" {
			return r.Successor
		}
		return strings.ToLower(strings.TrimSuffix(v.Host, "."))
	}
	return ""
}

// Account names whom the bounds of r's pace are counted for: routes with one host,
// or hosts of one provider whose limits are known, and one login share one account
// there. It is "" where the next hop depends on the recipient, and in a sandbox:
// then each lane counts for itself.
func (r *Route) Account() string {
	user := strings.ToLower(r.User)
	first := ""
	for _, v := range r.Via {
		host := v.limitsHost()
		if p := knownLimits(host); p != nil && user != "" {
			return string(p.ID) + " " + user
		}
		if first == "" && host != "" {
			first = host + " " + user
		}
	}
	return first
}
