// Package route decides the next hop of a recipient and the security it requires.
// It is pure: it reads no files, asks no name server and opens no connection. How
// the next hop is reached is left to package deliver.
//
// # Vocabulary
//
// A [Route] says where mail for some recipients goes and how. A [Via] is one way
// there: a smart host, the mail exchangers of the recipient's domain, or the
// sandbox. A pattern names recipients. A lane is what shares one next hop: the
// route's name, with the recipient's domain after a slash where that decides. A
// [Question] is one recipient of one message with what else may decide: who sends
// it, and where it came in.
//
// # Invariants
//
// A [Table] and its routes do not change once made; a new configuration is a new
// Table. The first route that matches a recipient is its route. Domains are
// compared without regard to case and in their ASCII form, so a pattern in UTF-8
// matches an address with A-labels and the other way round.
//
// # Failure
//
// A recipient that no route matches has no route; what that means is for the
// caller to say. A lane whose route the present table does not have has none.
//
// # Concurrency
//
// Everything may be used by many goroutines at once.
//
// # Standards
//
// RFC 5321 §5 (next hop), 6409 §3.1 and 8314 §7.3 (ports), 5890 (A-labels).
package route
