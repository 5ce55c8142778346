// Package traffic makes and takes SMTP traffic for tests and benchmarks: Load
// sends messages over many connections at once, Sink takes them and counts.
//
// Both are small and fast, so that between them a server is what is measured,
// and both are plain: no TLS, no login. They check what a lost or doubled message
// would show, not how a server words its replies.
//
// # Vocabulary
//
// Every message that a Load sends has an id of its own in the field X-Traffic-ID.
// A Load reports each id that was answered 250; a Sink counts how often it was
// given each id. A message is lost when the first holds it and the second never
// does; it is a duplicate when the second has it more than once.
//
// # States and invariants
//
// A Load reports an id after it has read the 250 and before it sends another
// message on that connection. A Sink has counted a message before it answers its
// final dot, so a server that reads the 250 can rely on the count.
//
// # Failure
//
// A Load whose connection breaks dials again after a pause until its context
// ends; the message in hand is not reported and not sent again under the same id.
// A Sink that reads what is no SMTP closes the connection.
//
// # Concurrency
//
// All methods may be called by many goroutines at once. Load.Run and Sink.Close
// return when their goroutines have.
//
// # Standards
//
// RFC 5321, and PIPELINING (RFC 2920) where the server offers it.
package traffic
