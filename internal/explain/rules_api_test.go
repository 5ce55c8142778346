package explain

import (
	"testing"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
	"github.com/wellsent/wellsent/internal/smtp"
)

// TestAPI: what Microsoft Graph and the Gmail API answer, as package api words it.
func TestAPI(t *testing.T) {
	for _, c := range []struct {
		stage  evidence.Stage
		digits int
		text   string
		want   cause.ID
	}{
		{evidence.StageAuth, 535, "HTTP 401 InvalidAuthenticationToken: Access token has expired or is not yet valid.", "auth.oauth-token-rejected"},
		{evidence.StageAuth, 535, "HTTP 401 InvalidAuthenticationToken: CompactToken parsing failed with error code: 80049217", "auth.oauth-token-rejected"},
		{evidence.StageAuth, 550, "HTTP 403 ErrorAccessDenied: Access is denied. Check credentials and try again.", "auth.oauth-scope"},
		{evidence.StageAuth, 550, "HTTP 403 Authorization_RequestDenied: Insufficient privileges to complete the operation.", "auth.oauth-scope"},
		{evidence.StageMail, 550, "HTTP 403 ErrorSendAsDenied: The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account., Cannot submit message.", "sender.send-as-denied"},
		{evidence.StageAuth, 550, "HTTP 404 MailboxNotEnabledForRESTAPI: The mailbox is either inactive, soft-deleted, or is hosted on-premise.", "auth.account-disabled"},
		{evidence.StageAuth, 550, "HTTP 404 ErrorInvalidUser: The requested user 'nobody@example.org' is invalid.", "auth.username-format"},
		{evidence.StageAuth, 550, "HTTP 404 Request_ResourceNotFound: Resource 'nobody@example.org' does not exist or one of its queried reference-property objects are not present.", "auth.username-format"},
		{evidence.StageData, 452, "HTTP 507 ErrorQuotaExceeded: The process failed to get the correct properties. The mailbox has exceeded its quota.", "limit.quota"},
		{evidence.StageData, 452, "HTTP 403 ErrorSubmissionQuotaExceeded: The message can't be submitted because the sender's submission quota was exceeded.", "limit.quota"},
		{evidence.StageData, 452, "HTTP 429 ErrorExceededMessageLimit: Cannot send mail. Follow the instructions in your Inbox to verify your account.", "limit.quota"},
		{evidence.StageData, 552, "HTTP 413 ErrorMessageSizeExceeded: The message exceeds the maximum supported size.", "message.too-large"},
		{evidence.StageData, 552, "HTTP 413: Request Entity Too Large", "message.too-large"},
		{evidence.StageRcpt, 550, "HTTP 400 ErrorInvalidRecipients: At least one recipient is not valid., Recipient 'bob' is not resolved. All recipients must be resolved before a message can be submitted.", "recipient.address-syntax"},
		{evidence.StageRcpt, 452, "HTTP 400 ErrorTooManyRecipients: The message has too many recipients.", "recipient.too-many"},
		{evidence.StageData, 451, "HTTP 429 ApplicationThrottled: Application is over its MailboxConcurrency limit.", "limit.connections"},
		{evidence.StageData, 451, "HTTP 429 TooManyRequests: Please retry again later.", "limit.rate"},
		{evidence.StageData, 451, "HTTP 429: Too Many Requests", "limit.rate"},
		{evidence.StageData, 451, "HTTP 503 ErrorServerBusy: The server cannot service this request right now. Try again later.", "server.temporary-failure"},
		{evidence.StageData, 451, "HTTP 503: Service Unavailable", "server.temporary-failure"},
		{evidence.StageData, 451, "HTTP 404 ErrorItemNotFound: The specified object was not found in the store.", "server.temporary-failure"},
		{evidence.StageData, 554, "HTTP 400 ErrorMimeContentInvalidBase64String: Invalid base64 string for MIME content.", "message.malformed"},
		{evidence.StageMail, 550, "HTTP 403 ErrorAccountSuspend: Account suspended. Follow the instructions in your Inbox to verify your account.", "account.restricted-spam"},
		{evidence.StageAuth, 535, "HTTP 401 authError: Invalid Credentials", "auth.oauth-token-rejected"},
		{evidence.StageAuth, 550, "HTTP 403 insufficientPermissions ACCESS_TOKEN_SCOPE_INSUFFICIENT: Request had insufficient authentication scopes.", "auth.oauth-scope"},
		{evidence.StageAuth, 550, "HTTP 403 accessNotConfigured SERVICE_DISABLED: Gmail API has not been used in project 1234 before or it is disabled.", "auth.oauth-scope"},
		{evidence.StageAuth, 550, "HTTP 403 domainPolicy: The domain administrators have disabled Gmail apps.", "auth.blocked-by-policy"},
		{evidence.StageData, 451, "HTTP 403 rateLimitExceeded: Rate Limit Exceeded", "limit.rate"},
		{evidence.StageData, 451, "HTTP 403 userRateLimitExceeded: User Rate Limit Exceeded", "limit.rate"},
		{evidence.StageData, 451, "HTTP 429 rateLimitExceeded: User-rate limit exceeded. Retry after 2026-11-26T14:40:03.114Z", "limit.rate"},
		{evidence.StageData, 452, "HTTP 429 rateLimitExceeded: User-rate limit exceeded. Retry after 2026-11-26T14:40:03.114Z (Mail sending)", "limit.quota"},
		{evidence.StageData, 452, "HTTP 403 dailyLimitExceeded: Daily Limit Exceeded", "limit.quota"},
		{evidence.StageAuth, 550, "HTTP 400 failedPrecondition: Mail service not enabled", "auth.account-disabled"},
		{evidence.StageAuth, 550, "HTTP 400 failedPrecondition: Precondition check failed.", "auth.account-disabled"},
		{evidence.StageRcpt, 550, "HTTP 400 invalidArgument: Invalid To header", "recipient.address-syntax"},
		{evidence.StageRcpt, 550, "HTTP 400 invalidArgument: Recipient address required", "recipient.address-syntax"},
		{evidence.StageData, 554, "HTTP 400 invalidArgument: Request contains an invalid argument.", "message.malformed"},
		{evidence.StageData, 451, "HTTP 500 backendError: Backend Error", "server.temporary-failure"},
	} {
		x := Error(&evidence.Error{Reply: smtp.NewReply(c.digits, 0, 0, c.text), Origin: evidence.OriginRemote, Stage: c.stage, Host: "graph.example.test"}, Facts{User: "ann@example.org"})
		if x.Cause != c.want || x.Why == "" || len(x.Do) == 0 {
			t.Errorf("%s\n got %s %v, want %s", c.text, x.Cause, x.Alternatives, c.want)
		}
	}
}
