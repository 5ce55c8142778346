// Package explain turns evidence into findings: which cause a failure has, how sure
// that is and what shows it, what else it may be, who must act, and whether sending
// again helps. It is pure, and the only package that reads other servers' texts.
// What a cause means and what to do about it is in package cause.
//
// # Vocabulary
//
// A [Finding] is the meaning of some evidence. A passage is a piece of text that is
// judged as a whole: one reply of a server, or all that was pasted. A rule names a
// cause by the words in which somebody says it.
//
// # Layers
//
// The first that knows an answer gives it:
//
//  1. Types (typed.go): errors of crypto/x509, crypto/tls, the resolver and the
//     operating system. They are certain.
//  2. Words (rules_*.go): the table of rules, by family of causes. Of the rules
//     that fit a passage at its stage the weightiest wins: the one that accounts
//     for most of the text. A server's reply counts before the words around it.
//  3. Enhanced status codes (codes.go), which servers use differently and are
//     believed only where words say nothing.
//  4. Vague words, the digits of the reply, and the stage. They are no more than
//     possible, and come with alternatives.
//
// A report in the form of RFC 3464 is read by package dsn and gives one finding a
// recipient. A fault between a client and its own outgoing server and the same
// fault between two servers are different causes; Facts.FromServer and the signs
// of a server's log tell them apart.
//
// # Invariants
//
// A text that speaks of no failure of mail has the cause "". Lists in a Finding are
// never nil. No more than 10 MiB of a text are read, in time linear in its length.
//
// # Failure
//
// Nothing fails: a text that cannot be read is one that says nothing.
//
// # Concurrency
//
// The functions may be called by many goroutines at once. The rules are made ready
// at the first call.
//
// # Standards
//
// RFC 5321 §4.2 (replies), 3463 and 5248 (enhanced status codes), 3464 (reports), 4954
// §6 and 7628 §3.2.3 (login), 7372 (authentication of mail), 7504 and 7505 (hosts
// and domains that take no mail).
package explain
