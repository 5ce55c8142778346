// Package explain turns evidence into findings: which cause, how sure, what
// proves it, who must act, whether sending again helps, and what to do. It is the
// only package that reads other servers' texts. It is pure: no I/O, no clock.
//
// # Layers
//
// Structure comes first: typed errors of Go (names, sockets, TLS, certificates),
// and of a text its reply code, enhanced status code and the stage. Then the
// rules, in rules.go: literals in the text, from the narrowest to the broadest,
// each with the wording it was derived from. At last the general meaning of the
// codes. Each layer can be tested alone.
//
// # Vocabulary
//
// [Facts] are what the caller knows beside the text. A post office (FromServer)
// names failures between servers delivery.* where a client names them net.* and
// dns.*.
//
// # Bounds
//
// A text is read up to 10 MiB; all matching is linear in its length.
package explain
