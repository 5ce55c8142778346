// Package spooltest is the contract suite of spool.Store: each sentence of the
// contract is a test of its own, and every store passes all of them.
package spooltest
