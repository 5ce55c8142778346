// Package explain turns evidence into findings: which cause a failure has, how sure
// that is and what shows it, what else it may be, who must act, and whether sending
// again helps. It is pure, and the only package that reads other servers' texts.
// What a cause means and what to do about it is in package cause.
//
// # Vocabulary
//
// A [Finding] is the meaning of some evidence. A passage is a piece of text that is
// judged as a whole: one reply of a server, or all that was pasted. A rule names a
// cause by the words in which somebody says it. A layer is the rules that come from
// one kind of source.
//
// # From a text to a finding
//
//  1. Form (input.go, letter.go, bounce.go, logs.go): character sets, HTML, JSON,
//     quoting and colours are taken away; a message is parted into its parts, a
//     bounce and a log into recipients. A report in the form of RFC 3464 is read by
//     package dsn. Causes in our own log lines and reports are believed.
//  2. Structure (reply.go, passage.go, facts.go, provider.go): reply codes, enhanced
//     status codes, the stage, whose words these are, and whether two servers spoke
//     to each other or a client to its outgoing server: a fault between the one
//     and between the other are different causes.
//  3. Rules (rules_*.go), by layer: what single providers say; what server
//     programs say; what clients, libraries and systems say; other languages; plain
//     words by family of causes; families of words for wordings that nobody has
//     collected. Each layer has a weight. Of the rules that hold at the stage the
//     weightiest wins: the one that accounts for most of the text. A server's reply
//     counts before the words around it.
//  4. Enhanced status codes (codes.go), which servers use differently and are
//     believed only where words say nothing; then vague words, then the digits of
//     the reply. These are no more than possible, and come with alternatives.
//  5. The gate (gate.go): a text that does not speak of mail, or of no failure, has
//     no cause after all.
//
// Errors of Go are named by their types first (typed.go); those are certain.
//
// # To add a wording
//
// Write down the text with its labels in testdata, run the tests with
// WELLSENT_CORPUS_SHOW=1, and put the words that make the difference, not the whole
// text, into the lowest layer that they are true in. The tests of the rules find
// duplicates, contradictions and rules that can never win; `make explain-report`
// shows the score by stage and provider.
//
// # Invariants
//
// A text that speaks of no failure of mail has the cause "". Lists in a Finding are
// never nil. No more than 10 MiB of a text are read, in time linear in its length.
// All words of all rules are looked for in one pass (literals.go).
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
