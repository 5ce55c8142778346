package explain

import "github.com/wellsent/wellsent/internal/cause"

// apiRules are what Microsoft Graph and the Gmail API answer: their codes, which
// stand behind the HTTP status.
var apiRules = ruleset{
	layer: &byProvider,
	signs: []rule{
		// Microsoft Graph. https://learn.microsoft.com/graph/errors and the codes of Exchange Web Services, which it passes on.
		{id: "limit.connections", key: true, when: "mailboxconcurrency|errorexceededconnectioncount", alt: []cause.ID{"limit.rate"}, from: "Microsoft Graph"},
		{id: "limit.rate", key: true, when: "applicationthrottled|errortoomanyrequests|toomanyrequests|requestthrottled|http 429 & !(mail sending)|mailboxconcurrency|dailylimitexceeded|quotaexceeded", alt: []cause.ID{"limit.connections"}, from: "Microsoft Graph, Gmail API"},
		{id: "limit.quota", key: true, when: "errorsubmissionquotaexceeded|errorexceededmessagelimit", alt: []cause.ID{"limit.rate"}, from: "Microsoft Graph"},
		{id: "limit.quota", key: true, when: "errorquotaexceeded|errormailboxquotaexceeded", alt: []cause.ID{"account.sending-disabled"}, from: "Microsoft Graph: the sender's own mailbox is full"},
		{id: "sender.send-as-denied", key: true, when: "errorsendasdenied|errorsendonbehalfofdenied", from: "Microsoft Graph"},
		{id: "account.restricted-spam", key: true, when: "erroraccountsuspend", alt: []cause.ID{"auth.account-disabled"}, from: "Microsoft Graph, Outlook.com"},
		{id: "message.too-large", key: true, when: "errormessagesizeexceeded|errorattachmentsizelimitexceeded|errormimecontenttoolarge|http 413", from: "Microsoft Graph, Gmail API"},
		{id: "recipient.too-many", key: true, when: "errortoomanyrecipients|errorrecipientlimitexceeded|http 400 toomanyrecipients", from: "Microsoft Graph"},
		{id: "recipient.address-syntax", key: true, when: "errorinvalidrecipients|errorinvalidsmtpaddress|errormissingrecipients", alt: []cause.ID{"recipient.unknown"}, from: "Microsoft Graph"},
		{id: "auth.account-disabled", key: true, when: "mailboxnotenabledforrestapi|mailboxnotsupportedforrestapi", alt: []cause.ID{"account.sending-disabled"}, from: "Microsoft Graph: no licence, inactive, or a mailbox on the premises"},
		{id: "auth.username-format", key: true, when: "errorinvaliduser|request_resourcenotfound|http 404 resourcenotfound", alt: []cause.ID{"auth.account-disabled"}, from: "Microsoft Graph: the mailbox is not found"},
		{id: "auth.oauth-token-rejected", key: true, when: "invalidauthenticationtoken|compacttoken|http 401 & !insufficientpermissions|proxy", alt: []cause.ID{"auth.oauth-scope"}, from: "Microsoft Graph, Gmail API"},
		{id: "auth.oauth-scope", key: true, when: "http 403 & erroraccessdenied|accessdenied|authorization_requestdenied|access is denied & !errorsendas", alt: []cause.ID{"auth.blocked-by-policy"}, from: "Microsoft Graph: Mail.Send is not granted, or an access policy leaves the mailbox out"},
		{id: "message.malformed", key: true, when: "invalid base64 string for mime|errormimecontentinvalid|mime content does not contain|http 400 errorinvalidmime", from: "Microsoft Graph"},
		{id: "server.temporary-failure", key: true, when: "errorserverbusy|errorinternalservererror|errorinternalservertransienterror|serviceunavailable|servicenotavailable|http 500|http 503|errormailboxstoreunavailable|errortimeoutexpired|erroritemnotfound & !proxy", from: "Microsoft Graph"},
		{id: "server.temporary-failure", key: true, when: "no answer from the server behind the gateway", from: "gateways"},
		// Gmail API. https://developers.google.com/gmail/api/guides/handle-errors
		{id: "limit.rate", key: true, when: "userratelimitexceeded|ratelimitexceeded|rate_limit_exceeded & !(mail sending)", alt: []cause.ID{"limit.quota"}, from: "Gmail API"},
		{id: "limit.quota", key: true, when: "(mail sending)|dailylimitexceeded & http", alt: []cause.ID{"limit.rate"}, from: "Gmail API"},
		{id: "auth.blocked-by-policy", key: true, when: "domainpolicy & http", from: "Gmail API"},
		{id: "auth.oauth-scope", key: true, when: "access_token_scope_insufficient|insufficientpermissions|accessnotconfigured|service_disabled|delegation denied", alt: []cause.ID{"auth.oauth-token-rejected"}, from: "Gmail API"},
		{id: "auth.account-disabled", key: true, when: "http 400 failedprecondition|mail service not enabled|precondition check failed", alt: []cause.ID{"auth.oauth-scope"}, from: "Gmail API: the user has no Gmail"},
		{id: "recipient.address-syntax", key: true, when: "invalid to header|invalid cc header|invalid bcc header|recipient address required", from: "Gmail API"},
		{id: "message.malformed", key: true, when: "http 400 invalidargument & !header|recipient", from: "Gmail API"},
	},
}
