// Package device knows the printers, scanners and other machines that send mail by
// a server and cannot be changed: who they are, what is overlooked for their sake,
// and how they have done lately. A [Book] keeps what their sessions showed; [Report]
// and [Worries] say what that means.
//
// # Vocabulary
//
// A [Device] is configured: a name, and an address or an account to know it by. A
// peer is whoever else connects. A leniency is a rule of SMTP or a floor of security
// that one device may fall short of. A [Session] is what one connection showed:
// facts. A [Record] sums the sessions of one device or peer up. A device is silent
// when it has not sent mail for as long as it is expected to.
//
// # States and invariants
//
// A [Set] does not change once made. Of networks that hold the same address the
// smallest decides. Of peers that are no device only those whose sessions failed
// have a record, and no more than a bounded number, those of other people's
// networks apart from one's own: strangers who try doors must not push out the
// scanner in the next room. A record keeps its last failures, each with its cause
// and what to do; no record holds a password or a word of a message.
//
// # Failure and crash
//
// The book is one file, replaced as a whole, some seconds after something has
// changed and when the server stops: not for every connection. A crash loses those
// seconds of it, and nobody's mail. A file that cannot be read is put aside and
// begun anew: it is evidence, not the queue.
//
// # Concurrency
//
// A Book may be used by many goroutines at once; Run is called once.
package device
