package explain

import (
	"strings"

	"github.com/wellsent/wellsent/internal/cause"
)

// retry says whether sending again helps, given the cause and the reply it was
// read from; code is 0 when there was none, and flat the text in lower case.
//
// The catalogue has the default. A 4yz reply says that the server may think
// otherwise later, which is believed except where time alone cures nothing; some
// 5yz replies say that it will not.
func retry(c *cause.Cause, code int, flat string) cause.Retry {
	switch {
	case strings.Contains(flat, "retrying will not succeed"):
		return cause.RetryNo
	case code >= 400 && code < 500 && c.Retry == cause.RetryNo:
		if lasting(c.ID, flat) {
			return cause.RetryNo
		}
		return cause.RetryLater
	case code >= 500 && code < 600 && (c.ID == "reputation.low" || c.ID == "tls.delivery-policy"):
		return cause.RetryNo
	}
	return c.Retry
}

// lasting reports whether waiting cures nothing, whatever the digits.
func lasting(id cause.ID, flat string) bool {
	switch id.Family() {
	case "tls", "auth", "relay", "account", "message":
		for _, w := range passing {
			if strings.Contains(flat, w) {
				return false
			}
		}
		return true
	}
	return id == "sender.not-verified" || id == "recipient.too-many"
}

// passing are words for "temporarily".
var passing = []string{"temporarily", "临时", "暂时", "vorübergehend", "temporairement", "temporalmente", "temporariamente", "temporaneamente", "tijdelijk", "временно", "一時的"}
