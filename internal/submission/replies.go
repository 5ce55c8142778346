package submission

import (
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
	"github.com/wellsent/wellsent/internal/spool"
)

// The replies of this package. Those about who may send as whom are policy's.
var (
	// Wrong name or password; which of the two is not said. RFC 4954 §6.
	credentialsRejected = smtp.NewReply(535, 7, 8, "Authentication credentials invalid: user name or password is wrong")
	// The token; why was said in the challenge before. RFC 7628 §3.2.3.
	tokenRefused = smtp.NewReply(535, 7, 8, "Authentication credentials invalid: the access token is not accepted")
	// The client does not speak its mechanism. RFC 4954 §4.
	loginMalformed = smtp.NewReply(501, 5, 2, "The login data is not well-formed")
	// Too many wrong passwords before. RFC 4954 §6.
	slowDown = smtp.NewReply(454, 7, 0, "Too many failed logins; wait some minutes, then check the password and try again")
	// Too many logins at once, or the accounts cannot be read. RFC 4954 §6.
	authUnavailable = smtp.NewReply(454, 7, 0, "Temporary authentication failure; try again later")
	// The accounts cannot be read after login. RFC 3463 §3.4.
	accountsUnreadable = smtp.NewReply(451, 3, 0, "The accounts cannot be read at the moment; try again later")
	// The account was removed after it logged in. RFC 6409 §6.1.
	accountGone = smtp.NewReply(550, 7, 1, "This account may not send any more; ask the administrator")
	// The device was taken out of the configuration while it was connected. RFC 5321 §3.8.
	deviceGone = smtp.NewReply(421, 3, 0, "The configuration has changed; connect again")
	// Below the floor of free space. RFC 5321 §4.2.3, 3463 §3.4.
	spoolFull = smtp.NewReply(452, 3, 1, "Not enough room to keep the message; try again later")
	// The spool is closed, or a write has failed. RFC 5321 §3.8.
	spoolBroken = smtp.NewReply(421, 3, 0, "Service not available; try again later")
	// Any other failure to keep the message. RFC 5321 §4.2.3.
	cannotStore = smtp.NewReply(451, 3, 0, "The message could not be kept; try again later")
)

// queued is the answer to a message that is kept. RFC 5321 §4.2.5.
func queued(id spool.QueueID) smtp.Reply {
	return smtp.NewReply(250, 0, 0, "Ok: queued as "+string(id))
}

// noSuchLocalName refuses a recipient without a domain. RFC 3463 §3.2.
func noSuchLocalName(p smtp.Path) *smtp.Reply {
	r := smtp.NewReply(550, 1, 1, "Recipient address rejected: "+shown(p)+" has no domain and is no local name.",
		"Write the full address, such as name@example.org, or have the name added under [aliases]")
	return &r
}

// noRoute refuses a recipient that no route takes. RFC 3463 §3.5.
func noRoute(p smtp.Path) *smtp.Reply {
	r := smtp.NewReply(550, 4, 4, "Recipient address rejected: this server has no route for mail to "+shown(smtp.Path(p.Domain()))+".",
		"The administrator can add a [[route]] whose recipients cover it, and whose senders do where it names any")
	return &r
}

// noLiterals refuses an address such as ann@[192.0.2.1], which could make us speak
// to any host. RFC 5321 §4.1.3, 3463 §3.2.
func noLiterals(p smtp.Path) *smtp.Reply {
	r := smtp.NewReply(550, 1, 2, "Recipient address rejected: "+shown(p)+" names a host by its address.",
		"Write the domain of the recipient")
	return &r
}

// shown returns what the client gave, fit for a reply line. RFC 5321 §4.2.
func shown(p smtp.Path) string {
	const longest = 120
	s := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, string(p))
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return s
}
