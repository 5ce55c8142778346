// Package submission stands between the server engine and the spool. It asks the
// accounts about logins, applies the sender policy, finds each recipient's
// destination, puts the header block right as RFC 6409 §8 asks, and stores the
// message. It speaks no SMTP: commands, their syntax and their order are the
// server's.
//
// # Vocabulary
//
// The header block is the fields that this server adds; it is stored apart from
// the body. The header section is the fields that the message came with. A local
// name is a recipient without a domain, such as "root"; an alias gives it an
// address.
//
// # The header
//
// The header section is read, up to 256 KiB, before the first octet is stored; the
// body behind it is never held in memory. The fields that are added (Received, and
// Message-ID, Date, From and Sender where needed) become the header block. The
// fields that must go (Bcc, Resent-Bcc, Return-Path, a Sender that is not the
// account's) are cut out of the header section as it passes; a field goes with its
// folded lines. Everything else is stored octet for octet as it came, so that
// signatures stay valid. The other way, keeping the section as it came and a list
// of cuts beside it, would have each reader of a body know about cuts.
//
// The same is done on every kind of listener. A relay between servers must not do
// it (RFC 6409 §8), but the hosts that relay and device listeners name are the
// site's own programs and devices, which hand in new mail; in mail that has been
// through a server before, there is nothing to add or to take out.
//
// # States and invariants
//
// 250 is answered after Store.Accept has returned, never before. A message is
// stored for all of its recipients or for none. The recipients' destination, and
// the instants of warning and expiry, are fixed at acceptance. NOTIFY without DELAY
// and the null reverse-path have no instant of warning.
//
// # Failure and crash
//
// No room is 452 4.3.1, a spool out of service 421 4.3.0, anything else 451 4.3.0:
// the client keeps the message. A crash before the answer may leave a message that
// the client sends again; that is the duplicate that SMTP cannot avoid.
//
// # Concurrency
//
// A [Service] is called by many sessions at once. [Settings] are replaced as a
// whole.
//
// # Standards
//
// RFC 6409 (submission), 5321 §4.4 (trace), 5322 (message format), 3848 and 8314
// §4.3 (words of Received), 3461 (DSN), 6531 (SMTPUTF8).
package submission
