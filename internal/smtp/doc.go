// Package smtp is the vocabulary of the wire: replies, enhanced status codes,
// paths, the parameters of MAIL and RCPT, and the encoding of message data. It
// holds what client and server share and does no I/O of its own.
//
// # Vocabulary
//
// The words are those of RFC 5321 §2.3: a mail transaction has one
// reverse-path, one or more recipients (forward-paths) and the message data. A
// [Reply] is what the server says to a command. A [Client] is what a server
// knows of the peer of one session, a [Transaction] what it knows of the mail
// transaction in hand.
//
// # Invariants
//
// A [Path] is kept without angle brackets and without a source route; the null
// reverse-path is the empty Path. A reply that was received keeps its lines and
// both of its codes unaltered, because their disagreement is evidence.
//
// # Standards
//
// RFC 5321 (SMTP), 1870 (SIZE), 2034 and 3463 (enhanced status codes), 2920
// (PIPELINING), 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8).
package smtp
