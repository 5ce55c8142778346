// Package auth knows the accounts and decides whether a user name and a password
// belong together. SASL's dialogue is the server's; what an account may send as is
// decided by package policy.
//
// # Vocabulary
//
// An [Account] has a name, an argon2id hash in PHC form, and the addresses it may
// send as. [Accounts] are those of the configuration and those of a [File], which
// the command line keeps. A cost is what one hash takes of memory and time.
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
// RFC 4954 (AUTH), 9106 (argon2), 4616 (what PLAIN can carry).
package auth
