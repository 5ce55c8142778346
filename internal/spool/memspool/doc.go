// Package memspool is the model of a spool: a Store in memory, as simple as the
// contract allows, against which the others are tested. It survives nothing; it
// is for tests and for demonstrations.
package memspool
