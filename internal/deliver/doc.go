// Package deliver carries one batch of mail to one next hop and says what became
// of each recipient. When mail is tried, and what an outcome leads to, is package
// dispatch's business.
//
// # Vocabulary
//
// A [Conversation] carries one message after another to one destination. A host is
// one way to the next hop: a mail exchanger, a smart host, or an interface over
// HTTPS (packages deliver/graph and deliver/gmail). An attempt is one call of Send.
// A stand-in is a host that serves while the route's preferred one does not. A
// login is what a host is shown: nothing, the password, or a token for SMTP, for
// Graph or for Gmail.
//
// # States and invariants
//
// Hosts are asked in order until one serves. Whether the next one may be asked is
// decided by the cause of each failure so far, in one pure function: mayAsk. After
// the final dot, or after the request to an interface that corresponds to it,
// nobody else is asked. What a route asks of TLS holds for every host; interfaces
// and the successors of withdrawn names are spoken to over verified TLS alone.
//
// Which host serves is remembered for the route, not for the conversation, so
// that not every message knocks at a blocked port. After a while one conversation
// asks the preferred host again, and after a reload the first.
//
// # Failure
//
// Every recipient has an outcome: delivered, deferred, failed, or uncertain, with a
// cause. A failure of the connection, host or route is Trouble beside that. What is
// worth an operator's look though the mail went is a notice. Nothing is kept: after
// a crash the stand-ins are found anew.
//
// # Concurrency
//
// A [Deliverer] is used by many goroutines, a conversation by one. No goroutine
// outlives a call, but for the idle connection of an interface, which ends with
// Close.
//
// # Standards
//
// RFC 5321 §4.2, §5 (replies, next hop), 7504, 7505 (no service, null MX), 8314
// (TLS), 3461 (DSN); those of the interfaces in their packages.
package deliver
