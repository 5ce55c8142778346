package explain

import (
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
)

// TestText_OwnReplies: what Wellsent's own server refuses is named as it is meant.
func TestText_OwnReplies(t *testing.T) {
	for reply, want := range map[string]cause.ID{
		"553 5.7.1 Sender address rejected: a@example.org is not owned by this host. Send as scan@example.org, or ask the administrator to add the address":         "sender.address-not-owned",
		"550 5.7.1 From address rejected: a@example.org is not owned by user ann@example.org. Send as ann@example.org, or ask the administrator to add the address": "sender.address-not-owned",
		"553 5.1.7 Sender address rejected: root has no domain. Set the sender to a full address, such as name@example.org":                                         "sender.address-invalid",
		"452 4.3.1 Not enough room to keep the message; try again later":                                                                                            "server.insufficient-storage",
		"554 5.7.1 Your address may not use this server":                                                                                                            "relay.denied",
		"550-5.7.1 Relaying denied: everybody seems to come from 172.17.0.1, a gateway, so this address proves nothing.":                                            "relay.denied",
		"501 5.7.0 Login cancelled":                                                                                                 "auth.malformed-exchange",
		"504 5.5.4 This login mechanism is not offered":                                                                             "auth.no-shared-mechanism",
		"503 5.5.1 Login is not offered on this listener":                                                                           "auth.not-offered",
		"538 5.7.11 Login needs encryption: say STARTTLS first":                                                                     "auth.encryption-required",
		"530 5.7.0 Authentication required":                                                                                         "auth.required",
		"535 5.7.8 Authentication credentials invalid: user name or password is wrong":                                              "auth.credentials-rejected",
		"535 5.7.8 Authentication credentials invalid: the access token is not accepted":                                            "auth.oauth-token-rejected",
		"454 4.7.0 Too many failed logins; wait some minutes, then check the password and try again":                                "auth.too-many-logins",
		"550 5.7.1 This account may not send any more; ask the administrator":                                                       "account.sending-disabled",
		"421 4.7.0 This is a mail server (SMTP), not a web server":                                                                  "service.wrong-protocol-http",
		"421 4.7.0 Your address must begin with a PROXY header, which is missing or malformed":                                      "server.misconfigured",
		"500 5.5.2 A line must end in CRLF, not in a lone CR or LF":                                                                 "message.bare-lf",
		"552 5.3.4 Message too large: at most 35 MiB are taken here":                                                                "message.too-large",
		"554 5.4.6 Mail loop: the message has made 50 hops. Look in its Received fields for two servers that send it to each other": "routing.loop",
		"550 5.4.4 Recipient address rejected: this server has no route for mail to example.net.":                                   "server.misconfigured",
	} {
		got := Text(reply, Facts{})
		if len(got) != 1 || got[0].Cause != want {
			t.Errorf("%s:\n%+v, want %s", reply, got, want)
		}
	}
}
