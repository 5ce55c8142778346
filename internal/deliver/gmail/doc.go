// Package gmail sends messages by the Gmail API, from the mailbox of one user. It
// makes the requests and reads what is answered; how a request is made is package
// api's business, what a failure leads to package deliver's.
//
// # Vocabulary
//
// A short message goes in one upload, a longer one in a resumable upload: a
// session, to which pieces are put until it has all.
//
// # States and invariants
//
// The message goes as it is, octet by octet, save for its recipients; see package
// api. Gmail itself writes its account's address into From where From is none of
// the account's own addresses, takes Bcc out, and keeps a copy in Sent.
//
// # Failure
//
// That of package api. A resumable upload whose line broke is asked for: where it
// has all, the message is sent, and nothing is uncertain.
//
// # Concurrency
//
// A Client is used by one goroutine.
//
// # Standards
//
// Gmail API v1: users.messages.send, "Upload attachments", "Resolve errors"; RFC
// 9110 §14.4 (Content-Range).
package gmail
