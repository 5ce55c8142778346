package provider

import (
	"slices"
	"strings"
)

// Role is what a host is for.
type Role string

// The roles.
const (
	RoleOutgoing Role = "outgoing" // takes mail of users. RFC 6409
	RoleIncoming Role = "incoming" // gives mail out: IMAP, POP
	RoleMX       Role = "mx"       // takes mail for its own domains. RFC 5321 §5.1
	RoleWeb      Role = "web"      // serves browsers
	RoleUnknown  Role = ""
)

// Roles are hinted at by the first label of a host's name, digits at its end left
// aside. It is a hint only:
// mx.freenet.de is an outgoing server.
var roleLabels = map[Role][]string{
	RoleOutgoing: {"smtp", "smtps", "asmtp", "smtpauth", "smtpauths", "smtp-auth", "smtp-relay", "smtprelay", "smtpout", "securesmtp",
		"out", "outgoing", "outbound", "mailout", "send", "submission", "msa", "relay"},
	RoleIncoming: {"imap", "imaps", "imapmail", "imap-mail", "secureimap", "pop", "pops", "pop3s", "popmail", "pop-mail",
		"securepop", "in", "incoming", "inbound", "mailin"},
	RoleMX:  {"mx", "aspmx", "mxs"},
	RoleWeb: {"www", "web", "webmail", "owa", "exchange", "autodiscover", "autoconfig", "portal", "admin"},
}

// RoleOf returns the role of a host: as its provider uses it, and then known is
// true, or as its name suggests. The name of a host with several roles is
// outgoing if that is one of them.
func RoleOf(host string) (role Role, known bool) {
	host = clean(host)
	if uses := ByHost(host); len(uses) > 0 {
		return uses[0].Role, true
	}
	if r, ok := ByRetired(host); ok {
		if r.Protocol == "smtp" {
			return RoleOutgoing, true
		}
		return RoleIncoming, true
	}
	label, rest, ok := strings.Cut(host, ".")
	if !ok || !strings.Contains(rest, ".") {
		return RoleUnknown, false
	}
	label = strings.TrimRight(label, "0123456789")
	for role, labels := range roleLabels {
		if slices.Contains(labels, label) {
			return role, false
		}
	}
	return RoleUnknown, false
}
