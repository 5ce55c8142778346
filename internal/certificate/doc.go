// Package certificate gives the server its TLS certificates: from files, read
// again when they change, or from a private CA that it makes for a host that has
// no certificate yet. It serves and never verifies: what a peer's certificate is
// worth is decided elsewhere.
//
// # Vocabulary
//
// A leaf is the certificate of this server. A chain is a leaf followed by its
// issuers. The private CA is an authority of this one host; a client trusts it
// when its certificate, ca.pem, is added to the client's roots.
//
// # States and invariants
//
// A [Source] always has at least one leaf with its key: it is not made without.
// The CA's key and the leaves' keys are readable by their owner only, ca.pem by
// everybody. Leaf and key are one file, so that they always fit. A leaf of the
// private CA lives 397 days and is replaced when a third of that is left. ECDSA
// is offered first; a client that knows only RSA is given the RSA leaf, whose
// chain is RSA throughout.
//
// # Failure and crash
//
// When files cannot be read any more, the certificate in use stays in use and the
// fault is logged once. Every write is to a temporary file that is synced and
// renamed; a crash leaves the old file or the new one. The CA's key is written
// before its certificate. A CA certificate without its key is never replaced
// silently, because clients trust it.
//
// # Concurrency
//
// All methods may be called at once. Files are looked at by a handshake, at most
// once a second; no goroutine is needed. Processes that share a directory take
// turns by a file lock.
//
// # Standards
//
// RFC 5280 (certificates), 7468 (PEM), 8446 and 5246 (TLS), 8314 §4.2 (TLS 1.2 and
// later for mail).
package certificate
