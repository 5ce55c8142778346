// Package binary builds the program and runs it as its users do: by its command
// line, its configuration file and its ports. Tests of other directories use it
// to look at Wellsent from outside.
//
// # Vocabulary
//
// The binary is the built program. An office is one data directory with one
// configuration, served by the binary or not.
//
// # States and invariants
//
// An office is made stopped. When Start has returned nil every listener greets;
// when Stop or Kill has returned the process has ended. The ports of an office
// stay the same over all its starts.
//
// # Failure
//
// A server that ends by itself is an error of Start with what it printed. The
// kernel ends servers should the test process die.
//
// # Concurrency
//
// An office may be asked by many goroutines at once; starting and stopping is for
// one at a time.
//
// # Standards
//
// None: commands, exit codes and formats are those of Wellsent's own contract.
package binary
