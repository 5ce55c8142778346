// Package proxyprotocol reads the header of the PROXY protocol, versions 1 and 2,
// by which a load balancer in front of a server tells who its client is. Whom to
// believe it is for the caller to decide: anybody can send such a header.
//
// # Vocabulary
//
// The source is the client's address and port, the destination the address that it
// connected to. A local connection is one that the balancer made for itself, to see
// whether the server is up. An unknown client is one whose addresses it cannot tell;
// version 1 has no other word for a local connection.
//
// # Invariants
//
// [Read] takes the header from a connection and no octet more: what follows may be
// a TLS handshake. A header is read whole or refused; nothing of it is guessed. The
// fields behind the addresses (TLVs) are checked for their form and their checksum
// and not believed, above all not those that speak of TLS.
//
// # Failure
//
// A header that is missing, malformed or too long is an error, and the connection
// is of no more use. The caller sets the deadline.
//
// # Concurrency
//
// There is no state.
//
// # Standards
//
// "The PROXY protocol, versions 1 & 2", by Willy Tarreau, of 2020, as HAProxy
// publishes it; called the specification below.
package proxyprotocol
