// Package provider knows the mail services that people use: which hosts and ports
// take their outgoing mail, how their users sign in, what they limit, which names
// they have withdrawn. It answers from data in the program and does no I/O; to
// find settings on the network is for package autoconfig, to see whether they are
// right for package doctor.
//
// # Vocabulary
//
// A [Provider] is one service with one way to sign in; one company may run
// several. A host is known by its [Use]: as outgoing, incoming or MX host. A
// [Retired] name was a provider's own and has a successor of that same provider,
// or none. A [Closed] service has no successor. A [Network] blocks ports.
//
// # Data
//
// The data are the files of data, one for each [Kind], in TOML. They are decoded
// strictly: an unknown key, a bad port or an unknown word is an error, and a test
// validates them all. Facts that change with time, such as the end of a way to
// sign in, are recorded with their dates as [Change], so that the answer depends on
// the time asked about and not on that of the build.
//
// # Invariants
//
// Names are in lower case, as A-labels, without a final dot; look-ups take any
// case and a final dot. A mail domain, an MX suffix and a retired name belong to
// one provider each. A host may serve several providers, and then has the same
// ports with all of them. What is returned is shared and must not be changed.
//
// # Failure
//
// Nothing fails: a look-up finds or does not. Data that do not decode are a fault
// of the build and panic at the first look-up.
//
// # Concurrency
//
// All functions may be called by many goroutines at once.
//
// # Standards
//
// RFC 6409 (submission), 8314 (implicit TLS, ports 465 and 587).
package provider
