package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

// retry says whether sending again helps, given the cause and the reply it was
// read from; code is 0 when there was none.
//
// The catalogue has the default. A 4yz reply says that the server may think
// otherwise later, which is believed except where time alone cures nothing; a 5yz
// reply says it will not.
func retry(c *cause.Cause, code int, text string) cause.Retry {
	switch {
	case code >= 400 && code < 500 && c.Retry == cause.RetryNo:
		if lasting(c.ID, strings.ToLower(text)) {
			return cause.RetryNo
		}
		return cause.RetryLater
	case code >= 500 && code < 600 && (c.ID == "reputation.low" || c.ID == "tls.delivery-policy"):
		return cause.RetryNo
	}
	return c.Retry
}

// lasting reports whether waiting cures nothing, whatever the digits. lower is
// the text in lower case.
func lasting(id cause.ID, lower string) bool {
	if strings.Contains(lower, "will not succeed") {
		return true
	}
	switch id.Family() {
	case "tls", "auth", "relay", "account", "message":
		return !strings.Contains(lower, "temporarily")
	}
	return id == "sender.not-verified" || id == "recipient.too-many"
}
