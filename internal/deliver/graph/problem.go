package graph

import (
	"net/http"

	"github.com/wellsent/wellsent/internal/deliver/api"
	"github.com/wellsent/wellsent/internal/evidence"
)

// judge says what a refusal is in the terms of SMTP. It is a ladder: codes that
// mean one thing, then what the status says. commit says that the request was the
// one that sends.
func judge(p api.Problem, commit bool) api.Verdict {
	const (
		auth, mail, rcpt, data = evidence.StageAuth, evidence.StageMail, evidence.StageRcpt, evidence.StageData
		route, host            = evidence.ScopeRoute, evidence.ScopeHost
		sender, message        = evidence.ScopeSender, evidence.ScopeMessage
	)
	switch {
	case p.Status == http.StatusTooManyRequests, p.Is("ApplicationThrottled", "TooManyRequests", "ErrorTooManyRequests", "MailboxConcurrency", "RequestThrottled", "ErrorExceededConnectionCount"):
		return api.Verdict{Code: 451, Subject: 4, Detail: 5, Stage: data, Scope: host}
	case p.Is("ErrorSubmissionQuotaExceeded", "ErrorExceededMessageLimit", "ErrorQuotaExceeded", "ErrorMailboxQuotaExceeded"):
		return api.Verdict{Code: 452, Subject: 2, Detail: 2, Stage: data, Scope: host}
	case p.Is("ErrorSendAsDenied", "ErrorSendOnBehalfOfDenied"):
		return api.Verdict{Code: 550, Subject: 7, Detail: 60, Stage: mail, Scope: sender}
	case p.Is("ErrorAccountSuspend", "ErrorAccountSuspendShowTierUpgrade", "ErrorOutboundSpam"):
		return api.Verdict{Code: 550, Subject: 7, Detail: 501, Stage: mail, Scope: sender}
	case p.Status == http.StatusRequestEntityTooLarge, p.Is("ErrorMessageSizeExceeded", "ErrorAttachmentSizeLimitExceeded", "ErrorMimeContentTooLarge", "RequestBodyTooLarge"):
		return api.Verdict{Code: 552, Subject: 3, Detail: 4, Stage: data, Scope: message}
	case p.Is("ErrorTooManyRecipients", "TooManyRecipients", "ErrorRecipientLimitExceeded"):
		return api.Verdict{Code: 452, Subject: 5, Detail: 3, Stage: rcpt, Scope: message}
	case p.Is("ErrorInvalidRecipients", "ErrorInvalidSmtpAddress", "ErrorMissingRecipients"):
		return api.Verdict{Code: 550, Subject: 1, Detail: 3, Stage: rcpt, Scope: message}
	case p.Is("ErrorItemNotFound"):
		return api.Verdict{Code: 451, Subject: 3, Detail: 0, Stage: data, Scope: host} // a draft that somebody has deleted
	case p.Status == http.StatusUnauthorized:
		return api.Verdict{Code: 535, Subject: 7, Detail: 8, Stage: auth, Scope: route}
	case p.Status == http.StatusForbidden, p.Status == http.StatusNotFound, p.Is("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "ErrorInvalidUser"):
		return api.Verdict{Code: 550, Subject: 7, Detail: 1, Stage: auth, Scope: route}
	case commit && (p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout):
		return api.Verdict{Unsure: true} // of a gateway: what is behind it may have taken the message
	case p.Status == http.StatusServiceUnavailable:
		return api.Verdict{Code: 451, Subject: 3, Detail: 2, Stage: evidence.StageGreeting, Scope: host} // nothing was looked at yet
	case p.Status >= 500, p.Status == http.StatusConflict, p.Status == http.StatusRequestTimeout, p.Status == http.StatusLocked:
		return api.Verdict{Code: 451, Subject: 3, Detail: 0, Stage: data, Scope: host}
	case p.Status == http.StatusMethodNotAllowed, p.Status < 400:
		return api.Verdict{Code: 451, Subject: 3, Detail: 5, Stage: auth, Scope: route} // whoever answers is not Graph
	}
	return api.Verdict{Code: 554, Subject: 6, Detail: 0, Stage: data, Scope: message}
}
