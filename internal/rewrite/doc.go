// Package rewrite puts a smart host's mailbox in the place of senders that it would
// refuse: a login that may send as itself only, and a scanner that sends as
// scanner@lan. It is pure: header section in, header section out; the body is never
// looked at.
//
// # Vocabulary
//
// The mailbox is the address that the smart host lets us send as. Aliases are what
// it may send as beside. An address that is neither is replaced.
//
// # What is written
//
// From becomes the mailbox. Who it was stands in its display name, as people read
// it, and in Reply-To, so that answers reach it; a Reply-To that is there stays:
//
//	From: Scanner 2 <scanner@lan>
//	From: "Scanner 2 (scanner@lan)" <relay@example.org>
//	Reply-To: Scanner 2 <scanner@lan>
//
// Several addresses and several From fields become one. Where all of them are the
// mailbox or aliases, From stays as it is, octet for octet. Sender is taken out
// where From is the mailbox now: it would say the same (RFC 5322 §3.6.2). Where From
// stays and Sender names somebody else, Sender becomes the mailbox. A message
// without From is given one.
//
// A notification (null reverse-path) is given no Reply-To: nobody reads what is
// answered to a mail system.
//
// DKIM-Signature and DomainKey-Signature are taken out where From changes. From is
// always signed (RFC 6376 §5.4), so they cannot verify any more, and receivers hold
// broken signatures against a message though they should not (§6.1). RFC 6376 §4.2
// asks that signers leave them for forensics; but the recipient of this message is
// nobody who could use them, and the 8-bit conversion behind this step is free again
// to mend what it may not touch in a signed message.
//
// # Failure
//
// There is none: a From that cannot be read is shown as the text it is.
//
// # Concurrency
//
// A [Rule] may be used by many goroutines at once.
//
// # Standards
//
// RFC 5322 §3.4, §3.6.2, 2047 §5 (names that are not ASCII), 6376 (DKIM), 3834
// (answers to notifications).
package rewrite
