// Package upstreamauth lets the mail server that mail goes to decide about a login:
// whoever may log in there may log in here. It implements auth.Backend.
//
// # Vocabulary
//
// Upstream is that server. A refusal is its answer to a wrong password; the budget is
// how many of them one name may cause in a while, below the number at which providers
// lock an account.
//
// # States and invariants
//
// A password that upstream has taken is kept as a digest keyed by a secret of this
// process, never as itself. For a while it lets in without a question; for a longer
// while it does when upstream cannot be asked. Both end, so that an account that was
// closed upstream is closed here, too. A restart forgets it all.
//
// A password that upstream has refused is not given to it again within the budget's
// time, and another one only within the budget; there is a budget for all names
// together as well, since upstream counts our address. A question that is under way
// counts as a refusal until it is answered; whoever has the same password meanwhile
// waits for that answer.
//
// Passwords go over TLS with a certificate for upstream's name.
//
// # Failure
//
// Whatever is no verdict on the password (upstream is away, is too busy, offers no
// login) is an error other than auth.ErrInvalid: the client is told to try later,
// unless the password is known to have been right.
//
// # Concurrency
//
// All methods may be called at once.
//
// # Standards
//
// RFC 4954 (AUTH), 3207 and 8314 (TLS).
package upstreamauth
