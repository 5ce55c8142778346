// Package evidence holds what was seen when mail was sent or refused: the place
// in the protocol, the reply, the addresses tried, the TLS facts, the lines of
// both sides and the time of each step. It records and never judges: causes are
// named by package explain.
//
// # Vocabulary
//
// A [Stage] is a place in the protocol, with the words of the catalogue of causes.
// An [Error] is a failure at a stage. A [Record] is all that one conversation
// with one server showed.
//
// # Invariants
//
// Credentials and message bodies never enter a Record; they are redacted as they
// are recorded, not later. The JSON form of a Record carries [Version].
package evidence
