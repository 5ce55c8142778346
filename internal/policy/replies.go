package policy

import (
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/wellsent/wellsent/internal/smtp"
)

// The replies of refusals. All are permanent: sending again unchanged cannot help.
// Each says what was wrong and what to do, in words for the person who sends.

// 553 5.7.1: no right to this reverse-path. RFC 6409 §6.1, 3463 §3.8.
func reversePathNotOwned(s Sender, from smtp.Path) *smtp.Reply {
	return reply(553, 7, 1, "Sender address rejected: "+printable(string(from))+" is not owned by "+s.who()+".", s.advice())
}

// 553 5.1.7: the reverse-path has no domain. RFC 5321 §4.1.2, 3463 §3.2.
func senderNeedsDomain(from smtp.Path) *smtp.Reply {
	return reply(553, 1, 7, "Sender address rejected: "+printable(string(from))+" has no domain.", "Set the sender to a full address, such as name@example.org")
}

// 550 5.7.1: no right to an address in From. RFC 6409 §6.1, 3463 §3.8.
func fromNotOwned(s Sender, address smtp.Path) *smtp.Reply {
	return reply(550, 7, 1, "From address rejected: "+printable(string(address))+" is not owned by "+s.who()+".", s.advice())
}

// 550 5.6.0: From cannot be read. RFC 5322 §3.6.2, 3463 §3.7.
func fromNotUnderstood() *smtp.Reply {
	return reply(550, 6, 0, "The From field of the message has no address that can be read.", "Write it as: From: Name <name@example.org>")
}

// 554 5.4.6: the message goes in circles. RFC 5321 §6.3, 3463 §3.5.
func tooManyHops(n int) *smtp.Reply {
	return reply(554, 4, 6, "Mail loop: the message has made "+strconv.Itoa(n)+" hops.", "Look in its Received fields for two servers that send it to each other")
}

// 552 5.3.4: the header section alone is too large. RFC 3463 §3.4.
func headerTooLarge() *smtp.Reply {
	return reply(552, 3, 4, fmt.Sprintf("The header section of the message is larger than %d KiB", MaxHeader>>10))
}

func reply(code, subject, detail int, lines ...string) *smtp.Reply {
	r := smtp.NewReply(code, subject, detail, lines...)
	return &r
}

func (s Sender) who() string {
	if s.Account == "" {
		return "this host"
	}
	return "user " + printable(s.Account)
}

// shownPatterns is how many patterns a reply lists: enough for a person, and few
// enough for the 512 octets of a reply line. RFC 5321 §4.5.3.1.5.
const shownPatterns = 3

func (s Sender) advice() string {
	if len(s.Patterns) == 0 {
		return "This account may not send as any address; ask the administrator to give it one"
	}
	var shown []string
	for _, p := range s.Patterns[:min(len(s.Patterns), shownPatterns)] {
		shown = append(shown, printable(p))
	}
	if n := len(s.Patterns) - shownPatterns; n > 0 {
		shown = append(shown, "and "+strconv.Itoa(n)+" more")
	}
	return "Send as " + strings.Join(shown, ", ") + ", or ask the administrator to add the address"
}

// printable returns s fit for a reply: ASCII without control characters, and not
// longer than 120 octets. RFC 5321 §4.2.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if b.Len() >= 120 {
			b.WriteString("...")
			break
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// anyCharset lets names in any character set pass: only addresses matter here.
var anyCharset = mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
