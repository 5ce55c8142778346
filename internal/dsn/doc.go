// Package dsn writes and reads delivery status notifications: what a sender is
// told when a message failed, is delayed, was delivered, or was handed on to a
// server that tells no more. It writes and reads bytes; when a notification is
// due, to whom it goes and by which route is left to package dispatch, and what a
// failure means to package explain.
//
// # Vocabulary
//
// A [Report] is one notification about one message. It has a [Recipient] for each
// recipient it tells of, and an [Action] for what became of each: failed, delayed,
// delivered, relayed, expanded. The content is the message that the report is
// about; it is returned whole or as its header section.
//
// # Form
//
// A report is a multipart/report of three parts: one for people, one for programs
// (message/delivery-status) and the content (message/rfc822 or
// text/rfc822-headers). Where the report itself goes by SMTPUTF8, the types
// message/global-delivery-status, message/global and message/global-headers take
// their place.
//
// # Invariants
//
// Nothing that came from a stranger begins a line of a report: line ends and
// control characters are taken out of every field, and no field is wider than 998
// octets a line. At most [MaxContent] octets of content are returned. The whole
// content is returned only of a failure, and only when its sender asked for it. A
// report always carries Auto-Submitted, and its own sender must be the null
// reverse-path, so that no server answers it.
//
// # Failure
//
// [Compose] returns an error for a report that is about nobody or has no hostname,
// and when the content cannot be read. [Parse] takes what other servers write,
// mistakes included, and returns [ErrNotReport] for everything else; it reads no
// more than [MaxReport] octets.
//
// # Concurrency
//
// The functions keep no state and may be called by many goroutines at once.
//
// # Standards
//
// RFC 3461 (when and how), 3462 and 6522 (multipart/report), 3463 (status codes),
// 3464 (message/delivery-status), 3834 (Auto-Submitted), 5322 (header fields), 6533
// (internationalised notifications).
package dsn
