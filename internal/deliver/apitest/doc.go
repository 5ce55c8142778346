// Package apitest has servers of Microsoft Graph and of the Gmail API for tests,
// made from their published contracts as far as sending mail goes. They are strict:
// what the contract does not allow is refused as the real one does, and a piece of
// an upload in the wrong place or a token where none belongs fails the request.
//
// # Vocabulary
//
// A [Sent] is a message that would have gone out, to whom, and as whom.
//
// # Failure
//
// A test makes a server fail with Before.
//
// # Concurrency
//
// A server may be asked and looked at by many goroutines at once.
//
// # Standards
//
// Microsoft Graph v1.0 and Gmail API v1 as published; RFC 9110.
package apitest
