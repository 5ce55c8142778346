// Package clienthello reads the first message of a TLS client from its octets, so
// that what crypto/tls would only refuse is known: a scanner that speaks TLS 1.0 or
// SSL 3 and nothing newer. It answers nothing and decides nothing.
//
// # Invariants
//
// Foreign octets are read within their bounds; what is cut off is read as far as it
// goes. Only the first record is looked at.
//
// # Concurrency
//
// All functions are pure, but for [Peek], which belongs to the owner of its reader.
//
// # Standards
//
// RFC 8446 §4.1.2 and §4.2.1 (hello and versions), 6066 §3 (server name), 8701
// (GREASE), 6101 (SSL 3.0).
package clienthello
