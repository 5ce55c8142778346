package gmail

import (
	"net/http"
	"strings"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
)

// judge says what a refusal is in the terms of SMTP. It is a ladder: reasons that
// mean one thing, then what the status says. commit says that the request was the
// one that sends.
func judge(p api.Problem, commit bool) api.Verdict {
	const (
		auth, rcpt, data = evidence.StageAuth, evidence.StageRcpt, evidence.StageData
		route, host      = evidence.ScopeRoute, evidence.ScopeHost
		message          = evidence.ScopeMessage
	)
	switch {
	case p.Is("dailyLimitExceeded", "quotaExceeded"), strings.Contains(p.Message, "(Mail sending)"):
		return api.Verdict{Code: 452, Subject: 4, Detail: 5, Stage: data, Scope: host}
	case p.Status == http.StatusTooManyRequests, p.Is("rateLimitExceeded", "userRateLimitExceeded", "concurrentLimitExceeded", "RATE_LIMIT_EXCEEDED"):
		return api.Verdict{Code: 451, Subject: 4, Detail: 5, Stage: data, Scope: host}
	case p.Status == http.StatusUnauthorized:
		return api.Verdict{Code: 535, Subject: 7, Detail: 8, Stage: auth, Scope: route}
	case p.Status == http.StatusForbidden, p.Status == http.StatusNotFound, p.Is("failedPrecondition", "FAILED_PRECONDITION"):
		return api.Verdict{Code: 550, Subject: 7, Detail: 1, Stage: auth, Scope: route}
	case p.Status == http.StatusRequestEntityTooLarge, p.Is("uploadTooLarge", "mediaTooLarge"):
		return api.Verdict{Code: 552, Subject: 3, Detail: 4, Stage: data, Scope: message}
	case p.Status == http.StatusBadRequest && aboutRecipients(p.Message):
		return api.Verdict{Code: 550, Subject: 1, Detail: 3, Stage: rcpt, Scope: message}
	case commit && (p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout):
		return api.Verdict{Unsure: true} // of a gateway: what is behind it may have taken the message
	case p.Status == http.StatusServiceUnavailable:
		return api.Verdict{Code: 451, Subject: 3, Detail: 2, Stage: evidence.StageGreeting, Scope: host} // nothing was looked at yet
	case p.Status >= 500, p.Status == http.StatusConflict, p.Status == http.StatusRequestTimeout, p.Status == http.StatusGone:
		return api.Verdict{Code: 451, Subject: 3, Detail: 0, Stage: data, Scope: host}
	case p.Status == http.StatusMethodNotAllowed, p.Status < 400:
		return api.Verdict{Code: 451, Subject: 3, Detail: 5, Stage: auth, Scope: route} // whoever answers is not Gmail
	}
	return api.Verdict{Code: 554, Subject: 6, Detail: 0, Stage: data, Scope: message}
}

// aboutRecipients reports the words of a refusal for an address: Gmail has one
// reason, invalidArgument, for whatever is wrong with a message.
func aboutRecipients(words string) bool {
	words = strings.ToLower(words)
	for _, w := range []string{"invalid to header", "invalid cc header", "invalid bcc header", "recipient address"} {
		if strings.Contains(words, w) {
			return true
		}
	}
	return false
}
