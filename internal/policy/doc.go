// Package policy decides what may be submitted: who may send as whom, how many
// hops a message may have made, how large its header section may be. Its functions
// are pure: facts in, nil or the reply for the client out. Who somebody is has been
// decided by package auth; what is done about it is package submission's.
//
// # Vocabulary
//
// A [Sender] is whoever submits: an account, or a host that is named by its
// address. A pattern covers addresses: "*", "*@example.org", "ann@example.org".
//
// # Invariants
//
// Domains and local parts are compared without regard to case. A sub-address
// belongs to its owner: "ann@example.org" covers "ann+lists@example.org". The null
// reverse-path may be used by everybody who may send at all, as notifications and
// read receipts have none. A From field that cannot be understood is refused to
// those who may not send as anything: it could say anything.
//
// # Standards
//
// RFC 6409 §6.1 (submission rights), 5321 §6.3 (loops), 5322 §3.6.2 (From), 5233
// (sub-addresses), 3463 (enhanced status codes).
package policy
