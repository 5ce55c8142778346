// Package auth knows the accounts and decides who may log in: by a password, or by an
// [Exchange] of a SASL mechanism that does not send it. What is said over the wire
// around an exchange is the server's; what an account may send as is decided by package
// policy; directories, OpenID providers and servers upstream are asked by the packages
// below this one.
//
// # Vocabulary
//
// An [Account] has a name, an argon2id hash in PHC form, and the addresses it may
// send as. [Accounts] are those of the configuration and those of a [File], which
// the command line keeps. A cost is what one hash takes of memory and time. [Kept] is
// what is kept of a password beside its hash. A [Backend] knows accounts that are kept
// elsewhere; such an account is lent to us while its sessions last.
//
// # States and invariants
//
// Names are compared without regard to case (see [Canonical]). A name is in the
// configuration or in the file, not in both. At most one hash a core runs at a
// time; a few wait; more get [ErrBusy]. An unknown name costs a hash as well, so
// that the time of the answer tells nothing.
//
// Logins that were right are remembered for ten minutes, by a keyed digest of
// name, stored hash and password: a device that sends a message a second is hashed
// once. A change of the account makes the digest worthless, its removal too, at
// once. Logins that were wrong are remembered the same way: a device that repeats a
// stale password costs nothing and counts once.
//
// Different wrong passwords for one account from one address are slowed down after
// the fifth: the login is refused unseen ([SlowDown]) for a second, then longer, up
// to a quarter of an hour. It is per account and address, since either alone could
// be used to lock others out. A password that is remembered as right still passes.
//
// Mechanisms that do not send the password need something of it that is kept: SCRAM
// its salted keys, CRAM-MD5 and NTLM a digest that is as good as the password to them.
// Each is kept from the next change of the password on, and only where a listener
// needs it. An unknown name, and an account without what a mechanism needs, is answered
// as a wrong password is: SCRAM's salt of it is made from a secret in the file's
// directory. Wrong proofs count as wrong passwords do, but each of them counts, as two
// of the same password cannot be told from two different ones.
//
// A name that is here is never asked of a Backend. What a Backend has said is
// remembered for ten minutes when it was right, for one when it was wrong.
//
// # Failure and crash
//
// The file is replaced in one step and synced; a crash leaves the old or the new
// one. A file that is damaged by hand is an error of every look-up and not a file
// without accounts: nobody logs in, with a temporary reply, until it is mended, as
// the alternative is to go on letting in whom it was edited to keep out.
//
// # Concurrency
//
// All methods may be called at once. Changes by several processes take turns by a
// file lock.
//
// # Standards
//
// RFC 4954 (AUTH), 9106 (argon2), 4616 (what PLAIN can carry), 5802, 5803 and 7677
// (SCRAM), 5929 and 9266 (channel binding), 2195 (CRAM-MD5), 7628 (OAUTHBEARER), 4422
// appendix A (EXTERNAL); MS-NLMP and MS-SMTPNTLM.
package auth
