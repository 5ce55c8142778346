// Package lab is a server for outgoing mail that fails on purpose, the way it is
// asked to: for rehearsing a failure, and for proving that a diagnosis finds it.
//
// # Vocabulary
//
// A [Scenario] is one failure as a server shows it: what listens, how it behaves,
// what a client is told to use, and which cause is at the root. Its id is that of
// the cause, or the cause and a variant, "net.connection-lost/dot". A [Persona] is
// whose manners the server has while nothing fails: its greeting, its extensions,
// the wording of its replies. [Settings] are what a person would be told to enter;
// they are as wrong as the scenario needs. A step is a place in the conversation at
// which a scenario departs from good behaviour.
//
// # States and invariants
//
// A [Server] listens when [Start] has returned it and until its context ends or it
// is closed; it never starts again. Sockets, TLS and certificates are real; nothing
// is ever sent on, and what it accepts is dropped. A scenario behaves the same at
// every connection.
//
// Credentials and content of messages never enter a transcript, even here: people
// try it with their own programs.
//
// # Bounds
//
// Connections at once, the length of a line, of a message, of a conversation, and
// what is kept of conversations are bounded by the constants of server.go and
// transcript.go.
//
// # Failure
//
// Start fails when it cannot listen or knows no such scenario. After that a
// conversation that goes wrong ends, and is in the transcript.
//
// # Concurrency
//
// A Server may be used by many goroutines. Close waits for its conversations.
//
// # Standards
//
// RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 3030 (CHUNKING), 7628 and the
// vendors' pages on XOAUTH2; 5280 §4.2.2.1 (where an issuer's certificate is).
package lab
