// Package api is one conversation with one HTTPS interface that takes mail,
// recorded, and what such interfaces have in common: the token, the refusal in
// JSON, Retry-After, and recipients that are read from the header section. What
// is said to Microsoft Graph or the Gmail API is left to the packages named after
// them, what a failure leads to to package deliver.
//
// # Vocabulary
//
// A [Client] is a conversation. A [Mail] is one message with its envelope, an
// [Answer] what became of it. A request that commits is the one that sends the
// message: what SMTP has the final dot for.
//
// # States and invariants
//
// A token is shown to the host of the conversation alone, over TLS with a
// verified certificate. Redirections are not followed. Neither tokens nor the
// queries of addresses, which hold tokens too, nor content enter the record.
//
// An interface has no envelope: it delivers to whom To, Cc and Bcc name.
// [Mail.Open] gives content in which these are the recipients of the envelope,
// no more and no fewer.
//
// # Failure
//
// A failure before a committing request was sent whole means that nothing was
// accepted. Where the line dies after that, the error has stage post-data and no
// reply: the message may have been accepted. A reply in the form of SMTP carries
// what an interface has answered: its words, with the HTTP status before them; the
// three digits and the enhanced status code are ours, chosen for what the words
// mean. Every read and write has a deadline.
//
// # Concurrency
//
// A Client is used by one goroutine. Its idle connection ends with Close.
//
// # Standards
//
// RFC 9110 (HTTP), 6750 (bearer tokens), 5322 (header section), 5321 (reply codes),
// 3463 (enhanced status codes).
package api
